#include "dataplane/service/nat_flow_layout.h"

/* After a chain's head changed. */
static void
summarize(struct nat_flows *e, enum direction d, const uint32_t *head)
{
	size_t i = (size_t)(head - heads(e, d));
	uint64_t bit = UINT64_C(1) << i % 64, *word = &summary(e, d)[i / 64];

	*word = *head == NONE ? *word & ~bit : *word | bit;
}

uint32_t
nat_flows_block_uses(const struct nat_flows *e, unsigned block)
{
	return block_uses(e)[block];
}

static uint32_t *
forward_head(const struct nat_flows *e, const struct ip_addr *client, uint16_t client_port,
	const struct ip_addr *frontend, uint16_t frontend_port, uint8_t proto)
{
	uint32_t h = flow_hash(client, frontend, client_port, frontend_port, proto);

	return &heads(e, FORWARD)[h & (NAT_FLOWS_HEADS * e->capacity - 1)];
}

static uint32_t *
reverse_head(const struct nat_flows *e, const struct ip_addr *backend, uint16_t backend_port,
	const struct ip_addr *wire, uint16_t wire_port, uint8_t proto)
{
	uint32_t h = flow_hash(backend, wire, backend_port, wire_port, proto);

	return &heads(e, REVERSE)[h & (NAT_FLOWS_HEADS * e->capacity - 1)];
}

uint32_t *
nat_flows_head_of(const struct nat_flows *e, const struct nat_flow *x, enum direction d)
{
	if (d == FORWARD)
		return forward_head(e, &x->client, x->client_port, &x->frontend, x->frontend_port, x->proto);
	return reverse_head(e, &x->backend, x->backend_port, &x->wire, x->wire_port, x->proto);
}

struct nat_flow *
nat_flows_find_forward(struct nat_flows *e, const struct ip_addr *client, uint16_t client_port,
	const struct ip_addr *frontend, uint16_t frontend_port, uint8_t proto)
{
	uint32_t i = *forward_head(e, client, client_port, frontend, frontend_port, proto);

	for (struct nat_flow *x; i != NONE; i = x->next[FORWARD]) {
		x = &entries(e)[i];
		if (x->client_port == client_port && x->frontend_port == frontend_port && x->proto == proto &&
			ip_addr_eq(&x->client, client) && ip_addr_eq(&x->frontend, frontend))
			return x;
	}
	return NULL;
}

struct nat_flow *
nat_flows_find_reverse(struct nat_flows *e, const struct ip_addr *backend, uint16_t backend_port,
	const struct ip_addr *wire, uint16_t wire_port, uint8_t proto)
{
	uint32_t i = *reverse_head(e, backend, backend_port, wire, wire_port, proto);

	for (struct nat_flow *x; i != NONE; i = x->next[REVERSE]) {
		x = &entries(e)[i];
		if (x->wire_port == wire_port && x->backend_port == backend_port && x->proto == proto &&
			ip_addr_eq(&x->wire, wire) && ip_addr_eq(&x->backend, backend))
			return x;
	}
	return NULL;
}

void
nat_flows_link(struct nat_flows *e, struct nat_flow *x)
{
	for (enum direction d = FORWARD; d <= REVERSE; d++) {
		uint32_t *head = nat_flows_head_of(e, x, d);

		x->next[d] = *head;
		*head = (uint32_t)(x - entries(e));
		summarize(e, d, head);
	}
	if (x->has_block)
		block_uses(e)[x->wire_port / FLOW_OWNER_BLOCK]++;
	x->quota = e->quota != 0 ? nat_flow_account_charge(e, &x->client) : NONE;
	e->n++;
}

void
nat_flows_remove(struct nat_flows *e, struct nat_flow *x)
{
	uint32_t i = (uint32_t)(x - entries(e));

	for (enum direction d = FORWARD; d <= REVERSE; d++) {
		uint32_t *head = nat_flows_head_of(e, x, d), *link = head;

		while (*link != i)
			link = &entries(e)[*link].next[d];
		*link = x->next[d];
		summarize(e, d, head);
	}
	if (x->quota != NONE)
		nat_flow_account_refund(e, x->quota);
	if (x->has_block)
		block_uses(e)[x->wire_port / FLOW_OWNER_BLOCK]--;
	__atomic_store_n(&x->proto, 0, __ATOMIC_RELEASE);
	x->next[FORWARD] = e->free_entry;
	e->free_entry = i;
	e->n--;
}

void
nat_flows_evict(struct nat_flows *e, struct nat_flow *victim)
{
	nat_flows_remove(e, victim);
	e->n_evicted++;
}
