/* What is made of workers' counts and samples: who asks, how much, and how long it takes; of any number of names and pods. */
#include <stdio.h>

#include "control/dns_book_lookups.h"
#include "tests/support/book_world.h"

struct tally {
	size_t n_names;
	uint64_t n_queries; /* of all of them */
};

/* --- bounds */

static void
count_name(const struct dns_name_hitter *name, void *arg)
{
	struct tally *t = arg;

	t->n_names++;
	t->n_queries += name->counts.queries;
	assert_true(name->error <= name->counts.queries);
}

static void
names_that_are_asked_for_much_are_found_among_any_number(void **state)
{
	struct book_world *f = *state;
	struct tally tally = { 0 };
	struct dns_name_hitter often;
	char name[64];

	for (unsigned i = 0; i < 50000; i++) {
		snprintf(name, sizeof(name), "r%u.example.org.", i);
		book_answer(f, DB, name, DNS_UPSTREAM, OK);
		if (i % 50 == 0)
			book_answer(f, WEB, "often.example.org.", DNS_HIT, OK);
	}
	often = book_name(f, "often.example.org.");
	assert_true(often.counts.queries >= 1000);
	assert_true(often.counts.queries - often.error <= 1000);
	dns_book_each_name(f->book, count_name, &tally);
	assert_int_equal(tally.n_names, DNS_NAMES_ROOM);
	assert_int_equal(tally.n_queries, 51000); /* none is lost, by whatever name */
}

static void
lookups_that_nothing_follows_do_not_pile_up(void **state)
{
	struct book_world *f = *state;
	char name[64];

	for (unsigned i = 0; i < 3 * DNS_LOOKUPS_ROOM; i++) {
		snprintf(name, sizeof(name), "r%u.", i);
		f->now_ns -= 5 * MS; /* all at once */
		book_answer(f, WEB, name, DNS_UPSTREAM, NX);
	}
	assert_true(book_pod(f, WEB).recent.lookups >= 3 * DNS_LOOKUPS_ROOM - DNS_LOOKUPS_OF_POD);
	for (uint16_t port = 100; port < 300; port++)
		f->ids[port] = "some";
	book_look(f);
	for (unsigned i = 0; i < 200 * DNS_LOOKUPS_OF_POD; i++) {
		snprintf(name, sizeof(name), "r%u.", i);
		f->now_ns -= 5 * MS;
		book_answer(f, (uint16_t)(100 + i % 200), name, DNS_UPSTREAM, NX);
	}
	f->now_ns += DNS_LOOKUP_REST_NS;
	book_look(f);
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
	struct book_world *f = *state;
	uint64_t n = 0;
	unsigned seed = 1;
	char name[64], ids[8][16];

	for (unsigned i = 0; i < 100000; i++) {
		uint16_t port = (uint16_t)(WEB + rand_r(&seed) % 8);
		uint32_t weight = rand_r(&seed) % 4 == 0 ? 2 + (uint32_t)rand_r(&seed) % 30 : 1;

		if (rand_r(&seed) % 500 == 0) {
			snprintf(ids[port - WEB], sizeof(ids[0]), "r%u", i);
			f->ids[port] = rand_r(&seed) % 2 == 0 ? NULL : ids[port - WEB];
			book_look(f);
		}
		f->now_ns += (uint64_t)(rand_r(&seed) % 100 == 0 ? rand_r(&seed) % 9000 : 0) * MS;
		if (f->ids[port] == NULL)
			continue;
		snprintf(name, sizeof(name), "%s%s", bases[rand_r(&seed) % 6], suffixes[rand_r(&seed) % 5]);
		book_answer_weighted(f, port, name, rand_r(&seed) % 2 == 0 ? DNS_TYPE_A : DNS_TYPE_AAAA,
			DNS_HIT, rcodes[rand_r(&seed) % 5], (uint64_t)(rand_r(&seed) % 3) * MS, weight);
		n += weight;
	}
	f->now_ns += DNS_LOOKUP_REST_NS;
	book_look(f);
	assert_int_equal(dns_book_total(f->book)->sampled, n);
	assert_int_equal(dns_book_total(f->book)->wasted + dns_book_total(f->book)->lookups, n);
	assert_int_equal(dns_book_queries(&dns_book_total(f->book)->counts), n);
}

static void
odd_names_are_counted_and_nothing_else(void **state)
{
	struct book_world *f = *state;
	struct tally tally = { 0 };
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
	dns_book_each_name(f->book, count_name, &tally);
	assert_int_equal(tally.n_names, 0);
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
	struct book_world *f = *state;
	struct tally tally = { 0 };
	struct dns_book_pod pod;

	book_answer(f, WEB, "a.example.org.", DNS_UPSTREAM, OK);
	f->now_ns += DNS_BOOK_TURN_NS;
	book_look(f);
	book_answer(f, WEB, "a.example.org.", DNS_HIT, OK);
	pod = book_pod(f, WEB);
	assert_int_equal(dns_book_queries(&pod.recent.counts), 2);
	assert_int_equal(dns_latency_recent(pod.final), 2);
	assert_int_equal(book_name(f, "a.example.org.").counts.queries, 2);
	f->now_ns += DNS_BOOK_TURN_NS;
	pod = book_pod(f, WEB);
	assert_int_equal(dns_book_queries(&pod.recent.counts), 1);
	assert_int_equal(pod.recent.counts.by_source[DNS_HIT], 1);
	assert_int_equal(dns_latency_recent(pod.final), 1);
	assert_int_equal(book_name(f, "a.example.org.").counts.queries, 1);
	assert_true(dns_book_window_s(f->book, f->now_ns) >= 150);
	f->now_ns += DNS_BOOK_TURN_NS;
	pod = book_pod(f, WEB);
	assert_int_equal(dns_book_queries(&pod.recent.counts), 0);
	assert_int_equal(dns_book_queries(&pod.total.counts), 2);
	assert_int_equal(pod.final->sums.n, 2);
	dns_book_each_name(f->book, count_name, &tally);
	assert_int_equal(tally.n_names, 0);
}

/* --- pods */

static void
who_gets_a_port_later_inherits_nothing(void **state)
{
	struct book_world *f = *state;
	struct dns_book_pod pod, gone = { .port = WEB, .is_gone = true };
	uint32_t number;

	book_answer(f, WEB, "a.b.shop.svc.cluster.local.", DNS_AUTHORITY, NX);
	number = book_pod(f, WEB).number;
	f->counts[WEB].by_source[DNS_PASSED] += 3; /* with its last breath */
	f->ids[WEB] = NULL;
	book_look(f);
	f->ids[WEB] = "c3";
	book_answer(f, WEB, "a.b.svc.cluster.local.", DNS_AUTHORITY, OK); /* before we knew of it */
	book_look(f);
	book_answer(f, WEB, "a.b.cluster.local.", DNS_AUTHORITY, OK);
	pod = book_pod(f, WEB);
	assert_int_equal(dns_book_queries(&pod.total.counts), 2);
	assert_int_equal(pod.recent.wasted, 0);
	assert_int_equal(pod.final->sums.n, 1);
	dns_book_each_pod(f->book, book_keep_pod, &gone);
	assert_int_equal(gone.number, number);
	assert_int_equal(dns_book_queries(&gone.total.counts), 4);
	assert_string_equal(gone.name, "web");
	f->now_ns += DNS_BOOK_GONE_NS;
	book_look(f);
	assert_false(dns_book_find_pod(f->book, number, &gone));
	assert_true(dns_book_find_pod(f->book, pod.number, &gone));
	assert_int_equal(dns_book_queries(&dns_book_total(f->book)->counts), 6);
}

static void
not_all_that_went_are_remembered(void **state)
{
	struct book_world *f = *state;
	uint32_t first = 0;
	struct dns_book_pod pod;
	char id[16];

	for (unsigned i = 0; i <= DNS_BOOK_GONE_MAX; i++) {
		snprintf(id, sizeof(id), "n%u", i);
		f->ids[WEB] = id; /* one after the other, without a look between them */
		book_look(f);
		book_answer(f, WEB, "nothing.shop.svc.cluster.local.", DNS_AUTHORITY, NX);
		if (i == 0)
			first = book_pod(f, WEB).number;
	}
	f->ids[WEB] = "last";
	book_look(f);
	assert_false(dns_book_find_pod(f->book, first, &pod));
	assert_true(dns_book_find_pod(f->book, first + PORTS_MAX, &pod));
	assert_true(pod.is_gone);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, book_setup, book_teardown)
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
