/* What of the kernel's routes and rules is ours, whoever of us made it. */
#include <errno.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>

#include "control/node/netdev_internal.h"

int
netdev_count_owned(struct netdev *n, struct netdev_owned *out)
{
	struct nl_cache *routes = NULL, *rules = NULL;
	int rc = netdev_errno(rtnl_route_alloc_cache(n->sk, AF_UNSPEC, 0, &routes));

	*out = (struct netdev_owned){ 0 };
	if (rc == 0)
		rc = netdev_errno(rtnl_rule_alloc_cache(n->sk, AF_UNSPEC, &rules));
	for (struct nl_object *o = rc == 0 ? nl_cache_get_first(routes) : NULL; o != NULL;
		o = nl_cache_get_next(o))
		out->n_routes += rtnl_route_get_protocol((struct rtnl_route *)o) == NETDEV_PROTOCOL;
	for (struct nl_object *o = rc == 0 ? nl_cache_get_first(rules) : NULL; o != NULL;
		o = nl_cache_get_next(o)) {
		uint8_t protocol;

		out->n_rules += rtnl_rule_get_protocol((struct rtnl_rule *)o, &protocol) == 0 &&
				protocol == NETDEV_PROTOCOL;
	}
	nl_cache_free(routes);
	nl_cache_free(rules);
	return rc;
}

int
netdev_remove_owned(struct netdev *n)
{
	struct netdev_owned left;
	int rc, results[] = {
		/* what leads packets to routes goes before these */
		netdev_set_detours(n, NULL, 0),
		netdev_set_ways(n, NULL, 0),
		netdev_set_routes(n, NULL, 0),
		netdev_shut_networks(n, NULL, 0),
	};

	for (unsigned i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		if (results[i] < 0)
			return results[i];
	rc = netdev_count_owned(n, &left);
	if (rc < 0)
		return rc;
	return left.n_routes + left.n_rules == 0 ? 0 : -EBUSY;
}
