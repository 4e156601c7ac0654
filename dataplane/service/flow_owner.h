/* Which worker owns a flow that outsiders know. A flow with a pod is its pod's worker's; what comes from outside the cluster
 * arrives on any queue, so the owner follows from the packet alone. From the client it is a hash of whom it is from; from
 * a backend that knows the client by an address of this node, and from outside to a masqueraded flow, it is in the port:
 * ports belong to workers in blocks, in turn.
 *
 * With session affinity a client's flows to a frontend are all one worker's, who remembers its backend, so the hash is of
 * the client's address alone. A backend's answer to the client's own address does not tell which of the two it is, nor does
 * a packet of a flow that began before the service's affinity changed: who does not know the flow asks the other owner
 * (crossing_ask_other). Stateless; any thread. Ports in host byte order. */
#ifndef RINGWAY_SERVICE_FLOW_OWNER_H
#define RINGWAY_SERVICE_FLOW_OWNER_H

#include "dataplane/net/flow_key.h"

#define FLOW_OWNER_BLOCK 64 /* ports */

static inline unsigned
flow_owner_of_port(uint16_t port, unsigned n_workers)
{
	return port / FLOW_OWNER_BLOCK % n_workers;
}

static inline unsigned
flow_owner_of_client(const struct ip_addr *client, uint16_t port, uint8_t proto, unsigned n_workers)
{
	return n_workers == 1 ? 0 : addr_hash(client, port, proto) % n_workers;
}

static inline unsigned
flow_owner_of_affinity(const struct ip_addr *client, unsigned n_workers)
{
	return flow_owner_of_client(client, 0, 0, n_workers);
}

/* A worker's ports within a range. */
struct owned_ports {
	uint32_t first_block, step; /* in blocks */
	uint32_t n;                 /* ports */
};

/* Of first to last, which are whole blocks; n_workers 0: there is only one. */
static inline struct owned_ports
flow_owner_ports(uint16_t first, uint16_t last, unsigned worker, unsigned n_workers)
{
	uint32_t step = n_workers == 0 ? 1 : n_workers;
	uint32_t block = first / FLOW_OWNER_BLOCK, end = (last + 1u) / FLOW_OWNER_BLOCK;

	block += (worker + step - block % step) % step;
	return (struct owned_ports){
		.first_block = block,
		.step = step,
		.n = block < end ? ((end - 1 - block) / step + 1) * FLOW_OWNER_BLOCK : 0,
	};
}

/* The i-th of them, i < n. */
static inline uint16_t
flow_owner_port(const struct owned_ports *p, uint32_t i)
{
	uint32_t block = p->first_block + i / FLOW_OWNER_BLOCK * p->step;

	return (uint16_t)(block * FLOW_OWNER_BLOCK + i % FLOW_OWNER_BLOCK);
}

#endif
