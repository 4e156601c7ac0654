/* A pinned thread: rx, pipeline, tx, quiesce. It owns all that it changes: its ports, their umems, its
 * counters, the roles and exceptions of its pods. Control reads counters at any time, and changes anything
 * else of a worker only through worker_call(), between two bursts. */
#ifndef RINGWAY_WORKER_H
#define RINGWAY_WORKER_H

#include <pthread.h>

#include "dataplane/burst.h"
#include "dataplane/counters.h"
#include "dataplane/events.h"
#include "dataplane/crossing.h"
#include "dataplane/dns/dns_shadow.h"
#include "dataplane/io/port.h"
#include "dataplane/net/error_budget.h"
#include "dataplane/policy/policy_asks.h"
#include "dataplane/service/role_asks.h"
#include "dataplane/service/senders.h"
#include "dataplane/service/unmoved.h"
#include "dataplane/snapshot.h"
#include "dataplane/tables.h"

/* Questions for neighbours are limited by sender, whose port's number falls into one of these. */
#define NEIGHBOUR_ASKERS 64

struct affinity;
struct dns_rings;
struct dns_tally;
struct fragments;
struct nat_flows;
struct policy_hits;
struct port_blocks;

struct worker_request;

/* A worker's tables of flows (service/nat_flows.h), in memory that outlives the process; each may be NULL. */
struct worker_flows {
	struct nat_flows *exceptions, *inbound, *half_open, *outbound;
	struct affinity *affinity, *inbound_affinity; /* of pods and the host; of clients outside */
	struct port_blocks *port_blocks;              /* of outbound's entries */
};

struct worker {
	/* set by worker_init, read only */
	unsigned id;
	int cpu; /* -1: not pinned */
	struct snapshot *snapshot;
	struct crossing *crossing;
	struct nat_flows *exceptions, *inbound, *half_open, *outbound; /* see struct worker_flows */
	struct affinity *affinity, *inbound_affinity;
	struct port_blocks *port_blocks;
	struct events *events;       /* to control; NULL: nobody listens */
	struct dns_rings *dns_rings; /* to and from the resolver; NULL: there is none */
	int epoll_fd; /* its crossing, the resolver, and ports unless they are busy: what wakes it */

	/* the worker's own */
	uint64_t now_ns; /* CLOCK_MONOTONIC, once per round; tests set it */
	unsigned n_active;
	unsigned n_watched;         /* of them in the epoll set */
	uint16_t active[PORTS_MAX]; /* ids of ports to poll */
	struct port *ports[PORTS_MAX];
	struct error_budget errors;
	struct role_asks role_asks;
	struct policy_asks policy_asks;
	struct policy_hits *policy_hits; /* control reads it at any time; NULL: not counted, for explain */
	struct dns_tally *dns_tally;     /* the same of what was answered; never NULL */
	struct dns_shadow dns_shadow;
	struct unmoved unmoved;
	struct fragments *fragments;
	uint64_t asked_until_ns[NEIGHBOUR_ASKERS]; /* how far senders used up their asks for neighbours */
	struct burst burst;                        /* what was received */
	struct burst arrivals;                     /* what other workers handed over */
	struct burst steered;                      /* of that, what begins anew here */
	struct burst pieces;                       /* cut from the burst in hand by segment_burst() */
	struct burst late;                         /* answers of the resolver that wait for their port */
	uint64_t late_until_ns[BURST_MAX];         /* each one's */
	uint8_t piece_of[BURST_MAX];               /* each piece's packet, by its place in the burst */

	struct senders senders;

	_Alignas(CACHE_LINE) struct counters counters;

	/* worker_call() and stopping */
	_Alignas(CACHE_LINE) struct worker_request
		*request; /* control stores, the worker clears (release/acquire) */
	bool stop;        /* control stores, the worker loads */
	bool is_running;  /* control's */
	pthread_t thread;
};

struct worker_config {
	unsigned id;
	int cpu;
	struct snapshot *snapshot;
	struct crossing *crossing;
	struct worker_flows flows;
	struct events *events;
	struct dns_rings *dns_rings;
};

/* A worker that does not run yet; with it, tests and benchmarks call worker_process() themselves. NULL if out
 * of memory. */
struct worker *worker_new(const struct worker_config *config);
void worker_free(struct worker *w);

/* Starts and stops the thread. 0 or -errno. */
int worker_start(struct worker *w);
void worker_stop(struct worker *w);

/* Runs fn(w, arg) on the worker's thread between two bursts and waits for it; at once when it does not run.
 * Control. */
void worker_call(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg);

/* From inside worker_call(), or before worker_start(): starts and ends polling a port of this worker. */
void worker_add_port(struct worker *w, struct port *port);
void worker_remove_port(struct worker *w, struct port *port);

/* One round of the worker's loop: receive, both halves, send. Returns how many packets it had. */
unsigned worker_round(struct worker *w, const struct tables *t);

/* Both halves and sending, for a burst whose 'set by io' fields are filled. */
void worker_process(struct worker *w, const struct tables *t, struct burst *b);

/* Sends what has a verdict to send, recycles the other frames, counts every packet once, empties the burst.
 */
void worker_tx(struct worker *w, struct burst *b);

/* Has each port send what was queued at it. Once per round. */
void worker_flush(struct worker *w);

/* Until a port or another worker has something, or timeout_ms have passed. Without tables nothing is taken from
 * ports, so what waits there is no reason to wake up. The worker is online in its snapshot. */
void worker_sleep(struct worker *w, bool has_tables, int timeout_ms);

/* Gives a frame back to its umem, over the crossing when that is another worker's. */
void worker_recycle(struct worker *w, struct umem *umem, uint8_t *data);

#endif
