/* A set of ports, or of the identifiers of echoes, which are used alike; host byte order. Any thread. */
#ifndef RINGWAY_SERVICE_PORT_SET_H
#define RINGWAY_SERVICE_PORT_SET_H

#include <assert.h>
#include <stdbool.h>

#include "dataplane/service/flow_owner.h"

#define PORT_BLOCKS (65536 / FLOW_OWNER_BLOCK)

struct port_set {
	uint64_t bits[PORT_BLOCKS]; /* a word for each block, the lowest bit for its first port */
};
static_assert(FLOW_OWNER_BLOCK == 64, "a block is a word of the set");

static inline bool
port_set_has(const struct port_set *s, uint16_t port)
{
	return s->bits[port / 64] >> port % 64 & 1;
}

#endif
