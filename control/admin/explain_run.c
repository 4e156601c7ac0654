#include "control/admin/explain_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/io/umem.h"
#include "dataplane/net/parse.h"
#include "dataplane/pipeline.h"

#define SCRATCH_FRAME_SIZE 16384
#define SCRATCH_FRAMES 4

struct explain_runner {
	struct worker *scratch;
	struct burst *burst;
	struct umem *umem;
};

struct run {
	struct worker *scratch;
	struct burst *burst;
	struct umem *umem;
	struct trace *trace;
	unsigned n_pieces;
	const struct tables *tables;
	bool is_second; /* half: the first is done */
};

/* Frames that cutting took from the port's shard, which is this worker's. */
static void
give_back_pieces(struct run *run)
{
	struct burst *pieces = &run->scratch->pieces;

	run->n_pieces += pieces->n;
	BURST_FOREACH (pieces, p)
		umem_put(p->umem, p->data);
	pieces->n = 0;
}

static void
become_scratch_of(struct worker *scratch, const struct worker *w)
{
	memcpy(scratch, w, sizeof(*scratch));
	memset(&scratch->counters, 0, sizeof(scratch->counters));
	scratch->events = NULL;
	scratch->policy_hits = NULL;
	scratch->dns_rings = NULL;
	scratch->burst.n = scratch->arrivals.n = scratch->steered.n = scratch->pieces.n = 0;
}

/* On the worker's own thread. */
static void
run_half(struct worker *w, void *arg)
{
	struct run *run = arg;
	const struct tables *t = run->tables;

	become_scratch_of(run->scratch, w);
	run->umem->owner = (uint8_t)w->id;
	run->burst->trace = run->trace;
	if (!run->is_second)
		pipeline_send_half(run->scratch, t, run->burst);
	if (run->burst->pkts[0].verdict != VERDICT_CROSSED)
		pipeline_receive_half(run->scratch, t, run->burst);
	give_back_pieces(run);
}

static void
fill_burst(struct run *run, const struct explain_input *in, uint8_t *frame)
{
	struct pkt *p = &run->burst->pkts[0];

	memcpy(frame, in->frame, in->len);
	memset(p, 0, sizeof(*p));
	p->data = frame;
	p->umem = run->umem;
	p->len = in->len;
	p->in_port = in->in_port;
	p->flags = PKT_DRY_RUN | (in->origin == ORIGIN_UPLINK ? 0 : PKT_TRUST_CHECKSUM);
	p->origin = (uint8_t)in->origin;
	p->origin_worker = (uint8_t)in->worker;
	p->verdict = VERDICT_CONTINUE;
	run->burst->n = 1;
}

static struct explain_header
header_of(const struct pkt *p)
{
	return (struct explain_header){
		.src = p->src,
		.dst = p->dst,
		.sport = p->sport,
		.dport = p->dport,
		.family = p->family,
		.proto = p->proto,
		.tcp_flags = p->tcp_flags,
		.ttl = p->ttl,
		.size = (uint16_t)(p->len - p->l3_off),
	};
}

/* Reads a frame back as a receiver would. */
static struct explain_header
read_frame(uint8_t *data, uint16_t len, enum origin origin, uint16_t *payload)
{
	struct pkt p = { .data = data, .len = len, .origin = (uint8_t)origin, .verdict = VERDICT_CONTINUE };

	parse_pkt(&p);
	*payload = (uint16_t)(p.l4_off + sizeof(struct udp_hdr));
	return p.verdict == VERDICT_CONTINUE ? header_of(&p) : (struct explain_header){ 0 };
}

static void
look_at_result(const struct pkt *p, struct explain_output *out)
{
	uint16_t payload;

	out->verdict = p->verdict;
	out->drop_reason = p->drop_reason;
	out->would_drop = p->would_drop;
	out->reply = p->reply;
	out->out_port = p->out_port;
	out->vtep = p->vtep;
	if (p->verdict == VERDICT_DROP)
		return;
	out->result = read_frame(p->data, p->len, ORIGIN_POD, &payload);
	if (p->vtep == FDB_NONE || out->result.proto != PROTO_UDP)
		return;
	out->outer = out->result;
	payload += (uint16_t)sizeof(struct vxlan_hdr);
	out->result = read_frame(p->data + payload, (uint16_t)(p->len - payload), ORIGIN_POD, &payload);
}

static void
run_halves(struct run *run, const struct explain_input *in, struct explain_output *out)
{
	struct pkt *p = &run->burst->pkts[0];

	run->trace = &out->traces[0];
	worker_call(in->workers[in->worker], run_half, run);
	out->n_halves = 1;
	out->workers[0] = in->worker;
	out->as_parsed = header_of(p);
	while (p->verdict == VERDICT_CROSSED && out->n_halves < EXPLAIN_HALVES_MAX) {
		unsigned to;

		/* as crossing_hand_over() found it */
		p->verdict = p->reply != REPLY_NONE ? VERDICT_REPLY : VERDICT_CONTINUE;
		to = crossing_target(in->tables, p);
		run->is_second = !(p->flags & PKT_STEERED);
		out->is_steered |= !run->is_second;
		p->flags &= (uint16_t)~PKT_STEERED;
		run->trace = &out->traces[out->n_halves];
		out->workers[out->n_halves++] = to;
		worker_call(in->workers[to], run_half, run);
	}
	look_at_result(p, out);
	out->n_pieces = run->n_pieces + 1;
}

struct explain_runner *
explain_runner_new(void)
{
	struct explain_runner *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->scratch = aligned_alloc(CACHE_LINE, sizeof(*r->scratch));
	r->burst = aligned_alloc(CACHE_LINE, sizeof(*r->burst));
	if (r->scratch != NULL && r->burst != NULL &&
		umem_new(&r->umem, UINT16_MAX, 0, SCRATCH_FRAMES, SCRATCH_FRAME_SIZE, -1) == 0)
		return r;
	explain_runner_free(r);
	return NULL;
}

void
explain_runner_free(struct explain_runner *r)
{
	if (r == NULL)
		return;
	umem_free(r->umem);
	free(r->burst);
	free(r->scratch);
	free(r);
}

int
explain_runner_run(struct explain_runner *r, const struct explain_input *in, struct explain_output *out)
{
	struct run run = { .scratch = r->scratch, .burst = r->burst, .umem = r->umem, .tables = in->tables };
	uint8_t *frame;

	memset(out, 0, sizeof(*out));
	if (in->len > umem_room(r->umem))
		return -EMSGSIZE;
	r->umem->owner = (uint8_t)in->worker;
	frame = umem_get(r->umem);
	fill_burst(&run, in, frame + UMEM_HEADROOM);
	run_halves(&run, in, out);
	umem_put(r->umem, frame);
	return 0;
}

int
explain_run(const struct explain_input *in, struct explain_output *out)
{
	struct explain_runner *r = explain_runner_new();
	int rc = r == NULL ? -ENOMEM : explain_runner_run(r, in, out);

	explain_runner_free(r);
	return rc;
}
