/* Who sent datagrams to services lately, in slots: a bit for each flow's hash. The kernel does not tell to whom a socket that is
 * connected to nobody sends, so when buckets move, control takes the frontends for which a bit is set (client_look.h). Bits are
 * kept for one to two epochs; flows that share one only make control take a flow that has ended for one that lasts. The worker's
 * own; control reads it through worker_call(). */
#ifndef RINGWAY_SERVICE_SENDERS_H
#define RINGWAY_SERVICE_SENDERS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SENDERS_BITS 65536
/* A bucket that was quiet for so long moves without its unconnected sockets (DESIGN 5.4). */
#define SENDERS_EPOCH_NS (120 * UINT64_C(1000000000))

struct senders {
	uint64_t ends_ns; /* this epoch */
	unsigned current;
	uint64_t bits[2][SENDERS_BITS / 64];
};

/* Nothing is known of what was sent before: it counts as all. */
static inline void
senders_init(struct senders *s)
{
	memset(s->bits, 0xff, sizeof(s->bits));
}

/* 'hash': the flow_hash() of what the client sent. */
static inline void
senders_note(struct senders *s, uint32_t hash)
{
	s->bits[s->current][hash % SENDERS_BITS / 64] |= UINT64_C(1) << hash % 64;
}

static inline bool
senders_has(const struct senders *s, uint32_t hash)
{
	return (s->bits[0][hash % SENDERS_BITS / 64] | s->bits[1][hash % SENDERS_BITS / 64]) >> hash % 64 & 1;
}

/* Begins a new epoch when it is time to; once per round. */
static inline void
senders_expire(struct senders *s, uint64_t now_ns)
{
	if (__builtin_expect(now_ns < s->ends_ns, 1))
		return;
	s->current ^= 1;
	memset(s->bits[s->current], 0, sizeof(s->bits[0]));
	s->ends_ns = now_ns + SENDERS_EPOCH_NS;
}

#endif
