#include "dataplane/service/nat_flow_layout.h"

#define LAYOUT_VERSION 7u

size_t
nat_flows_size(uint32_t capacity)
{
	size_t size = sizeof(struct nat_flows) + capacity * sizeof(struct nat_flow) +
		      n_accounts(capacity) * (sizeof(struct account) + sizeof(uint32_t)) +
		      (size_t)2 * NAT_FLOWS_HEADS * capacity * sizeof(uint32_t);

	size = (size + 7) / 8 * 8 + 2 * summary_words(capacity) * sizeof(uint64_t);
	size += BLOCKS * sizeof(uint32_t);
	return (size + 63) / 64 * 64;
}

/* Any number may be an echo's identifier. */
static bool
has_ports(const struct nat_flow *x)
{
	return is_echo(x) ||
	       (x->client_port != 0 && x->frontend_port != 0 && x->backend_port != 0 && x->wire_port != 0);
}

static bool
is_sound(struct nat_flows *e, const struct nat_flow *x)
{
	bool v4 = ip_addr_is_v4(&x->client);

	return (x->proto == PROTO_TCP || x->proto == PROTO_UDP || x->proto == PROTO_SCTP || is_echo(x)) &&
	       !ip_addr_is_none(&x->client) && ip_addr_is_v4(&x->frontend) == v4 &&
	       ip_addr_is_v4(&x->backend) == v4 && ip_addr_is_v4(&x->wire) == v4 && has_ports(x) &&
	       nat_flows_find_forward(
		       e, &x->client, x->client_port, &x->frontend, x->frontend_port, x->proto) == NULL &&
	       nat_flow_is_port_free(e, x, x->wire_port);
}

/* Writes all that is not an entry anew. */
static void
clear_links(struct nat_flows *e)
{
	memset(account_heads(e), 0xff, n_accounts(e->capacity) * sizeof(uint32_t));
	memset(heads(e, FORWARD), 0xff, (size_t)2 * NAT_FLOWS_HEADS * e->capacity * sizeof(uint32_t));
	e->summary = (uint32_t)((uint8_t *)(heads(e, FORWARD) + (size_t)2 * NAT_FLOWS_HEADS * e->capacity) -
				e->memory);
	e->summary = (e->summary + 7) & ~7u;
	memset(summary(e, FORWARD), 0, 2 * summary_words(e->capacity) * sizeof(uint64_t));
	memset(block_uses(e), 0, BLOCKS * sizeof(uint32_t));
	e->free_account = NONE;
	for (uint32_t i = n_accounts(e->capacity); i-- > 0;) {
		accounts(e)[i].next = e->free_account;
		e->free_account = i;
	}
	e->free_entry = NONE;
	e->n = 0;
	e->cursor = 0;
}

uint32_t
nat_flows_adopt(struct nat_flows *e, const struct nat_flows_config *config, uint64_t now_ns)
{
	uint32_t capacity = config->capacity;

	if (e->version != LAYOUT_VERSION || e->capacity != capacity) {
		memset(e, 0, nat_flows_size(capacity));
		e->capacity = capacity;
		e->version = LAYOUT_VERSION;
	}
	e->quota = config->quota;
	e->by_network = config->by_network;
	e->tcp_idle_ns = config->tcp_idle_ns;
	e->datagram_idle_ns = config->datagram_idle_ns;
	e->random = config->evicts ? (uint32_t)now_ns | 1 : 0;
	clear_links(e);
	for (uint32_t i = capacity; i-- > 0;) {
		struct nat_flow *x = &entries(e)[i];

		if (is_sound(e, x)) {
			if (x->last_seen_ns > now_ns)
				x->last_seen_ns = now_ns;
			nat_flows_link(e, x);
		} else {
			x->proto = 0;
			x->next[FORWARD] = e->free_entry;
			e->free_entry = i;
		}
	}
	return e->n;
}
