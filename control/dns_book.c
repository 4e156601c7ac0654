#include "control/dns_book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/dns_book_lookups.h"
#include "control/node/attachment.h"
#include "dataplane/dns/dns_table.h"

/* Of a port, that a worker has counted and not told yet: those of a burst. */
#define LATE_SAMPLES 64

struct pod {
	uint32_t number;
	uint16_t port;
	bool is_host, is_seen;
	uint64_t gone_ns; /* 0: it is there */
	char id[CONTAINER_ID_SIZE], ns[POD_NS_SIZE], name[POD_NAME_SIZE];
	struct dns_search search;
	struct dns_book_figures total,
		at_turn[2];   /* the latter as it was when the current and the former turn began */
	bool is_estimated[2]; /* likewise: in that turn */
	struct dns_latency latency[N_DNS_SOURCES], final;
};

struct dns_book {
	void (*read)(uint16_t port, struct dns_counts *sum, void *arg);
	void *arg;
	uint64_t now_ns;
	uint64_t turn_ns[2]; /* when the current and the former turn began */
	uint32_t n_pods;     /* that there ever were */
	struct dns_wire zone;
	unsigned n_suffixes;
	struct dns_wire suffixes[DNS_SUFFIXES_MAX];
	struct dns_book_figures total;
	struct dns_latency latency[N_DNS_SOURCES], final;
	struct dns_lookups *lookups;
	struct dns_names *names[2]; /* of the current and the former turn */
	unsigned n_gone;
	struct pod *gone
		[DNS_BOOK_GONE_MAX]; /* the oldest first; those that another has the port of, and others */
	struct pod *pods[PORTS_MAX]; /* who had the port last */
	struct dns_counts counted[PORTS_MAX]; /* as they were read last */
};

static void on_lookup(const struct dns_lookup *lookup, void *arg);

struct dns_book *
dns_book_new(uint64_t now_ns, void (*read)(uint16_t port, struct dns_counts *sum, void *arg), void *arg)
{
	struct dns_book *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->read = read;
	b->arg = arg;
	b->now_ns = b->turn_ns[0] = b->turn_ns[1] = now_ns;
	b->lookups = dns_lookups_new(on_lookup, b);
	b->names[0] = dns_names_new();
	b->names[1] = dns_names_new();
	if (b->lookups != NULL && b->names[0] != NULL && b->names[1] != NULL)
		return b;
	dns_book_free(b);
	return NULL;
}

static void
pod_free(struct pod *p)
{
	if (p == NULL)
		return;
	for (unsigned i = 0; i < N_DNS_SOURCES; i++)
		dns_latency_fini(&p->latency[i]);
	dns_latency_fini(&p->final);
	free(p);
}

void
dns_book_free(struct dns_book *b)
{
	if (b == NULL)
		return;
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (b->pods[i] != NULL && b->pods[i]->gone_ns == 0)
			pod_free(b->pods[i]);
	for (unsigned i = 0; i < b->n_gone; i++)
		pod_free(b->gone[i]);
	for (unsigned i = 0; i < N_DNS_SOURCES; i++)
		dns_latency_fini(&b->latency[i]);
	dns_latency_fini(&b->final);
	dns_lookups_free(b->lookups);
	dns_names_free(b->names[0]);
	dns_names_free(b->names[1]);
	free(b);
}

/* --- search lists */

static void
append(struct dns_search *s, const struct dns_wire *suffix)
{
	if (s->n < DNS_SEARCH_MAX)
		s->suffixes[s->n++] = *suffix;
}

/* "svc" and, unless it is empty, the namespace, before the zone. */
static void
append_in_zone(struct dns_search *s, const char *ns, const struct dns_wire *zone)
{
	struct dns_wire suffix = { 0 };

	if ((*ns == '\0' || dns_wire_label(&suffix, ns, strlen(ns))) && dns_wire_label(&suffix, "svc", 3) &&
		dns_wire_end(&suffix, zone->bytes, zone->len))
		append(s, &suffix);
}

static void
make_search(const struct dns_book *b, struct pod *p)
{
	p->search.n = 0;
	if (!p->is_host && b->zone.len != 0) {
		if (p->ns[0] != '\0')
			append_in_zone(&p->search, p->ns, &b->zone);
		append_in_zone(&p->search, "", &b->zone);
		append(&p->search, &b->zone);
	}
	for (unsigned i = 0; i < b->n_suffixes; i++)
		append(&p->search, &b->suffixes[i]);
}

static bool
wire_eq(const struct dns_wire *a, const struct dns_wire *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

void
dns_book_search(
	struct dns_book *b, const struct dns_wire *zone, const struct dns_wire *suffixes, unsigned n_suffixes)
{
	static const struct dns_wire none;
	bool is_new;

	if (zone == NULL)
		zone = &none;
	if (n_suffixes > DNS_SUFFIXES_MAX)
		n_suffixes = DNS_SUFFIXES_MAX;
	is_new = !wire_eq(zone, &b->zone) || n_suffixes != b->n_suffixes;
	for (unsigned i = 0; i < n_suffixes && !is_new; i++)
		is_new = !wire_eq(&suffixes[i], &b->suffixes[i]);
	if (!is_new)
		return;
	b->zone = *zone;
	b->n_suffixes = n_suffixes;
	for (unsigned i = 0; i < n_suffixes; i++)
		b->suffixes[i] = suffixes[i];
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (b->pods[i] != NULL)
			make_search(b, b->pods[i]);
}

/* --- pods */

static uint64_t *
counts_array(struct dns_counts *c)
{
	return (uint64_t *)c;
}
#define N_COUNTS (sizeof(struct dns_counts) / sizeof(uint64_t))
static_assert(N_COUNTS == N_DNS_SOURCES + 2, "counts alone");

/* What was counted since the last time is the pod's. */
static void
read_counts(struct dns_book *b, struct pod *p)
{
	struct dns_counts now = { 0 }, *before = &b->counted[p->port];

	b->read(p->port, &now, b->arg);
	for (unsigned i = 0; i < N_COUNTS; i++) {
		uint64_t n = counts_array(&now)[i] - counts_array(before)[i];

		counts_array(&p->total.counts)[i] += n;
		counts_array(&b->total.counts)[i] += n;
	}
	*before = now;
}

static void
forget_oldest(struct dns_book *b)
{
	struct pod *p = b->gone[0];

	dns_lookups_forget(b->lookups, p->number); /* of its last samples, which came later */
	if (b->pods[p->port] == p)
		b->pods[p->port] = NULL;
	pod_free(p);
	memmove(&b->gone[0], &b->gone[1], --b->n_gone * sizeof(struct pod *));
}

static void
pod_goes(struct dns_book *b, struct pod *p)
{
	read_counts(b, p);
	dns_lookups_forget(b->lookups, p->number);
	p->gone_ns = b->now_ns;
	if (b->n_gone == DNS_BOOK_GONE_MAX)
		forget_oldest(b);
	b->gone[b->n_gone++] = p;
}

static struct pod *
pod_comes(struct dns_book *b, const struct dns_book_client *client)
{
	struct pod *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->number = b->n_pods++ * PORTS_MAX + client->port;
	p->port = client->port;
	p->is_host = client->is_host;
	snprintf(p->id, sizeof(p->id), "%s", client->id);
	snprintf(p->ns, sizeof(p->ns), "%s", client->ns);
	snprintf(p->name, sizeof(p->name), "%s", client->name);
	make_search(b, p);
	return p;
}

void
dns_book_begin(struct dns_book *b)
{
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (b->pods[i] != NULL)
			b->pods[i]->is_seen = false;
}

bool
dns_book_client(struct dns_book *b, const struct dns_book_client *client)
{
	struct pod *p = b->pods[client->port];

	if (p == NULL || p->gone_ns != 0 || p->is_host != client->is_host || strcmp(p->id, client->id) != 0) {
		struct pod *next = pod_comes(b, client);

		if (next == NULL)
			return false;
		if (p != NULL && p->gone_ns == 0)
			pod_goes(b, p);
		p = b->pods[client->port] = next;
	}
	p->is_seen = true;
	read_counts(b, p);
	return true;
}

/* --- turns */

static void
pod_turn(struct pod *p)
{
	p->at_turn[1] = p->at_turn[0];
	p->at_turn[0] = p->total;
	p->is_estimated[1] = p->is_estimated[0];
	p->is_estimated[0] = false;
	for (unsigned i = 0; i < N_DNS_SOURCES; i++)
		dns_latency_turn(&p->latency[i]);
	dns_latency_turn(&p->final);
}

static void
turn(struct dns_book *b)
{
	struct dns_names *oldest = b->names[1];

	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (b->pods[i] != NULL && b->pods[i]->gone_ns == 0)
			pod_turn(b->pods[i]);
	for (unsigned i = 0; i < b->n_gone; i++)
		pod_turn(b->gone[i]);
	for (unsigned i = 0; i < N_DNS_SOURCES; i++)
		dns_latency_turn(&b->latency[i]);
	dns_latency_turn(&b->final);
	b->names[1] = b->names[0];
	b->names[0] = oldest;
	dns_names_clear(oldest);
	b->turn_ns[1] = b->turn_ns[0];
	b->turn_ns[0] = b->now_ns;
}

void
dns_book_end(struct dns_book *b, uint64_t now_ns)
{
	b->now_ns = now_ns;
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (b->pods[i] != NULL && b->pods[i]->gone_ns == 0 && !b->pods[i]->is_seen)
			pod_goes(b, b->pods[i]);
	while (b->n_gone != 0 && now_ns - b->gone[0]->gone_ns >= DNS_BOOK_GONE_NS)
		forget_oldest(b);
	dns_lookups_expire(b->lookups, now_ns);
	if (now_ns - b->turn_ns[0] >= DNS_BOOK_TURN_NS)
		turn(b);
}

/* --- what is noted */

static const struct pod *
find_pod(const struct dns_book *b, uint32_t number)
{
	const struct pod *p = b->pods[number % PORTS_MAX];

	if (p != NULL && p->number == number)
		return p;
	for (unsigned i = 0; i < b->n_gone; i++)
		if (b->gone[i]->number == number)
			return b->gone[i];
	return NULL;
}

static void
on_lookup(const struct dns_lookup *lookup, void *arg)
{
	struct dns_book *b = arg;
	struct pod *p = (struct pod *)find_pod(b, lookup->pod);

	if (lookup->counts.queries != 0) {
		uint64_t lookups = lookup->counts.queries - lookup->counts.wasted;

		dns_names_add(b->names[0], lookup->name, lookup->len, &lookup->counts, lookup->pod);
		p->total.wasted += lookup->counts.wasted;
		p->total.lookups += lookups;
		b->total.wasted += lookup->counts.wasted;
		b->total.lookups += lookups;
	}
	if (lookup->is_whole) {
		dns_latency_add(&p->final, lookup->last_ns - lookup->first_ns, 1);
		dns_latency_add(&b->final, lookup->last_ns - lookup->first_ns, 1);
	}
}

void
dns_book_note(struct dns_book *b, const struct dns_sample *s)
{
	struct pod *p = s->port < PORTS_MAX ? b->pods[s->port] : NULL;
	uint64_t ns = s->answered_ns > s->received_ns ? s->answered_ns - s->received_ns : 0;

	if (p == NULL || s->source >= N_DNS_SOURCES)
		return;
	p->total.sampled += s->weight;
	b->total.sampled += s->weight;
	if (s->source == DNS_UPSTREAM || s->source == DNS_FAILED) {
		p->total.upstream += s->weight;
		b->total.upstream += s->weight;
	}
	p->is_estimated[0] |= s->weight != 1;
	if (s->source == DNS_PASSED) /* others answer it */
		return;
	dns_latency_add(&p->latency[s->source], ns, s->weight);
	dns_latency_add(&b->latency[s->source], ns, s->weight);
	if (s->name_len != 0)
		dns_lookups_note(b->lookups, p->number, &p->search, s);
}

/* --- what is told */

double
dns_book_window_s(const struct dns_book *b, uint64_t now_ns)
{
	return (double)(now_ns - b->turn_ns[1]) / 1e9;
}

static struct dns_book_figures
subtract(const struct dns_book_figures *total, const struct dns_book_figures *before)
{
	struct dns_book_figures figures = {
		.sampled = total->sampled - before->sampled,
		.upstream = total->upstream - before->upstream,
		.wasted = total->wasted - before->wasted,
		.lookups = total->lookups - before->lookups,
		.counts.nxdomain = total->counts.nxdomain - before->counts.nxdomain,
		.counts.completed = total->counts.completed - before->counts.completed,
	};

	for (unsigned i = 0; i < N_DNS_SOURCES; i++)
		figures.counts.by_source[i] = total->counts.by_source[i] - before->counts.by_source[i];
	return figures;
}

uint64_t
dns_book_queries(const struct dns_counts *counts)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < N_DNS_SOURCES; i++)
		n += counts->by_source[i];
	return n;
}

static void
describe(const struct pod *p, struct dns_book_pod *out)
{
	*out = (struct dns_book_pod){
		.number = p->number,
		.port = p->port,
		.is_host = p->is_host,
		.is_gone = p->gone_ns != 0,
		.ns = p->ns,
		.name = p->name,
		.total = p->total,
		.recent = subtract(&p->total, &p->at_turn[1]),
		.latency = p->latency,
		.final = &p->final,
	};
	/* samples may have been lost, too; some are still on their way */
	out->is_estimated = p->is_estimated[0] || p->is_estimated[1] ||
			    out->recent.sampled + out->recent.sampled / 64 + LATE_SAMPLES <
				    dns_book_queries(&out->recent.counts);
}

static void
tell(const struct pod *p, void (*fn)(const struct dns_book_pod *pod, void *arg), void *arg)
{
	struct dns_book_pod pod;

	describe(p, &pod);
	fn(&pod, arg);
}

void
dns_book_each_pod(const struct dns_book *b, void (*fn)(const struct dns_book_pod *pod, void *arg), void *arg)
{
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (b->pods[i] != NULL && b->pods[i]->gone_ns == 0)
			tell(b->pods[i], fn, arg);
	for (unsigned i = 0; i < b->n_gone; i++)
		tell(b->gone[i], fn, arg);
}

bool
dns_book_find_pod(const struct dns_book *b, uint32_t number, struct dns_book_pod *out)
{
	const struct pod *p = find_pod(b, number);

	if (p != NULL)
		describe(p, out);
	return p != NULL;
}

void
dns_book_each_name(
	const struct dns_book *b, void (*fn)(const struct dns_name_hitter *name, void *arg), void *arg)
{
	for (unsigned turn = 0; turn < 2; turn++)
		for (size_t i = 0; i < dns_names_count(b->names[turn]); i++) {
			struct dns_name_hitter hitter = *dns_names_at(b->names[turn], i);
			const struct dns_name_hitter *other =
				dns_names_find(b->names[1 - turn], hitter.name, hitter.len);

			if (other != NULL && turn == 1)
				continue; /* told already */
			if (other != NULL)
				dns_name_join(&hitter, other);
			fn(&hitter, arg);
		}
}

const struct dns_book_figures *
dns_book_total(const struct dns_book *b)
{
	return &b->total;
}

const struct dns_latency *
dns_book_latency(const struct dns_book *b, enum dns_source source)
{
	return &b->latency[source];
}

const struct dns_latency *
dns_book_final(const struct dns_book *b)
{
	return &b->final;
}
