/* One packet through the real pipeline, with a trace, and without a trace left behind: each half runs on the worker that
 * it belongs to, between two of its bursts, on a scratch copy of the worker (its own counters, no events), with
 * PKT_DRY_RUN set, so that no stage learns from it. What comes out is looked at instead of sent. Control thread only. */
#ifndef RINGWAY_ADMIN_EXPLAIN_RUN_H
#define RINGWAY_ADMIN_EXPLAIN_RUN_H

#include "dataplane/trace.h"
#include "dataplane/worker.h"

/* A packet crosses up to three times: steered to its flow's owner, to the receiver's, and to the uplink's. */
#define EXPLAIN_HALVES_MAX 4
#define EXPLAIN_FRAME_MAX 9216 /* bytes of a probe, its tunnel included */

struct explain_input {
	struct worker *const *workers; /* by id */
	unsigned n_workers;
	const struct tables *tables; /* in force; this thread replaces them, so they stay for the run */
	uint16_t in_port;
	enum origin origin;
	unsigned worker; /* that owns in_port */
	const uint8_t *frame;
	uint16_t len;
};

/* What a packet's addresses and ports are, in its descriptor or on the wire. */
struct explain_header {
	struct ip_addr src, dst;
	uint16_t sport, dport;
	uint8_t family; /* 0: there is none */
	uint8_t proto, tcp_flags, ttl;
	uint16_t size; /* from the IP header on */
};

struct explain_output {
	unsigned n_halves;                    /* one more for each crossing to another worker */
	unsigned workers[EXPLAIN_HALVES_MAX]; /* who ran them */
	bool is_steered;                      /* the second by the owner of its flow, from the start */
	struct trace traces[EXPLAIN_HALVES_MAX];
	enum verdict verdict;
	enum drop_reason drop_reason;
	enum drop_reason would_drop; /* but for policy.mode: audit */
	enum reply_kind reply;
	uint16_t out_port;               /* meaningful unless dropped */
	uint32_t vtep;                   /* FDB_NONE: not tunnelled */
	unsigned n_pieces;               /* it was cut into, itself included */
	struct explain_header as_parsed; /* what the stages saw: the inner packet */
	struct explain_header outer;     /* of the result's tunnel; family 0: none */
	struct explain_header
		result; /* the packet as it leaves, or the answer to its sender; family 0: dropped */
};

/* What a run needs besides the workers: for whoever has many. NULL if out of memory. */
struct explain_runner;
struct explain_runner *explain_runner_new(void);
void explain_runner_free(struct explain_runner *r); /* NULL is fine */

/* 0 or -EMSGSIZE. */
int explain_runner_run(struct explain_runner *r, const struct explain_input *in, struct explain_output *out);

/* With a runner of its own. 0, -ENOMEM or -EMSGSIZE. */
int explain_run(const struct explain_input *in, struct explain_output *out);

#endif
