/* What is made of workers' counts and samples: who asks, in vain or not, and how long it takes. */
#include "control/dns_book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/dns_book_lookups.h"
#include "dataplane/dns/dns_answer.h"
#include "dataplane/dns/dns_query.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

#define WEB 7 /* ports */
#define DB 8
#define HOST 1

#define NX DNS_RCODE_NXDOMAIN
#define OK DNS_RCODE_NOERROR
#define SERVFAIL 2

struct fixture {
	struct dns_book *book;
	struct dns_counts counts[PORTS_MAX];
	const char *ids[PORTS_MAX]; /* of the pods there are */
	uint64_t now_ns;
	size_t n_names;
	uint64_t n_queries; /* of all names */
};

static void
read_counts(uint16_t port, struct dns_counts *sum, void *arg)
{
	const struct fixture *f = arg;

	for (unsigned i = 0; i < N_DNS_SOURCES; i++)
		sum->by_source[i] += f->counts[port].by_source[i];
	sum->nxdomain += f->counts[port].nxdomain;
}

static void
look(struct fixture *f)
{
	dns_book_begin(f->book);
	for (uint16_t port = 0; port < PORTS_MAX; port++)
		if (f->ids[port] != NULL)
			assert_true(dns_book_client(f->book, &(struct dns_book_client){ .port = port,
								     .is_host = port == HOST,
								     .id = f->ids[port],
								     .ns = port == HOST ? "" : "shop",
								     .name = port == HOST  ? ""
									     : port == WEB ? "web"
											   : "db" }));
	dns_book_end(f->book, f->now_ns);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct dns_wire zone, suffix;

	f->now_ns = 1000 * SECOND;
	f->ids[WEB] = "c1";
	f->ids[DB] = "c2";
	f->ids[HOST] = "";
	f->book = dns_book_new(f->now_ns, read_counts, f);
	assert_non_null(f->book);
	assert_true(dns_wire_parse("cluster.local", &zone));
	assert_true(dns_wire_parse("corp.example", &suffix));
	dns_book_search(f->book, &zone, &suffix, 1);
	look(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	dns_book_free(f->book);
	free(f);
	return 0;
}

/* A worker answers after some time, and the client takes a millisecond to go on. */
static void
answer_weighted(struct fixture *f, uint16_t port, const char *name, uint16_t type, enum dns_source source,
	uint8_t rcode, uint64_t took_ns, uint32_t weight)
{
	struct dns_sample s = { .port = port,
		.type = type,
		.source = (uint8_t)source,
		.rcode = rcode,
		.weight = weight,
		.received_ns = f->now_ns,
		.answered_ns = f->now_ns + took_ns };
	struct dns_wire wire;

	assert_true(dns_wire_parse(name, &wire));
	s.name_len = (uint8_t)wire.len;
	memcpy(s.name, wire.bytes, wire.len);
	f->counts[port].by_source[source] += weight;
	f->counts[port].nxdomain += rcode == NX ? weight : 0;
	f->now_ns = s.answered_ns + MS;
	dns_book_note(f->book, &s);
}

static void
answer(struct fixture *f, uint16_t port, const char *name, enum dns_source source, uint8_t rcode)
{
	answer_weighted(f, port, name, DNS_TYPE_A, source, rcode, 4 * MS, 1);
}

static void
keep_pod(const struct dns_book_pod *pod, void *arg)
{
	struct dns_book_pod *out = arg;

	if (pod->port == out->port && pod->is_gone == out->is_gone)
		*out = *pod;
}

static struct dns_book_pod
pod_at(struct fixture *f, uint16_t port)
{
	struct dns_book_pod pod = { .port = port };

	look(f);
	dns_book_each_pod(f->book, keep_pod, &pod);
	assert_non_null(pod.name);
	return pod;
}

struct wanted_name {
	const char *text;
	struct dns_name_hitter found;
};

static void
keep_name(const struct dns_name_hitter *name, void *arg)
{
	struct wanted_name *wanted = arg;
	char text[DNS_TEXT_SIZE];

	if (strcmp(dns_wire_format(name->name, text), wanted->text) == 0) {
		assert_int_equal(wanted->found.len, 0); /* once only */
		wanted->found = *name;
	}
}

static struct dns_name_hitter
name_at(const struct fixture *f, const char *text)
{
	struct wanted_name wanted = { text, { .len = 0 } };

	dns_book_each_name(f->book, keep_name, &wanted);
	if (wanted.found.len == 0)
		fail_msg("nobody asked for %s", text);
	return wanted.found;
}

/* --- look-ups */

static void
a_search_list_is_one_lookup_and_all_but_its_last_query_are_wasted(void **state)
{
	struct fixture *f = *state;
	struct dns_book_pod pod;
	struct dns_name_hitter name;

	answer(f, WEB, "API.example.org.shop.svc.cluster.local.", DNS_AUTHORITY, NX);
	answer(f, WEB, "api.EXAMPLE.org.svc.cluster.local.", DNS_AUTHORITY, NX);
	answer(f, WEB, "api.example.org.cluster.local.", DNS_AUTHORITY, NX);
	answer(f, WEB, "api.example.org.corp.example.", DNS_UPSTREAM, NX);
	answer_weighted(f, WEB, "api.example.org.", DNS_TYPE_A, DNS_UPSTREAM, OK, 40 * MS, 1);
	pod = pod_at(f, WEB);
	assert_int_equal(dns_book_queries(&pod.total.counts), 5);
	assert_int_equal(pod.total.counts.nxdomain, 4);
	assert_int_equal(pod.recent.wasted, 4);
	assert_int_equal(pod.recent.lookups, 1);
	assert_false(pod.is_estimated);
	/* four times 4 ms and 1 ms until the next, then 40 ms */
	assert_int_equal(pod.final->sums.n, 1);
	assert_int_equal(pod.final->sums.sum_ns, 60 * MS);
	assert_int_equal(pod.latency[DNS_UPSTREAM].sums.n, 2);
	name = name_at(f, "api.example.org.");
	assert_int_equal(name.counts.queries, 5);
	assert_int_equal(name.counts.wasted, 4);
	assert_int_equal(name.counts.nxdomain, 4);
	assert_int_equal(name.counts.upstream, 2);
	assert_int_equal(name.pods[0].pod, pod.number);
	assert_int_equal(name.pods[1].queries, 0);
}

static void
a_name_of_another_namespace_is_found_on_the_way(void **state)
{
	struct fixture *f = *state;

	answer(f, WEB, "api.tools.shop.svc.cluster.local.", DNS_AUTHORITY, NX);
	answer(f, WEB, "api.tools.svc.cluster.local.", DNS_AUTHORITY, OK);
	answer(f, WEB, "db.shop.svc.cluster.local.", DNS_AUTHORITY, OK); /* the first try of "db" */
	assert_int_equal(pod_at(f, WEB).recent.wasted, 1);
	assert_int_equal(pod_at(f, WEB).recent.lookups, 2);
	assert_int_equal(name_at(f, "api.tools.svc.cluster.local.").counts.queries, 2);
	assert_int_equal(name_at(f, "db.shop.svc.cluster.local.").counts.wasted, 0);
}

static void
both_types_are_looked_up_side_by_side(void **state)
{
	static const char *const tries[] = { "a.example.org.shop.svc.cluster.local.",
		"a.example.org.svc.cluster.local.", "a.example.org.cluster.local.",
		"a.example.org.corp.example.", "a.example.org." };
	struct fixture *f = *state;

	for (unsigned i = 0; i < 5; i++) {
		uint64_t sent_ns = f->now_ns;

		answer(f, WEB, tries[i], DNS_HIT, i == 4 ? OK : NX);
		f->now_ns = sent_ns;
		answer_weighted(f, WEB, tries[i], DNS_TYPE_AAAA, DNS_HIT, i == 4 ? OK : NX, 4 * MS, 1);
	}
	assert_int_equal(pod_at(f, WEB).recent.lookups, 2);
	assert_int_equal(pod_at(f, WEB).recent.wasted, 8);
	assert_int_equal(pod_at(f, WEB).final->sums.sum_ns, 2 * 24 * MS);
}

static void
pods_that_ask_for_the_same_do_not_mix(void **state)
{
	struct fixture *f = *state;

	answer(f, WEB, "a.example.org.svc.cluster.local.", DNS_AUTHORITY, NX);
	answer(f, DB, "a.example.org.", DNS_UPSTREAM, OK);
	f->now_ns += DNS_LOOKUP_REST_NS;
	assert_int_equal(pod_at(f, WEB).recent.wasted, 0);
	assert_int_equal(pod_at(f, WEB).recent.lookups, 1);
	assert_int_equal(pod_at(f, DB).recent.lookups, 1);
}

static void
threads_of_a_pod_may_look_for_the_same_name_at_once(void **state)
{
	static const char *const tries[] = { "a.b.shop.svc.cluster.local.", "a.b.svc.cluster.local.",
		"a.b.cluster.local.", "a.b.corp.example.", "a.b." };
	struct fixture *f = *state;

	for (unsigned i = 0; i < 5; i++)
		for (unsigned thread = 0; thread < 3; thread++)
			answer(f, WEB, tries[i], DNS_HIT, i == 4 ? OK : NX);
	assert_int_equal(pod_at(f, WEB).recent.lookups, 3);
	assert_int_equal(pod_at(f, WEB).recent.wasted, 12);
	assert_int_equal(pod_at(f, WEB).final->sums.n, 3);
	assert_int_equal(name_at(f, "a.b.").counts.queries, 15);
}

/* The whole list was tried, and its last query is the final one. */
static void
a_name_that_does_not_exist_ends_with_its_last_try(void **state)
{
	struct fixture *f = *state;

	answer(f, WEB, "typo.shop.svc.cluster.local.", DNS_AUTHORITY, NX);
	answer(f, WEB, "typo.svc.cluster.local.", DNS_AUTHORITY, NX);
	answer(f, WEB, "typo.cluster.local.", DNS_AUTHORITY, NX);
	answer(f, WEB, "typo.corp.example.", DNS_UPSTREAM, NX);
	answer(f, WEB, "typo.", DNS_UPSTREAM, NX);
	assert_int_equal(pod_at(f, WEB).recent.wasted, 4);
	assert_int_equal(name_at(f, "typo.").counts.nxdomain, 5);
	assert_int_equal(pod_at(f, WEB).final->sums.n, 1);
}

/* Five dots or more, and still nothing is there; the search list is tried then. What is not followed ends by itself. */
static void
a_name_with_many_dots_is_asked_for_as_it_is_first(void **state)
{
	struct fixture *f = *state;

	answer(f, WEB, "a.b.c.d.e.f.", DNS_UPSTREAM, NX);
	answer(f, WEB, "a.b.c.d.e.f.shop.svc.cluster.local.", DNS_AUTHORITY, NX);
	answer(f, WEB, "a.b.c.d.e.f.svc.cluster.local.", DNS_AUTHORITY, NX);
	assert_int_equal(pod_at(f, WEB).recent.lookups, 0);
	f->now_ns += DNS_LOOKUP_REST_NS;
	assert_int_equal(pod_at(f, WEB).recent.lookups, 1);
	assert_int_equal(pod_at(f, WEB).recent.wasted, 2);
	assert_int_equal(pod_at(f, WEB).final->sums.sum_ns, 14 * MS);
}

static void
asking_again_for_want_of_an_answer_is_no_search(void **state)
{
	struct fixture *f = *state;

	answer(f, WEB, "a.example.org.shop.svc.cluster.local.", DNS_AUTHORITY, NX);
	answer(f, WEB, "a.example.org.svc.cluster.local.", DNS_AUTHORITY, NX);
	answer(f, WEB, "a.example.org.cluster.local.", DNS_AUTHORITY, NX);
	answer(f, WEB, "a.example.org.corp.example.", DNS_FAILED, SERVFAIL);
	answer(f, WEB, "a.example.org.corp.example.", DNS_UPSTREAM, NX);
	answer(f, WEB, "a.example.org.", DNS_LIMITED, SERVFAIL);
	answer(f, WEB, "a.example.org.", DNS_UPSTREAM, OK);
	assert_int_equal(pod_at(f, WEB).recent.wasted, 5);
	assert_int_equal(pod_at(f, WEB).recent.lookups, 2); /* the final name was asked for twice */
	assert_int_equal(pod_at(f, WEB).final->sums.n, 1);
	assert_int_equal(name_at(f, "a.example.org.").counts.limited, 1);
	assert_int_equal(name_at(f, "a.example.org.").counts.upstream, 3);
}

static void
what_comes_much_later_is_another_lookup(void **state)
{
	struct fixture *f = *state;

	answer(f, WEB, "a.b.shop.svc.cluster.local.", DNS_AUTHORITY, NX);
	f->now_ns += DNS_LOOKUP_GAP_NS;
	answer(f, WEB, "a.b.svc.cluster.local.", DNS_AUTHORITY, NX);
	f->now_ns += DNS_LOOKUP_REST_NS;
	assert_int_equal(pod_at(f, WEB).recent.wasted, 0);
	assert_int_equal(pod_at(f, WEB).recent.lookups, 2);
}

/* A label that ends like a suffix is none. */
static void
suffixes_are_whole_labels(void **state)
{
	struct fixture *f = *state;

	answer_weighted(f, WEB, "a.mycluster.local.", DNS_TYPE_A, DNS_UPSTREAM, NX, MS, 10);
	assert_int_equal(pod_at(f, WEB).recent.wasted, 0);
	answer_weighted(f, WEB, "a.cluster.local.", DNS_TYPE_A, DNS_UPSTREAM, NX, MS, 10);
	assert_int_equal(pod_at(f, WEB).recent.wasted, 10);
	answer_weighted(f, WEB, "cluster.local.", DNS_TYPE_A, DNS_UPSTREAM, NX, MS, 10);
	assert_int_equal(pod_at(f, WEB).recent.wasted, 10);
}

static void
the_hosts_stack_has_the_nodes_suffixes_alone(void **state)
{
	struct fixture *f = *state;

	answer(f, HOST, "a.b.svc.cluster.local.", DNS_AUTHORITY, NX);
	answer(f, HOST, "a.b.", DNS_UPSTREAM, OK);
	answer(f, HOST, "b.corp.example.", DNS_UPSTREAM, NX);
	answer(f, HOST, "b.", DNS_UPSTREAM, OK);
	assert_int_equal(pod_at(f, HOST).recent.wasted, 1);
	assert_true(pod_at(f, HOST).is_host);
}

/* Few samples stand for many queries: what each is worth shows by itself. */
static void
a_flood_is_estimated(void **state)
{
	static const char *const tries[] = { "x.example.org.shop.svc.cluster.local.",
		"x.example.org.svc.cluster.local.", "x.example.org.cluster.local.",
		"x.example.org.corp.example.", "x.example.org." };
	struct fixture *f = *state;
	struct dns_book_pod pod;

	for (unsigned i = 0; i < 5000; i++)
		answer_weighted(
			f, WEB, tries[i * 7 % 5], DNS_TYPE_A, DNS_HIT, i * 7 % 5 == 4 ? OK : NX, 4 * MS, 16);
	pod = pod_at(f, WEB);
	assert_true(pod.is_estimated);
	assert_int_equal(pod.recent.sampled, 80000);
	assert_int_equal(pod.recent.wasted, 64000);
	assert_int_equal(name_at(f, "x.example.org.").counts.wasted, 64000);
	answer(f, DB, "x.example.org.", DNS_HIT, OK);
	assert_false(pod_at(f, DB).is_estimated);
	f->counts[DB].by_source[DNS_HIT] += 1000; /* samples were lost */
	assert_true(pod_at(f, DB).is_estimated);
}

/* --- bounds */

static void
count_name(const struct dns_name_hitter *name, void *arg)
{
	struct fixture *f = arg;

	f->n_names++;
	f->n_queries += name->counts.queries;
	assert_true(name->error <= name->counts.queries);
}

static void
names_that_are_asked_for_much_are_found_among_any_number(void **state)
{
	struct fixture *f = *state;
	struct dns_name_hitter often;
	char name[64];

	for (unsigned i = 0; i < 50000; i++) {
		snprintf(name, sizeof(name), "r%u.example.org.", i);
		answer(f, DB, name, DNS_UPSTREAM, OK);
		if (i % 50 == 0)
			answer(f, WEB, "often.example.org.", DNS_HIT, OK);
	}
	often = name_at(f, "often.example.org.");
	assert_true(often.counts.queries >= 1000);
	assert_true(often.counts.queries - often.error <= 1000);
	dns_book_each_name(f->book, count_name, f);
	assert_int_equal(f->n_names, DNS_NAMES_ROOM);
	assert_int_equal(f->n_queries, 51000); /* none is lost, by whatever name */
}

static void
lookups_that_nothing_follows_do_not_pile_up(void **state)
{
	struct fixture *f = *state;
	char name[64];

	for (unsigned i = 0; i < 3 * DNS_LOOKUPS_ROOM; i++) {
		snprintf(name, sizeof(name), "r%u.", i);
		f->now_ns -= 5 * MS; /* all at once */
		answer(f, WEB, name, DNS_UPSTREAM, NX);
	}
	assert_true(pod_at(f, WEB).recent.lookups >= 3 * DNS_LOOKUPS_ROOM - DNS_LOOKUPS_OF_POD);
	for (uint16_t port = 100; port < 300; port++)
		f->ids[port] = "some";
	look(f);
	for (unsigned i = 0; i < 200 * DNS_LOOKUPS_OF_POD; i++) {
		snprintf(name, sizeof(name), "r%u.", i);
		f->now_ns -= 5 * MS;
		answer(f, (uint16_t)(100 + i % 200), name, DNS_UPSTREAM, NX);
	}
	f->now_ns += DNS_LOOKUP_REST_NS;
	look(f);
	assert_int_equal(dns_book_total(f->book)->lookups, 3 * DNS_LOOKUPS_ROOM + 200 * DNS_LOOKUPS_OF_POD);
	assert_int_equal(dns_book_final(f->book)->sums.n, 3 * DNS_LOOKUPS_ROOM + 200 * DNS_LOOKUPS_OF_POD);
}

/* Any order of any answers, of pods that come and go: each query is told of once. */
static void
nothing_is_lost_and_nothing_is_told_twice(void **state)
{
	static const char *const bases[] = { "a", "a.b", "api.example.org", "x.y.z.v.w.u", "a.svc", "corp" };
	static const char *const suffixes[] = { ".", ".shop.svc.cluster.local.", ".svc.cluster.local.",
		".cluster.local.", ".corp.example." };
	static const uint8_t rcodes[] = { OK, NX, NX, NX, SERVFAIL };
	struct fixture *f = *state;
	uint64_t n = 0;
	unsigned seed = 1;
	char name[64], ids[8][16];

	for (unsigned i = 0; i < 100000; i++) {
		uint16_t port = (uint16_t)(WEB + rand_r(&seed) % 8);
		uint32_t weight = rand_r(&seed) % 4 == 0 ? 2 + (uint32_t)rand_r(&seed) % 30 : 1;

		if (rand_r(&seed) % 500 == 0) {
			snprintf(ids[port - WEB], sizeof(ids[0]), "r%u", i);
			f->ids[port] = rand_r(&seed) % 2 == 0 ? NULL : ids[port - WEB];
			look(f);
		}
		f->now_ns += (uint64_t)(rand_r(&seed) % 100 == 0 ? rand_r(&seed) % 9000 : 0) * MS;
		if (f->ids[port] == NULL)
			continue;
		snprintf(name, sizeof(name), "%s%s", bases[rand_r(&seed) % 6], suffixes[rand_r(&seed) % 5]);
		answer_weighted(f, port, name, rand_r(&seed) % 2 == 0 ? DNS_TYPE_A : DNS_TYPE_AAAA, DNS_HIT,
			rcodes[rand_r(&seed) % 5], (uint64_t)(rand_r(&seed) % 3) * MS, weight);
		n += weight;
	}
	f->now_ns += DNS_LOOKUP_REST_NS;
	look(f);
	assert_int_equal(dns_book_total(f->book)->sampled, n);
	assert_int_equal(dns_book_total(f->book)->wasted + dns_book_total(f->book)->lookups, n);
	assert_int_equal(dns_book_queries(&dns_book_total(f->book)->counts), n);
}

static void
odd_names_are_counted_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct dns_sample s = { .port = WEB, .source = DNS_HIT, .weight = 1, .name_len = 255 };

	memset(s.name, 63, sizeof(s.name)); /* does not end */
	dns_book_note(f->book, &s);
	memset(s.name, 200, sizeof(s.name));
	dns_book_note(f->book, &s);
	s.name_len = 1;
	s.name[0] = 0; /* the root */
	dns_book_note(f->book, &s);
	s.name_len = 0;
	s.source = DNS_PASSED;
	dns_book_note(f->book, &s);
	s.port = 500; /* nobody's */
	dns_book_note(f->book, &s);
	s.port = UINT16_MAX;
	dns_book_note(f->book, &s);
	assert_int_equal(dns_book_total(f->book)->sampled, 4);
	dns_book_each_name(f->book, count_name, f);
	assert_int_equal(f->n_names, 0);
}

/* --- time */

static void
quantiles_are_off_by_a_few_percent_at_most(void **state)
{
	struct dns_latency l = { 0 };
	uint64_t p;

	assert_int_equal(dns_latency_quantile(&l, 0.5), 0);
	for (uint64_t us = 1; us <= 100000; us++)
		dns_latency_add(&l, us * 1000, 1);
	p = dns_latency_quantile(&l, 0.5);
	assert_in_range(p, 48500000, 51500000);
	p = dns_latency_quantile(&l, 0.99);
	assert_in_range(p, 96000000, 102000000);
	dns_latency_fini(&l);
	dns_latency_add(&l, 0, 99);
	dns_latency_add(&l, UINT64_C(1) << 62, 1); /* longer than anything */
	assert_true(dns_latency_quantile(&l, 0.5) < 1024);
	assert_true(dns_latency_quantile(&l, 0.999) >= UINT64_C(30) * SECOND);
	assert_int_equal(l.sums.buckets[0], 99);
	assert_int_equal(l.sums.buckets[DNS_LATENCY_BOUNDS], 1);
	dns_latency_fini(&l);
	for (unsigned i = 1; i < DNS_LATENCY_BOUNDS; i++)
		assert_true(dns_latency_bounds[i - 1] < dns_latency_bounds[i]);
}

static void
recent_is_what_the_last_two_turns_saw(void **state)
{
	struct fixture *f = *state;
	struct dns_book_pod pod;

	answer(f, WEB, "a.example.org.", DNS_UPSTREAM, OK);
	f->now_ns += DNS_BOOK_TURN_NS;
	look(f);
	answer(f, WEB, "a.example.org.", DNS_HIT, OK);
	pod = pod_at(f, WEB);
	assert_int_equal(dns_book_queries(&pod.recent.counts), 2);
	assert_int_equal(dns_latency_recent(pod.final), 2);
	assert_int_equal(name_at(f, "a.example.org.").counts.queries, 2);
	f->now_ns += DNS_BOOK_TURN_NS;
	pod = pod_at(f, WEB);
	assert_int_equal(dns_book_queries(&pod.recent.counts), 1);
	assert_int_equal(pod.recent.counts.by_source[DNS_HIT], 1);
	assert_int_equal(dns_latency_recent(pod.final), 1);
	assert_int_equal(name_at(f, "a.example.org.").counts.queries, 1);
	assert_true(dns_book_window_s(f->book, f->now_ns) >= 150);
	f->now_ns += DNS_BOOK_TURN_NS;
	pod = pod_at(f, WEB);
	assert_int_equal(dns_book_queries(&pod.recent.counts), 0);
	assert_int_equal(dns_book_queries(&pod.total.counts), 2);
	assert_int_equal(pod.final->sums.n, 2);
	dns_book_each_name(f->book, count_name, f);
	assert_int_equal(f->n_names, 0);
}

/* --- pods */

static void
who_gets_a_port_later_inherits_nothing(void **state)
{
	struct fixture *f = *state;
	struct dns_book_pod pod, gone = { .port = WEB, .is_gone = true };
	uint32_t number;

	answer(f, WEB, "a.b.shop.svc.cluster.local.", DNS_AUTHORITY, NX);
	number = pod_at(f, WEB).number;
	f->counts[WEB].by_source[DNS_PASSED] += 3; /* with its last breath */
	f->ids[WEB] = NULL;
	look(f);
	f->ids[WEB] = "c3";
	answer(f, WEB, "a.b.svc.cluster.local.", DNS_AUTHORITY, OK); /* before we knew of it */
	look(f);
	answer(f, WEB, "a.b.cluster.local.", DNS_AUTHORITY, OK);
	pod = pod_at(f, WEB);
	assert_int_equal(dns_book_queries(&pod.total.counts), 2);
	assert_int_equal(pod.recent.wasted, 0);
	assert_int_equal(pod.final->sums.n, 1);
	dns_book_each_pod(f->book, keep_pod, &gone);
	assert_int_equal(gone.number, number);
	assert_int_equal(dns_book_queries(&gone.total.counts), 4);
	assert_string_equal(gone.name, "web");
	f->now_ns += DNS_BOOK_GONE_NS;
	look(f);
	assert_false(dns_book_find_pod(f->book, number, &gone));
	assert_true(dns_book_find_pod(f->book, pod.number, &gone));
	assert_int_equal(dns_book_queries(&dns_book_total(f->book)->counts), 6);
}

static void
not_all_that_went_are_remembered(void **state)
{
	struct fixture *f = *state;
	uint32_t first = 0;
	struct dns_book_pod pod;
	char id[16];

	for (unsigned i = 0; i <= DNS_BOOK_GONE_MAX; i++) {
		snprintf(id, sizeof(id), "n%u", i);
		f->ids[WEB] = id; /* one after the other, without a look between them */
		look(f);
		answer(f, WEB, "nothing.shop.svc.cluster.local.", DNS_AUTHORITY, NX);
		if (i == 0)
			first = pod_at(f, WEB).number;
	}
	f->ids[WEB] = "last";
	look(f);
	assert_false(dns_book_find_pod(f->book, first, &pod));
	assert_true(dns_book_find_pod(f->book, first + PORTS_MAX, &pod));
	assert_true(pod.is_gone);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_search_list_is_one_lookup_and_all_but_its_last_query_are_wasted),
		TEST(a_name_of_another_namespace_is_found_on_the_way),
		TEST(both_types_are_looked_up_side_by_side),
		TEST(pods_that_ask_for_the_same_do_not_mix),
		TEST(threads_of_a_pod_may_look_for_the_same_name_at_once),
		TEST(a_name_that_does_not_exist_ends_with_its_last_try),
		TEST(a_name_with_many_dots_is_asked_for_as_it_is_first),
		TEST(asking_again_for_want_of_an_answer_is_no_search),
		TEST(what_comes_much_later_is_another_lookup),
		TEST(suffixes_are_whole_labels),
		TEST(the_hosts_stack_has_the_nodes_suffixes_alone),
		TEST(a_flood_is_estimated),
		TEST(names_that_are_asked_for_much_are_found_among_any_number),
		TEST(lookups_that_nothing_follows_do_not_pile_up),
		TEST(nothing_is_lost_and_nothing_is_told_twice),
		TEST(odd_names_are_counted_and_nothing_else),
		TEST(quantiles_are_off_by_a_few_percent_at_most),
		TEST(recent_is_what_the_last_two_turns_saw),
		TEST(who_gets_a_port_later_inherits_nothing),
		TEST(not_all_that_went_are_remembered),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
