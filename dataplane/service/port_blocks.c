#include "dataplane/service/port_blocks.h"

#include <stdlib.h>

/* Ports of one client's blocks that are tried: all of one block, and of more blocks so many that they fail only where
 * nearly all are taken. It bounds what a client that has used up its ports costs the worker. */
#define TRIES FLOW_OWNER_BLOCK

/* Between one port tried and the next; a prime, so that all ports of the blocks have their turn. */
#define STRIDE 1021

/* The same for clients outside, who have no blocks of their own. */
#define SHARED_TRIES 8

/* The owner of the blocks that clients outside share: nobody's address. */
static const struct ip_addr everybody = { .w = { UINT64_MAX, UINT64_MAX } };

static void
add_shared(struct port_blocks *b, unsigned block)
{
	b->owner[block] = everybody;
	b->shared[b->n_shared++] = (uint16_t)block;
}

static void
adopt_flow(struct port_blocks *b, const struct nat_flow *x, bool is_shared)
{
	unsigned block = x->wire_port / FLOW_OWNER_BLOCK;

	if (!is_shared)
		b->owner[block] = x->client;
	else if (!ip_addr_eq(&b->owner[block], &everybody))
		add_shared(b, block);
}

/* Finds out whose the blocks are. Tables do not disagree, since a block is given out when no table uses it. */
static void
adopt_flows(struct port_blocks *b, struct nat_flows *flows, bool is_shared)
{
	struct nat_flow copies[64];
	uint32_t cursor = 0;
	unsigned n;

	while (flows != NULL && nat_flows_copy_some(flows, &cursor, copies, 64, &n)) {
		for (unsigned i = 0; i < n; i++) {
			const struct nat_flow *x = &copies[i];

			if (!x->has_block)
				continue;
			if (flow_owner_of_port(x->wire_port, b->n_workers) != b->worker)
				nat_flows_delete(flows, x);
			else
				adopt_flow(b, x, is_shared);
		}
	}
}

struct port_blocks *
port_blocks_adopt(
	const struct port_blocks_tables *flows, unsigned worker, unsigned n_workers, unsigned max_blocks)
{
	struct port_blocks *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->flows = *flows;
	b->worker = worker;
	b->n_workers = n_workers;
	b->max_blocks = max_blocks;
	adopt_flows(b, flows->outbound, false);
	adopt_flows(b, flows->inbound, true);
	adopt_flows(b, flows->half_open, true);
	return b;
}

void
port_blocks_free(struct port_blocks *b)
{
	free(b);
}

static uint32_t
uses(const struct nat_flows *e, unsigned block)
{
	return e == NULL ? 0 : nat_flows_block_uses(e, block);
}

/* The client's blocks; how many. */
static unsigned
find_blocks(const struct port_blocks *b, const struct ip_addr *client, uint16_t out[PORT_BLOCKS])
{
	unsigned n = 0;

	for (unsigned i = b->worker; i < PORT_BLOCKS; i += b->n_workers)
		if (ip_addr_eq(&b->owner[i], client) && nat_flows_block_uses(b->flows.outbound, i) != 0)
			out[n++] = (uint16_t)i;
	return n;
}

/* The flow that has the port towards this one's backend, or NULL. */
static struct nat_flow *
find_user(struct nat_flows *flows, const struct nat_flow *flow, uint16_t port)
{
	/* an echo's identifier stands in both ports of the answer */
	uint16_t from = flow->backend_port == 0 ? port : flow->backend_port;

	if (nat_flows_is_empty(flows))
		return NULL;
	return nat_flows_find_reverse(flows, &flow->backend, from, &flow->wire, port, flow->proto);
}

static bool
is_free(struct nat_flows *flows, const struct port_set *usable, const struct nat_flow *flow, uint16_t port)
{
	return port_set_has(usable, port) && find_user(flows, flow, port) == NULL;
}

static uint32_t
hash_of(const struct nat_flow *flow)
{
	return flow_hash(&flow->client, &flow->frontend, flow->client_port, flow->frontend_port, flow->proto);
}

/* The i-th port of n blocks for a flow: at random, but the same for one that comes again. */
static uint16_t
port_of(const uint16_t *blocks, unsigned n, uint32_t hash, uint32_t i)
{
	uint32_t pick = (hash + i * STRIDE) % (n * FLOW_OWNER_BLOCK);

	return (uint16_t)(blocks[pick / FLOW_OWNER_BLOCK] * FLOW_OWNER_BLOCK + pick % FLOW_OWNER_BLOCK);
}

static uint16_t
try_blocks(struct nat_flows *flows, const struct port_set *usable, const struct nat_flow *flow,
	const uint16_t *blocks, unsigned n)
{
	uint32_t h = hash_of(flow);

	for (uint32_t i = 0; n != 0 && i < TRIES; i++) {
		uint16_t port = port_of(blocks, n, h, i);

		if (is_free(flows, usable, flow, port))
			return port;
	}
	return 0;
}

/* An unused block of this worker, or PORT_BLOCKS. */
static unsigned
find_unused(const struct port_blocks *b, const struct port_set *usable)
{
	for (unsigned i = 0; i < PORT_BLOCKS; i++) {
		unsigned block = (b->next_free + i) % PORT_BLOCKS;
		uint16_t first = (uint16_t)(block * FLOW_OWNER_BLOCK);

		if (usable->bits[block] == 0 || flow_owner_of_port(first, b->n_workers) != b->worker ||
			uses(b->flows.outbound, block) != 0 || uses(b->flows.inbound, block) != 0 ||
			uses(b->flows.half_open, block) != 0)
			continue;
		return block;
	}
	return PORT_BLOCKS;
}

static void
take_unused(struct port_blocks *b, unsigned block)
{
	b->next_free = (uint16_t)((block + 1) % PORT_BLOCKS);
}

/* The first port for the flow in a block that nobody uses; 0: none of it is usable. */
static uint16_t
first_port(const struct port_set *usable, unsigned block, const struct nat_flow *flow)
{
	uint32_t h = hash_of(flow);

	for (unsigned i = 0; i < FLOW_OWNER_BLOCK; i++) {
		uint16_t port = (uint16_t)(block * FLOW_OWNER_BLOCK + (h + i) % FLOW_OWNER_BLOCK);

		if (port_set_has(usable, port))
			return port;
	}
	return 0;
}

uint16_t
port_blocks_choose(const struct port_blocks *b, const struct port_set *usable, const struct nat_flow *flow,
	bool *is_quota)
{
	uint16_t blocks[PORT_BLOCKS];
	unsigned n = find_blocks(b, &flow->client, blocks), unused;
	uint16_t port = try_blocks(b->flows.outbound, usable, flow, blocks, n);

	*is_quota = n >= b->max_blocks;
	if (port != 0 || *is_quota)
		return port;
	unused = find_unused(b, usable);
	return unused == PORT_BLOCKS ? 0 : first_port(usable, unused, flow);
}

void
port_blocks_take(struct port_blocks *b, const struct nat_flow *flow)
{
	unsigned block = flow->wire_port / FLOW_OWNER_BLOCK;

	if (uses(b->flows.outbound, block) != 0)
		return;
	take_unused(b, block);
	b->owner[block] = flow->client;
}

/* Leaves out of the list what has been given to somebody else since nobody used it. */
static void
drop_lost(struct port_blocks *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->n_shared; i++)
		if (ip_addr_eq(&b->owner[b->shared[i]], &everybody))
			b->shared[n++] = b->shared[i];
	b->n_shared = n;
}

uint32_t
port_blocks_n_shared(struct port_blocks *b, const struct port_set *usable)
{
	if (b->counted != usable) {
		b->counted = usable;
		b->max_shared = 0;
		for (unsigned block = b->worker; block < PORT_BLOCKS; block += b->n_workers)
			b->max_shared += usable->bits[block] != 0;
		b->max_shared = (b->max_shared + 1) / 2;
	}
	return b->max_shared * FLOW_OWNER_BLOCK;
}

/* Another block for clients outside, whose first port the flow gets; 0: there is none for them. */
static uint16_t
grow_shared(struct port_blocks *b, const struct port_set *usable, const struct nat_flow *flow)
{
	unsigned block;

	if (b->n_shared * FLOW_OWNER_BLOCK >= port_blocks_n_shared(b, usable))
		return 0;
	block = find_unused(b, usable);
	if (block == PORT_BLOCKS)
		return 0;
	take_unused(b, block);
	if (!ip_addr_eq(&b->owner[block], &everybody))
		add_shared(b, block);
	return first_port(usable, block, flow);
}

/* A port that no confirmed flow has towards this backend; the half-open one that may have it ends. */
static uint16_t
conquer_shared(struct port_blocks *b, const struct port_set *usable, const struct nat_flow *flow)
{
	uint32_t h = nat_flows_random(b->flows.half_open);

	for (uint32_t i = 0; b->n_shared != 0 && i < TRIES; i++) {
		uint16_t port = port_of(b->shared, b->n_shared, h, i);
		struct nat_flow *victim;

		if (!is_free(b->flows.inbound, usable, flow, port))
			continue;
		victim = find_user(b->flows.half_open, flow, port);
		if (victim != NULL)
			nat_flows_evict(b->flows.half_open, victim);
		return port;
	}
	return 0;
}

uint16_t
port_blocks_choose_shared(struct port_blocks *b, const struct port_set *usable, const struct nat_flow *flow)
{
	uint32_t h = hash_of(flow);
	uint16_t port;

	for (uint32_t i = 0; b->n_shared != 0 && i < SHARED_TRIES; i++) {
		port = port_of(b->shared, b->n_shared, h, i);
		if (ip_addr_eq(&b->owner[port / FLOW_OWNER_BLOCK], &everybody) &&
			is_free(b->flows.inbound, usable, flow, port) &&
			find_user(b->flows.half_open, flow, port) == NULL)
			return port;
	}
	drop_lost(b);
	port = grow_shared(b, usable, flow);
	return port != 0 ? port : conquer_shared(b, usable, flow);
}
