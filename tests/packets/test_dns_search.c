/* Queries of search lists: what is answered with what the search would end with, and what is left to the pod. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/packets/dns_world.h"
#include "tests/packets/names.h"
#include "tests/support/names.h"
#include "tests/support/policies.h"

static void
some_namespaces(struct dns_world *x)
{
	static struct dns_namespace namespaces[PORTS_MAX] = {
		[FIXTURE_POD1] = { .len = sizeof("\4shop") - 1, .label = "\4shop" },
	};

	x->f->dns->namespaces = namespaces;
}

/* The answer is an alias of 'to' and so many records behind it. */
static void
expect_alias(struct dns_world *x, const char *name, const char *to, unsigned ttl_s, unsigned n_behind)
{
	struct message want;
	const uint8_t *answer;
	unsigned size;

	answer = world_answer(x, FIXTURE_POD1, &size);
	assert_int_equal(message_rcode(answer), 0);
	assert_int_equal(message_n_answers(answer), 1 + n_behind);
	message_begin(&want, 0, name, DNS_TYPE_A);
	message_u16(&want, 0xc00c);
	message_u16(&want, DNS_TYPE_CNAME);
	message_u16(&want, DNS_CLASS_IN);
	message_u32(&want, ttl_s);
	message_u16(&want, (unsigned)strlen(to) + 2);
	message_name(&want, to);
	assert_in_range(size, want.size, 1232);
	/* the type is the query's */
	assert_memory_equal(answer + 12, want.bytes + 12, strlen(name) + 2);
	assert_memory_equal(answer + 12 + strlen(name) + 6, want.bytes + 12 + strlen(name) + 6,
		want.size - 18 - strlen(name));
	fixture_clear(x->f);
}

static unsigned
completed(struct dns_world *x)
{
	struct dns_counts sum = { 0 };

	for (unsigned i = 0; i < x->f->n_workers; i++)
		dns_tally_read(x->f->workers[i]->dns_tally, FIXTURE_POD1, &sum);
	return (unsigned)sum.completed;
}

static void
test_a_search_that_ends_in_the_zone_is_completed(struct dns_world *x)
{
	static const char name[] = "api.shop.Shop.svc.cluster.local";
	struct dns_miss miss;

	some_namespaces(x);
	world_ask(x, FIXTURE_POD1, name, DNS_TYPE_A);
	expect_alias(x, name, "api.shop.svc.cluster.local", NAMES_TTL, 1);
	world_ask(x, FIXTURE_POD1, name, DNS_TYPE_AAAA);
	expect_alias(x, name, "api.shop.svc.cluster.local", NAMES_TTL, 1);
	world_ask(x, FIXTURE_POD1, "api.shop.svc.shop.svc.cluster.local", DNS_TYPE_A);
	expect_alias(x, "api.shop.svc.shop.svc.cluster.local", "api.shop.svc.cluster.local", NAMES_TTL, 1);
	world_ask(x, FIXTURE_POD1, "api.shop.svc.cluster.local.shop.svc.cluster.local", DNS_TYPE_A);
	expect_alias(x, "api.shop.svc.cluster.local.shop.svc.cluster.local", "api.shop.svc.cluster.local",
		NAMES_TTL, 1);
	assert_int_equal(completed(x), 4);
	assert_int_equal(world_counted(x, DNS_AUTHORITY), 4);
	assert_false(world_take(x, &miss));
}

static void
test_a_search_that_ends_in_the_cache_is_completed(struct dns_world *x)
{
	static const char name[] = "example.com.shop.svc.cluster.local";
	struct dns_miss miss;

	some_namespaces(x);
	world_corp_suffix(x);
	world_put_example(x, START);
	world_ask(
		x, FIXTURE_POD1, name, DNS_TYPE_A); /* nobody knows whether example.com.corp.test is there */
	world_expect_miss(x, name, DNS_MISS_COMPLETION);
	world_put_cut(x, "com.corp.test", 20);
	world_ask(x, FIXTURE_POD1, name, DNS_TYPE_A);
	expect_alias(x, name, "example.com", 20, 1);
	assert_int_equal(world_counted(x, DNS_HIT), 1);
	world_set_time(x, START + 11 * S);
	world_ask(x, FIXTURE_POD1, name, DNS_TYPE_A);
	expect_alias(x, name, "example.com", 9, 1);
	assert_int_equal(completed(x), 2);
	assert_false(world_take(x, &miss));
	world_set_time(x, START + 21 * S); /* what is not certain any more */
	world_ask(x, FIXTURE_POD1, name, DNS_TYPE_A);
	world_expect_miss(x, name, DNS_MISS_COMPLETION);
	world_put_cut(x, "com.corp.test", 600);
	world_set_time(x, START + 280 * S); /* and what is about to expire */
	world_ask(x, FIXTURE_POD1, name, DNS_TYPE_A);
	expect_alias(x, name, "example.com", 20, 1);
	world_expect_miss(x, "example.com", DNS_MISS_PREFETCH);
}

static void
test_a_search_may_lead_out_of_the_zone(struct dns_world *x)
{
	static const char name[] = "out.shop.shop.svc.cluster.local";

	some_namespaces(x);
	world_ask(x, FIXTURE_POD1, name, DNS_TYPE_A);
	world_expect_miss(x, name, DNS_MISS_COMPLETION);
	world_put_example(x, START);
	world_set_time(x, START + 280 * S);
	world_ask(x, FIXTURE_POD1, name, DNS_TYPE_A);
	expect_alias(x, name, "out.shop.svc.cluster.local", 20, 2);
	assert_int_equal(world_counted(x, DNS_HIT), 1);
}

#define N_ADDRESSES 30 /* fit what clients without EDNS take, but not beside an alias */

static void
put_many(struct dns_world *x)
{
	struct message m;

	message_begin(&m, MESSAGE_REPLY, "example.com", DNS_TYPE_A);
	for (unsigned i = 0; i < N_ADDRESSES; i++)
		message_addr(&m, SECTION_ANSWER, "example.com", 300, "203.0.113.7");
	world_put(x, &m, START);
	message_begin(&m, MESSAGE_REPLY, "example.com", DNS_TYPE_AAAA);
	message_addr(&m, SECTION_ANSWER, "example.com", 300, "2001:db8::7");
	world_put(x, &m, START);
}

static void
expect_nxdomain(struct dns_world *x, const char *name, uint16_t type)
{
	const uint8_t *answer;
	struct dns_miss miss;
	unsigned size;

	world_ask(x, FIXTURE_POD1, name, type);
	answer = world_answer(x, FIXTURE_POD1, &size);
	assert_int_equal(message_rcode(answer), 3);
	assert_int_equal(message_n_answers(answer), 0);
	assert_false(world_take(x, &miss));
	fixture_clear(x->f);
}

/* Who asks for both has both by a search of his own: where he gets them by TCP, the first name does not exist. */
static void
test_a_search_is_not_completed_with_what_fits_alone(struct dns_world *x)
{
	static const char name[] = "example.com.shop.svc.cluster.local";
	const uint8_t *answer;
	unsigned size;

	some_namespaces(x);
	put_many(x);
	if (x->has_opt) {
		world_ask(x, FIXTURE_POD1, name, DNS_TYPE_A);
		expect_alias(x, name, "example.com", NAMES_TTL, N_ADDRESSES);
		world_ask(x, FIXTURE_POD1, name, DNS_TYPE_AAAA);
		expect_alias(x, name, "example.com", NAMES_TTL, 1);
		return;
	}
	expect_nxdomain(x, name, DNS_TYPE_AAAA);
	assert_int_equal(completed(x), 0);
	world_ask(x, FIXTURE_POD1, name, DNS_TYPE_A);
	answer = world_answer(x, FIXTURE_POD1, &size);
	assert_true(answer[DNS_FLAGS_AT] & DNS_FLAG_TC);
}

static void
test_what_is_not_certain_is_not_completed(struct dns_world *x)
{
	static const char name[] = "example.com.shop.svc.cluster.local";
	struct message m;

	expect_nxdomain(x, name, DNS_TYPE_A); /* the option is off */
	some_namespaces(x);
	expect_nxdomain(x, "example.com.bank.svc.cluster.local", DNS_TYPE_A); /* another namespace */
	expect_nxdomain(x, "example.com.svc.cluster.local", DNS_TYPE_A);
	expect_nxdomain(x, "example.com.cluster.local", DNS_TYPE_A);
	expect_nxdomain(x, "shop.svc.shop.cluster.local", DNS_TYPE_A);
	expect_nxdomain(x, name, DNS_TYPE_SRV);
	/* on the way of a search for what would be such a name, if it were there */
	expect_nxdomain(x, "db.shop.svc.cluster.local", DNS_TYPE_A);
	expect_nxdomain(x, "a.api.shop.svc.cluster.local", DNS_TYPE_A);
	world_deny(x, "example.com", "example.com", 300);
	expect_nxdomain(x, name, DNS_TYPE_A); /* nor is there any other name */
	world_set_time(x, START + 310 * S);
	world_put_example(x, START);
	world_mark_example_stale(x, START + 400 * S);
	expect_nxdomain(x, name, DNS_TYPE_A); /* servers fail */
	message_begin(&m, MESSAGE_REPLY, "example.com", DNS_TYPE_AAAA);
	message_addr(&m, SECTION_ANSWER, "example.com", 300, "2001:db8::7");
	world_put(x, &m, START + 310 * S);
	expect_nxdomain(x, name, DNS_TYPE_AAAA); /* or there would be half of the addresses */
	assert_int_equal(completed(x), 0);
	assert_int_equal(world_counted(x, DNS_AUTHORITY), 11);
}

static void
test_a_search_too_many_is_left_to_the_pod(struct dns_world *x)
{
	static const char name[] = "example.com.shop.svc.cluster.local";
	struct dns_miss miss;
	unsigned size;

	some_namespaces(x);
	for (unsigned i = 0; i < DNS_MISS_SHARE; i++)
		world_ask(x, FIXTURE_POD1, name, DNS_TYPE_A);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, 0);
	world_ask(x, FIXTURE_POD1, name, DNS_TYPE_A);
	assert_int_equal(message_rcode(world_answer(x, FIXTURE_POD1, &size)), 3);
	assert_int_equal(world_counted(x, DNS_AUTHORITY), 1);
	assert_int_equal(completed(x), 0);
	while (world_take(x, &miss))
		assert_int_equal(miss.kind, DNS_MISS_COMPLETION);
}

static void
test_a_completed_search_is_judged_once(struct dns_world *x)
{
	struct counters c;
	struct dns_miss miss;

	some_namespaces(x);
	policies_deny(x->f, FIXTURE_POD1, POLICY_EGRESS);
	world_ask(x, FIXTURE_POD1, "api.shop.shop.svc.cluster.local", DNS_TYPE_A);
	world_ask(x, FIXTURE_POD1, "example.com.shop.svc.cluster.local", DNS_TYPE_A);
	fixture_counters(x->f, &c);
	assert_int_equal(c.drops[DROP_POLICY_EGRESS], 2);
	assert_int_equal(x->f->ports[FIXTURE_POD1].n_out, 0);
	assert_false(world_take(x, &miss));
}

#define TESTS(X)                                               \
	X(test_a_search_that_ends_in_the_zone_is_completed)    \
	X(test_a_search_that_ends_in_the_cache_is_completed)   \
	X(test_a_search_may_lead_out_of_the_zone)              \
	X(test_a_search_is_not_completed_with_what_fits_alone) \
	X(test_what_is_not_certain_is_not_completed)           \
	X(test_a_search_too_many_is_left_to_the_pod)           \
	X(test_a_completed_search_is_judged_once)

TESTS(IN_EACH_WORLD)

int
main(void)
{
#define TEST(name) cmocka_unit_test(name##_in_each),
	const struct CMUnitTest tests[] = { TESTS(TEST) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
