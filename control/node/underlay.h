/* The network that carries the tunnels and leads out of the cluster: our uplink, for every other node's VTEP the MAC
 * address of the next hop on the way to it, and the node's own routes with the MAC addresses of their gateways and of
 * those hosts on the segment that packets went to. All are the kernel's knowledge, read and followed by rtnetlink: its
 * routes choose the way, its neighbour table resolves addresses, and since it does not see our packets we ask it to keep
 * those entries fresh.
 * Control thread only, in the node's network namespace. */
#ifndef RINGWAY_NODE_UNDERLAY_H
#define RINGWAY_NODE_UNDERLAY_H

#include <net/if.h>
#include <stddef.h>

#include "control/build/facts.h"

#define UNDERLAY_ADDRS_MAX 512 /* with those that a node holds for load balancers */

struct loop;
struct underlay;

struct underlay_facts {
	unsigned ifindex; /* 0: there is no uplink (yet) */
	char name[IF_NAMESIZE];
	struct mac_addr mac;
	uint16_t mtu;
	uint32_t n_queues; /* receive queues in use */
	bool is_up;

	/* the node's own, of all its interfaces, loopback and link-local ones aside; first those of the uplink, and of these
	 * those that have a network */
	size_t n_addrs;
	struct ip_addr addrs[UNDERLAY_ADDRS_MAX];
};

struct underlay_config {
	struct loop *loop;
	const char *interface;    /* "": the one that has node_addr */
	struct ip_addr node_addr; /* of this node's Node object; none: not known yet */

	/* Something that tables are built from has changed; called from the loop, never from inside these functions. */
	void (*changed)(void *arg);
	void *arg;
};

/* Reads the present state and follows it from then on. 0 or -errno; a missing uplink is no error, it may come. */
int underlay_new(struct underlay **out, const struct underlay_config *config);
void underlay_free(struct underlay *u);

/* Reads the present state anew at once, where else it is read when the loop runs. True when it is news, which is not told
 * then: for who needs to know all of it now. */
bool underlay_read(struct underlay *u);

/* What is known now; valid until the loop runs again. */
const struct underlay_facts *underlay_facts(const struct underlay *u);

/* The node's address became known or changed. */
void underlay_set_node_addr(struct underlay *u, const struct ip_addr *node_addr);

/* The VTEPs to know the way to, from now on: those of all other nodes. 0 or -ENOMEM with the former ones in force. */
int underlay_set_vteps(struct underlay *u, const struct ip_addr *vteps, size_t n);

/* Why a VTEP can or cannot be reached; static strings. */
enum next_hop_state {
	NEXT_HOP_UNKNOWN,   /* not one of the VTEPs */
	NEXT_HOP_NO_ROUTE,  /* the kernel has no route to it */
	NEXT_HOP_ELSEWHERE, /* its route leaves by another interface than the uplink */
	NEXT_HOP_RESOLVING, /* no MAC address yet */
	NEXT_HOP_FAILED,    /* nobody answered */
	NEXT_HOP_RESOLVED,
};

struct next_hop {
	enum next_hop_state state;
	struct ip_addr addr; /* the gateway, or the VTEP itself when on link */
	struct mac_addr mac; /* all zero unless resolved */
};

/* A packet waits for the MAC address of a host on the segment: it is looked for, if it is on the segment. */
void underlay_find_host(struct underlay *u, const struct ip_addr *addr);

/* The ways out of the cluster as they are known now, by destination: at most max of them, and how many that are. */
#define UNDERLAY_WAYS_OUT_MAX 8192
size_t underlay_ways_out(const struct underlay *u, struct way_out *out, size_t max);

struct next_hop underlay_next_hop(const struct underlay *u, const struct ip_addr *vtep);
const char *next_hop_state_label(enum next_hop_state state);

#endif
