/* The longest-prefix match against a linear scan over the same routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "dataplane/route/route_table.h"

#define ROUTES 500
#define LOOKUPS 20000

static struct ip_prefix
prefix(const char *text)
{
	struct ip_prefix p;

	assert_true(ip_prefix_parse(text, &p));
	return p;
}

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

/* Few distinct bits, so that prefixes nest and addresses hit them. */
static struct ip_addr
random_addr(bool v4)
{
	struct ip_addr a = v4 ? addr("10.0.0.0") : addr("fd00::");

	for (unsigned i = v4 ? 13 : 2; i < 16; i++)
		a.b[i] = (uint8_t)(rand() & 0x83);
	return a;
}

static const struct ip_prefix *
scan(const struct ip_prefix *prefixes, const struct ip_addr *a)
{
	const struct ip_prefix *best = NULL;

	for (unsigned i = 0; i < ROUTES; i++)
		if (ip_prefix_contains(&prefixes[i], a) && (best == NULL || prefixes[i].len > best->len))
			best = &prefixes[i];
	return best;
}

static void
agrees_with_a_linear_scan(void **state)
{
	struct route_table *t = route_table_new(ROUTES);
	struct ip_prefix prefixes[ROUTES];
	unsigned hits = 0;

	srand(1);
	for (unsigned i = 0; i < ROUTES; i++) {
		bool v4 = i % 2 == 0;
		unsigned len = (v4 ? 104 : 16) + (unsigned)rand() % (v4 ? 25 : 113);
		struct ip_addr a = random_addr(v4);

		prefixes[i] = (struct ip_prefix){ ip_addr_mask(&a, len), (uint8_t)len };
		route_table_add(t, &prefixes[i], ROUTE_ENDPOINT, i);
	}
	for (unsigned i = 0; i < LOOKUPS; i++) {
		struct ip_addr a = random_addr(i % 2 == 0);
		const struct ip_prefix *want = scan(prefixes, &a);
		const struct route *got = route_lookup(t, &a);

		assert_int_equal(want != NULL, got != NULL);
		if (want == NULL)
			continue;
		assert_int_equal(want->len, got->len);
		assert_true(ip_addr_eq(&want->addr, &got->prefix));
		hits++;
	}
	assert_in_range(hits, LOOKUPS / 10, LOOKUPS);
	route_table_free(t);
}

static void
a_route_added_again_is_replaced(void **state)
{
	struct route_table *t = route_table_new(2);
	struct ip_prefix p[2] = { prefix("10.244.2.0/24"), prefix("fd00:10:244:2::/64") };
	struct ip_addr a[2] = { addr("10.244.2.9"), addr("fd00:10:244:2::9") };

	for (unsigned i = 0; i < 2; i++) {
		route_table_add(t, &p[i], ROUTE_VTEP, 7);
		route_table_add(t, &p[i], ROUTE_VTEP, 8);
		assert_int_equal(route_lookup(t, &a[i])->target, 8);
	}
	assert_int_equal(t->n_routes, 2);
	route_table_free(t);
}

static void
default_routes_keep_to_their_family(void **state)
{
	struct route_table *t = route_table_new(2);
	struct ip_prefix v4 = prefix("0.0.0.0/0"), v6 = prefix("::/0");
	struct ip_addr a4 = addr("1.2.3.4"), a6 = addr("2001:db8::1");

	route_table_add(t, &v6, ROUTE_VTEP, 6);
	assert_null(route_lookup(t, &a4));
	assert_int_equal(route_lookup(t, &a6)->target, 6);
	route_table_add(t, &v4, ROUTE_VTEP, 4);
	assert_int_equal(route_lookup(t, &a4)->target, 4);
	assert_int_equal(route_lookup(t, &a6)->target, 6);
	route_table_free(t);
}

static void
an_empty_table_knows_nothing(void **state)
{
	struct route_table *t = route_table_new(0);
	struct ip_addr a = addr("10.0.0.1");

	assert_null(route_lookup(t, &a));
	route_table_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_a_linear_scan),
		cmocka_unit_test(a_route_added_again_is_replaced),
		cmocka_unit_test(default_routes_keep_to_their_family),
		cmocka_unit_test(an_empty_table_knows_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
