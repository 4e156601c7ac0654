#include "control/node/underlay_internal.h"

#include <linux/neighbour.h>
#include <netlink/route/neighbour.h>
#include <string.h>

#include "control/node/nl_addr.h"

#define NUD_HAS_MAC (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

bool
next_hop_is_same(const struct next_hop *a, const struct next_hop *b)
{
	return a->state == b->state && ip_addr_eq(&a->addr, &b->addr) &&
	       memcmp(&a->mac, &b->mac, sizeof(a->mac)) == 0;
}

/* What the neighbour table's entry says. */
static struct next_hop
read_neighbour(struct rtnl_neigh *neigh, const struct ip_addr *addr)
{
	struct nl_addr *mac = rtnl_neigh_get_lladdr(neigh);
	int state = rtnl_neigh_get_state(neigh);
	struct next_hop hop = { .addr = *addr };

	if (state > 0 && (state & NUD_HAS_MAC) && mac != NULL && nl_addr_get_len(mac) == sizeof(hop.mac)) {
		hop.state = NEXT_HOP_RESOLVED;
		memcpy(&hop.mac, nl_addr_get_binary_addr(mac), sizeof(hop.mac));
	} else {
		hop.state = state == NUD_FAILED ? NEXT_HOP_FAILED : NEXT_HOP_RESOLVING;
	}
	return hop;
}

static bool
has_next_hop(const struct way *way, const struct ip_addr *addr)
{
	return way->hop.state >= NEXT_HOP_RESOLVING && ip_addr_eq(&way->hop.addr, addr);
}

bool
underlay_apply_neighbour(struct underlay *u, struct rtnl_neigh *neigh)
{
	struct ip_addr addr;
	struct next_hop hop;
	bool news = false;

	if ((unsigned)rtnl_neigh_get_ifindex(neigh) != u->facts.ifindex ||
		!nl_addr_read(rtnl_neigh_get_dst(neigh), &addr))
		return false;
	hop = read_neighbour(neigh, &addr);
	for (size_t i = 0; i < u->n_ways; i++) {
		if (!has_next_hop(&u->ways[i], &addr) || next_hop_is_same(&hop, &u->ways[i].hop))
			continue;
		u->ways[i].hop = hop;
		news = true;
	}
	if (hop.state != NEXT_HOP_RESOLVING)
		news |= neighbours_learn(&u->hosts, &addr, hop.state == NEXT_HOP_RESOLVED ? &hop.mac : NULL);
	return news;
}

void
underlay_ask_for_neighbour(struct underlay *u, const struct ip_addr *addr)
{
	struct rtnl_neigh *neigh = rtnl_neigh_alloc();
	struct nl_addr *dst = nl_addr_make(addr);

	if (neigh != NULL && dst != NULL) {
		rtnl_neigh_set_ifindex(neigh, (int)u->facts.ifindex);
		rtnl_neigh_set_dst(neigh, dst);
		rtnl_neigh_set_flags(neigh, NTF_USE);
		rtnl_neigh_set_state(neigh, NUD_NONE);
		rtnl_neigh_add(u->query, neigh, NLM_F_CREATE);
	}
	nl_addr_put(dst);
	rtnl_neigh_put(neigh);
}

bool
underlay_read_neighbours(struct underlay *u)
{
	struct nl_cache *cache;
	bool news = false;

	if (rtnl_neigh_alloc_cache(u->query, &cache) < 0)
		return false;
	for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o))
		news |= underlay_apply_neighbour(u, (struct rtnl_neigh *)o);
	nl_cache_free(cache);
	return news;
}

/* Of all ways, or of those that need it. Many nodes behind one gateway are one question: neighbours in the array, as VTEPs
 * of one subnet are, share it. */
void
underlay_ask_for_neighbours(struct underlay *u, bool all)
{
	const struct ip_addr *asked = NULL;

	for (size_t i = 0; i < u->n_ways; i++) {
		const struct next_hop *hop = &u->ways[i].hop;

		if (hop->state < NEXT_HOP_RESOLVING || (hop->state == NEXT_HOP_RESOLVED && !all) ||
			(asked != NULL && ip_addr_eq(asked, &hop->addr)))
			continue;
		underlay_ask_for_neighbour(u, &hop->addr);
		asked = &hop->addr;
	}
	for (size_t i = 0; i < u->hosts.n; i++)
		if (all || !u->hosts.all[i].is_resolved)
			underlay_ask_for_neighbour(u, &u->hosts.all[i].addr);
}

bool
underlay_is_all_resolved(const struct underlay *u)
{
	for (size_t i = 0; i < u->n_ways; i++)
		if (u->ways[i].hop.state != NEXT_HOP_RESOLVED)
			return false;
	for (size_t i = 0; i < u->hosts.n; i++)
		if (!u->hosts.all[i].is_resolved)
			return false;
	return true;
}
