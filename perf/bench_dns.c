#include "perf/bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/dns/dns_ring.h"
#include "dataplane/dns/dns_tally.h"
#include "perf/bench_dns.h"
#include "perf/callgrind.h"
#include "perf/dns_cached.h"
#include "perf/ring_port.h"
#include "perf/stats.h"
#include "perf/tsc.h"
#include "perf/world.h"

#define INTERVAL_BURSTS 32
#define INTERVALS_MAX 100000 /* of a round */
#define SAMPLE_EVERY 97      /* packets; near 1%, and no multiple of the burst */
#define WARM_UP_SHARE 4      /* of a round */

/* A node whose zone has so many services. */
struct column {
	struct cluster cluster;
	struct dns_names *names;
	struct world *world;
	struct dns_table *dns;
	struct dns_cache *cache; /* NULL: none */
	struct dns_rings *rings; /* to a resolver that there is not: all is answered */
	int bell;
	struct tables tables; /* the world's, with DNS */
	struct chunk_ring ring;
	struct ring_port ports[CLUSTER_PODS];
	struct dns_traffic traffic[N_DNS_ASKS];
};

struct bench {
	struct dns_args args;
	struct dns_result result;
	struct column *columns[DNS_COLUMNS_MAX];
	double intervals[INTERVALS_MAX]; /* of the round in hand */
	volatile uint8_t *cold;          /* [args.cold_kib * 1024] what is written between bursts */
	uint64_t overhead;               /* of reading the clock */
	uint64_t since_sample;
	bool is_counted;   /* callgrind collects, once warm */
	const char *wrong; /* the first reply that was not as it should be; NULL */
};

static uint64_t
ended(const struct counters *c)
{
	return c->verdicts[VERDICT_FORWARD] + c->verdicts[VERDICT_REPLY] + c->verdicts[VERDICT_PUNT] +
	       c->verdicts[VERDICT_DROP];
}

/* --- a node */

static bool
add_dns(struct column *c, bool ipv6)
{
	uint64_t grace;

	c->dns = calloc(1, sizeof(*c->dns));
	if (c->dns == NULL)
		return false;
	c->dns->zone = c->names->zone;
	c->dns->n_asked = N_FAMILIES;
	for (enum family_index f = V4; f < N_FAMILIES; f++)
		c->dns->asked[f] =
			(struct dns_server){ .addr = dns_names_addr(DNS_NAMES_SERVER, f), .port = 53 };
	c->tables = *c->world->tables;
	c->tables.dns = c->dns;
	snapshot_publish(c->world->snapshot, &c->tables, &grace);
	return true;
}

/* Outside names in a cache. *n: how many. */
static bool
add_cache(struct column *c, unsigned percent, size_t *n)
{
	struct worker *w = c->world->workers[0];
	uint32_t n_names;

	c->cache = dns_cached_new(c->world->snapshot, percent, w->now_ns, &n_names);
	c->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->rings = c->bell < 0 ? NULL : dns_rings_new(1, c->bell);
	if (c->cache == NULL || c->rings == NULL)
		return false;
	c->dns->cache = c->cache;
	w->dns_rings = c->rings;
	dns_traffic_init(&c->traffic[DNS_ASK_OUTSIDE], &c->cluster, &c->world->node.gateway_mac,
		DNS_ASK_OUTSIDE, n_names, c->traffic[DNS_ASK_OUTSIDE].is_uniform);
	*n = n_names;
	return true;
}

static bool
column_init(struct column *c, const struct dns_args *args, uint32_t n_services)
{
	const struct cluster_shape shape = {
		.n_pods = CLUSTER_PODS,
		.n_services = n_services,
		.n_endpoints = n_services,
		.ipv6 = args->ipv6,
	};

	if (cluster_init(&c->cluster, &shape) < 0)
		return false;
	c->names = dns_names_new(n_services);
	c->world = c->names == NULL ? NULL : world_new(&c->cluster, 1);
	if (c->world == NULL || !add_dns(c, args->ipv6))
		return false;
	chunk_ring_init(&c->ring, c->world->umems[0]);
	for (unsigned i = 0; i < CLUSTER_PODS; i++) {
		ring_port_init(&c->ports[i], &c->ring, (uint16_t)i, ORIGIN_POD, 0);
		/* not worker_add_port(): bursts are filled by hand, from all ports at once */
		c->world->workers[0]->ports[i] = &c->ports[i].port;
	}
	for (enum dns_ask ask = 0; ask < N_DNS_ASKS; ask++)
		dns_traffic_init(&c->traffic[ask], &c->cluster, &c->world->node.gateway_mac, ask, n_services,
			args->is_uniform);
	snapshot_online(c->world->snapshot, 0);
	return true;
}

static void
column_free(struct column *c)
{
	if (c == NULL)
		return;
	if (c->world != NULL)
		snapshot_offline(c->world->snapshot, 0);
	world_free(c->world);
	dns_cache_free(c->cache);
	dns_rings_free(c->rings);
	if (c->rings != NULL)
		close(c->bell);
	dns_names_free(c->names);
	free(c->dns);
	free(c);
}

/* --- a burst */

static void
fill(struct column *c, struct dns_traffic *t)
{
	dns_traffic_begin(t);
	for (unsigned i = 0; i < BURST_MAX; i++) {
		uint8_t *frame = chunk_ring_take(&c->ring);
		uint16_t len, port;

		dns_traffic_write(t, frame, &len, &port);
		chunk_ring_ready(&c->ring, frame, len, port, ORIGIN_POD, 0);
	}
}

/* Leaves as little of the dataplane's tables in the near caches as the kernel's sends do. */
static void
chill(struct bench *b)
{
	for (size_t i = 0; i < (size_t)b->args.cold_kib * 1024; i += CACHE_LINE)
		b->cold[i]++;
}

/* The timed section: from the ports' rings to the ports' rings. Callgrind counts this and no more. */
static uint64_t
process(struct bench *b, struct column *c)
{
	struct worker *w = c->world->workers[0];
	uint64_t from, took;

	if (b->is_counted)
		CALLGRIND_TOGGLE_COLLECT;
	from = tsc_start();
	chunk_ring_receive(&c->ring, &w->burst);
	worker_process(w, snapshot_get(w->snapshot), &w->burst);
	snapshot_quiesce(w->snapshot, w->id);
	took = tsc_stop() - from;
	if (b->is_counted)
		CALLGRIND_TOGGLE_COLLECT;
	return took > b->overhead ? took - b->overhead : 0;
}

static void
verify(struct bench *b, const struct column *c, const struct dns_traffic *t, struct dns_cell *cell)
{
	if (c->ring.n_sent != BURST_MAX && b->wrong == NULL)
		b->wrong = "not each query had a reply";
	for (unsigned i = 0; i < c->ring.n_sent; i++) {
		const struct sent *s = &c->ring.sent[i];
		const char *wrong;

		if (++b->since_sample < SAMPLE_EVERY)
			continue;
		b->since_sample = 0;
		wrong = dns_traffic_check(t, s->port, s->data, s->len);
		if (wrong != NULL && b->wrong == NULL)
			b->wrong = wrong;
		cell->verified++;
	}
}

static uint64_t
run_burst(struct bench *b, struct column *c, struct dns_traffic *t, struct dns_cell *cell)
{
	uint64_t took;

	fill(c, t);
	chill(b);
	took = process(b, c);
	verify(b, c, t, cell);
	chunk_ring_recover(&c->ring);
	return took;
}

/* --- rounds */

static uint64_t
run_interval(struct bench *b, struct column *c, struct dns_traffic *t, struct dns_cell *cell)
{
	struct worker *w = c->world->workers[0];
	uint64_t cycles = 0;

	for (unsigned i = 0; i < INTERVAL_BURSTS; i++) {
		uint64_t took = run_burst(b, c, t, cell);

		w->now_ns += (uint64_t)((double)took / b->result.tsc_hz * 1e9);
		cycles += took;
	}
	return cycles;
}

/* For a share of what a round takes. Returns how many intervals there were. */
static unsigned
run_for(struct bench *b, struct column *c, struct dns_traffic *t, struct dns_cell *cell, double share)
{
	const unsigned packets = INTERVAL_BURSTS * BURST_MAX;
	uint64_t until = tsc_start() + (uint64_t)(b->args.seconds * share * b->result.tsc_hz);
	uint64_t limit = (uint64_t)((double)b->args.packets * share);
	unsigned n = 0;

	do
		b->intervals[n++] = (double)run_interval(b, c, t, cell) / packets;
	while (n < INTERVALS_MAX && (b->args.packets != 0 ? n * packets < limit : tsc_start() < until));
	return n;
}

/* Control takes samples ten times a second, which is once per round here. */
static void
take_samples(const struct column *c)
{
	struct dns_sample sample;

	while (dns_tally_take(c->world->workers[0]->dns_tally, &sample))
		;
}

static void
run_cell(struct bench *b, enum dns_ask ask, unsigned column, unsigned round)
{
	struct dns_cell *cell = &b->result.cells[ask][column];
	struct column *c = b->columns[column];
	unsigned n;

	run_for(b, c, &c->traffic[ask], cell, 1.0 / WARM_UP_SHARE);
	take_samples(c);
	b->is_counted = b->args.packets != 0;
	n = run_for(b, c, &c->traffic[ask], cell, 1);
	b->is_counted = false;
	cell->rounds[round] = median(b->intervals, n);
	cell->packets += (uint64_t)n * INTERVAL_BURSTS * BURST_MAX;
}

static void
run_rounds(struct bench *b)
{
	if (b->args.packets != 0)
		CALLGRIND_START_INSTRUMENTATION;
	for (unsigned round = 0; round < b->args.rounds; round++)
		for (enum dns_ask ask = 0; ask < N_DNS_ASKS; ask++)
			for (unsigned i = 0; b->args.asks[ask] && i < b->args.n_columns; i++)
				run_cell(b, ask, i, round);
	if (b->args.packets != 0)
		CALLGRIND_STOP_INSTRUMENTATION;
}

static bool
check_run(const struct bench *b)
{
	bool ok = b->wrong == NULL;

	if (!ok)
		fprintf(stderr, "dns: %s\n", b->wrong);
	for (unsigned i = 0; i < b->args.n_columns; i++) {
		const struct counters *c = &b->columns[i]->world->workers[0]->counters;

		if (c->counts[COUNT_RECEIVED] == ended(c) && c->verdicts[VERDICT_REPLY] == ended(c))
			continue;
		fprintf(stderr, "dns: of %llu queries %llu were answered, and %llu ended otherwise\n",
			(unsigned long long)c->counts[COUNT_RECEIVED],
			(unsigned long long)c->verdicts[VERDICT_REPLY],
			(unsigned long long)(ended(c) - c->verdicts[VERDICT_REPLY]));
		ok = false;
	}
	return ok;
}

static void
pin(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
}

static bool
prepare(struct bench *b)
{
	b->result.tsc_hz = tsc_measure_hz();
	b->overhead = tsc_measure_overhead();
	b->cold = calloc(b->args.cold_kib + 1, 1024);
	for (unsigned i = 0; i < b->args.n_columns; i++) {
		struct column *c = b->columns[i] = aligned_alloc(CACHE_LINE, sizeof(struct column));

		if (c == NULL)
			return false;
		memset(c, 0, sizeof(*c));
		if (!column_init(c, &b->args, b->args.services[i]))
			return false;
		b->result.names[i] = dns_zone_count(c->names->zone);
		if (b->args.n_percent != 0 && !add_cache(c, b->args.percent[i], &b->result.names[i]))
			return false;
	}
	return b->cold != NULL;
}

int
bench_dns(int argc, char **argv)
{
	struct bench *b = calloc(1, sizeof(*b));
	int result = 1;

	if (b == NULL)
		return 1;
	dns_args_parse(argc, argv, &b->args);
	pin();
	if (!prepare(b)) {
		fprintf(stderr, "cannot build the nodes\n");
	} else {
		run_rounds(b);
		if (check_run(b) && dns_report(&b->args, &b->result) == 0)
			result = 0;
	}
	for (unsigned i = 0; i < b->args.n_columns; i++)
		column_free(b->columns[i]);
	free((void *)b->cold);
	free(b);
	return result;
}
