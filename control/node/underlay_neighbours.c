#include "control/node/underlay_internal.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
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

/* A group's MAC address, which the kernel derives from a broadcast or multicast address, is no neighbour's. */
static bool
is_mac_of_one(struct nl_addr *mac)
{
	return nl_addr_get_len(mac) == sizeof(struct mac_addr) &&
	       !(*(const uint8_t *)nl_addr_get_binary_addr(mac) & 1);
}

/* What the neighbour table's entry says. */
static struct next_hop
read_neighbour(struct rtnl_neigh *neigh, const struct ip_addr *addr)
{
	struct nl_addr *mac = rtnl_neigh_get_lladdr(neigh);
	int state = rtnl_neigh_get_state(neigh);
	bool has_mac = state > 0 && (state & NUD_HAS_MAC) && mac != NULL;
	struct next_hop hop = { .addr = *addr };

	if (has_mac && is_mac_of_one(mac)) {
		hop.state = NEXT_HOP_RESOLVED;
		memcpy(&hop.mac, nl_addr_get_binary_addr(mac), sizeof(hop.mac));
	} else {
		hop.state = has_mac || state == NUD_FAILED ? NEXT_HOP_FAILED : NEXT_HOP_RESOLVING;
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

/* An entry with a MAC address: its host is wanted from now on, if it is on the segment. */
static void
want_known(struct underlay *u, struct rtnl_neigh *neigh)
{
	struct ip_addr addr;

	if ((unsigned)rtnl_neigh_get_ifindex(neigh) == u->facts.ifindex &&
		nl_addr_read(rtnl_neigh_get_dst(neigh), &addr) &&
		read_neighbour(neigh, &addr).state == NEXT_HOP_RESOLVED && underlay_is_on_segment(u, &addr))
		neighbours_add(&u->hosts, &addr, false);
}

bool
underlay_read_neighbours(struct underlay *u, bool wants_known)
{
	struct nl_cache *cache;
	bool news = false;

	if (rtnl_neigh_alloc_cache(u->query, &cache) < 0)
		return false;
	for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o)) {
		if (wants_known)
			want_known(u, (struct rtnl_neigh *)o);
		news |= underlay_apply_neighbour(u, (struct rtnl_neigh *)o);
	}
	nl_cache_free(cache);
	return news;
}

/* What the neighbour table has of one address. */
struct entry {
	struct underlay *u;
	bool is_static; /* somebody's decision, which is not to be checked */
	bool is_news;
};

static void
on_entry(struct nl_object *object, void *arg)
{
	struct entry *entry = arg;
	struct rtnl_neigh *neigh = (struct rtnl_neigh *)object;
	int state = rtnl_neigh_get_state(neigh);

	entry->is_static = state > 0 && (state & (NUD_PERMANENT | NUD_NOARP));
	if (state > 0 && (state & NUD_HAS_MAC)) /* what failed before is asked for anew */
		entry->is_news = underlay_apply_neighbour(entry->u, neigh);
}

static int
on_answer(struct nl_msg *message, void *arg)
{
	nl_msg_parse(message, on_entry, arg);
	return NL_OK;
}

static void
read_entry(struct underlay *u, struct nl_addr *dst, struct entry *entry)
{
	struct ndmsg header = { .ndm_family = (uint8_t)nl_addr_get_family(dst),
		.ndm_ifindex = (int)u->facts.ifindex };
	struct nl_msg *question = nlmsg_alloc_simple(RTM_GETNEIGH, 0);
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);

	/* the answer is the entry and an acknowledgement, or an error: there is none */
	if (question != NULL && cb != NULL &&
		nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_answer, entry) == 0 &&
		nlmsg_append(question, &header, sizeof(header), NLMSG_ALIGNTO) == 0 &&
		nla_put_addr(question, NDA_DST, dst) == 0 && nl_send_auto(u->query, question) >= 0 &&
		nl_recvmsgs(u->query, cb) >= 0)
		nl_wait_for_ack(u->query);
	nl_cb_put(cb);
	nlmsg_free(question);
}

static void
use_entry(struct underlay *u, struct nl_addr *dst)
{
	struct rtnl_neigh *neigh = rtnl_neigh_alloc();

	if (neigh == NULL)
		return;
	rtnl_neigh_set_ifindex(neigh, (int)u->facts.ifindex);
	rtnl_neigh_set_dst(neigh, dst);
	rtnl_neigh_set_flags(neigh, NTF_USE);
	rtnl_neigh_set_state(neigh, NUD_NONE);
	rtnl_neigh_add(u->query, neigh, NLM_F_CREATE);
	rtnl_neigh_put(neigh);
}

bool
underlay_ask_for_neighbour(struct underlay *u, const struct ip_addr *addr)
{
	struct nl_addr *dst = nl_addr_make(addr);
	struct entry entry = { .u = u };

	if (dst == NULL)
		return false;
	read_entry(u, dst, &entry);
	if (!entry.is_static)
		use_entry(u, dst);
	nl_addr_put(dst);
	return entry.is_news;
}

/* Many nodes behind one gateway are one question: neighbours in the array, as VTEPs of one subnet are, share it. */
bool
underlay_ask_for_neighbours(struct underlay *u, bool all)
{
	const struct ip_addr *asked = NULL;
	bool news = false;

	for (size_t i = 0; i < u->n_ways; i++) {
		const struct next_hop *hop = &u->ways[i].hop;

		if (hop->state < NEXT_HOP_RESOLVING || (hop->state == NEXT_HOP_RESOLVED && !all) ||
			(asked != NULL && ip_addr_eq(asked, &hop->addr)))
			continue;
		news |= underlay_ask_for_neighbour(u, &hop->addr);
		asked = &hop->addr;
	}
	for (size_t i = 0; i < u->hosts.n; i++)
		if (all || !u->hosts.all[i].is_resolved)
			news |= underlay_ask_for_neighbour(u, &u->hosts.all[i].addr);
	return news;
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
