#include "perf/ring_port.h"

#include "dataplane/io/umem.h"

static unsigned
ring_rx(struct port *port, struct pkt *pkts, unsigned max)
{
	return 0; /* the harness fills the burst itself, from all ports at once */
}

static bool
ring_tx(struct port *port, struct pkt *p)
{
	struct chunk_ring *r = ((struct ring_port *)port)->ring;

	if (r->n_sent == SENT_MAX)
		return false;
	r->sent[r->n_sent++] = (struct sent){ .data = p->data, .len = p->len, .port = port->id };
	return true;
}

static void
ring_flush(struct port *port)
{
	port->dirty = false;
}

static int
ring_wait(const struct port *port)
{
	return -1;
}

static const struct port_ops ring_ops = {
	.rx = ring_rx,
	.tx = ring_tx,
	.flush = ring_flush,
	.wait = ring_wait,
};

static void
put_idle(struct chunk_ring *r, uint8_t *chunk)
{
	r->idle[(r->head + r->n_idle++) % CHUNKS] = chunk;
}

void
chunk_ring_init(struct chunk_ring *r, struct umem *umem)
{
	memset(r, 0, sizeof(*r));
	r->umem = umem;
	while (umem->n_free > CHUNKS_RESERVED)
		put_idle(r, umem_get(umem));
}

void
ring_port_init(struct ring_port *p, struct chunk_ring *r, uint16_t id, enum origin origin, uint8_t owner)
{
	*p = (struct ring_port){
		.port = { .ops = &ring_ops,
			.umem = r->umem,
			.id = id,
			.origin = (uint8_t)origin,
			.owner = owner },
		.ring = r,
	};
}

uint8_t *
chunk_ring_take(struct chunk_ring *r)
{
	uint8_t *chunk;

	if (r->n_idle == 0)
		return NULL;
	chunk = r->idle[r->head];
	r->head = (r->head + 1) % CHUNKS;
	r->n_idle--;
	return chunk + UMEM_HEADROOM;
}

void
chunk_ring_ready(struct chunk_ring *r, uint8_t *data, uint16_t len, uint16_t in_port, enum origin origin,
	unsigned worker)
{
	r->ready[r->n_ready++] = (struct pkt){
		.data = data,
		.umem = r->umem,
		.len = len,
		.in_port = in_port,
		.flags = origin == ORIGIN_UPLINK ? 0 : PKT_TRUST_CHECKSUM,
		.origin = (uint8_t)origin,
		.origin_worker = (uint8_t)worker,
	};
}

void
chunk_ring_recover(struct chunk_ring *r)
{
	for (unsigned i = 0; i < r->n_sent; i++)
		umem_put(r->umem, r->sent[i].data);
	r->n_sent = 0;
	while (r->umem->n_free > CHUNKS_RESERVED)
		put_idle(r, umem_get(r->umem));
}
