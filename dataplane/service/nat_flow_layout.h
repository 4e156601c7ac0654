/* How a table of two-way entries lies in its memory, and what its own files ask of each other: nat_flows.c finds and links
 * entries, nat_flow_accounts.c counts them by client, nat_flow_ports.c gives them ports, nat_flow_add.c makes room for new
 * ones, nat_flow_age.c and nat_flow_sweep.c end them, nat_flows_adopt.c takes a table over. Not for others. */
#ifndef RINGWAY_SERVICE_NAT_FLOW_LAYOUT_H
#define RINGWAY_SERVICE_NAT_FLOW_LAYOUT_H

#include "dataplane/service/flow_owner.h"
#include "dataplane/service/nat_flows.h"

#define NONE UINT32_MAX

/* Keys are what pods and strangers choose, and the hash is known: a chain that is this long takes no more. */
#define CHAIN_MAX 32

/* Blocks of wire ports. */
#define BLOCKS (65536 / FLOW_OWNER_BLOCK)

enum direction {
	FORWARD,
	REVERSE,
};

/* How many entries a client has. */
struct account {
	struct ip_addr client;
	uint32_t n;
	uint32_t next; /* in its chain, or of free ones */
};

/* As many as there may be clients. */
static inline uint32_t
n_accounts(uint32_t capacity)
{
	return capacity;
}

static inline struct nat_flow *
entries(const struct nat_flows *e)
{
	return (struct nat_flow *)e->memory;
}

static inline struct account *
accounts(const struct nat_flows *e)
{
	return (struct account *)(entries(e) + e->capacity);
}

static inline uint32_t *
account_heads(const struct nat_flows *e)
{
	return (uint32_t *)(accounts(e) + n_accounts(e->capacity));
}

static inline uint32_t *
heads(const struct nat_flows *e, enum direction d)
{
	return account_heads(e) + n_accounts(e->capacity) + (size_t)d * NAT_FLOWS_HEADS * e->capacity;
}

static inline size_t
summary_words(uint32_t capacity)
{
	return ((size_t)NAT_FLOWS_HEADS * capacity + 63) / 64;
}

static inline uint64_t *
summary(const struct nat_flows *e, enum direction d)
{
	return (uint64_t *)(e->memory + e->summary) + d * summary_words(e->capacity);
}

/* How many entries each block serves. */
static inline uint32_t *
block_uses(const struct nat_flows *e)
{
	return (uint32_t *)(summary(e, FORWARD) + 2 * summary_words(e->capacity));
}

static inline bool
is_echo(const struct nat_flow *x)
{
	return x->proto == PROTO_ICMP || x->proto == PROTO_ICMPV6;
}

/* nat_flows.c: where the chain of an entry's key begins; an entry whose fields are written goes into its chains and accounts. */
uint32_t *nat_flows_head_of(const struct nat_flows *e, const struct nat_flow *x, enum direction d);
void nat_flows_link(struct nat_flows *e, struct nat_flow *x);

/* nat_flow_accounts.c: one more, or one less of a client's entries. Charging returns the account's number. */
uint32_t nat_flow_account_charge(struct nat_flows *e, const struct ip_addr *client);
void nat_flow_account_refund(struct nat_flows *e, uint32_t i);

/* nat_flow_ports.c: the wire port for a flow that is about to be added, 0 when there is none (see nat_flows_add()); whether
 * no entry has this one towards its backend. */
uint16_t nat_flow_choose_port(
	struct nat_flows *e, const struct nat_flow *flow, const struct nat_ports *ports);
bool nat_flow_is_port_free(struct nat_flows *e, const struct nat_flow *flow, uint16_t port);

#endif
