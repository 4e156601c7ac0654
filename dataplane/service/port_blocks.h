/* Ports of the node's address for what goes out of the cluster (DESIGN section 5.5), in blocks of FLOW_OWNER_BLOCK. A pod, or the
 * host, has blocks of its own, so it neither takes another's ports nor is there any doubt whose a port was. It begins
 * with one, and gets another when no port of those it has is left for a destination: a port serves any number of destinations
 * at once. A block is free again when no flow uses a port of it.
 *
 * Clients outside whose backend is outside, too, share blocks, which are at most half of all. Of these, what is half-open has
 * a port only until another flow needs it.
 *
 * Which blocks a worker gives out follows from flow_owner.h, so that answers find it. Whose a block is, is not kept
 * anywhere: port_blocks_adopt() reads it out of the flows. Worker thread only, before it runs control. Ports, and the
 * identifiers of echo, which are given out alike, in host byte order. */
#ifndef RINGWAY_SERVICE_PORT_BLOCKS_H
#define RINGWAY_SERVICE_PORT_BLOCKS_H

#include "dataplane/service/flow_owner.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/service/port_set.h"

/* A worker's tables whose entries may have a block. */
struct port_blocks_tables {
	struct nat_flows *outbound;
	struct nat_flows *inbound, *half_open; /* may be NULL, both */
};

struct port_blocks {
	struct port_blocks_tables flows;
	unsigned worker, n_workers;
	unsigned max_blocks; /* of one client */
	uint16_t
		next_free; /* where to look for a free one first: a block rests before it is given out again */
	struct ip_addr owner[PORT_BLOCKS]; /* while flows use it */

	/* clients outside */
	unsigned n_shared, max_shared;
	const struct port_set *counted; /* max_shared is half of its blocks */
	uint16_t shared[PORT_BLOCKS];   /* theirs, as long as the owner says so, too */
};

/* Blocks for this worker, as they are in use by the flows, which were adopted before; ends flows whose port belongs to
 * another worker now, since their answers do not come here. NULL if out of memory. */
struct port_blocks *port_blocks_adopt(
	const struct port_blocks_tables *flows, unsigned worker, unsigned n_workers, unsigned max_blocks);
void port_blocks_free(struct port_blocks *b);

/* A port for a flow of a pod or of the host, whose client, backend, wire address and protocol are set; 0: none is left within
 * the client's bounds (*is_quota) or at all. usable: what may be given out. Changes nothing: it is the caller's with
 * port_blocks_take(). */
uint16_t port_blocks_choose(const struct port_blocks *b, const struct port_set *usable,
	const struct nat_flow *flow, bool *is_quota);

/* Gives the flow the port that was chosen for it just now, its wire_port. For the caller to add at once, with has_block. */
void port_blocks_take(struct port_blocks *b, const struct nat_flow *flow);

/* The same for a half-open flow of a client outside: when all ports are taken, one of these ends to make room. 0: confirmed
 * flows have them all. */
uint16_t port_blocks_choose_shared(
	struct port_blocks *b, const struct port_set *usable, const struct nat_flow *flow);

/* How many flows towards one destination have room in all blocks that clients outside may have. */
uint32_t port_blocks_n_shared(struct port_blocks *b, const struct port_set *usable);

#endif
