#include "dataplane/io/port_xsk.h"

#include <sys/socket.h>

#include "dataplane/io/xsk_uapi.h"

/* The fill ring is topped up by at least this many frames at a time. */
#define FILL_BATCH 16

/* So many small bursts in a row, and less is kept ready. */
#define SMALL_RX_MAX 64

/* One destination that does not take its packets may hold this share of a shard. */
#define SENDING_SHARE 8

/* A frame is marked as held right after it got into a ring, and as not held before it leaves one. So whatever the
 * instant at which this process dies, a frame that is in no ring and not marked is nobody's, and the next process
 * needs to look at nothing else. */

static uint64_t
offset_of(const struct umem *u, const uint8_t *data)
{
	return (uint64_t)(data - u->base);
}

/* Brings what lies ready for the kernel up to the target, as far as there are free frames. */
static void
refill(struct port_xsk *x)
{
	struct umem *u = x->port.umem;
	uint32_t n, at;

	if (x->n_filled + FILL_BATCH > x->fill_target)
		return;
	n = x->fill_target - x->n_filled;
	if (n > u->n_free)
		n = u->n_free;
	if (n == 0 || xsk_ring_prod__reserve(&x->xsk.fill, n, &at) == 0)
		return;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t frame = u->free[u->n_free - 1 - i];

		*xsk_ring_prod__fill_addr(&x->xsk.fill, at + i) = (uint64_t)frame << u->frame_shift;
	}
	xsk_ring_prod__submit(&x->xsk.fill, n);
	for (uint32_t i = 0; i < n; i++)
		u->holders[u->free[--u->n_free]] = x->slot;
	x->n_filled += n;
	/* only drivers in zero-copy mode ever ask for this */
	if (xsk_ring_prod__needs_wakeup(&x->xsk.fill))
		recvfrom(x->xsk.fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

/* How much to keep ready follows what comes: a port that fills bursts gets twice as much, as long as the
 * shard has a quarter of its frames free for the others; one that stays far below gets less again. */
static void
adapt_target(struct port_xsk *x, uint32_t n, uint32_t max)
{
	const struct umem *u = x->port.umem;

	if (n == max || 2 * n >= x->fill_target) {
		x->small_rx = 0;
		if (2 * x->fill_target <= x->xsk.fill.size && u->n_free > u->n_frames / 4)
			x->fill_target *= 2;
	} else if (8 * n >= x->fill_target) {
		x->small_rx = 0;
	} else if (++x->small_rx == SMALL_RX_MAX) {
		x->small_rx = 0;
		if (x->fill_target / 2 >= x->fill_min)
			x->fill_target /= 2;
	}
}

/* Turns a descriptor into a packet. False: it goes on with one that is dropped already, and its frame is
 * free. */
static bool
take(struct port_xsk *x, const struct xdp_desc *desc, struct pkt *p)
{
	struct umem *u = x->port.umem;
	bool is_first = !x->in_chain;

	u->holders[desc->addr >> u->frame_shift] = 0;
	x->in_chain = (desc->options & XDP_PKT_CONTD) != 0;
	if (!is_first) {
		umem_put(u, u->base + desc->addr);
		return false;
	}
	p->data = u->base + desc->addr;
	p->umem = u;
	p->len = (uint16_t)desc->len;
	p->verdict = VERDICT_CONTINUE;
	if (x->in_chain)
		pkt_drop(p, DROP_MULTI_BUFFER);
	return true;
}

static unsigned
port_xsk_rx(struct port *port, struct pkt *pkts, unsigned max)
{
	struct port_xsk *x = (struct port_xsk *)port;
	uint32_t at, n_descs = xsk_ring_cons__peek(&x->xsk.rx, max, &at);
	unsigned n = 0;

	if (n_descs != 0) {
		for (uint32_t i = 0; i < n_descs; i++)
			n += take(x, xsk_ring_cons__rx_desc(&x->xsk.rx, at + i), &pkts[n]);
		xsk_ring_cons__release(&x->xsk.rx, n_descs);
		x->n_filled -= n_descs;
		adapt_target(x, n_descs, max);
	}
	refill(x);
	return n;
}

/* Takes back the frames of packets that were sent. */
static void
reap_sent(struct port_xsk *x)
{
	struct umem *u = x->port.umem;
	uint32_t at, n = xsk_ring_cons__peek(&x->xsk.completion, x->xsk.completion.size, &at);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t frame =
			(uint32_t)(*xsk_ring_cons__comp_addr(&x->xsk.completion, at + i) >> u->frame_shift);

		u->holders[frame] = 0;
		u->free[u->n_free++] = frame;
	}
	if (n == 0)
		return;
	xsk_ring_cons__release(&x->xsk.completion, n);
	/* what a former process had sent may have been counted as filled by port_xsk_start() */
	if (n > x->n_sending) {
		x->n_filled -= n - x->n_sending;
		n = x->n_sending;
	}
	x->n_sending -= n;
}

static void
submit_queued(struct port_xsk *x)
{
	struct umem *u = x->port.umem;
	uint32_t at = x->xsk.tx.cached_prod - x->n_queued;

	xsk_ring_prod__submit(&x->xsk.tx, x->n_queued);
	for (; x->n_queued != 0; x->n_queued--, at++)
		u->holders[xsk_ring_prod__tx_desc(&x->xsk.tx, at)->addr >> u->frame_shift] = x->slot;
}

static void
port_xsk_flush(struct port *port)
{
	struct port_xsk *x = (struct port_xsk *)port;
	unsigned left;

	submit_queued(x);
	left = xsk_send(&x->xsk);
	reap_sent(x);
	x->is_stuck = left != 0;
	port->dirty = left != 0; /* asks again in the next round */
}

static bool
port_xsk_tx(struct port *port, struct pkt *p)
{
	struct port_xsk *x = (struct port_xsk *)port;
	struct umem *u = port->umem;
	uint32_t at;

	/* all that one round has for a port may exceed what is allowed to be under way */
	if (x->n_sending >= x->sending_max && !x->is_stuck)
		port_xsk_flush(port);
	if (x->n_sending >= x->sending_max || xsk_ring_prod__reserve(&x->xsk.tx, 1, &at) == 0)
		return false;
	*xsk_ring_prod__tx_desc(&x->xsk.tx, at) =
		(struct xdp_desc){ .addr = offset_of(u, p->data), .len = p->len };
	x->n_queued++;
	x->n_sending++;
	return true;
}

static int
port_xsk_wait(const struct port *port)
{
	return ((const struct port_xsk *)port)->xsk.fd;
}

static const struct port_ops port_xsk_ops = {
	.rx = port_xsk_rx,
	.tx = port_xsk_tx,
	.flush = port_xsk_flush,
	.wait = port_xsk_wait,
};

void
port_xsk_init(struct port_xsk *x, struct umem *umem, uint16_t id, enum origin origin, uint8_t slot,
	uint32_t fill_min)
{
	uint32_t ring_size = x->xsk.tx.size;

	x->port = (struct port){
		.ops = &port_xsk_ops, .umem = umem, .id = id, .origin = (uint8_t)origin, .owner = umem->owner
	};
	x->slot = slot;
	x->fill_min = fill_min < ring_size ? fill_min : ring_size;
	x->fill_target = x->fill_min;
	/* never more than the completion ring takes: the kernel stops sending when that is full */
	x->sending_max = umem->n_frames / SENDING_SHARE;
	if (x->sending_max > ring_size)
		x->sending_max = ring_size;
}

/* Descriptors that a ring holds, between two positions that the kernel may be moving. */
static uint32_t
n_between(const uint32_t *producer, const uint32_t *consumer)
{
	return __atomic_load_n(producer, __ATOMIC_ACQUIRE) - __atomic_load_n(consumer, __ATOMIC_ACQUIRE);
}

void
port_xsk_start(struct port_xsk *x)
{
	const struct umem *u = x->port.umem;
	const struct xsk *s = &x->xsk;
	uint32_t n_held = 0;

	for (uint32_t i = 0; i < u->n_frames; i++)
		n_held += u->holders[i] == x->slot;
	/* what the kernel has of a former process's packets may not come back; then it counts as filled, and
	 * less lies ready by that much */
	x->n_sending = n_between(s->tx.producer, s->tx.consumer) +
		       n_between(s->completion.producer, s->completion.consumer);
	x->n_filled = n_held - x->n_sending;
	refill(x);
	x->port.dirty = x->n_sending != 0;
}

void
port_xsk_release(struct port_xsk *x)
{
	struct umem *u = x->port.umem;

	for (uint32_t i = 0; i < u->n_frames; i++) {
		if (u->holders[i] == x->slot) {
			u->holders[i] = 0;
			u->free[u->n_free++] = i;
		}
	}
}

static void
see(const struct port_xsk *x, struct umem_audit *a, uint64_t offset, enum umem_place place)
{
	const struct umem *u = x->port.umem;

	umem_audit_see(a, offset, place);
	if (offset >> u->frame_shift < u->n_frames)
		u->holders[offset >> u->frame_shift] = x->slot;
}

void
port_xsk_audit(const struct port_xsk *x, struct umem_audit *a)
{
	const struct xsk *s = &x->xsk;
	/* The kernel goes on meanwhile, from fill to rx and from tx to completion. So where frames go to is
	 * looked at first: one that moves in between is missed, and counts as in the kernel, rather than seen
	 * twice. */
	uint32_t rx_end = __atomic_load_n(s->rx.producer, __ATOMIC_ACQUIRE);
	uint32_t completion_end = __atomic_load_n(s->completion.producer, __ATOMIC_ACQUIRE);
	uint32_t fill_start = __atomic_load_n(s->fill.consumer, __ATOMIC_ACQUIRE);
	uint32_t tx_start = __atomic_load_n(s->tx.consumer, __ATOMIC_ACQUIRE);

	for (uint32_t i = *s->rx.consumer; i != rx_end; i++)
		see(x, a, xsk_ring_cons__rx_desc(&s->rx, i)->addr, UMEM_RX);
	for (uint32_t i = *s->completion.consumer; i != completion_end; i++)
		see(x, a, *xsk_ring_cons__comp_addr(&s->completion, i), UMEM_COMPLETION);
	/* the ring's memory is the kernel's to read only */
	for (uint32_t i = fill_start; i != *s->fill.producer; i++)
		see(x, a, ((const uint64_t *)s->fill.ring)[i & s->fill.mask], UMEM_FILL);
	for (uint32_t i = tx_start; i != s->tx.cached_prod; i++)
		see(x, a, ((const struct xdp_desc *)s->tx.ring)[i & s->tx.mask].addr, UMEM_TX);
}
