/* What underlay.c (following the kernel, ways to VTEPs), underlay_facts.c (the uplink and the node's addresses),
 * underlay_neighbours.c (MAC addresses) and underlay_ways_out.c (routes out of the cluster) share; nobody else includes it. */
#ifndef RINGWAY_NODE_UNDERLAY_INTERNAL_H
#define RINGWAY_NODE_UNDERLAY_INTERNAL_H

#include "control/loop.h"
#include "control/node/neighbours.h"
#include "control/node/underlay.h"
#include "control/node/underlay_routes.h"

struct nl_sock;
struct rtnl_neigh;

struct way {
	struct ip_addr vtep;
	struct next_hop hop;
};

struct underlay {
	struct underlay_config config;
	char interface[IF_NAMESIZE]; /* as configured; "" */
	struct underlay_facts facts;
	size_t n_ways;
	struct way *ways; /* sorted by VTEP */
	struct underlay_routes routes;
	struct neighbours hosts; /* gateways, and what packets asked for */

	struct nl_sock *query;  /* requests and their answers */
	struct nl_sock *events; /* multicast groups */
	struct loop_fd *events_fd;
	struct loop_timer *timer;
	uint64_t fresh_until_ns; /* when all entries are to be asked for again */
	uint64_t timer_ns;       /* when the timer is due; 0: it is not set */
	bool is_stale;           /* the kernel could not be read: to be tried again */
	bool has_route_news;     /* links, addresses or routes changed since they were read */
	struct loop_task refresh, announce;
};

/* Reads the uplink and the node's addresses anew. True when they changed; is_stale is set when they could not be read. */
bool underlay_read_facts(struct underlay *u);

bool next_hop_is_same(const struct next_hop *a, const struct next_hop *b);

/* What an entry of the neighbour table says, to ways and hosts. True when it is news to one of them. */
bool underlay_apply_neighbour(struct underlay *u, struct rtnl_neigh *neigh);

/* The same of all entries. wants_known: hosts of the segment whose MAC addresses the kernel knows are wanted from now on,
 * as if packets had asked for them. */
bool underlay_read_neighbours(struct underlay *u, bool wants_known);

/* Asks the kernel to use the entry as it would for a packet of its own (NTF_USE): resolve it, or probe a stale one. What
 * it knows already is taken up at once, since it sends no event of that; true when that is news. A static entry is only
 * read: the kernel takes its permanence away when it is used like that. */
bool underlay_ask_for_neighbour(struct underlay *u, const struct ip_addr *addr);

/* The same of all ways and hosts, or of those that need it. */
bool underlay_ask_for_neighbours(struct underlay *u, bool all);
bool underlay_is_all_resolved(const struct underlay *u);

/* Reads the node's routes anew. True when they changed; is_stale is set when they could not be read. */
bool underlay_read_routes(struct underlay *u);

/* Whether the node would send to an address without a gateway, out of the uplink. */
bool underlay_is_on_segment(const struct underlay *u, const struct ip_addr *addr);

#endif
