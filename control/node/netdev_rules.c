#include "control/node/netdev_internal.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/route/rule.h>
#include <stdlib.h>

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
	if (rc != 0)
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

/* --- detours: rules of priority 0, of which the first that fits decides */

/* More than it takes, unless somebody else changes the same rules all the time. */
#define LOCALS_STEPS 16

enum rule_kind {
	RULE_DETOUR,
	RULE_LOCAL,  /* the kernel's: local addresses */
	RULE_IN_WAY, /* a stranger's that could be taken for the kernel's */
	RULE_OTHER, /* another of a stranger's: the kernel gives priority 0 to what is added without one, while there are
			detours */
	RULE_NO_MATTER,
};

static bool
is_same_detour(struct rtnl_rule *rule, const struct netdev_detour *d)
{
	struct ip_prefix dst;
	uint16_t first, last;
	uint8_t proto;

	return rtnl_rule_get_dst(rule) != NULL && netdev_from_nl(rtnl_rule_get_dst(rule), &dst) &&
	       dst.len == 128 && ip_addr_eq(&dst.addr, &d->addr) &&
	       rtnl_rule_get_ipproto(rule, &proto) == 0 && proto == d->proto &&
	       rtnl_rule_get_dport(rule, &first, &last) == 0 && first == d->first && last == d->last;
}

static bool
has_selector(struct rtnl_rule *rule)
{
	uint16_t first, last;
	uint8_t proto;

	return rtnl_rule_get_src(rule) != NULL || rtnl_rule_get_dst(rule) != NULL ||
	       rtnl_rule_get_iif(rule) != NULL || rtnl_rule_get_oif(rule) != NULL ||
	       rtnl_rule_get_mark(rule) != 0 || rtnl_rule_get_dsfield(rule) != 0 ||
	       rtnl_rule_get_ipproto(rule, &proto) == 0 || rtnl_rule_get_sport(rule, &first, &last) == 0 ||
	       rtnl_rule_get_dport(rule, &first, &last) == 0;
}

/* libnl lists all families' rules, those for multicast routing too, whichever it is asked for. */
static enum rule_kind
kind_of_rule(struct rtnl_rule *rule, int family)
{
	uint8_t protocol;

	if (rtnl_rule_get_family(rule) != family || rtnl_rule_get_prio(rule) != 0)
		return RULE_NO_MATTER;
	if (rtnl_rule_get_table(rule) == NETDEV_DETOUR_TABLE &&
		rtnl_rule_get_protocol(rule, &protocol) == 0 && protocol == NETDEV_PROTOCOL)
		return RULE_DETOUR;
	if (rtnl_rule_get_table(rule) != RT_TABLE_LOCAL)
		return RULE_OTHER;
	return has_selector(rule) ? RULE_IN_WAY : RULE_LOCAL;
}

static struct rtnl_rule *
detour_describe(const struct netdev_detour *d)
{
	struct rtnl_rule *rule = rtnl_rule_alloc();
	struct nl_addr *dst = netdev_to_nl(&d->addr, 128);

	rtnl_rule_set_family(rule, netdev_family(&d->addr));
	rtnl_rule_set_dst(rule, dst);
	rtnl_rule_set_iif(rule, "lo");
	rtnl_rule_set_ipproto(rule, d->proto);
	rtnl_rule_set_dport_range(rule, d->first, d->last);
	rtnl_rule_set_prio(rule, 0);
	rtnl_rule_set_protocol(rule, NETDEV_PROTOCOL);
	rtnl_rule_set_action(rule, FR_ACT_TO_TBL);
	rtnl_rule_set_table(rule, NETDEV_DETOUR_TABLE);
	nl_addr_put(dst);
	return rule;
}

static struct rtnl_rule *
local_describe(int family)
{
	struct rtnl_rule *rule = rtnl_rule_alloc();

	rtnl_rule_set_family(rule, family);
	rtnl_rule_set_prio(rule, 0);
	rtnl_rule_set_action(rule, FR_ACT_TO_TBL);
	rtnl_rule_set_table(rule, RT_TABLE_LOCAL);
	return rule;
}

/* Adds those that are missing, behind all others of priority 0, and removes those that are too many. */
static int
detours_exchange(struct netdev *n, int family, const struct netdev_detour *detours, size_t count)
{
	bool *is_there = calloc(count + 1, sizeof(*is_there));
	struct nl_cache *cache;
	int rc = is_there == NULL ? -ENOMEM : netdev_errno(rtnl_rule_alloc_cache(n->sk, family, &cache));

	if (rc < 0) {
		free(is_there);
		return rc;
	}
	for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o)) {
		struct rtnl_rule *rule = (struct rtnl_rule *)o;
		size_t i = 0;

		if (kind_of_rule(rule, family) != RULE_DETOUR)
			continue;
		while (i < count && (is_there[i] || !is_same_detour(rule, &detours[i])))
			i++;
		if (i < count)
			is_there[i] = true;
		else
			rtnl_rule_delete(n->sk, rule, 0);
	}
	nl_cache_free(cache);
	for (size_t i = 0; i < count && rc == 0; i++) {
		struct rtnl_rule *rule;

		if (is_there[i] || netdev_family(&detours[i].addr) != family)
			continue;
		rule = detour_describe(&detours[i]);
		rc = netdev_errno(rtnl_rule_add(n->sk, rule, NLM_F_EXCL));
		rtnl_rule_put(rule);
	}
	free(is_there);
	return rc;
}

/* How many rules for local addresses stand before the last detour, and after it. -EBUSY when there is something to be done
 * and a stranger's rule in the way: one for local addresses, or any that stands behind these, for it would then decide before
 * them, and what is for this node might leave it. */
static int
locals_count(struct netdev *n, int family, unsigned *before, unsigned *after)
{
	struct nl_cache *cache;
	int rc = netdev_errno(rtnl_rule_alloc_cache(n->sk, family, &cache));
	bool is_followed = false;

	*before = *after = 0;
	if (rc < 0)
		return rc;
	for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o)) {
		switch (kind_of_rule((struct rtnl_rule *)o, family)) {
		case RULE_DETOUR:
			*before += *after;
			*after = 0;
			break;
		case RULE_LOCAL:
			++*after;
			break;
		case RULE_IN_WAY:
			rc = -EBUSY;
			break;
		case RULE_OTHER:
			is_followed |= *before + *after != 0;
			break;
		case RULE_NO_MATTER:
			break;
		}
	}
	nl_cache_free(cache);
	return is_followed && (*before != 0 || *after > 1) ? -EBUSY : rc;
}

/* One rule for local addresses, behind the detours: with each step the kernel is asked again how things stand. Where
 * somebody has given it another priority, all is well already. */
static int
locals_order(struct netdev *n, int family)
{
	unsigned before, after;
	int rc = locals_count(n, family, &before, &after);

	for (unsigned step = 0; rc == 0 && (before != 0 || after > 1); step++) {
		struct rtnl_rule *rule;

		if (step == LOCALS_STEPS)
			return -EBUSY;
		rule = local_describe(family);
		if (after == 0) {
			/* as the kernel's own: who tidies up others' rules leaves it */
			rtnl_rule_set_protocol(rule, RTPROT_KERNEL);
			rc = netdev_errno(rtnl_rule_add(n->sk, rule, 0)); /* once more */
		} else {
			rc = netdev_errno(rtnl_rule_delete(n->sk, rule, 0)); /* the first one, whose ever */
		}
		rtnl_rule_put(rule);
		if (rc == 0)
			rc = locals_count(n, family, &before, &after);
	}
	return rc;
}

int
netdev_set_detours(struct netdev *n, const struct netdev_detour *detours, size_t count)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int result = 0;

	for (unsigned f = 0; f < 2; f++) {
		size_t n_wanted = 0;
		int rc;

		for (size_t i = 0; i < count; i++)
			n_wanted += netdev_family(&detours[i].addr) == families[f];
		rc = detours_exchange(n, families[f], detours, count);
		if (rc == 0)
			rc = locals_order(n, families[f]);
		if (n_wanted != 0 && result == 0) /* else a kernel without IPv6, perhaps */
			result = rc;
	}
	return result;
}
