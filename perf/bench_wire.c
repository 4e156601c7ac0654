#include "perf/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "perf/forwarder.h"
#include "perf/report.h"
#include "perf/sender.h"
#include "perf/tsc.h"

#define FORWARDER_CPU 0
#define SENDER_CPU 1
#define MTU 1500
#define WARM_UP_S 0.3
#define START_TIMEOUT_S 15
#define INTERVALS 20

/* Loss and latency are taken at this share of the rate just found: at full load every queue is full. */
#define PACED_SHARE 0.8

struct wire {
	const struct params *params;
	struct cluster cluster;
	double tsc_hz;
};

static void
sleep_s(double seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

static double
monotonic_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A forwarder may take its time to begin; one that never does is noticed by the measurement itself. */
static void
wait_for_packets(const struct sender *s)
{
	struct wire_counts counts = { 0 };

	for (double until = monotonic_s() + START_TIMEOUT_S; counts.received == 0 && monotonic_s() < until;) {
		sleep_s(0.01);
		sender_counts(s, &counts);
	}
}

/* As fast as it goes: how many packets per second arrive, and what each costs the forwarder. */
static int
measure_rate(const struct wire *w, struct sender *s, const struct forwarder *f, struct result *r)
{
	struct wire_counts first, counts;
	double from, until, seconds = w->params->seconds;
	uint64_t cpu_ns, before;
	int err = sender_start(s, 0);

	if (err < 0)
		return err;
	wait_for_packets(s);
	sleep_s(WARM_UP_S);
	sender_counts(s, &first);
	from = monotonic_s();
	cpu_ns = forwarder_cpu_ns(f);
	before = first.received;
	for (unsigned i = 0; i < INTERVALS; i++) {
		double began = monotonic_s();

		sleep_s(seconds / INTERVALS);
		sender_counts(s, &counts);
		series_add(&r->intervals, (double)(counts.received - before) / (monotonic_s() - began) / 1e6);
		before = counts.received;
	}
	until = monotonic_s();
	cpu_ns = forwarder_cpu_ns(f) - cpu_ns;
	sender_stop(s, &counts);
	r->packets = before - first.received;
	r->mpps = (double)r->packets / (until - from) / 1e6;
	if (r->packets != 0)
		r->cycles_per_packet = (double)cpu_ns * w->tsc_hz / 1e9 / (double)r->packets;
	r->verified = counts.verified;
	return counts.wrong != 0 || r->packets == 0 ? -EBADMSG : 0;
}

/* At a rate it can stand: what is lost, and how long a packet takes from pod to pod. */
static int
measure_latency(const struct wire *w, struct sender *s, struct result *r)
{
	struct wire_counts counts;
	int err = sender_start(s, r->mpps * 1e6 * PACED_SHARE);

	if (err < 0)
		return err;
	sleep_s(w->params->seconds / 2);
	sender_stop(s, &counts);
	for (unsigned i = 0; i < WIRE_BINS; i++) {
		uint64_t ns = i < 8 ? i : (uint64_t)(8 + (i & 7)) << ((i >> 3) - 1);

		hist_add(r->latency_ns, ns, counts.latency[i]);
	}
	r->p50_ns = hist_quantile(r->latency_ns, 0.50);
	r->p99_ns = hist_quantile(r->latency_ns, 0.99);
	r->loss = counts.sent == 0 ? 1 : 1 - (double)counts.received / (double)counts.sent;
	r->verified += counts.verified;
	return counts.wrong != 0 || counts.received == 0 ? -EBADMSG : 0;
}

static int
measure(const struct wire *w, enum forwarder_kind kind, const struct lab *lab, struct result *r)
{
	struct traffic traffic;
	struct traffic_node node;
	struct forwarder *f = forwarder_start(kind, lab, &w->cluster, FORWARDER_CPU, &node);
	struct sender_config config = {
		.lab = lab, .traffic = &traffic, .is_translated = kind == FORWARDER_RINGWAY, .cpu = SENDER_CPU
	};
	struct sender *s = NULL;
	int err = -EIO;

	if (f != NULL) {
		traffic_init(&traffic, &w->cluster, w->params, &node, 1);
		s = sender_new(&config);
	}
	if (s != NULL) {
		err = measure_rate(w, s, f, r);
		if (err == 0)
			err = measure_latency(w, s, r);
		if (err == -EBADMSG) {
			fprintf(stderr, "%s: packets arrive not at all, or not as they should\n", r->mode);
			forwarder_print_drops(f);
		}
	}
	sender_free(s);
	forwarder_stop(f);
	return err;
}

static const char *
kind_name(enum forwarder_kind kind)
{
	static const char *const names[] = {
		[FORWARDER_RINGWAY] = "wire", [FORWARDER_BARE] = "bare", [FORWARDER_TESTPMD] = "testpmd"
	};

	return names[kind];
}

/* One forwarder in a lab of its own. */
static int
run_once(const struct wire *w, enum forwarder_kind kind, struct result *r)
{
	const struct mac_addr macs[LAB_PODS] = { cluster_pod_mac(0), cluster_pod_mac(1) };
	struct lab lab;
	int err;

	memset(r->latency_ns, 0, sizeof(*r->latency_ns));
	*r = (struct result){
		.mode = kind_name(kind),
		.tsc_hz = w->tsc_hz,
		.latency_ns = r->latency_ns,
		.intervals = { .name = "Packets per second, by interval", .unit = "Mpps" },
	};
	err = lab_new(&lab, MTU, macs);
	if (err < 0)
		return err;
	err = measure(w, kind, &lab, r);
	lab_free(&lab);
	return err;
}

static double
middle(const struct series *s)
{
	struct series sorted = *s;

	return median(sorted.values, sorted.n);
}

/* The forwarders in turn, so that what disturbs the machine disturbs all of them; only the ratios of runs
 * next to each other are looked at. The result is that of the last run of the scenario. */
static int
run_pairs(const struct wire *w, struct result *r)
{
	struct series ratios = { .name = "Rate / bare, by pair", .unit = "" };
	struct series cycles_ratios = { 0 };
	struct series testpmd_ratios = { .name = "Bare / testpmd, by pair", .unit = "" };
	struct result bare = { .latency_ns = calloc(1, sizeof(struct hist)) };
	struct result testpmd = { .latency_ns = calloc(1, sizeof(struct hist)) };
	int err = bare.latency_ns == NULL || testpmd.latency_ns == NULL ? -ENOMEM : 0;

	for (unsigned i = 0; i < w->params->pairs && err == 0; i++) {
		/* whoever goes first has no advantage in the median */
		err = i % 2 ? run_once(w, FORWARDER_BARE, &bare) : run_once(w, FORWARDER_RINGWAY, r);
		if (err == 0)
			err = i % 2 ? run_once(w, FORWARDER_RINGWAY, r) : run_once(w, FORWARDER_BARE, &bare);
		if (err == 0 && w->params->testpmd)
			err = run_once(w, FORWARDER_TESTPMD, &testpmd);
		if (err < 0)
			break;
		series_add(&ratios, r->mpps / bare.mpps);
		series_add(&cycles_ratios, bare.cycles_per_packet / r->cycles_per_packet);
		fprintf(stderr, "pair %u of %u: %.3f Mpps, bare %.3f", i + 1, w->params->pairs, r->mpps,
			bare.mpps);
		if (w->params->testpmd) {
			series_add(&testpmd_ratios, bare.mpps / testpmd.mpps);
			fprintf(stderr, ", testpmd %.3f", testpmd.mpps);
		}
		fprintf(stderr, "; cycles/packet %.0f, bare %.0f\n", r->cycles_per_packet,
			bare.cycles_per_packet);
	}
	r->pair_ratios = ratios;
	r->testpmd_ratios = testpmd_ratios;
	r->ratio_to_bare = middle(&ratios);
	r->cycles_ratio_to_bare = middle(&cycles_ratios);
	r->bare_to_testpmd = middle(&testpmd_ratios);
	free(bare.latency_ns);
	free(testpmd.latency_ns);
	return err;
}

static int
init(struct wire *w, const struct params *p)
{
	const struct cluster_shape shape = {
		.n_pods = LAB_PODS,
		.first_backend = 1,
		.n_services = p->services,
		.n_endpoints = p->services,
		.local_backends = true,
		.ipv6 = p->ipv6,
		.udp = true,
		.n_rules = p->policy_rules,
		.n_identities = p->identities,
	};
	int err;

	if (geteuid() != 0) {
		fprintf(stderr, "ringway-perf wire: needs root, for namespaces, BPF and AF_XDP sockets\n");
		return -EPERM;
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		fprintf(stderr, "ringway-perf wire: needs two cores, one to send and one to forward\n");
		return -ENODEV;
	}
	w->params = p;
	w->tsc_hz = tsc_measure_hz();
	err = cluster_init(&w->cluster, &shape);
	return err < 0 ? err : lab_isolate();
}

int
bench_wire(const struct params *p)
{
	struct wire w;
	struct result r = { .latency_ns = calloc(1, sizeof(struct hist)) };
	enum forwarder_kind kind = p->bare      ? FORWARDER_BARE
				   : p->testpmd ? FORWARDER_TESTPMD
						: FORWARDER_RINGWAY;
	int err = r.latency_ns == NULL ? -ENOMEM : init(&w, p);

	if (err == 0)
		err = p->pairs != 0 ? run_pairs(&w, &r) : run_once(&w, kind, &r);
	if (err == 0)
		err = report(p, &r);
	free(r.latency_ns);
	return err == 0 ? 0 : 1;
}
