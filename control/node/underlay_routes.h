/* The node's own routes, as the ways out of the cluster: what its main table sends through the uplink, what it sends
 * elsewhere, what it refuses. Rules that choose other tables (policy routing) are not followed. Control thread only. */
#ifndef RINGWAY_NODE_UNDERLAY_ROUTES_H
#define RINGWAY_NODE_UNDERLAY_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/net/ip_addr.h"

/* As many as are kept; a node with more, such as a BGP router, needs a default route to have all reached. */
#define UNDERLAY_ROUTES_MAX 4096

struct nl_sock;

enum way_kind {
	WAY_GATEWAY,   /* out of the uplink, by a gateway */
	WAY_SEGMENT,   /* out of the uplink, to neighbours */
	WAY_ELSEWHERE, /* by another interface */
	WAY_REFUSED,   /* blackhole, unreachable, prohibit */
};

struct underlay_route {
	struct ip_prefix dst;
	struct ip_addr gateway; /* of WAY_GATEWAY */
	uint32_t metric;
	enum way_kind way;
};

struct underlay_routes {
	size_t n;
	struct underlay_route *routes; /* sorted by destination, each once */
	bool is_cut;                   /* there are more than UNDERLAY_ROUTES_MAX */
};

/* Reads them anew, for the uplink with this index; true in *changed when they are others than before. 0 or -errno with the
 * former ones in place. Our own routes, link-local and multicast ones are left out. */
int underlay_routes_read(struct underlay_routes *r, struct nl_sock *query, unsigned uplink, bool *changed);
void underlay_routes_free(struct underlay_routes *r);

#endif
