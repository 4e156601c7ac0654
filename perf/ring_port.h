/* Benchmark ports: packets come from a ring of chunks, and what is sent is noted for the harness to look
 * at after the clock has stopped. All ports of a worker share one such ring. Each chunk is in one place at
 * any time: idle here, in the umem's free list, in the ready burst, in the pipeline, or sent. One thread. */
#ifndef RINGWAY_PERF_RING_PORT_H
#define RINGWAY_PERF_RING_PORT_H

#include "dataplane/burst.h"
#include "dataplane/io/port.h"

#define CHUNKS 4096
#define CHUNK_SIZE 2048

/* Free frames that the umem keeps for packets that come from another worker's. */
#define CHUNKS_RESERVED 1024

/* What one worker may have sent before the harness looks: its own burst and what others handed over,
 * twice. */
#define SENT_MAX (8 * BURST_MAX)

struct sent {
	uint8_t *data;
	uint16_t len;
	uint16_t port;
};

struct chunk_ring {
	struct umem *umem;
	uint32_t head, n_idle;
	uint8_t *idle[CHUNKS];
	unsigned n_ready;
	struct pkt ready[BURST_MAX]; /* only what io sets */
	unsigned n_sent;
	struct sent sent[SENT_MAX];
};

struct ring_port {
	struct port port; /* first: ops receive a pointer to it */
	struct chunk_ring *ring;
};

/* Takes the umem's frames, of which it needs CHUNKS + CHUNKS_RESERVED. */
void chunk_ring_init(struct chunk_ring *r, struct umem *umem);

void ring_port_init(
	struct ring_port *p, struct chunk_ring *r, uint16_t id, enum origin origin, uint8_t owner);

/* The chunk that was idle for longest: where in it a packet's own frame may begin. NULL when none is idle. */
uint8_t *chunk_ring_take(struct chunk_ring *r);

/* Makes a packet in a taken chunk ready to be received. */
void chunk_ring_ready(struct chunk_ring *r, uint8_t *data, uint16_t len, uint16_t in_port, enum origin origin,
	unsigned worker);

/* Receives what is ready, as a port's rx does: into the burst's descriptors. */
static inline void
chunk_ring_receive(struct chunk_ring *r, struct burst *b)
{
	for (unsigned i = 0; i < r->n_ready; i++) {
		struct pkt *p = &b->pkts[i];
		const struct pkt *from = &r->ready[i];

		p->data = from->data;
		p->umem = from->umem;
		p->len = from->len;
		p->in_port = from->in_port;
		p->flags = from->flags;
		p->origin = from->origin;
		p->origin_worker = from->origin_worker;
		p->verdict = VERDICT_CONTINUE;
	}
	b->n = r->n_ready;
	r->n_ready = 0;
}

/* Brings the chunks of what was sent, and the umem's surplus, back into the ring. */
void chunk_ring_recover(struct chunk_ring *r);

#endif
