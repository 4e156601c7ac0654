#include "dataplane/service/port_blocks.h"

#include <stdlib.h>

/* Ports of one client's blocks that are tried: all of one block, and of more blocks so many that they fail only where
 * nearly all are taken. It bounds what a client that has used up its ports costs the worker. */
#define TRIES FLOW_OWNER_BLOCK

/* Between one port tried and the next; a prime, so that all ports of the blocks have their turn. */
#define STRIDE 1021

static void
end_strangers(struct port_blocks *b, struct nat_flows *flows)
{
	struct nat_flow copies[64];
	uint32_t cursor = 0;
	unsigned n;

	while ((n = nat_flows_copy_some(flows, &cursor, copies, 64)) != 0) {
		for (unsigned i = 0; i < n; i++) {
			uint16_t port = copies[i].wire_port;

			if (flow_owner_of_port(port, b->n_workers) != b->worker)
				nat_flows_delete(flows, &copies[i]);
			else
				b->owner[port / FLOW_OWNER_BLOCK] = copies[i].client;
		}
	}
}

struct port_blocks *
port_blocks_adopt(struct nat_flows *flows, unsigned worker, unsigned n_workers, unsigned max_blocks)
{
	struct port_blocks *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->worker = worker;
	b->n_workers = n_workers;
	b->max_blocks = max_blocks;
	end_strangers(b, flows);
	return b;
}

void
port_blocks_free(struct port_blocks *b)
{
	free(b);
}

/* The client's blocks; how many. */
static unsigned
find_blocks(const struct port_blocks *b, const struct nat_flows *flows, const struct ip_addr *client,
	uint16_t out[PORT_BLOCKS])
{
	unsigned n = 0;

	for (unsigned i = b->worker; i < PORT_BLOCKS; i += b->n_workers)
		if (ip_addr_eq(&b->owner[i], client) && nat_flows_block_uses(flows, i) != 0)
			out[n++] = (uint16_t)i;
	return n;
}

static bool
is_free(struct nat_flows *flows, const struct port_set *usable, const struct nat_flow *flow, uint16_t port)
{
	/* an echo's identifier stands in both ports of the answer */
	uint16_t from = flow->backend_port == 0 ? port : flow->backend_port;

	return port_set_has(usable, port) &&
	       nat_flows_find_reverse(flows, &flow->backend, from, &flow->wire, port, flow->proto) == NULL;
}

static uint32_t
hash_of(const struct nat_flow *flow)
{
	return flow_hash(&flow->client, &flow->frontend, flow->client_port, flow->frontend_port, flow->proto);
}

/* At random, but the same for a flow that comes again. */
static uint16_t
try_blocks(struct nat_flows *flows, const struct port_set *usable, const struct nat_flow *flow,
	const uint16_t *blocks, unsigned n)
{
	uint32_t h = hash_of(flow);

	for (uint32_t i = 0; n != 0 && i < TRIES; i++) {
		uint32_t pick = (h + i * STRIDE) % (n * FLOW_OWNER_BLOCK);
		uint16_t port = (uint16_t)(blocks[pick / FLOW_OWNER_BLOCK] * FLOW_OWNER_BLOCK +
					   pick % FLOW_OWNER_BLOCK);

		if (is_free(flows, usable, flow, port))
			return port;
	}
	return 0;
}

/* An unused block of this worker, or PORT_BLOCKS. */
static unsigned
find_unused(struct port_blocks *b, const struct nat_flows *flows, const struct port_set *usable)
{
	for (unsigned i = 0; i < PORT_BLOCKS; i++) {
		unsigned block = (b->next_free + i) % PORT_BLOCKS;
		uint16_t first = (uint16_t)(block * FLOW_OWNER_BLOCK);

		if (usable->bits[block] == 0 || flow_owner_of_port(first, b->n_workers) != b->worker ||
			nat_flows_block_uses(flows, block) != 0)
			continue;
		b->next_free = (uint16_t)((block + 1) % PORT_BLOCKS);
		return block;
	}
	return PORT_BLOCKS;
}

uint16_t
port_blocks_choose(struct port_blocks *b, struct nat_flows *flows, const struct port_set *usable,
	const struct nat_flow *flow, bool *is_quota)
{
	uint16_t blocks[PORT_BLOCKS];
	unsigned n = find_blocks(b, flows, &flow->client, blocks), unused;
	uint16_t port = try_blocks(flows, usable, flow, blocks, n);

	*is_quota = n >= b->max_blocks;
	if (port != 0 || *is_quota)
		return port;
	unused = find_unused(b, flows, usable);
	if (unused == PORT_BLOCKS)
		return 0;
	b->owner[unused] = flow->client;
	for (unsigned i = 0; i < FLOW_OWNER_BLOCK; i++) {
		port = (uint16_t)(unused * FLOW_OWNER_BLOCK + (hash_of(flow) + i) % FLOW_OWNER_BLOCK);
		if (is_free(flows, usable, flow, port))
			return port;
	}
	return 0;
}
