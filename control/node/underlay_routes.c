#include "control/node/underlay_routes.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdlib.h>

#include "control/node/netdev.h"
#include "control/node/nl_addr.h"

/* IPv4 counts from here on the 128-bit scale. */
#define V4_BITS 96

static bool
read_dst(struct rtnl_route *route, struct ip_prefix *dst)
{
	struct nl_addr *addr = rtnl_route_get_dst(route);
	bool v4 = rtnl_route_get_family(route) == AF_INET;
	unsigned len = addr == NULL ? 0 : nl_addr_get_prefixlen(addr);

	/* a default route has no address, or one without bytes */
	if (addr == NULL || nl_addr_get_len(addr) == 0)
		dst->addr = v4 ? ip_addr_v4((be32){ 0 }) : (struct ip_addr){ .w = { 0, 0 } };
	else if (!nl_addr_read(addr, &dst->addr))
		return false;
	dst->len = (uint8_t)(v4 ? V4_BITS + len : len);
	return true;
}

/* Of several next hops the first that leaves by the uplink. */
static void
read_way(struct rtnl_route *route, unsigned uplink, struct underlay_route *out)
{
	int n = rtnl_route_get_nnexthops(route);

	out->way = WAY_ELSEWHERE;
	for (int i = 0; i < n; i++) {
		struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, i);

		if ((unsigned)rtnl_route_nh_get_ifindex(hop) != uplink)
			continue;
		out->way = nl_addr_read(rtnl_route_nh_get_gateway(hop), &out->gateway) ? WAY_GATEWAY
										       : WAY_SEGMENT;
		return;
	}
}

static bool
read_route(struct rtnl_route *route, unsigned uplink, struct underlay_route *out)
{
	int family = rtnl_route_get_family(route);

	*out = (struct underlay_route){ .metric = rtnl_route_get_priority(route) };
	if ((family != AF_INET && family != AF_INET6) || rtnl_route_get_table(route) != RT_TABLE_MAIN ||
		rtnl_route_get_protocol(route) == NETDEV_PROTOCOL || !read_dst(route, &out->dst) ||
		ip_addr_is_v6_link_local(&out->dst.addr) || ip_addr_is_multicast(&out->dst.addr))
		return false;
	switch (rtnl_route_get_type(route)) {
	case RTN_UNICAST:
		read_way(route, uplink, out);
		return true;
	case RTN_BLACKHOLE:
	case RTN_UNREACHABLE:
	case RTN_PROHIBIT:
		out->way = WAY_REFUSED;
		return true;
	default:
		return false;
	}
}

/* By destination, the better metric first. */
static int
compare(const void *a, const void *b)
{
	const struct underlay_route *x = a, *y = b;
	int order = ip_addr_cmp(&x->dst.addr, &y->dst.addr);

	if (order != 0)
		return order;
	if (x->dst.len != y->dst.len)
		return x->dst.len < y->dst.len ? -1 : 1;
	return x->metric < y->metric ? -1 : x->metric > y->metric;
}

static bool
is_same(const struct underlay_route *a, const struct underlay_route *b)
{
	return a->dst.len == b->dst.len && ip_addr_eq(&a->dst.addr, &b->dst.addr) && a->way == b->way &&
	       ip_addr_eq(&a->gateway, &b->gateway);
}

static bool
is_same_set(const struct underlay_routes *a, const struct underlay_routes *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!is_same(&a->routes[i], &b->routes[i]))
			return false;
	return true;
}

/* Of each destination the route that the kernel would take. */
static void
keep_best(struct underlay_routes *r)
{
	size_t n = 0;

	qsort(r->routes, r->n, sizeof(r->routes[0]), compare);
	for (size_t i = 0; i < r->n; i++)
		if (n == 0 || r->routes[n - 1].dst.len != r->routes[i].dst.len ||
			!ip_addr_eq(&r->routes[n - 1].dst.addr, &r->routes[i].dst.addr))
			r->routes[n++] = r->routes[i];
	r->n = n;
}

int
underlay_routes_read(struct underlay_routes *r, struct nl_sock *query, unsigned uplink, bool *changed)
{
	struct underlay_routes next = { .routes = calloc(UNDERLAY_ROUTES_MAX, sizeof(next.routes[0])) };
	struct nl_cache *cache;

	*changed = false;
	if (next.routes == NULL)
		return -ENOMEM;
	if (rtnl_route_alloc_cache(query, AF_UNSPEC, 0, &cache) < 0) {
		free(next.routes);
		return -EIO;
	}
	for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o)) {
		struct underlay_route route;

		if (!read_route((struct rtnl_route *)o, uplink, &route))
			continue;
		next.is_cut = next.n == UNDERLAY_ROUTES_MAX;
		if (next.is_cut)
			break;
		next.routes[next.n++] = route;
	}
	nl_cache_free(cache);
	keep_best(&next);
	*changed = !is_same_set(r, &next);
	underlay_routes_free(r);
	*r = next;
	return 0;
}

void
underlay_routes_free(struct underlay_routes *r)
{
	free(r->routes);
	*r = (struct underlay_routes){ 0 };
}
