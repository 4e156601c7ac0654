/* The host's stack as a port: a veth pair, of which the stack has one end, with this node's address in the
 * pod network and routes to pods and services, and the dataplane the other. Kubelet, hostNetwork pods and
 * node processes come in here.
 *
 * The stack holds only the first of the node's reserved addresses: what answers to one of the others, a slot,
 * is translated back to it before it gets there (DESIGN 5.2). Below each route lies a blackhole with a worse
 * metric: with the pair gone, packets for pods and services end here and do not leave by the uplink.
 *
 * Only the stack's own packets take these routes: rules keep it from passing on what others send to these networks.
 *
 * All of it stays when the daemon ends, and is found again. Control thread only. */
#ifndef RINGWAY_NODE_HOST_H
#define RINGWAY_NODE_HOST_H

#include "control/node/netdev.h"
#include "dataplane/endpoint_table.h"
#include "xdp/loader.h"

#define HOST_ERROR_SIZE 256
#define HOST_CONFLICTS_MAX 8
#define HOST_CONFLICT_SIZE 192

struct engine;
struct port;

struct host_config {
	const char *interface; /* the stack's end; the dataplane's is called interface-x */
	size_t n_pod_cidrs, n_service_cidrs;
	const struct ip_prefix *pod_cidrs, *service_cidrs;
	struct engine *engine;
	struct xdp *xdp;
	enum xdp_choice xdp_choice;
};

struct host {
	const struct host_config *config;
	struct netdev *netdev;
	struct port *port;                /* NULL until host_setup() succeeded */
	int ifindex, peer_ifindex;        /* the stack's end, the dataplane's */
	struct mac_addr mac;              /* of the stack's end */
	struct ip_addr addrs[N_FAMILIES]; /* the stack's; none where the node lacks the family */
	uint16_t mtu;
	enum xdp_mode mode;
	unsigned n_conflicts; /* routes of the node that overlap pod or service networks, as messages */
	char conflicts[HOST_CONFLICTS_MAX][HOST_CONFLICT_SIZE];
};

/* Brings about pair, addresses, routes, program and socket, as far as they are not there already; also after
 * the addresses or the MTU changed. The config stays the caller's. 0 or -errno with a message; then what was
 * there before still works where it can. */
int host_setup(struct host *h, const struct host_config *config, struct netdev *netdev,
	const struct ip_addr addrs[N_FAMILIES], uint16_t mtu, char error[static HOST_ERROR_SIZE]);

/* A route over the pair, of a family of which the host has an address. */
struct netdev_route host_route(const struct host *h, const struct ip_prefix *dst);

/* Is the pair still there and up? Someone may have deleted it. */
bool host_is_intact(const struct host *h);

#endif
