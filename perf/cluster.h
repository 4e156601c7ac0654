/* A made-up cluster of any size, as arithmetic: who has which address, which endpoints a service has. The
 * same numbers fill the store for the builders, write the traffic and judge what comes out; so no table of
 * flows is needed, which would push the dataplane's own tables out of the caches. Immutable once
 * initialised. Any thread.
 *
 * Node 0 is this node. The others have CLUSTER_PODS pods each, and there are as many as it takes to give
 * every endpoint a pod of its own. With local backends, endpoints are ports of this node's pods instead. */
#ifndef RINGWAY_PERF_CLUSTER_H
#define RINGWAY_PERF_CLUSTER_H

#include "dataplane/net/headers.h"
#include "dataplane/net/ip_addr.h"

#define CLUSTER_PODS 250
#define CLUSTER_NAMESPACE "perf"
#define SERVICE_PORT 80
#define REMOTE_BACKEND_PORT 8080
#define L3_PORT 8080 /* what pods serve without a service, this node's too */

/* The client ports that a pod's kernel chooses from (DESIGN 5.2), clear of every wire port. Local backends
 * listen here too, for the same reason: a server port among the wire ports would make its flows
 * exceptions. */
#define EPHEMERAL_FIRST 33792
#define EPHEMERAL_COUNT 15360

struct cluster_shape {
	uint32_t n_pods; /* of this node: at most CLUSTER_PODS */
	uint32_t n_services;
	uint32_t n_endpoints;
	bool local_backends;
	uint32_t first_backend; /* local backends are on this pod of the node and those after it */
	bool ipv6;              /* pods and services; the underlay is IPv4 */
	bool udp;
	unsigned n_rules; /* of policies, on each pod of this node and in each direction; 0: no policies */
	unsigned n_identities; /* of the cluster's pods */
};

struct cluster {
	struct cluster_shape shape;
	uint32_t n_nodes; /* this one included */
	uint8_t proto;
};

/* 0, or -EINVAL when there are more endpoints per service than pods to hold them. */
int cluster_init(struct cluster *c, const struct cluster_shape *shape);

struct ip_addr cluster_pod_addr(const struct cluster *c, uint32_t node, uint32_t pod);
struct ip_addr cluster_service_addr(const struct cluster *c, uint32_t service);
struct ip_prefix cluster_pod_cidr(const struct cluster *c, uint32_t node);
struct ip_addr cluster_node_addr(uint32_t node);
uint32_t cluster_find_node(const struct cluster *c, const struct ip_addr *addr);
struct mac_addr cluster_pod_mac(uint32_t pod);
struct mac_addr cluster_tunnel_mac(uint32_t node);
struct mac_addr cluster_next_hop(uint32_t node);

/* The reverse of cluster_pod_addr(): false when this is no pod's address. */
bool cluster_find_pod(const struct cluster *c, const struct ip_addr *addr, uint32_t *node, uint32_t *pod);

/* How many endpoints a service has, and where the j-th is. */
uint32_t cluster_service_size(const struct cluster *c, uint32_t service);
void cluster_endpoint(
	const struct cluster *c, uint32_t service, uint32_t j, uint32_t *node, uint32_t *pod, uint16_t *port);

/* True when the pod's port is one of the service's endpoints. */
bool cluster_is_endpoint(
	const struct cluster *c, uint32_t service, uint32_t node, uint32_t pod, uint16_t port);

#endif
