/* Identities of pods and of prefixes, nested ones too, against a linear scan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "dataplane/policy/identity_table.h"

#define PREFIXES 500
#define LOOKUPS 20000

static struct ip_prefix
prefix(const char *text)
{
	struct ip_prefix p;

	assert_true(ip_prefix_parse(text, &p));
	return p;
}

static uint16_t
identity(const struct identity_table *t, const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return identity_of(t, &a);
}

static void
the_longest_prefix_says_who_it_is(void **state)
{
	static const char *const all[] = { "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "::/0",
		"fd00::/8", "fd00:1::/32", "fd00:1::7/128" };
	struct identity_table *t = identity_table_new(8);

	for (uint16_t i = 0; i < 8; i++) {
		struct ip_prefix p = prefix(all[i]);

		identity_table_add(t, &p, (uint16_t)(i + 1));
	}
	assert_int_equal(identity(t, "192.0.2.1"), 1);
	assert_int_equal(identity(t, "10.2.0.1"), 2);
	assert_int_equal(identity(t, "10.1.2.4"), 3);
	assert_int_equal(identity(t, "10.1.2.3"), 4);
	assert_int_equal(identity(t, "2001:db8::1"), 5);
	assert_int_equal(identity(t, "fd01::1"), 6);
	assert_int_equal(identity(t, "fd00:1::8"), 7);
	assert_int_equal(identity(t, "fd00:1::7"), 8);
	identity_table_free(t);
}

static void
who_is_in_no_prefix_is_anybody(void **state)
{
	struct identity_table *t = identity_table_new(2), *empty = identity_table_new(0);
	struct ip_prefix p = prefix("10.244.1.10/32");

	identity_table_add(t, &p, 9);
	identity_table_add(t, &p, 8);
	assert_int_equal(t->n_entries, 1);
	assert_int_equal(identity(t, "10.244.1.10"), 8);
	assert_int_equal(identity(t, "10.244.1.11"), IDENTITY_OTHER);
	assert_int_equal(identity(t, "fd00::1"), IDENTITY_OTHER);
	assert_int_equal(identity(empty, "10.244.1.10"), IDENTITY_OTHER);
	identity_table_free(t);
	identity_table_free(empty);
	identity_table_free(NULL);
}

/* Few distinct bits, so that prefixes nest and addresses hit them. */
static struct ip_addr
random_addr(bool v4)
{
	struct ip_addr a = prefix(v4 ? "10.0.0.0/8" : "fd00::/16").addr;

	for (unsigned i = v4 ? 13 : 2; i < 16; i++)
		a.b[i] = (uint8_t)(rand() & 0x83);
	return a;
}

static uint16_t
scan(const struct ip_prefix *prefixes, const struct ip_addr *a)
{
	unsigned best = PREFIXES;

	for (unsigned i = 0; i < PREFIXES; i++)
		if (ip_prefix_contains(&prefixes[i], a) &&
			(best == PREFIXES || prefixes[i].len >= prefixes[best].len))
			best = i;
	return best == PREFIXES ? IDENTITY_OTHER : (uint16_t)(best + 1);
}

static void
agrees_with_a_linear_scan(void **state)
{
	struct identity_table *t = identity_table_new(PREFIXES);
	struct ip_prefix prefixes[PREFIXES];
	unsigned hits = 0;

	srand(1);
	for (unsigned i = 0; i < PREFIXES; i++) {
		bool v4 = i % 2 == 0;
		unsigned len = (v4 ? 104 : 16) + (unsigned)rand() % (v4 ? 25 : 113);
		struct ip_addr a = random_addr(v4);

		prefixes[i] = (struct ip_prefix){ ip_addr_mask(&a, len), (uint8_t)len };
		identity_table_add(t, &prefixes[i], (uint16_t)(i + 1));
	}
	for (unsigned i = 0; i < LOOKUPS; i++) {
		struct ip_addr a = random_addr(i % 2 == 0);
		uint16_t got = identity_of(t, &a);

		assert_int_equal(got, scan(prefixes, &a));
		hits += got != IDENTITY_OTHER;
	}
	assert_in_range(hits, LOOKUPS / 10, LOOKUPS);
	identity_table_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_prefix_says_who_it_is),
		cmocka_unit_test(who_is_in_no_prefix_is_anybody),
		cmocka_unit_test(agrees_with_a_linear_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
