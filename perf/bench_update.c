#include "perf/bench.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/clock.h"
#include "perf/feeder.h"
#include "perf/output.h"
#include "perf/stats.h"
#include "perf/world_store.h"
#include "perf/world_tables.h"

/* Versions that were not replaced for good within this time are not going to be. */
#define PATIENCE_NS UINT64_C(10000000000)

/* A worker under load. */
struct busy {
	struct feeder feed;
	pthread_t thread;
	uint64_t seen_ns;      /* when the first burst on seen_version was through */
	uint64_t seen_version; /* the worker stores with release, control loads with acquire */
	bool stop;             /* control's */
};

struct update_result {
	unsigned n;
	double *took_us; /* sorted */
	double first_build_ms;
	double *cpu_us; /* sorted: control's processor time of each, which other programs do not lengthen */
	size_t bytes, bytes_max;
	uint64_t n_packets;
};

static void *
run_busy(void *arg)
{
	struct busy *b = arg;
	struct worker *w = b->feed.worker;
	unsigned n_cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((n_cpus - 1 - w->id % n_cpus), &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	snapshot_online(w->snapshot, w->id);
	while (!__atomic_load_n(&b->stop, __ATOMIC_RELAXED)) {
		const struct tables *t;

		feeder_fill(&b->feed);
		t = snapshot_get(w->snapshot);
		w->now_ns = clock_now_ns();
		chunk_ring_receive(&b->feed.ring, &w->burst);
		worker_process(w, t, &w->burst);
		if (b->feed.n_workers > 1)
			worker_round(w, t); /* what other workers handed over */
		if (t->version != b->seen_version) {
			b->seen_ns = clock_now_ns();
			__atomic_store_n(&b->seen_version, t->version, __ATOMIC_RELEASE);
		}
		snapshot_quiesce(w->snapshot, w->id);
		chunk_ring_recover(&b->feed.ring);
	}
	snapshot_offline(w->snapshot, w->id);
	return NULL;
}

/* When the last worker was through with its first burst on a version; 0: one never came to it. */
static uint64_t
wait_for(const struct busy *all, unsigned n, uint64_t version)
{
	uint64_t last = 0, until = clock_now_ns() + PATIENCE_NS;

	for (unsigned i = 0; i < n; i++) {
		while (__atomic_load_n(&all[i].seen_version, __ATOMIC_ACQUIRE) != version) {
			if (clock_now_ns() > until)
				return 0;
			sched_yield();
		}
		last = all[i].seen_ns > last ? all[i].seen_ns : last;
	}
	return last;
}

/* What this thread has run. */
static uint64_t
cpu_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* One endpoint of a service becomes ready, or is no longer. */
struct toggler {
	const struct cluster *cluster;
	uint32_t seed;
	bool *is_short; /* by service */
};

static struct object *
next_change(struct toggler *t)
{
	uint32_t service;

	t->seed = t->seed * 1664525 + 1013904223;
	service = (uint32_t)((uint64_t)t->seed * t->cluster->shape.n_services >> 32);
	t->is_short[service] = !t->is_short[service];
	return world_store_slice(t->cluster, service, t->is_short[service] ? 0 : UINT32_MAX);
}

/* False if it did not come into force. */
static bool
change(struct world *w, struct toggler *toggler, const struct busy *all, struct update_result *r)
{
	struct object *object = next_change(toggler);
	const struct tables *old = w->tables, *next;
	uint64_t cpu_start = cpu_now_ns(), start = clock_now_ns(), cpu_end, seen, grace;
	size_t bytes;

	if (store_put(world_tables_store(w->built), object) < 0)
		return false;
	next = world_tables_build(w->built);
	if (next == NULL)
		return false;
	snapshot_publish(w->snapshot, next, &grace);
	cpu_end = cpu_now_ns();
	w->tables = next;
	seen = wait_for(all, w->n_workers, next->version);
	if (seen == 0)
		return false;
	r->took_us[r->n] = (double)(seen - start) / 1e3;
	r->cpu_us[r->n++] = (double)(cpu_end - cpu_start) / 1e3;
	bytes = world_tables_service_bytes(w->built);
	r->bytes_max = bytes > r->bytes_max ? bytes : r->bytes_max;
	snapshot_wait(w->snapshot, grace);
	world_tables_release(w->built, old);
	return true;
}

static bool
run_changes(struct world *w, const struct params *p, const struct busy *all, struct update_result *r)
{
	struct toggler toggler = { w->cluster, 1, calloc(p->services, sizeof(bool)) };
	bool ok = toggler.is_short != NULL;

	for (unsigned i = 0; ok && i < p->changes; i++)
		ok = change(w, &toggler, all, r);
	if (!ok)
		fprintf(stderr, "change %u did not come into force\n", r->n);
	r->bytes = world_tables_service_bytes(w->built);
	if (ok) {
		median(r->took_us, r->n); /* sorts */
		median(r->cpu_us, r->n);
	}
	free(toggler.is_short);
	return ok;
}

static double
quantile(const double *sorted, unsigned n, double share)
{
	unsigned i = (unsigned)(share * n);

	return sorted[i < n ? i : n - 1];
}

static void
print_table(const struct params *p, const struct update_result *r)
{
	printf("update, %s: %u services, %u endpoints, %u flows, %u worker%s, %u changes of one endpoint\n",
		p->ipv6 ? "IPv6" : "IPv4", p->services, p->endpoints, p->flows, p->workers,
		p->workers == 1 ? "" : "s", r->n);
	printf("  %-40s %10.3f\n", "in force after, p50, ms", quantile(r->took_us, r->n, 0.5) / 1e3);
	printf("  %-40s %10.3f\n", "p99, ms", quantile(r->took_us, r->n, 0.99) / 1e3);
	printf("  %-40s %10.3f\n", "max, ms", quantile(r->took_us, r->n, 1) / 1e3);
	printf("  %-40s %10.3f\n", "control's processor time, p50, ms", quantile(r->cpu_us, r->n, 0.5) / 1e3);
	printf("  %-40s %10.3f\n", "p99, ms", quantile(r->cpu_us, r->n, 0.99) / 1e3);
	printf("  %-40s %10.1f\n", "first build, ms", r->first_build_ms);
	printf("  %-40s %10.1f\n", "service tables, MB", (double)r->bytes / 1e6);
	printf("  %-40s %10.1f\n", "with the version before, at most, MB", (double)r->bytes_max / 1e6);
	printf("  %-40s %10llu\n", "packets meanwhile", (unsigned long long)r->n_packets);
}

static int
print_json(const struct params *p, const struct update_result *r)
{
	FILE *out = output_open(p->json);

	if (out == NULL)
		return -EIO;
	fprintf(out,
		"{\"mode\": \"update\", \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, "
		"\"cpu_p50_us\": %.1f, \"cpu_p99_us\": %.1f, "
		"\"first_build_ms\": %.2f, \"service_tables_bytes\": %zu, \"service_tables_bytes_max\": %zu, "
		"\"packets\": %llu, \"changes\": %u, \"parameters\": ",
		quantile(r->took_us, r->n, 0.5), quantile(r->took_us, r->n, 0.99),
		quantile(r->took_us, r->n, 1), quantile(r->cpu_us, r->n, 0.5),
		quantile(r->cpu_us, r->n, 0.99), r->first_build_ms, r->bytes, r->bytes_max,
		(unsigned long long)r->n_packets, r->n);
	params_print_json(p, out);
	fputs("}\n", out);
	return output_close(out, p->json);
}

static int
report_update(const struct params *p, const struct update_result *r)
{
	if (output_has_table(p->json))
		print_table(p, r);
	return p->json == NULL ? 0 : print_json(p, r);
}

static int
run_world(struct world *w, const struct params *p)
{
	struct busy *all = aligned_alloc(CACHE_LINE, p->workers * sizeof(*all));
	struct update_result r = { .took_us = calloc(p->changes, sizeof(double)),
		.cpu_us = calloc(p->changes, sizeof(double)) };
	unsigned n_started = 0;
	bool ok = all != NULL && r.took_us != NULL && r.cpu_us != NULL;

	if (ok)
		memset(all, 0, p->workers * sizeof(*all));
	for (unsigned i = 0; ok && i < p->workers; i++) {
		feeder_init(&all[i].feed, w, i, p);
		ok = pthread_create(&all[i].thread, NULL, run_busy, &all[i]) == 0;
		n_started += ok;
	}
	ok = ok && wait_for(all, p->workers, w->tables->version) != 0 && run_changes(w, p, all, &r);
	for (unsigned i = 0; i < n_started; i++) {
		__atomic_store_n(&all[i].stop, true, __ATOMIC_RELAXED);
		pthread_join(all[i].thread, NULL);
		r.n_packets += all[i].feed.worker->counters.counts[COUNT_RECEIVED];
	}
	r.first_build_ms = (double)world_tables_first_build_ns(w->built) / 1e6;
	if (ok)
		ok = report_update(p, &r) == 0;
	free(r.took_us);
	free(r.cpu_us);
	free(all);
	return ok ? 0 : 1;
}

int
bench_update(const struct params *p)
{
	const struct cluster_shape shape = {
		.n_pods = CLUSTER_PODS,
		.n_services = p->services,
		.n_endpoints = p->endpoints,
		.ipv6 = p->ipv6,
	};
	struct cluster c;
	struct world *w;
	int result;

	if (p->endpoints < 2 * p->services) {
		fprintf(stderr, "--endpoints: at least two per service, so that one may leave\n");
		return 2;
	}
	if (cluster_init(&c, &shape) < 0)
		return 2;
	w = world_new(&c, p->workers);
	if (w == NULL)
		return 1;
	result = run_world(w, p);
	world_free(w);
	return result;
}
