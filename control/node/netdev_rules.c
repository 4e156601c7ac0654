#include "control/node/netdev_internal.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/route/rule.h>

enum rule_prio {
	RULE_PRIO_OWN = 1140, /* behind the table of local addresses, before the main one */
	RULE_PRIO_OTHERS,
};

static struct rtnl_rule *
rule_describe(const struct ip_prefix *network, enum rule_prio prio)
{
	struct rtnl_rule *rule = rtnl_rule_alloc();
	struct nl_addr *dst = netdev_to_nl(&network->addr, network->len);

	rtnl_rule_set_family(rule, netdev_family(&network->addr));
	rtnl_rule_set_dst(rule, dst);
	rtnl_rule_set_prio(rule, prio);
	rtnl_rule_set_protocol(rule, NETDEV_PROTOCOL);
	rtnl_rule_set_action(rule, prio == RULE_PRIO_OWN ? FR_ACT_TO_TBL : FR_ACT_BLACKHOLE);
	if (prio == RULE_PRIO_OWN) {
		rtnl_rule_set_iif(rule, "lo"); /* what the stack itself sends */
		rtnl_rule_set_table(rule, RT_TABLE_MAIN);
	}
	nl_addr_put(dst);
	return rule;
}

static bool
is_wanted_rule(struct rtnl_rule *rule, const struct ip_prefix *networks, size_t count)
{
	const struct nl_addr *nl = rtnl_rule_get_dst(rule);
	struct ip_prefix dst;

	if (nl == NULL || !netdev_from_nl(nl, &dst))
		return false;
	for (size_t i = 0; i < count; i++)
		if (dst.len == networks[i].len && ip_addr_eq(&dst.addr, &networks[i].addr))
			return true;
	return false;
}

int
netdev_shut_networks(struct netdev *n, const struct ip_prefix *networks, size_t count)
{
	struct nl_cache *cache;
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		for (enum rule_prio prio = RULE_PRIO_OWN; prio <= RULE_PRIO_OTHERS && rc == 0; prio++) {
			struct rtnl_rule *rule = rule_describe(&networks[i], prio);

			rc = netdev_errno(rtnl_rule_add(n->sk, rule, NLM_F_EXCL));
			if (rc == -EEXIST)
				rc = 0;
			rtnl_rule_put(rule);
		}
	if (rc == 0)
		rc = netdev_errno(rtnl_rule_alloc_cache(n->sk, AF_UNSPEC, &cache));
	if (rc < 0)
		return rc;
	for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o)) {
		struct rtnl_rule *rule = (struct rtnl_rule *)o;
		uint32_t prio = rtnl_rule_get_prio(rule);
		uint8_t protocol;

		if (rtnl_rule_get_protocol(rule, &protocol) == 0 && protocol == NETDEV_PROTOCOL &&
			(prio == RULE_PRIO_OWN || prio == RULE_PRIO_OTHERS) &&
			!is_wanted_rule(rule, networks, count))
			rtnl_rule_delete(n->sk, rule, 0);
	}
	nl_cache_free(cache);
	return 0;
}
