#include "perf/bench.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/service/nat_flows.h"
#include "perf/callgrind.h"
#include "perf/feeder.h"
#include "perf/pinned.h"
#include "perf/report.h"
#include "perf/tsc.h"

#define INTERVAL_BURSTS 32
#define INTERVALS_MAX 2000000
#define PLOT_POINTS 200
#define SAMPLE_EVERY 97 /* packets; near 1%, and no multiple of the burst */
#define SEEN 65536
#define WARM_UP_SHARE 4 /* of the run */

/* One worker under test, its packets, and what was found. */
struct lane {
	struct feeder feed;
	uint64_t overhead; /* of reading the clock */
	pthread_t thread;
	pthread_barrier_t *barrier;
	const struct params *params;

	bool is_counted;           /* callgrind collects, once warm */
	struct counters when_warm; /* what the worker had counted by then */
	uint64_t since_sample;
	uint64_t verified;
	const char *wrong; /* the first packet that was not as it should be; NULL */
	uint32_t wrong_flow;

	volatile uint8_t *cold; /* [params->cold_kib * 1024] what is written between bursts */

	unsigned n_intervals;
	double *intervals; /* [INTERVALS_MAX] cycles per packet whose journey ended here */
	struct hist latency_ns;
	double tsc_hz;

	/* sampled flows: where they went, so that a later packet of one is seen to go there too */
	struct {
		uint32_t flow;
		uint32_t where;
	} seen[SEEN];
};

static void
note_wrong(struct lane *l, const char *what, uint32_t flow)
{
	if (l->wrong == NULL) {
		l->wrong = what;
		l->wrong_flow = flow;
	}
}

/* A flow stays with its backend: the port and the frame's destination address are where it went. */
static void
check_stays(struct lane *l, const struct sent *s, uint32_t flow)
{
	unsigned l3 =
		s->port >= TRAFFIC_UPLINK ? VXLAN_OUTER_V4 + sizeof(struct eth_hdr) : sizeof(struct eth_hdr);
	unsigned last = l3 + (l->params->ipv6 ? 36 : 16);
	uint32_t slot = flow % SEEN, where;

	memcpy(&where, s->data + last, sizeof(where));
	if (l->seen[slot].flow == flow + 1 && l->seen[slot].where != where)
		note_wrong(l, "a flow changed its backend", flow);
	l->seen[slot].flow = flow + 1;
	l->seen[slot].where = where;
}

static void
verify_sample(struct lane *l)
{
	for (unsigned i = 0; i < l->feed.ring.n_sent; i++) {
		const struct sent *s = &l->feed.ring.sent[i];
		const char *wrong;
		uint32_t flow = 0;

		if (++l->since_sample < SAMPLE_EVERY)
			continue;
		l->since_sample = 0;
		wrong = traffic_check(&l->feed.traffic, s->port, s->data, s->len, &flow);
		if (wrong != NULL)
			note_wrong(l, wrong, flow);
		else
			check_stays(l, s, flow);
		l->verified++;
	}
}

static uint64_t
ended(const struct counters *c)
{
	return c->verdicts[VERDICT_FORWARD] + c->verdicts[VERDICT_REPLY] + c->verdicts[VERDICT_PUNT] +
	       c->verdicts[VERDICT_DROP] + c->verdicts[VERDICT_ASKED];
}

/* What came in has either ended or went on to another worker. */
static void
check_books(struct lane *l)
{
	const struct counters *c = &l->feed.worker->counters;

	if (c->counts[COUNT_RECEIVED] + c->counts[COUNT_CROSSED_IN] !=
		ended(c) + c->counts[COUNT_CROSSED_OUT])
		note_wrong(l, "verdicts do not sum to what was received", 0);
}

/* The timed section: from the ports' rings to the ports' rings. Callgrind counts this and no more. */
static uint64_t
process(struct lane *l)
{
	struct worker *w = l->feed.worker;
	const struct tables *t;
	uint64_t from;

	if (l->is_counted)
		CALLGRIND_TOGGLE_COLLECT;
	from = tsc_start();
	t = snapshot_get(w->snapshot);

	chunk_ring_receive(&l->feed.ring, &w->burst);
	worker_process(w, t, &w->burst);
	if (l->params->workers > 1)
		worker_round(w, t); /* no port to poll: what other workers handed over, and returned frames */
	snapshot_quiesce(w->snapshot, w->id);
	from = tsc_stop() - from;
	if (l->is_counted)
		CALLGRIND_TOGGLE_COLLECT;
	return from;
}

/* Leaves as little of the dataplane's tables in the near caches as the kernel's sends do. */
static void
chill(struct lane *l)
{
	for (size_t i = 0; i < (size_t)l->params->cold_kib * 1024; i += CACHE_LINE)
		l->cold[i]++;
}

static uint64_t
run_burst(struct lane *l)
{
	uint64_t took;

	feeder_fill(&l->feed);
	chill(l);
	took = process(l);
	check_books(l);
	verify_sample(l);
	chunk_ring_recover(&l->feed.ring);
	return took > l->overhead ? took - l->overhead : 0;
}

static void
warm_up(struct lane *l)
{
	uint64_t until = tsc_start() + (uint64_t)(l->params->seconds / WARM_UP_SHARE * l->tsc_hz);
	uint64_t packets = l->params->packets / WARM_UP_SHARE, n = 0;

	while (l->params->packets != 0 ? n < packets : tsc_start() < until) {
		run_burst(l);
		n += BURST_MAX;
	}
}

/* One interval: INTERVAL_BURSTS, short enough that on a machine with other work most of them run
 * undisturbed. */
static uint64_t
run_interval(struct lane *l)
{
	const struct counters *c = &l->feed.worker->counters;
	uint64_t cycles = 0, n = 0;

	for (unsigned i = 0; i < INTERVAL_BURSTS; i++) {
		uint64_t before = ended(c), took = run_burst(l), done = ended(c) - before;

		l->feed.worker->now_ns += (uint64_t)((double)took / l->tsc_hz * 1e9);
		cycles += took;
		n += done;
		if (done != 0)
			hist_add(&l->latency_ns,
				(uint64_t)((double)took / (double)done / l->tsc_hz * 1e9 + 0.5), done);
	}
	if (n != 0 && l->n_intervals < INTERVALS_MAX)
		l->intervals[l->n_intervals++] = (double)cycles / (double)n;
	return n;
}

static void
run_intervals(struct lane *l)
{
	uint64_t until = tsc_start() + (uint64_t)(l->params->seconds * l->tsc_hz);
	uint64_t packets = l->params->packets, n = 0;

	while (packets != 0 ? n < packets : tsc_start() < until)
		n += run_interval(l);
}

static void *
run_lane(void *arg)
{
	struct lane *l = arg;
	const struct params *p = l->params;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(l->feed.worker->id, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	snapshot_online(l->feed.worker->snapshot, l->feed.worker->id);
	if (p->packets != 0)
		CALLGRIND_START_INSTRUMENTATION;
	warm_up(l);
	pthread_barrier_wait(l->barrier);
	counters_read(&l->feed.worker->counters, &l->when_warm);
	l->is_counted = p->packets != 0;
	run_intervals(l);
	l->is_counted = false;
	if (p->packets != 0)
		CALLGRIND_STOP_INSTRUMENTATION;
	snapshot_offline(l->feed.worker->snapshot, l->feed.worker->id);
	return NULL;
}

/* Sends one packet of every flow to its service and notes what became of it. */
static int
learn(struct lane *lanes, unsigned n_lanes, struct learned *learned)
{
	uint32_t n_flows = lanes[0].feed.traffic.n_flows;

	for (unsigned i = 0; i < n_lanes; i++) {
		lanes[i].feed.traffic.learned = learned;
		snapshot_online(lanes[i].feed.worker->snapshot, lanes[i].feed.worker->id);
	}
	assert(n_lanes > 0);
	for (uint32_t flow = 0; flow < n_flows; flow++) {
		struct lane *l = &lanes[flow % CLUSTER_PODS % n_lanes];

		feeder_add(&l->feed, flow);
		if (l->feed.ring.n_ready < BURST_MAX && flow + CLUSTER_PODS < n_flows)
			continue;
		process(l);
		for (unsigned i = 0; i < l->feed.ring.n_sent; i++) {
			const struct sent *s = &l->feed.ring.sent[i];
			const char *wrong = traffic_learn(&l->feed.traffic, s->port, s->data, s->len);

			if (wrong != NULL)
				note_wrong(l, wrong, flow);
		}
		chunk_ring_recover(&l->feed.ring);
	}
	for (unsigned i = 0; i < n_lanes; i++)
		snapshot_offline(lanes[i].feed.worker->snapshot, lanes[i].feed.worker->id);
	for (uint32_t flow = 0; flow < n_flows; flow++)
		if (!learned[flow].is_known)
			return -EIO;
	return 0;
}

static bool
init_lanes(struct lane *lanes, struct world *w, const struct params *p, pthread_barrier_t *barrier)
{
	double hz = tsc_measure_hz();
	uint64_t overhead = tsc_measure_overhead();

	for (unsigned i = 0; i < p->workers; i++) {
		struct lane *l = &lanes[i];

		l->params = p;
		l->barrier = barrier;
		l->tsc_hz = hz;
		l->overhead = overhead;
		l->intervals =
			calloc(INTERVALS_MAX, sizeof(l->intervals[0])); /* pages come as they are used */
		l->cold = calloc(p->cold_kib + 1, 1024);
		if (l->intervals == NULL || l->cold == NULL)
			return false;
		feeder_init(&l->feed, w, i, p);
	}
	return true;
}

static void
print_drops(const struct counters *c)
{
	for (unsigned i = 0; i < N_DROP_REASONS; i++)
		if (c->drops[i] != 0)
			fprintf(stderr, "  dropped, %s: %llu\n", drop_reason_label((enum drop_reason)i),
				(unsigned long long)c->drops[i]);
	fprintf(stderr, "  replied: %llu, punted: %llu\n", (unsigned long long)c->verdicts[VERDICT_REPLY],
		(unsigned long long)c->verdicts[VERDICT_PUNT]);
}

/* Everything that these scenarios send is forwarded, unless another worker's ring was full. */
static bool
is_as_expected(const struct counters *c)
{
	return c->verdicts[VERDICT_FORWARD] + c->drops[DROP_CROSSING_FULL] == ended(c);
}

static bool
check_run(const struct lane *lanes, unsigned n, const struct counters *sum)
{
	bool ok = true;

	for (unsigned i = 0; i < n; i++) {
		if (lanes[i].wrong == NULL && lanes[i].verified != 0)
			continue;
		fprintf(stderr, "worker %u: %s (flow %u)\n", i,
			lanes[i].wrong == NULL ? "nothing was verified" : lanes[i].wrong,
			lanes[i].wrong_flow);
		ok = false;
	}
	if (!is_as_expected(sum)) {
		fprintf(stderr, "not all packets were forwarded:\n");
		print_drops(sum);
		ok = false;
	}
	return ok;
}

/* The course of a run: medians of neighbouring intervals. Leaves each group sorted. */
static void
fill_series(struct series *s, struct lane *l)
{
	unsigned group = l->n_intervals / PLOT_POINTS + 1;

	*s = (struct series){ .name = "Cycles per packet, in the course of the run", .unit = "cycles" };
	for (unsigned i = 0; i < l->n_intervals; i += group)
		series_add(
			s, median(l->intervals + i, l->n_intervals - i < group ? l->n_intervals - i : group));
}

static void
sum_up(struct lane *lanes, unsigned n, const struct counters *before, const struct counters *after,
	struct result *r)
{
	uint64_t ends = ended(after) - ended(before);

	r->packets = after->verdicts[VERDICT_FORWARD] - before->verdicts[VERDICT_FORWARD];
	r->loss = ends == 0 ? 0
			    : (double)(after->verdicts[VERDICT_DROP] - before->verdicts[VERDICT_DROP]) /
				      (double)ends;
	r->tsc_hz = lanes[0].tsc_hz;
	r->latency_ns = &lanes[0].latency_ns;
	fill_series(&r->intervals, &lanes[0]);
	for (unsigned i = 0; i < n; i++) {
		double middle = median(lanes[i].intervals, lanes[i].n_intervals);

		r->cycles_per_packet += middle / n;
		r->mpps += middle > 0 ? r->tsc_hz / middle / 1e6 : 0;
		r->verified += lanes[i].verified;
		if (i != 0)
			hist_merge(r->latency_ns, &lanes[i].latency_ns);
	}
	r->p50_ns = hist_quantile(r->latency_ns, 0.50);
	r->p99_ns = hist_quantile(r->latency_ns, 0.99);
}

static void
add_counters(struct counters *sum, const struct lane *lanes, unsigned n)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < n; i++)
		counters_read(&lanes[i].feed.worker->counters, sum);
}

static int
run_all(struct lane *lanes, const struct params *p)
{
	struct counters before = { 0 }, after;
	struct result r = { .mode = "pipeline" };

	for (unsigned i = 0; i < p->workers; i++) {
		int err = pthread_create(&lanes[i].thread, NULL, run_lane, &lanes[i]);

		if (err != 0) {
			fprintf(stderr, "cannot start worker %u: %s\n", i, strerror(err));
			exit(1); /* those that run wait for the missing one */
		}
	}
	for (unsigned i = 0; i < p->workers; i++)
		pthread_join(lanes[i].thread, NULL);
	add_counters(&after, lanes, p->workers);
	for (unsigned i = 0; i < p->workers; i++)
		counters_read(&lanes[i].when_warm, &before);
	sum_up(lanes, p->workers, &before, &after, &r);
	if (report(p, &r) < 0)
		return 1;
	return check_run(lanes, p->workers, &after) ? 0 : 1;
}

static int
run_world(struct world *w, const struct params *p)
{
	struct lane *lanes = aligned_alloc(CACHE_LINE, p->workers * sizeof(*lanes));
	struct learned *learned = calloc(p->flows, sizeof(*learned));
	pthread_barrier_t barrier;
	int result = 1;

	if (lanes != NULL && learned != NULL) {
		memset(lanes, 0, p->workers * sizeof(*lanes));
		pthread_barrier_init(&barrier, NULL, p->workers);
		if (!init_lanes(lanes, w, p, &barrier))
			fprintf(stderr, "out of memory\n");
		else if (!pinned_put(w, &lanes[0].feed.traffic, p->pins))
			fprintf(stderr,
				"--pins %u: a worker has no room for so many entries, at most %u of a "
				"client\n",
				p->pins, EXCEPTIONS_QUOTA_DEFAULT);
		else if (p->scenario == SCENARIO_REPLY && learn(lanes, p->workers, learned) < 0)
			fprintf(stderr, "cannot learn where flows go: %s\n",
				lanes[0].wrong != NULL ? lanes[0].wrong : "packets were not forwarded");
		else
			result = run_all(lanes, p);
		pthread_barrier_destroy(&barrier);
	}
	for (unsigned i = 0; lanes != NULL && i < p->workers; i++)
		free(lanes[i].intervals);
	for (unsigned i = 0; lanes != NULL && i < p->workers; i++)
		free((void *)lanes[i].cold);
	free(learned);
	free(lanes);
	return result;
}

int
bench_pipeline(const struct params *p)
{
	const struct cluster_shape shape = {
		.n_pods = CLUSTER_PODS,
		.n_services = p->services,
		.n_endpoints = p->endpoints,
		.local_backends = p->scenario == SCENARIO_SERVICE,
		.ipv6 = p->ipv6,
		.udp = p->udp,
		.n_rules = p->policy_rules,
		.n_identities = p->identities,
	};
	struct cluster c;
	struct world *w;
	int result;

	if (p->workers > (unsigned)sysconf(_SC_NPROCESSORS_ONLN)) {
		fprintf(stderr, "--workers %u: this machine has %ld cores\n", p->workers,
			sysconf(_SC_NPROCESSORS_ONLN));
		return 2;
	}
	if (cluster_init(&c, &shape) < 0) {
		fprintf(stderr,
			"--endpoints %u: local backends are at most %u per service, one on each pod\n",
			p->endpoints, CLUSTER_PODS);
		return 2;
	}
	w = world_new(&c, p->workers);
	if (w == NULL)
		return 1;
	result = run_world(w, p);
	world_free(w);
	return result;
}
