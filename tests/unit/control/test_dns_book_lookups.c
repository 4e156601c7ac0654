/* Which queries are one look-up, and which of them were wasted. */
#include "control/dns_book_lookups.h"

#include "tests/support/book_world.h"

/* --- one after the other, each answered within 4 ms and followed a millisecond later */

struct step {
	uint16_t port;
	const char *name;
	enum dns_source source;
	uint8_t rcode;
	uint64_t pause_ns; /* before it */
};

struct lookup_case {
	const char *name;
	struct step steps[8];
	bool is_over; /* nothing can follow any more */

	/* of the first step's client, and of names; 0: not looked at, but for the first two */
	unsigned wasted, lookups, n_final;
	uint64_t final_ns; /* from the first query to the final answer */
	struct {
		const char *name;
		struct dns_name_counts counts;
	} names[2];
};

/* clang-format off */
static const struct lookup_case cases[] = {
	{ "a name of another namespace is found on the way",
		{ { WEB, "api.tools.shop.svc.cluster.local.", DNS_AUTHORITY, NX },
		  { WEB, "api.tools.svc.cluster.local.", DNS_AUTHORITY, OK },
		  { WEB, "db.shop.svc.cluster.local.", DNS_AUTHORITY, OK } }, /* the first try of "db" */
		.wasted = 1, .lookups = 2,
		.names = { { "api.tools.svc.cluster.local.", { .queries = 2, .wasted = 1, .nxdomain = 1 } },
			   { "db.shop.svc.cluster.local.", { .queries = 1 } } } },
	{ "a name that does not exist ends with its last try: the whole list was tried",
		{ { WEB, "typo.shop.svc.cluster.local.", DNS_AUTHORITY, NX },
		  { WEB, "typo.svc.cluster.local.", DNS_AUTHORITY, NX },
		  { WEB, "typo.cluster.local.", DNS_AUTHORITY, NX },
		  { WEB, "typo.corp.example.", DNS_UPSTREAM, NX },
		  { WEB, "typo.", DNS_UPSTREAM, NX } },
		.wasted = 4, .lookups = 1, .n_final = 1,
		.names = { { "typo.", { .queries = 5, .wasted = 4, .nxdomain = 5, .upstream = 2 } } } },
	{ "a name with five dots is asked for as it is first, and the search list is tried then",
		{ { WEB, "a.b.c.d.e.f.", DNS_UPSTREAM, NX },
		  { WEB, "a.b.c.d.e.f.shop.svc.cluster.local.", DNS_AUTHORITY, NX },
		  { WEB, "a.b.c.d.e.f.svc.cluster.local.", DNS_AUTHORITY, NX } },
		.wasted = 0, .lookups = 0 }, /* so far */
	{ "what is not followed ends by itself",
		{ { WEB, "a.b.c.d.e.f.", DNS_UPSTREAM, NX },
		  { WEB, "a.b.c.d.e.f.shop.svc.cluster.local.", DNS_AUTHORITY, NX },
		  { WEB, "a.b.c.d.e.f.svc.cluster.local.", DNS_AUTHORITY, NX } },
		.is_over = true, .wasted = 2, .lookups = 1, .n_final = 1, .final_ns = 14 * MS },
	{ "asking again for want of an answer is no search",
		{ { WEB, "a.example.org.shop.svc.cluster.local.", DNS_AUTHORITY, NX },
		  { WEB, "a.example.org.svc.cluster.local.", DNS_AUTHORITY, NX },
		  { WEB, "a.example.org.cluster.local.", DNS_AUTHORITY, NX },
		  { WEB, "a.example.org.corp.example.", DNS_FAILED, SERVFAIL },
		  { WEB, "a.example.org.corp.example.", DNS_UPSTREAM, NX },
		  { WEB, "a.example.org.", DNS_LIMITED, SERVFAIL },
		  { WEB, "a.example.org.", DNS_UPSTREAM, OK } },
		.wasted = 5, .lookups = 2, .n_final = 1, /* the final name was asked for twice */
		.names = { { "a.example.org.", { .queries = 7, .wasted = 5, .nxdomain = 4, .upstream = 3, .limited = 1 } } } },
	{ "what comes much later is another look-up",
		{ { WEB, "a.b.shop.svc.cluster.local.", DNS_AUTHORITY, NX },
		  { WEB, "a.b.svc.cluster.local.", DNS_AUTHORITY, NX, .pause_ns = DNS_LOOKUP_GAP_NS } },
		.is_over = true, .wasted = 0, .lookups = 2 },
	{ "the host's stack has the node's suffixes alone",
		{ { HOST, "a.b.svc.cluster.local.", DNS_AUTHORITY, NX },
		  { HOST, "a.b.", DNS_UPSTREAM, OK },
		  { HOST, "b.corp.example.", DNS_UPSTREAM, NX },
		  { HOST, "b.", DNS_UPSTREAM, OK } },
		.wasted = 1, .lookups = 2 },
};
/* clang-format on */

static void
check_name(const struct book_world *f, const char *text, const struct dns_name_counts *want)
{
	struct dns_name_counts got = book_name(f, text).counts;

	assert_int_equal(got.queries, want->queries);
	assert_int_equal(got.wasted, want->wasted);
	assert_int_equal(got.nxdomain, want->nxdomain);
	assert_int_equal(got.upstream, want->upstream);
	assert_int_equal(got.limited, want->limited);
}

static void
test_case(void **state)
{
	const struct lookup_case *c = *state;
	struct dns_book_pod pod;
	struct book_world *f;
	void *world;

	book_setup(&world);
	f = world;
	for (const struct step *s = c->steps; s->name != NULL; s++) {
		f->now_ns += s->pause_ns;
		book_answer(f, s->port, s->name, s->source, s->rcode);
	}
	f->now_ns += c->is_over ? DNS_LOOKUP_REST_NS : 0;
	pod = book_pod(f, c->steps[0].port);
	assert_int_equal(pod.is_host, c->steps[0].port == HOST);
	assert_int_equal(pod.recent.wasted, c->wasted);
	assert_int_equal(pod.recent.lookups, c->lookups);
	if (c->n_final != 0)
		assert_int_equal(pod.final->sums.n, c->n_final);
	if (c->final_ns != 0)
		assert_int_equal(pod.final->sums.sum_ns, c->final_ns);
	for (unsigned i = 0; i < 2 && c->names[i].name != NULL; i++)
		check_name(f, c->names[i].name, &c->names[i].counts);
	book_teardown(&world);
}

/* --- side by side, and many */

static void
a_search_list_is_one_lookup_and_all_but_its_last_query_are_wasted(void **state)
{
	struct book_world *f = *state;
	struct dns_book_pod pod;
	struct dns_name_hitter name;

	book_answer(f, WEB, "API.example.org.shop.svc.cluster.local.", DNS_AUTHORITY, NX);
	book_answer(f, WEB, "api.EXAMPLE.org.svc.cluster.local.", DNS_AUTHORITY, NX);
	book_answer(f, WEB, "api.example.org.cluster.local.", DNS_AUTHORITY, NX);
	book_answer(f, WEB, "api.example.org.corp.example.", DNS_UPSTREAM, NX);
	book_answer_weighted(f, WEB, "api.example.org.", DNS_TYPE_A, DNS_UPSTREAM, OK, 40 * MS, 1);
	pod = book_pod(f, WEB);
	assert_int_equal(dns_book_queries(&pod.total.counts), 5);
	assert_int_equal(pod.total.counts.nxdomain, 4);
	assert_int_equal(pod.recent.wasted, 4);
	assert_int_equal(pod.recent.lookups, 1);
	assert_false(pod.is_estimated);
	/* four times 4 ms and 1 ms until the next, then 40 ms */
	assert_int_equal(pod.final->sums.n, 1);
	assert_int_equal(pod.final->sums.sum_ns, 60 * MS);
	assert_int_equal(pod.latency[DNS_UPSTREAM].sums.n, 2);
	name = book_name(f, "api.example.org.");
	assert_int_equal(name.counts.queries, 5);
	assert_int_equal(name.counts.wasted, 4);
	assert_int_equal(name.counts.nxdomain, 4);
	assert_int_equal(name.counts.upstream, 2);
	assert_int_equal(name.pods[0].pod, pod.number);
	assert_int_equal(name.pods[1].queries, 0);
}

static void
both_types_are_looked_up_side_by_side(void **state)
{
	static const char *const tries[] = { "a.example.org.shop.svc.cluster.local.",
		"a.example.org.svc.cluster.local.", "a.example.org.cluster.local.",
		"a.example.org.corp.example.", "a.example.org." };
	struct book_world *f = *state;

	for (unsigned i = 0; i < 5; i++) {
		uint64_t sent_ns = f->now_ns;

		book_answer(f, WEB, tries[i], DNS_HIT, i == 4 ? OK : NX);
		f->now_ns = sent_ns;
		book_answer_weighted(f, WEB, tries[i], DNS_TYPE_AAAA, DNS_HIT, i == 4 ? OK : NX, 4 * MS, 1);
	}
	assert_int_equal(book_pod(f, WEB).recent.lookups, 2);
	assert_int_equal(book_pod(f, WEB).recent.wasted, 8);
	assert_int_equal(book_pod(f, WEB).final->sums.sum_ns, 2 * 24 * MS);
}

static void
pods_that_ask_for_the_same_do_not_mix(void **state)
{
	struct book_world *f = *state;

	book_answer(f, WEB, "a.example.org.svc.cluster.local.", DNS_AUTHORITY, NX);
	book_answer(f, DB, "a.example.org.", DNS_UPSTREAM, OK);
	f->now_ns += DNS_LOOKUP_REST_NS;
	assert_int_equal(book_pod(f, WEB).recent.wasted, 0);
	assert_int_equal(book_pod(f, WEB).recent.lookups, 1);
	assert_int_equal(book_pod(f, DB).recent.lookups, 1);
}

static void
threads_of_a_pod_may_look_for_the_same_name_at_once(void **state)
{
	static const char *const tries[] = { "a.b.shop.svc.cluster.local.", "a.b.svc.cluster.local.",
		"a.b.cluster.local.", "a.b.corp.example.", "a.b." };
	struct book_world *f = *state;

	for (unsigned i = 0; i < 5; i++)
		for (unsigned thread = 0; thread < 3; thread++)
			book_answer(f, WEB, tries[i], DNS_HIT, i == 4 ? OK : NX);
	assert_int_equal(book_pod(f, WEB).recent.lookups, 3);
	assert_int_equal(book_pod(f, WEB).recent.wasted, 12);
	assert_int_equal(book_pod(f, WEB).final->sums.n, 3);
	assert_int_equal(book_name(f, "a.b.").counts.queries, 15);
}

/* A label that ends like a suffix is none. */
static void
suffixes_are_whole_labels(void **state)
{
	struct book_world *f = *state;

	book_answer_weighted(f, WEB, "a.mycluster.local.", DNS_TYPE_A, DNS_UPSTREAM, NX, MS, 10);
	assert_int_equal(book_pod(f, WEB).recent.wasted, 0);
	book_answer_weighted(f, WEB, "a.cluster.local.", DNS_TYPE_A, DNS_UPSTREAM, NX, MS, 10);
	assert_int_equal(book_pod(f, WEB).recent.wasted, 10);
	book_answer_weighted(f, WEB, "cluster.local.", DNS_TYPE_A, DNS_UPSTREAM, NX, MS, 10);
	assert_int_equal(book_pod(f, WEB).recent.wasted, 10);
}

/* Few samples stand for many queries: what each is worth shows by itself. */
static void
a_flood_is_estimated(void **state)
{
	static const char *const tries[] = { "x.example.org.shop.svc.cluster.local.",
		"x.example.org.svc.cluster.local.", "x.example.org.cluster.local.",
		"x.example.org.corp.example.", "x.example.org." };
	struct book_world *f = *state;
	struct dns_book_pod pod;

	for (unsigned i = 0; i < 5000; i++)
		book_answer_weighted(
			f, WEB, tries[i * 7 % 5], DNS_TYPE_A, DNS_HIT, i * 7 % 5 == 4 ? OK : NX, 4 * MS, 16);
	pod = book_pod(f, WEB);
	assert_true(pod.is_estimated);
	assert_int_equal(pod.recent.sampled, 80000);
	assert_int_equal(pod.recent.wasted, 64000);
	assert_int_equal(book_name(f, "x.example.org.").counts.wasted, 64000);
	book_answer(f, DB, "x.example.org.", DNS_HIT, OK);
	assert_false(book_pod(f, DB).is_estimated);
	f->counts[DB].by_source[DNS_HIT] += 1000; /* samples were lost */
	assert_true(book_pod(f, DB).is_estimated);
}

int
main(void)
{
	enum { N_CASES = sizeof(cases) / sizeof(cases[0]) };
	static struct CMUnitTest tests[N_CASES], others[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, book_setup, book_teardown)
		TEST(a_search_list_is_one_lookup_and_all_but_its_last_query_are_wasted),
		TEST(both_types_are_looked_up_side_by_side),
		TEST(pods_that_ask_for_the_same_do_not_mix),
		TEST(threads_of_a_pod_may_look_for_the_same_name_at_once),
		TEST(suffixes_are_whole_labels),
		TEST(a_flood_is_estimated),
#undef TEST
	};

	for (unsigned i = 0; i < N_CASES; i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
			.test_func = test_case,
			.initial_state = (void *)(uintptr_t)&cases[i] };
	return cmocka_run_group_tests(tests, NULL, NULL) + cmocka_run_group_tests(others, NULL, NULL);
}
