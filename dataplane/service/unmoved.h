/* Connections that opened at the old backend of a moving bucket, because no client whatever found room for the entry which
 * would have taken them to the new one. While control lists sockets it has to know of them, since the listing may be past
 * their client already: their buckets stay. The worker notes them; control switches that on, reads and ends it through
 * worker_call().
 *
 * A note is a bit for a part of a frontend's buckets, whatever their number is when it is made. So notes never run out, and
 * who makes many of them keeps only such buckets where they are (of frontends that share a place, now and then another's). */
#ifndef RINGWAY_SERVICE_UNMOVED_H
#define RINGWAY_SERVICE_UNMOVED_H

#include "dataplane/net/flow_key.h"

#define UNMOVED_PLACES 256 /* for frontends, by their hash */
#define UNMOVED_PARTS 64   /* of a frontend's buckets: those whose number is the same modulo this */

struct unmoved {
	bool is_on;
	uint64_t parts[UNMOVED_PLACES];
};

static inline uint64_t *
unmoved_parts(struct unmoved *u, const struct ip_addr *frontend, uint16_t port, uint8_t proto)
{
	return &u->parts[addr_hash(frontend, port, proto) & (UNMOVED_PLACES - 1)];
}

/* 'hash': of the flow, as service_flow() has it. */
static inline void
unmoved_note(struct unmoved *u, const struct ip_addr *frontend, uint16_t port, uint8_t proto, uint32_t hash)
{
	if (u->is_on)
		*unmoved_parts(u, frontend, port, proto) |= UINT64_C(1) << hash % UNMOVED_PARTS;
}

#endif
