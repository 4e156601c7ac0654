#include "dataplane/service/nat_flow_layout.h"

static unsigned
chain_len(const struct nat_flows *e, uint32_t i, enum direction d)
{
	unsigned n = 0;

	for (; i != NONE && n < CHAIN_MAX; i = entries(e)[i].next[d])
		n++;
	return n;
}

bool
nat_flows_has_room(const struct nat_flows *e, const struct ip_addr *client)
{
	return e != NULL && (e->free_entry != NONE || e->random != 0) && !nat_flows_is_over_quota(e, client);
}

bool
nat_flows_has_room_to_spare(const struct nat_flows *e, const struct ip_addr *client)
{
	return !nat_flows_is_half_full(e) && (e->quota == 0 || nat_flows_count_of(e, client) < e->quota / 2);
}

static void
make_room(struct nat_flows *e)
{
	if (e->random != 0 && e->free_entry == NONE)
		nat_flows_evict(e, &entries(e)[nat_flows_random(e) & (e->capacity - 1)]);
}

/* Whether a chain takes one more entry; in a table that evicts, it does. */
static bool
make_room_in_chain(struct nat_flows *e, const struct nat_flow *x, enum direction d)
{
	uint32_t i = *nat_flows_head_of(e, x, d);

	if (chain_len(e, i, d) < CHAIN_MAX)
		return true;
	if (e->random == 0)
		return false;
	for (uint32_t steps = nat_flows_random(e) % CHAIN_MAX; steps > 0; steps--)
		i = entries(e)[i].next[d];
	nat_flows_evict(e, &entries(e)[i]);
	return true;
}

struct nat_flow *
nat_flows_add(
	struct nat_flows *e, const struct nat_flow *flow, const struct nat_ports *ports, uint64_t now_ns)
{
	struct nat_flow want = *flow, *x;

	if (nat_flows_is_over_quota(e, &flow->client)) {
		nat_flows_refuse(e, &flow->client, now_ns);
		return NULL;
	}
	want.flags = 0;
	want.last_seen_ns = now_ns;
	want.wire_port = nat_flow_choose_port(e, flow, ports);
	if (want.wire_port != 0)
		make_room(e);
	if (want.wire_port == 0 || e->free_entry == NONE || !make_room_in_chain(e, &want, FORWARD) ||
		!make_room_in_chain(e, &want, REVERSE)) {
		e->n_refused_full++;
		return NULL;
	}
	x = &entries(e)[e->free_entry];
	e->free_entry = x->next[FORWARD];
	/* a process that dies in here leaves an entry that is not in use */
	want.proto = 0;
	*x = want;
	__atomic_store_n(&x->proto, flow->proto, __ATOMIC_RELEASE);
	nat_flows_link(e, x);
	return x;
}

/* Whether a chain that takes no more is mostly this client's. */
static bool
is_own_chain(const struct nat_flows *e, const struct nat_flow *x, enum direction d)
{
	unsigned n = 0, n_own = 0;

	for (uint32_t i = *nat_flows_head_of(e, x, d); i != NONE && n < CHAIN_MAX;
		i = entries(e)[i].next[d], n++)
		n_own += ip_addr_eq(&entries(e)[i].client, &x->client);
	return n == CHAIN_MAX && 2 * n_own > n;
}

bool
nat_flows_is_own_fault(struct nat_flows *e, const struct nat_flow *flow)
{
	if (nat_flows_is_over_quota(e, &flow->client) || !nat_flow_is_port_free(e, flow, flow->wire_port))
		return true;
	return is_own_chain(e, flow, FORWARD) || is_own_chain(e, flow, REVERSE);
}

struct nat_flow *
nat_flows_move(struct nat_flows *to, struct nat_flows *from, struct nat_flow *x, uint64_t now_ns)
{
	struct nat_flow *moved = nat_flows_add(to, x, NULL, now_ns);

	if (moved == NULL)
		return x;
	moved->flags = x->flags;
	nat_flows_remove(from, x);
	return moved;
}
