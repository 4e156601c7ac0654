#include "dataplane/io/port_mem.h"

#include "dataplane/io/umem.h"

static unsigned
mem_rx(struct port *port, struct pkt *pkts, unsigned max)
{
	struct port_mem *m = (struct port_mem *)port;
	unsigned n = m->n_in < max ? m->n_in : max;

	for (unsigned i = 0; i < n; i++) {
		pkts[i].data = m->in[i].data;
		pkts[i].len = m->in[i].len;
		pkts[i].umem = port->umem;
		pkts[i].verdict = VERDICT_CONTINUE;
	}
	m->n_in -= n;
	memmove(m->in, m->in + n, m->n_in * sizeof(m->in[0]));
	return n;
}

static bool
mem_tx(struct port *port, struct pkt *p)
{
	struct port_mem *m = (struct port_mem *)port;

	if (m->n_out == PORT_MEM_DEPTH)
		return false;
	m->out[m->n_out].data = p->data;
	m->out[m->n_out].len = p->len;
	m->n_out++;
	return true;
}

static void
mem_flush(struct port *port)
{
	port->dirty = false;
}

static int
mem_wait(const struct port *port)
{
	return -1;
}

static const struct port_ops mem_ops = {
	.rx = mem_rx,
	.tx = mem_tx,
	.flush = mem_flush,
	.wait = mem_wait,
};

void
port_mem_init(struct port_mem *m, struct umem *umem, uint16_t id, enum origin origin, uint8_t owner)
{
	memset(m, 0, sizeof(*m));
	m->port = (struct port){
		.ops = &mem_ops, .umem = umem, .id = id, .origin = (uint8_t)origin, .owner = owner
	};
}

bool
port_mem_give(struct port_mem *m, const void *bytes, uint16_t len)
{
	uint8_t *frame;

	if (m->n_in == PORT_MEM_DEPTH || len > umem_room(m->port.umem))
		return false;
	frame = umem_get(m->port.umem);
	if (frame == NULL)
		return false;
	memcpy(frame + UMEM_HEADROOM, bytes, len);
	m->in[m->n_in].data = frame + UMEM_HEADROOM;
	m->in[m->n_in].len = len;
	m->n_in++;
	return true;
}

void
port_mem_clear(struct port_mem *m)
{
	for (unsigned i = 0; i < m->n_out; i++)
		umem_put(m->port.umem, m->out[i].data);
	m->n_out = 0;
}
