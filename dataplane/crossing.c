#include "dataplane/crossing.h"

#include <errno.h>
#include <rte_ring_elem.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/io/umem.h"
#include "dataplane/net/icmp_quote.h"
#include "dataplane/service/flow_owner.h"
#include "dataplane/service/inbound.h"
#include "dataplane/stages.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"
#include "dataplane/spsc_ring.h"

/* A worker collects returned frames before each burst it hands over, so of those that came straight from it, at most what
 * one crossing ring and two bursts hold can be on their way back. What came by way of a flow's owner is in addition. */
#define RETURN_DEPTH (2 * CROSSING_DEPTH)

struct returned_frame {
	struct umem *umem;
	uint8_t *data;
};

/* What one worker gives to one other. */
struct lane {
	struct rte_ring *packets; /* struct pkt */
	struct rte_ring *frames;  /* struct returned_frame */
};

/* A frame that found no room on its way home, in its own memory. */
struct held_frame {
	struct umem *umem;
	struct held_frame *next;
};

struct seat {
	int event_fd;
	int is_asleep;           /* atomic: the worker stores, others load */
	uint64_t given;          /* its own: bit per worker that it gave something to since the last kick */
	unsigned turn;           /* its own: whose packets it took first */
	struct held_frame *held; /* its own: to be returned at the next kick */
} __attribute__((aligned(CACHE_LINE)));

struct crossing {
	unsigned n;
	struct seat seats[WORKERS_MAX];
	struct lane lanes[WORKERS_MAX][WORKERS_MAX]; /* [from][to] */
};

static bool
seat_init(struct crossing *c, unsigned worker)
{
	struct seat *seat = &c->seats[worker];

	seat->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (seat->event_fd < 0)
		return false;
	for (unsigned to = 0; to < c->n; to++) {
		struct lane *lane = &c->lanes[worker][to];

		if (to == worker)
			continue;
		lane->packets = spsc_ring_new("crossing", sizeof(struct pkt), CROSSING_DEPTH);
		lane->frames = spsc_ring_new("crossing", sizeof(struct returned_frame), RETURN_DEPTH);
		if (lane->packets == NULL || lane->frames == NULL)
			return false;
	}
	return true;
}

struct crossing *
crossing_new(unsigned n_workers)
{
	struct crossing *c = aligned_alloc(CACHE_LINE, sizeof(*c));

	if (c == NULL)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->n = n_workers;
	for (unsigned i = 0; i < n_workers; i++)
		c->seats[i].event_fd = -1;
	for (unsigned i = 0; i < n_workers; i++) {
		if (!seat_init(c, i)) {
			crossing_free(c);
			return NULL;
		}
	}
	return c;
}

void
crossing_free(struct crossing *c)
{
	if (c == NULL)
		return;
	for (unsigned from = 0; from < c->n; from++) {
		if (c->seats[from].event_fd >= 0)
			close(c->seats[from].event_fd);
		for (unsigned to = 0; to < c->n; to++) {
			free(c->lanes[from][to].packets);
			free(c->lanes[from][to].frames);
		}
	}
	free(c);
}

bool
crossing_put(struct crossing *c, unsigned from, unsigned to, const struct pkt *p)
{
	if (rte_ring_sp_enqueue_elem(c->lanes[from][to].packets, (void *)p, sizeof(*p)) != 0)
		return false;
	c->seats[from].given |= UINT64_C(1) << to;
	return true;
}

void
crossing_return(struct crossing *c, unsigned from, struct umem *umem, uint8_t *data)
{
	struct returned_frame frame = { .umem = umem, .data = data };
	struct seat *seat = &c->seats[from];
	struct held_frame *held;

	if (rte_ring_sp_enqueue_elem(c->lanes[from][umem->owner].frames, &frame, sizeof(frame)) == 0) {
		seat->given |= UINT64_C(1) << umem->owner;
		return;
	}
	held = (struct held_frame *)umem_frame(umem, data);
	*held = (struct held_frame){ umem, seat->held };
	seat->held = held;
}

/* Those that find no room again are held again. */
static void
return_held(struct crossing *c, unsigned from)
{
	struct held_frame *held = c->seats[from].held, *next;

	for (c->seats[from].held = NULL; held != NULL; held = next) {
		next = held->next;
		crossing_return(c, from, held->umem, (uint8_t *)held);
	}
}

void
crossing_kick(struct crossing *c, unsigned from)
{
	uint64_t given;

	if (c->seats[from].held != NULL)
		return_held(c, from);
	given = c->seats[from].given;
	if (given == 0)
		return;
	c->seats[from].given = 0;
	/* pairs with the fence in crossing_sleep(): either we see it asleep, or it sees what we gave */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (; given != 0; given &= given - 1) {
		unsigned to = (unsigned)__builtin_ctzll(given);

		if (__atomic_load_n(&c->seats[to].is_asleep, __ATOMIC_RELAXED))
			crossing_wake(c, to);
	}
}

/* The worker after this one, leaving one out. */
static unsigned
next_but(const struct crossing *c, unsigned left_out, unsigned worker)
{
	do
		worker = worker + 1 == c->n ? 0 : worker + 1;
	while (worker == left_out && c->n > 1);
	return worker;
}

unsigned
crossing_take(struct crossing *c, unsigned to, struct burst *b)
{
	struct seat *seat = &c->seats[to];
	unsigned first = next_but(c, to, seat->turn), from = first, taken = 0;

	for (unsigned i = 1; i < c->n && b->n < BURST_MAX; i++, from = next_but(c, to, from)) {
		unsigned n;

		n = rte_ring_sc_dequeue_burst_elem(c->lanes[from][to].packets, b->pkts + b->n,
			sizeof(struct pkt), BURST_MAX - b->n, NULL);
		b->n += n;
		taken += n;
	}
	/* In turns: one that always has a burst ready would keep out all after it. Others read this line, so it is
	 * left alone while there is nothing. */
	if (taken != 0)
		seat->turn = first;
	burst_look(b);
	return taken;
}

void
crossing_collect(struct crossing *c, unsigned to)
{
	struct returned_frame frames[BURST_MAX];
	unsigned n;

	for (unsigned from = 0; from < c->n; from++) {
		if (from == to)
			continue;
		do {
			n = rte_ring_sc_dequeue_burst_elem(
				c->lanes[from][to].frames, frames, sizeof(frames[0]), BURST_MAX, NULL);
			for (unsigned i = 0; i < n; i++) {
				/* The analyzer does not see that the ring filled them:
				 * NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
				umem_put(frames[i].umem, frames[i].data);
			}
		} while (n == BURST_MAX);
	}
}

int
crossing_wait_fd(const struct crossing *c, unsigned worker)
{
	return c->seats[worker].event_fd;
}

void
crossing_sleep(struct crossing *c, unsigned worker)
{
	__atomic_store_n(&c->seats[worker].is_asleep, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool
crossing_is_empty(const struct crossing *c, unsigned worker)
{
	for (unsigned from = 0; from < c->n; from++) {
		const struct lane *lane = &c->lanes[from][worker];

		if (from != worker && (!rte_ring_empty(lane->packets) || !rte_ring_empty(lane->frames)))
			return false;
	}
	return true;
}

void
crossing_awake(struct crossing *c, unsigned worker)
{
	uint64_t wakes;

	__atomic_store_n(&c->seats[worker].is_asleep, 0, __ATOMIC_RELAXED);
	while (read(c->seats[worker].event_fd, &wakes, sizeof(wakes)) > 0)
		;
}

void
crossing_wake(struct crossing *c, unsigned worker)
{
	uint64_t one = 1;

	while (write(c->seats[worker].event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static bool
has_affinity(const struct service_table *s, const struct inbound_key *k)
{
	const struct frontend *f;

	if (!s->has_exposed_affinity)
		return false;
	f = service_frontend(s, addr_hash(&k->dst, k->dport, k->proto), &k->dst, k->dport, k->proto);
	return f != NULL && (f->flags & FRONTEND_AFFINITY);
}

/* Of a flow from outside: see flow_owner.h. */
static unsigned
owner_of_question(const struct tables *t, const struct pkt *p)
{
	unsigned n = t->node->n_workers;
	struct inbound_key k;

	if (!inbound_key_of(p, &k))
		return 0;
	if (has_affinity(t->services, &k) != p->is_asked)
		return flow_owner_of_affinity(&k.src, n);
	return flow_owner_of_client(&k.src, k.sport, k.proto, n);
}

/* Of a flow that the outside knows by an address and a port of this node: in the port, or in that of the packet that an
 * error quotes. */
static unsigned
owner_of_masqueraded(const struct tables *t, const struct pkt *p)
{
	struct icmp_quote q;

	if ((p->flags & PKT_ICMP_ERROR) && icmp_quote_read_flow(p, &q))
		return flow_owner_of_port(q.sport, t->node->n_workers);
	return flow_owner_of_port(p->dport, t->node->n_workers);
}

/* An answer is for the address by which the backend knows the client: a backend outside, by the same as it knows pods. */
static unsigned
owner_of_answer(const struct tables *t, const struct pkt *p)
{
	unsigned n = t->node->n_workers;
	struct inbound_key k;

	if (pkt_is_to_masquerade(p))
		return owner_of_masqueraded(t, p);
	if (!inbound_key_of(p, &k))
		return 0;
	if (endpoint_is_inbound_addr(t->endpoints, &k.dst))
		return flow_owner_of_port(k.dport, n);
	if (p->is_asked)
		return flow_owner_of_affinity(&k.dst, n);
	return flow_owner_of_client(&k.dst, k.dport, k.proto, n);
}

unsigned
crossing_target(const struct tables *t, const struct pkt *p)
{
	if (p->flags & PKT_STEERED)
		return pkt_is_to_masquerade(p) ? owner_of_masqueraded(t, p) : owner_of_question(t, p);
	if (p->verdict == VERDICT_REPLY)
		return t->node->port_owner[p->in_port];
	if (pkt_is_to_outside(p))
		return owner_of_answer(t, p);
	return t->node->port_owner[p->out_port];
}

void
crossing_hand_over(struct worker *w, unsigned to, struct pkt *p)
{
	if ((p->flags & PKT_DRY_RUN) || crossing_put(w->crossing, w->id, to, p))
		p->verdict = VERDICT_CROSSED;
	else
		pkt_drop(p, DROP_CROSSING_FULL);
}

bool
crossing_ask_other(const struct tables *t, struct worker *w, struct pkt *p)
{
	unsigned other;

	if (t->node->n_workers == 1 || !t->services->has_exposed_affinity || p->is_asked)
		return false;
	p->is_asked = true;
	if (pkt_is_from_outside(p))
		p->flags |= PKT_STEERED;
	other = crossing_target(t, p);
	if (other == w->id) {
		p->is_asked = false;
		p->flags &= (uint16_t)~PKT_STEERED;
		return false;
	}
	crossing_hand_over(w, other, p);
	return true;
}

void
steer_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	if (t->node->n_workers == 1 || !(b->seen & (PKT_INBOUND | PKT_OUTBOUND)))
		return;
	BURST_FOREACH_UNDECIDED (b, p) {
		unsigned owner;

		if (p->is_asked || (!pkt_is_from_outside(p) && !pkt_is_to_masquerade(p)))
			continue;
		p->flags |= PKT_STEERED;
		owner = crossing_target(t, p);
		if (owner == w->id) {
			p->flags &= (uint16_t)~PKT_STEERED;
			continue;
		}
		TRACE(b, "steer", "a flow from outside, of worker %u", owner);
		crossing_hand_over(w, owner, p);
	}
}

void
cross_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	if (t->node->n_workers == 1)
		return;
	BURST_FOREACH (b, p) {
		unsigned to;

		/* an answer to what was steered here leaves by the port that it came by */
		if (p->verdict != VERDICT_CONTINUE &&
			(p->verdict != VERDICT_REPLY || p->origin_worker == w->id))
			continue;
		to = crossing_target(t, p);
		if (to != w->id)
			crossing_hand_over(w, to, p);
	}
}
