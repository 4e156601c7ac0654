/* Longest-prefix match: a hash per prefix length, longest first. A node has few lengths (host routes of its
 * pods and of the underlay's neighbours, one or two pod CIDR lengths, what the node's own routes have), so a
 * look-up is a few probes, two or three for what stays in the cluster, and needs no large table.
 * Immutable once published; written by control/build/topology_build.c. */
#ifndef RINGWAY_ROUTE_TABLE_H
#define RINGWAY_ROUTE_TABLE_H

#include "dataplane/net/headers.h"
#include "dataplane/net/ip_addr.h"
#include "dataplane/net/prefix_lens.h"

enum route_kind {
	ROUTE_NONE,     /* no route */
	ROUTE_ENDPOINT, /* a local pod; target: index into the endpoint table */
	ROUTE_VTEP,     /* another node's pods; target: index into the FDB */
	ROUTE_HOST,     /* this node's own addresses: to the host's stack */
	ROUTE_INBOUND,  /* this node's, reserved for flows from outside: to the worker that has the flow */
	ROUTE_SERVICE,  /* a service CIDR: whatever translate left here has no service */
	ROUTE_NOBODY,   /* a pod network's part that no node has, or what the node itself refuses to route */

	/* Outside: what is neither pod, service nor reserved follows the node's own routes. */
	ROUTE_UNDERLAY, /* out of the uplink by 'next_hop': a gateway, or a neighbour's own address */
	ROUTE_SEGMENT, /* the uplink's own segment, where each address is a neighbour that is still to be found */
	ROUTE_ELSEWHERE, /* by another interface than the uplink */
};

enum route_flag {
	ROUTE_NATIVE = 1 << 0, /* ROUTE_UNDERLAY: pods go there with their own addresses, not masqueraded */
};

/* Two to a cache line, none across two. */
struct route {
	_Alignas(32) struct ip_addr prefix; /* host bits clear */
	uint8_t len;                        /* 0..128; IPv4 counts from 96 */
	uint8_t kind;                       /* enum route_kind; ROUTE_NONE marks a free slot */
	uint8_t flags;                      /* enum route_flag */
	struct mac_addr next_hop;           /* ROUTE_UNDERLAY; all zero: not resolved (yet) */
	uint32_t target;
};
static_assert(sizeof(struct route) == 32, "two routes per line");

struct route_table {
	struct prefix_lens v4, v6;
	uint32_t n_routes;
	uint32_t mask; /* slots - 1 */
	struct route slots[];
};

/* Room for n_routes at a load of at most one quarter; NULL if out of memory. The caller adds routes before
 * publishing. */
struct route_table *route_table_new(uint32_t n_routes);
void route_table_free(struct route_table *t);

/* Adds a route, or replaces the one with the same prefix. Not more than the table was made for. */
void route_table_add(
	struct route_table *t, const struct ip_prefix *prefix, enum route_kind kind, uint32_t target);

/* The same for a way outside: ROUTE_UNDERLAY with its next hop's MAC, ROUTE_SEGMENT or ROUTE_ELSEWHERE. */
void route_table_add_outside(struct route_table *t, const struct ip_prefix *prefix, enum route_kind kind,
	const struct mac_addr *next_hop, uint8_t flags);

/* Whether what has this route, or none (NULL), belongs to neither pods, services nor this node. */
static inline bool
route_is_outside(const struct route *r)
{
	return r == NULL || r->kind >= ROUTE_UNDERLAY;
}

/* The route with the longest prefix that holds the address, or NULL. Workers. */
const struct route *route_lookup(const struct route_table *t, const struct ip_addr *addr);

#endif
