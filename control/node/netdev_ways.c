#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <stdlib.h>

#include "control/node/netdev_internal.h"

/* Behind the table of local addresses, before the main one; the rules of netdev_shut_networks() come after it. */
#define RULE_PRIO 1139

static struct rtnl_rule *
rule_describe(int family)
{
	struct rtnl_rule *rule = rtnl_rule_alloc();

	rtnl_rule_set_family(rule, family);
	rtnl_rule_set_iif(rule, "lo"); /* what the stack itself sends */
	rtnl_rule_set_prio(rule, RULE_PRIO);
	rtnl_rule_set_protocol(rule, NETDEV_PROTOCOL);
	rtnl_rule_set_action(rule, FR_ACT_TO_TBL);
	rtnl_rule_set_table(rule, NETDEV_WAYS_TABLE);
	return rule;
}

/* Has the table asked when there is something in it, and only then. */
static int
rule_set(struct netdev *n, int family, bool is_wanted)
{
	struct rtnl_rule *rule = rule_describe(family);
	int rc;

	if (is_wanted) {
		rc = netdev_errno(rtnl_rule_add(n->sk, rule, NLM_F_EXCL));
		if (rc == -EEXIST)
			rc = 0;
	} else {
		rtnl_rule_delete(n->sk, rule, 0); /* there may be none */
		rc = 0;
	}
	rtnl_rule_put(rule);
	return rc;
}

static int
compare(const void *a, const void *b)
{
	const struct netdev_route *x = a, *y = b;

	return ip_addr_cmp(&x->dst.addr, &y->dst.addr);
}

/* Which of the wanted ones a route is; count: none. */
static size_t
find(struct rtnl_route *route, const struct netdev_route *wanted, size_t count)
{
	struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, 0);
	const struct nl_addr *nl = rtnl_route_get_pref_src(route);
	struct netdev_route key = { 0 };
	const struct netdev_route *r;
	struct ip_prefix src;

	if (hop == NULL || nl == NULL || !netdev_from_nl(nl, &src) ||
		!netdev_from_nl(rtnl_route_get_dst(route), &key.dst) || key.dst.len != 128)
		return count;
	r = count == 0 ? NULL : bsearch(&key, wanted, count, sizeof(*wanted), compare);
	if (r == NULL || rtnl_route_nh_get_ifindex(hop) != r->ifindex || !ip_addr_eq(&src.addr, &r->src))
		return count;
	return (size_t)(r - wanted);
}

/* Notes which are there, and removes the others. */
static int
routes_compare(struct netdev *n, const struct netdev_route *wanted, size_t count, bool *is_there)
{
	struct nl_cache *cache;
	int rc = netdev_errno(rtnl_route_alloc_cache(n->sk, AF_UNSPEC, 0, &cache));

	if (rc < 0)
		return rc;
	for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o)) {
		struct rtnl_route *route = (struct rtnl_route *)o;
		size_t i;

		if (rtnl_route_get_table(route) != NETDEV_WAYS_TABLE ||
			rtnl_route_get_protocol(route) != NETDEV_PROTOCOL)
			continue;
		i = find(route, wanted, count);
		if (i < count)
			is_there[i] = true;
		else
			rtnl_route_delete(n->sk, route, 0);
	}
	nl_cache_free(cache);
	return 0;
}

int
netdev_set_ways(struct netdev *n, struct netdev_route *routes, size_t count)
{
	static const int families[] = { AF_INET, AF_INET6 };
	bool *is_there = calloc(count + 1, sizeof(*is_there));
	size_t n_of[2] = { 0 };
	int rc = is_there == NULL ? -ENOMEM : 0;

	if (count != 0)
		qsort(routes, count, sizeof(*routes), compare);
	if (rc == 0)
		rc = routes_compare(n, routes, count, is_there);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct rtnl_route *route;

		n_of[netdev_family(&routes[i].dst.addr) == AF_INET6]++;
		if (is_there[i])
			continue;
		route = netdev_route_describe(&routes[i], NETDEV_WAYS_TABLE);
		rc = netdev_errno(rtnl_route_add(n->sk, route, NLM_F_CREATE | NLM_F_REPLACE));
		rtnl_route_put(route);
	}
	for (unsigned f = 0; rc == 0 && f < 2; f++)
		rc = rule_set(n, families[f], n_of[f] != 0);
	free(is_there);
	return rc;
}
