#include "control/node/ipam.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/model/reserved_addrs.h"

#define COOLDOWN_S 30

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

static struct ip_prefix
prefix(const char *text)
{
	struct ip_prefix p;

	assert_true(ip_prefix_parse(text, &p));
	return p;
}

static enum family_index
family_of(const char *range)
{
	return strchr(range, ':') == NULL ? V4 : V6;
}

static struct ipam *
with_range(const char *range)
{
	struct ipam *ipam = ipam_new(COOLDOWN_S);
	struct ip_prefix p = prefix(range);

	assert_int_equal(ipam_set_range(ipam, family_of(range), &p), 0);
	return ipam;
}

static void
assert_addr(const struct ip_addr *a, const char *expected)
{
	char text[IP_ADDR_STRLEN];

	assert_string_equal(ip_addr_format(a, text), expected);
}

static void
test_ranges_and_their_edges(void **state)
{
	static const struct {
		const char *range;
		int rc;
		uint32_t total;
		const char *host0, *host3, *first, *last;
	} cases[] = {
		{ "10.244.1.0/24", 0, 247, "10.244.1.1", "10.244.1.4", "10.244.1.8", "10.244.1.254" },
		{ "10.244.0.16/28", 0, 7, "10.244.0.17", "10.244.0.20", "10.244.0.24", "10.244.0.30" },
		{ "10.244.0.0/29", -EINVAL },
		{ "10.244.0.1/32", -EINVAL },
		{ "10.0.0.0/8", 0, IPAM_RANGE_MAX - 8, "10.0.0.1", "10.0.0.4", "10.0.0.8", "10.0.63.255" },
		{ "fd00:10:244:1::/64", 0, IPAM_RANGE_MAX - 8, "fd00:10:244:1::1", "fd00:10:244:1::4",
			"fd00:10:244:1::8", "fd00:10:244:1::3fff" },
		{ "fd00::ff00/124", 0, 8, "fd00::ff01", "fd00::ff04", "fd00::ff08", "fd00::ff0f" },
		{ "fd00::/125", -EINVAL },
		{ "fd00::1/128", -EINVAL },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum family_index family = family_of(cases[i].range);
		struct ip_prefix p = prefix(cases[i].range);
		struct ipam *ipam = ipam_new(COOLDOWN_S);
		struct ip_addr a;

		assert_int_equal(ipam_set_range(ipam, family, &p), cases[i].rc);
		if (cases[i].rc == 0) {
			a = reserved_host_addr(&p, 0);
			assert_addr(&a, cases[i].host0);
			a = reserved_host_addr(&p, 3);
			assert_addr(&a, cases[i].host3);
			assert_int_equal(ipam_count(ipam, family).total, cases[i].total);
			assert_int_equal(ipam_take(ipam, family, 0, &a), 0);
			assert_addr(&a, cases[i].first);
			while (ipam_count(ipam, family).used < cases[i].total)
				assert_int_equal(ipam_take(ipam, family, 0, &a), 0);
			assert_addr(&a, cases[i].last);
			assert_int_equal(ipam_take(ipam, family, 0, &a), -ENOSPC);
		} else {
			assert_null(ipam_range(ipam, family));
			assert_int_equal(ipam_take(ipam, family, 0, &a), -ENOENT);
		}
		ipam_free(ipam);
	}
}

static void
test_a_released_address_cools_down_and_the_longest_free_comes_first(void **state)
{
	static const char *const ranges[] = { "10.1.0.0/28", "fd00::/124" };

	for (unsigned i = 0; i < 2; i++) {
		enum family_index family = family_of(ranges[i]);
		struct ipam *ipam = with_range(ranges[i]);
		uint32_t n = ipam_count(ipam, family).total;
		struct ip_addr taken[16], a;

		for (uint32_t k = 0; k < n; k++)
			assert_int_equal(ipam_take(ipam, family, 0, &taken[k]), 0);
		ipam_release(ipam, &taken[4], 100);
		ipam_release(ipam, &taken[1], 110);
		ipam_release(ipam, &taken[1], 111); /* twice changes nothing */
		assert_int_equal(ipam_count(ipam, family).used, n - 2);
		assert_int_equal(ipam_count(ipam, family).cooling, 2);
		assert_int_equal(ipam_next_free_s(ipam, family, 101), COOLDOWN_S - 1);
		assert_int_equal(ipam_take(ipam, family, 129, &a), -ENOSPC);
		assert_int_equal(ipam_take(ipam, family, 130, &a), 0);
		assert_true(ip_addr_eq(&a, &taken[4]));
		assert_int_equal(ipam_take(ipam, family, 139, &a), -ENOSPC);
		assert_int_equal(ipam_take(ipam, family, 140, &a), 0);
		assert_true(ip_addr_eq(&a, &taken[1]));
		assert_int_equal(ipam_next_free_s(ipam, family, 140), -1);
		ipam_free(ipam);
	}
}

static void
test_a_fresh_address_is_preferred_to_a_cooled_one(void **state)
{
	struct ipam *ipam = with_range("10.1.0.0/24");
	struct ip_addr a, b;

	assert_int_equal(ipam_take(ipam, V4, 0, &a), 0);
	ipam_release(ipam, &a, 0);
	assert_int_equal(ipam_take(ipam, V4, 10000, &b), 0);
	assert_addr(&b, "10.1.0.9");
	ipam_free(ipam);
}

static void
test_claims_after_a_restart(void **state)
{
	static const struct {
		const char *addr;
		int rc;
	} cases[] = {
		{ "10.1.0.9", 0 },
		{ "10.1.0.9", -EEXIST },
		{ "10.1.0.10", 0 },      /* was cooling */
		{ "10.1.0.4", -ERANGE }, /* the host's */
		{ "10.1.0.255", -ERANGE },
		{ "10.1.1.9", -ERANGE },
		{ "fd00::9", 0 },
		{ "fd00::4", -ERANGE },
		{ "fd00::1:0:9", -ERANGE }, /* beyond what is used of the range */
		{ "fd01::9", -ERANGE },
	};
	struct ipam *ipam = with_range("10.1.0.0/24");
	struct ip_prefix v6 = prefix("fd00::/64");
	struct ip_addr cooling[] = { addr("10.1.0.11"), addr("10.1.0.10"), addr("10.1.0.12") }, a;

	assert_int_equal(ipam_set_range(ipam, V6, &v6), 0);
	for (unsigned i = 0; i < 3; i++)
		ipam_release(ipam, &cooling[i], 5);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		a = addr(cases[i].addr);
		assert_int_equal(ipam_claim(ipam, &a), cases[i].rc);
	}
	assert_int_equal(ipam_count(ipam, V4).used, 2);
	assert_int_equal(ipam_count(ipam, V4).cooling, 2);
	assert_int_equal(ipam_count(ipam, V6).used, 1);
	/* fresh places skip what is claimed or cools */
	assert_int_equal(ipam_take(ipam, V4, 6, &a), 0);
	assert_addr(&a, "10.1.0.8");
	assert_int_equal(ipam_take(ipam, V4, 6, &a), 0);
	assert_addr(&a, "10.1.0.13");
	ipam_free(ipam);
}

/* Random takes and releases against a plain model: no address twice at a time, none before its cool-down,
 * counts add up. */
static void
test_no_address_is_ever_given_twice(void **state)
{
	static const char *const ranges[] = { "10.1.0.0/26", "fd00::/122" };

	srand(7);
	for (unsigned i = 0; i < 2; i++) {
		enum family_index family = family_of(ranges[i]);
		struct ipam *ipam = with_range(ranges[i]);
		struct ip_prefix p = prefix(ranges[i]);
		bool used[64] = { false };
		int64_t released[64], now_s = 0;
		uint32_t n_used = 0;

		for (unsigned k = 0; k < 64; k++)
			released[k] = -1000;
		for (unsigned step = 0; step < 20000; step++) {
			struct ip_addr a;
			unsigned k;

			now_s += rand() % 3;
			if (rand() % 2 == 0 && ipam_take(ipam, family, now_s, &a) == 0) {
				k = a.b[15] & 63;
				assert_true(ip_prefix_contains(&p, &a));
				assert_true(k >= IPAM_RESERVED);
				assert_false(used[k]);
				assert_true(now_s - released[k] >= COOLDOWN_S);
				used[k] = true;
				n_used++;
			} else {
				k = (unsigned)rand() % 64;
				a = p.addr;
				a.b[15] |= (uint8_t)k;
				if (used[k]) {
					ipam_release(ipam, &a, now_s);
					used[k] = false;
					released[k] = now_s;
					n_used--;
				}
			}
			assert_int_equal(ipam_count(ipam, family).used, n_used);
		}
		ipam_free(ipam);
	}
}

static void
test_shortage_is_told_at_80_percent(void **state)
{
	static const struct {
		struct ipam_counts counts;
		bool is_short;
	} cases[] = {
		{ { 10, 7, 3 }, false },
		{ { 10, 8, 0 }, true },
		{ { 247, 197, 0 }, false },
		{ { 247, 198, 0 }, true },
		{ { 0, 0, 0 }, false },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(ipam_is_short(&cases[i].counts), cases[i].is_short);
}

static void
test_a_clock_set_back_delays_by_one_cooldown_at_most(void **state)
{
	struct ipam *ipam = with_range("10.1.0.0/28");
	struct ip_addr first, a;

	assert_int_equal(ipam_take(ipam, V4, 1000000, &first), 0);
	while (ipam_take(ipam, V4, 1000000, &a) == 0)
		;
	ipam_release(ipam, &first, 1000000);
	assert_int_equal(ipam_take(ipam, V4, 1000, &a), -ENOSPC);
	assert_int_equal(ipam_take(ipam, V4, 1000 + COOLDOWN_S - 1, &a), -ENOSPC);
	assert_int_equal(ipam_take(ipam, V4, 1000 + COOLDOWN_S, &a), 0);
	assert_true(ip_addr_eq(&a, &first));
	ipam_free(ipam);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges_and_their_edges),
		cmocka_unit_test(test_a_released_address_cools_down_and_the_longest_free_comes_first),
		cmocka_unit_test(test_a_fresh_address_is_preferred_to_a_cooled_one),
		cmocka_unit_test(test_claims_after_a_restart),
		cmocka_unit_test(test_no_address_is_ever_given_twice),
		cmocka_unit_test(test_shortage_is_told_at_80_percent),
		cmocka_unit_test(test_a_clock_set_back_delays_by_one_cooldown_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
