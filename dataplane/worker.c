#include "dataplane/worker.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dataplane/clock.h"
#include "dataplane/dns/dns_ring.h"
#include "dataplane/dns/dns_tally.h"
#include "dataplane/dns/dns_told.h"
#include "dataplane/io/umem.h"
#include "dataplane/net/fragments.h"
#include "dataplane/pipeline.h"
#include "dataplane/service/nat_flows.h"

/* Rounds without a packet before the worker sleeps: a sender that paused for a few microseconds finds it
 * awake. */
#define IDLE_ROUNDS 32

/* A sleeping worker looks after its ageing tables this often. */
#define SLEEP_MS 200

/* And when something cannot go on yet: no tables are published, or a receiver does not take its packets. */
#define RETRY_MS 2

/* For so long an answer of the resolver waits for a port that takes nothing: who asked would wait for seconds, and ask again. */
#define LATE_NS UINT64_C(100000000)

/* A watched port that sent so many packets is not watched any more until the worker sleeps. Each packet that the
 * kernel is done with tells those who wait on its socket, and an epoll set waits always: that is a wait queue's
 * lock, the set's lock and no result, 10% of what sending costs. Taking a port out and putting it back costs as
 * much as some ten packets. */
#define WATCHED_TX_MAX 64

struct worker_request {
	void (*fn)(struct worker *w, void *arg);
	void *arg;
	sem_t done;
};

static bool
wakes_by(struct worker *w, int fd)
{
	struct epoll_event readable = { .events = EPOLLIN };

	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &readable) == 0;
}

struct worker *
worker_new(const struct worker_config *config)
{
	struct worker *w = aligned_alloc(CACHE_LINE, sizeof(*w));

	if (w == NULL)
		return NULL;
	memset(w, 0, sizeof(*w));
	senders_init(&w->senders);
	w->id = config->id;
	w->cpu = config->cpu;
	w->snapshot = config->snapshot;
	w->crossing = config->crossing;
	w->exceptions = config->flows.exceptions;
	w->inbound = config->flows.inbound;
	w->half_open = config->flows.half_open;
	w->affinity = config->flows.affinity;
	w->inbound_affinity = config->flows.inbound_affinity;
	w->outbound = config->flows.outbound;
	w->port_blocks = config->flows.port_blocks;
	w->events = config->events;
	w->dns_rings = config->dns_rings;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->fragments = fragments_new();
	w->policy_hits = calloc(1, sizeof(*w->policy_hits)); /* pages come as they are used */
	w->dns_tally = dns_tally_new();
	if (w->fragments == NULL || w->policy_hits == NULL || w->dns_tally == NULL || w->epoll_fd < 0 ||
		!wakes_by(w, crossing_wait_fd(w->crossing, w->id)) ||
		(w->dns_rings != NULL && !wakes_by(w, dns_told_fd(w->dns_rings, w->id)))) {
		worker_free(w);
		return NULL;
	}
	return w;
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	fragments_free(w->fragments);
	free(w->policy_hits);
	dns_tally_free(w->dns_tally);
	free(w);
}

static void
watch(struct worker *w, struct port *port)
{
	int fd = port->ops->wait(port);

	if (fd >= 0)
		wakes_by(w, fd);
	port->is_watched = true;
	port->watched_tx = port->stats.tx_packets;
	w->n_watched++;
}

static void
unwatch(struct worker *w, struct port *port)
{
	int fd = port->ops->wait(port);

	if (fd >= 0)
		epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	port->is_watched = false;
	w->n_watched--;
}

/* What came since a port was unwatched makes its socket readable at once. */
static void
watch_all(struct worker *w)
{
	for (unsigned i = 0; i < w->n_active && w->n_watched < w->n_active; i++)
		if (!w->ports[w->active[i]]->is_watched)
			watch(w, w->ports[w->active[i]]);
}

void
worker_add_port(struct worker *w, struct port *port)
{
	w->ports[port->id] = port;
	w->active[w->n_active++] = port->id;
	watch(w, port);
}

void
worker_remove_port(struct worker *w, struct port *port)
{
	if (port->is_watched)
		unwatch(w, port);
	w->ports[port->id] = NULL;
	for (unsigned i = 0; i < w->n_active; i++) {
		if (w->active[i] == port->id) {
			w->active[i] = w->active[--w->n_active];
			return;
		}
	}
}

void
worker_recycle(struct worker *w, struct umem *umem, uint8_t *data)
{
	if (umem->owner == w->id)
		umem_put(umem, data);
	else
		crossing_return(w->crossing, w->id, umem, data);
}

/* Moves a packet into a frame of the port's shard from that of another: a socket sends only from its own
 * umem. */
static bool
move_to_umem(struct worker *w, struct pkt *p, struct umem *umem)
{
	uint8_t *frame;

	if (p->len > umem_room(umem))
		return false;
	frame = umem_get(umem);
	if (frame == NULL)
		return false;
	memcpy(frame + UMEM_HEADROOM, p->data, p->len);
	worker_recycle(w, p->umem, p->data);
	p->data = frame + UMEM_HEADROOM;
	p->umem = umem;
	count(&w->counters, COUNT_UMEM_COPIED);
	return true;
}

/* Queues the packet at its port, or changes the verdict to what stands in the way. For every packet: so in line. */
static inline __attribute__((always_inline)) void
send_packet(struct worker *w, struct pkt *p)
{
	struct port *port = w->ports[p->out_port];

	if (port == NULL) {
		pkt_drop(p, DROP_PORT_GONE);
	} else if (p->umem != port->umem && !move_to_umem(w, p, port->umem)) {
		pkt_drop(p, DROP_NO_FRAME);
	} else if (!port->ops->tx(port, p)) {
		pkt_drop(p, DROP_TX_FULL);
	} else {
		port->dirty = true;
		counter_add(&port->stats.tx_packets, 1);
		counter_add(&port->stats.tx_bytes, p->len);
	}
}

static void
count_drop(struct worker *w, const struct pkt *p)
{
	struct port *in = w->ports[p->in_port];

	counter_add(&w->counters.drops[p->drop_reason], 1);
	/* a port's statistics have one writer: its own worker */
	if (p->origin_worker == w->id && in != NULL)
		counter_add(&in->stats.drops[p->drop_reason], 1);
}

/* Pieces go ahead of the packets that they were cut from. A datagram with a piece missing is of no use, so the
 * packet shares the fate of the first one that could not be sent. */
static void
send_pieces(struct worker *w, struct burst *b)
{
	BURST_FOREACH (&w->pieces, piece) {
		struct pkt *parent = &b->pkts[w->piece_of[piece - w->pieces.pkts]];

		if (parent->verdict != VERDICT_DROP) {
			send_packet(w, piece);
			if (piece->verdict == VERDICT_DROP)
				pkt_drop(parent, (enum drop_reason)piece->drop_reason);
		}
		if (parent->verdict == VERDICT_DROP)
			worker_recycle(w, piece->umem, piece->data);
	}
	w->pieces.n = 0;
}

void
worker_tx(struct worker *w, struct burst *b)
{
	if (w->pieces.n != 0)
		send_pieces(w, b);
	BURST_FOREACH (b, p) {
		assert(p->verdict != VERDICT_CONTINUE);
		if (p->verdict == VERDICT_HELD)
			continue;
		if (p->verdict < VERDICT_DROP)
			send_packet(w, p);
		if (p->verdict == VERDICT_DROP) {
			worker_recycle(w, p->umem, p->data);
			count_drop(w, p);
		} else if (p->verdict == VERDICT_ASKED) {
			worker_recycle(w, p->umem, p->data);
		}
		if (p->verdict == VERDICT_CROSSED)
			count(&w->counters, COUNT_CROSSED_OUT);
		else
			counter_add(&w->counters.verdicts[p->verdict], 1);
	}
	b->n = 0;
}

void
worker_flush(struct worker *w)
{
	for (unsigned i = 0; i < w->n_active; i++) {
		struct port *port = w->ports[w->active[i]];

		if (!port->dirty)
			continue;
		port->ops->flush(port);
		if (port->is_watched && port->stats.tx_packets - port->watched_tx >= WATCHED_TX_MAX)
			unwatch(w, port);
	}
}

void
worker_process(struct worker *w, const struct tables *t, struct burst *b)
{
	counter_add(&w->counters.counts[COUNT_RECEIVED], b->n);
	pipeline_send_half(w, t, b);
	pipeline_receive_half(w, t, b);
	worker_tx(w, b);
}

/* Takes what was steered here out of a burst of arrivals. */
static void
separate_steered(struct burst *arrivals, struct burst *steered)
{
	unsigned n = 0;

	BURST_FOREACH (arrivals, p) {
		if (p->flags & PKT_STEERED) {
			p->flags &= (uint16_t)~PKT_STEERED;
			steered->pkts[steered->n++] = *p;
		} else {
			if (&arrivals->pkts[n] != p)
				arrivals->pkts[n] = *p;
			n++;
		}
	}
	arrivals->n = n;
}

/* Goes on with what other workers handed over. Returns how many packets those were. */
static unsigned
process_arrivals(struct worker *w, const struct tables *t)
{
	unsigned n = crossing_take(w->crossing, w->id, &w->arrivals);

	if (n == 0)
		return 0;
	counter_add(&w->counters.counts[COUNT_CROSSED_IN], n);
	separate_steered(&w->arrivals, &w->steered);
	if (w->steered.n != 0) {
		pipeline_send_half(w, t, &w->steered);
		pipeline_receive_half(w, t, &w->steered);
		worker_tx(w, &w->steered);
	}
	pipeline_receive_half(w, t, &w->arrivals);
	worker_tx(w, &w->arrivals);
	return n;
}

/* In half a second its receiver's port may have become another's. */
static void
check_receivers(const struct tables *t, struct burst *b)
{
	BURST_FOREACH_UNDECIDED (b, p) {
		const struct endpoint *ep = endpoint_of_port(t->endpoints, p->out_port);

		if (ep == NULL ||
			(!ep->is_host && !ip_addr_eq(&ep->addrs[p->family == 4 ? V4 : V6], &p->dst)))
			pkt_drop(p, DROP_PORT_GONE);
	}
}

/* Goes on with fragments that waited for their first: in the half in which they did. Returns how many. */
static unsigned
process_waiting(struct worker *w, const struct tables *t)
{
	struct burst *sent = &w->burst, *received = &w->arrivals;
	unsigned n;

	w->fragments->has_news = false;
	fragments_take(w->fragments, false, sent, w->now_ns);
	fragments_take(w->fragments, true, received, w->now_ns);
	n = sent->n + received->n;
	if (sent->n != 0) {
		BURST_FOREACH (sent, p)
			p->flags &= PKT_TRUST_CHECKSUM; /* what io has set */
		pipeline_send_half(w, t, sent);
		pipeline_receive_half(w, t, sent);
		worker_tx(w, sent);
	}
	if (received->n != 0) {
		burst_look(received);
		check_receivers(t, received);
		pipeline_receive_half(w, t, received);
		worker_tx(w, received);
	}
	return n;
}

static void
drop_told(struct worker *w, const struct pkt *p, enum drop_reason why)
{
	worker_recycle(w, p->umem, p->data);
	count(&w->counters, why == DROP_TX_FULL    ? COUNT_DNS_LOST_LATE
			    : why == DROP_NO_FRAME ? COUNT_DNS_LOST_NO_FRAME
						   : COUNT_DNS_LOST_GONE);
}

/* Sends an answer of the resolver. False: its port takes nothing at the moment, and it may be tried again. */
static bool
send_told(struct worker *w, struct pkt *p, bool is_last_try)
{
	if (p->verdict == VERDICT_REPLY)
		send_packet(w, p);
	if (p->verdict == VERDICT_REPLY)
		return true;
	if (p->drop_reason == DROP_TX_FULL && !is_last_try) {
		p->verdict = VERDICT_REPLY;
		return false;
	}
	drop_told(w, p, (enum drop_reason)p->drop_reason);
	return true;
}

static void
keep_late(struct worker *w, unsigned i, const struct pkt *p, uint64_t until_ns)
{
	w->late.pkts[i] = *p;
	w->late_until_ns[i] = until_ns;
}

static void
send_late(struct worker *w, const struct tables *t)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->late.n; i++) {
		struct pkt *p = &w->late.pkts[i];

		if (!dns_told_is_for(t, p))
			drop_told(w, p, DROP_PORT_GONE);
		else if (!send_told(w, p, w->now_ns >= w->late_until_ns[i]))
			keep_late(w, n++, p, w->late_until_ns[i]);
	}
	w->late.n = n;
}

/* Sends what the resolver has answered, no more than can wait if its port does not take it. These packets began here, so no verdict is
 * counted. Returns how many answers there were. */
static unsigned
process_told(struct worker *w, const struct tables *t)
{
	struct burst *b = &w->arrivals;
	unsigned n;

	send_late(w, t);
	n = dns_told_burst(t, w, b, BURST_MAX - w->late.n);
	if (b->n != 0)
		pipeline_receive_half(w, t, b);
	BURST_FOREACH (b, p)
		if (!send_told(w, p, false))
			keep_late(w, w->late.n++, p, w->now_ns + LATE_NS);
	b->n = 0;
	return n;
}

/* Takes what a port has into the burst, as far as there is room. */
static unsigned
receive_from(struct worker *w, struct port *port, struct burst *b)
{
	struct pkt *first = b->pkts + b->n;
	unsigned n = port->ops->rx(port, first, BURST_MAX - b->n);
	uint64_t bytes = 0;

	if (n == 0)
		return 0;
	for (struct pkt *p = first; p < first + n; p++) {
		p->in_port = port->id;
		p->origin = port->origin;
		p->origin_worker = (uint8_t)w->id;
		p->is_asked = false;
		p->would_drop = DROP_NONE;
		p->flags = port->origin == ORIGIN_UPLINK ? 0 : PKT_TRUST_CHECKSUM;
		bytes += p->len;
	}
	counter_add(&port->stats.rx_packets, n);
	counter_add(&port->stats.rx_bytes, bytes);
	b->n += n;
	return n;
}

unsigned
worker_round(struct worker *w, const struct tables *t)
{
	struct burst *b = &w->burst;
	unsigned n = 0;

	crossing_collect(w->crossing, w->id);
	for (unsigned i = 0; i < w->n_active; i++) {
		n += receive_from(w, w->ports[w->active[i]], b);
		if (b->n == BURST_MAX) {
			worker_process(w, t, b);
			/* a round may have more packets than the way back holds frames */
			crossing_collect(w->crossing, w->id);
		}
	}
	if (b->n != 0)
		worker_process(w, t, b);
	n += process_arrivals(w, t);
	if (fragments_are_due(w->fragments, w->now_ns))
		n += process_waiting(w, t);
	if (w->dns_rings != NULL)
		n += process_told(w, t);
	worker_flush(w);
	nat_flows_expire_some(w->exceptions, w->now_ns);
	nat_flows_expire_some(w->inbound, w->now_ns);
	nat_flows_expire_some(w->half_open, w->now_ns);
	nat_flows_expire_some(w->outbound, w->now_ns);
	senders_expire(&w->senders, w->now_ns);
	crossing_kick(w->crossing, w->id);
	if (w->dns_rings != NULL)
		dns_miss_kick(w->dns_rings, w->id);
	count(&w->counters, COUNT_POLLS);
	return n;
}

void
worker_sleep(struct worker *w, bool has_tables, int timeout_ms)
{
	struct pollfd fd = {
		.fd = has_tables ? w->epoll_fd : crossing_wait_fd(w->crossing, w->id),
		.events = POLLIN,
	};

	count(&w->counters, COUNT_SLEEPS);
	watch_all(w);
	crossing_sleep(w->crossing, w->id);
	if (crossing_is_empty(w->crossing, w->id) && __atomic_load_n(&w->request, __ATOMIC_ACQUIRE) == NULL &&
		!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		snapshot_offline(w->snapshot, w->id);
		poll(&fd, 1, timeout_ms);
		snapshot_online(w->snapshot, w->id);
	}
	crossing_awake(w->crossing, w->id);
}

static void
serve_request(struct worker *w)
{
	struct worker_request *request = __atomic_load_n(&w->request, __ATOMIC_ACQUIRE);

	if (request == NULL)
		return;
	request->fn(w, request->arg);
	__atomic_store_n(&w->request, NULL, __ATOMIC_RELEASE);
	sem_post(&request->done);
}

static void
pin_to_cpu(int cpu)
{
	cpu_set_t cpus;

	if (cpu < 0)
		return;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
}

/* Whether some port's kernel side did not take all that was queued. */
static bool
has_unsent(const struct worker *w)
{
	if (w->late.n != 0)
		return true;
	for (unsigned i = 0; i < w->n_active; i++)
		if (w->ports[w->active[i]]->dirty)
			return true;
	return false;
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	unsigned idle = 0;

	pin_to_cpu(w->cpu);
	snapshot_online(w->snapshot, w->id);
	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		const struct tables *t = snapshot_get(w->snapshot); /* one version for the round */

		w->now_ns = clock_now_ns();
		if (t != NULL && worker_round(w, t) > 0)
			idle = 0;
		serve_request(w);
		snapshot_quiesce(w->snapshot, w->id); /* from here t may be freed */
		if (++idle > IDLE_ROUNDS)
			worker_sleep(w, t != NULL, t == NULL || has_unsent(w) ? RETRY_MS : SLEEP_MS);
	}
	snapshot_offline(w->snapshot, w->id);
	return NULL;
}

int
worker_start(struct worker *w)
{
	int err;

	w->stop = false;
	w->is_running = true;
	err = pthread_create(&w->thread, NULL, worker_main, w);
	if (err != 0)
		w->is_running = false;
	return -err;
}

void
worker_stop(struct worker *w)
{
	if (!w->is_running)
		return;
	__atomic_store_n(&w->stop, true, __ATOMIC_RELAXED);
	crossing_wake(w->crossing, w->id);
	pthread_join(w->thread, NULL);
	w->is_running = false;
}

void
worker_call(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg)
{
	struct worker_request request = { .fn = fn, .arg = arg };

	if (!w->is_running) {
		fn(w, arg);
		return;
	}
	sem_init(&request.done, 0, 0);
	__atomic_store_n(&w->request, &request, __ATOMIC_RELEASE);
	crossing_wake(w->crossing, w->id);
	while (sem_wait(&request.done) < 0 && errno == EINTR)
		;
	sem_destroy(&request.done);
}
