#include "control/node/underlay_internal.h"

#include <string.h>

#include "control/log.h"

/* The one that the node would take to an address; NULL: none. */
static const struct underlay_route *
find_route(const struct underlay *u, const struct ip_addr *addr)
{
	const struct underlay_route *best = NULL;

	for (size_t i = 0; i < u->routes.n; i++) {
		const struct underlay_route *r = &u->routes.routes[i];

		if (ip_addr_is_v4(&r->dst.addr) == ip_addr_is_v4(addr) && ip_prefix_contains(&r->dst, addr) &&
			(best == NULL || r->dst.len > best->dst.len))
			best = r;
	}
	return best;
}

bool
underlay_is_on_segment(const struct underlay *u, const struct ip_addr *addr)
{
	const struct underlay_route *r = find_route(u, addr);

	return r != NULL && r->way == WAY_SEGMENT;
}

static bool
is_still_on_segment(struct neighbour *n, void *arg)
{
	n->is_gateway = false; /* until a route says so again */
	return ip_addr_is_v6_link_local(&n->addr) || underlay_is_on_segment(arg, &n->addr);
}

static bool
is_gateway_or_global(struct neighbour *n, void *arg)
{
	return n->is_gateway || !ip_addr_is_v6_link_local(&n->addr);
}

bool
underlay_read_routes(struct underlay *u)
{
	bool changed;

	if (underlay_routes_read(&u->routes, u->query, u->facts.ifindex, &changed) < 0) {
		u->is_stale = true;
		return false;
	}
	if (!changed)
		return false;
	if (u->routes.is_cut)
		log_warn("the node has more than %u routes: only so many are followed for traffic out of the "
			 "cluster",
			UNDERLAY_ROUTES_MAX);
	neighbours_filter(&u->hosts, is_still_on_segment, u);
	for (size_t i = 0; i < u->routes.n; i++)
		if (u->routes.routes[i].way == WAY_GATEWAY)
			neighbours_add(&u->hosts, &u->routes.routes[i].gateway, true);
	neighbours_filter(&u->hosts, is_gateway_or_global, NULL);
	return true;
}

static struct way_out
way_of_route(const struct underlay *u, const struct underlay_route *r)
{
	static const enum route_kind kinds[] = {
		[WAY_GATEWAY] = ROUTE_UNDERLAY,
		[WAY_SEGMENT] = ROUTE_SEGMENT,
		[WAY_ELSEWHERE] = ROUTE_ELSEWHERE,
		[WAY_REFUSED] = ROUTE_NOBODY,
	};
	struct way_out way = { .dst = r->dst, .kind = kinds[r->way] };
	const struct neighbour *gateway =
		r->way == WAY_GATEWAY ? neighbours_find(&u->hosts, &r->gateway) : NULL;

	if (gateway != NULL)
		way.next_hop = gateway->mac;
	return way;
}

static struct way_out
way_of_host(const struct ip_addr *addr, const struct mac_addr *mac)
{
	return (struct way_out){
		.dst = { .addr = *addr, .len = 128 }, .kind = ROUTE_UNDERLAY, .next_hop = *mac
	};
}

size_t
underlay_ways_out(const struct underlay *u, struct way_out *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < u->routes.n && n < max; i++)
		out[n++] = way_of_route(u, &u->routes.routes[i]);
	/* other nodes on the segment are found already, for their tunnels */
	for (size_t i = 0; i < u->n_ways && n < max; i++) {
		const struct way *way = &u->ways[i];

		if (way->hop.state == NEXT_HOP_RESOLVED && ip_addr_eq(&way->hop.addr, &way->vtep))
			out[n++] = way_of_host(&way->vtep, &way->hop.mac);
	}
	for (size_t i = 0; i < u->hosts.n && n < max; i++) {
		const struct neighbour *host = &u->hosts.all[i];

		if (host->is_resolved && underlay_is_on_segment(u, &host->addr))
			out[n++] = way_of_host(&host->addr, &host->mac);
	}
	return n;
}
