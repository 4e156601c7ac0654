#include "control/source/api/api_backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
test_waits_grow_within_bounds(void **state)
{
	uint32_t longest = 0;

	for (uint64_t seed = 0; seed < 1000; seed++) {
		struct api_backoff b;
		uint32_t before = API_BACKOFF_MIN_MS;

		api_backoff_init(&b, seed * 0x9e3779b97f4a7c15);
		for (int i = 0; i < 30; i++) {
			uint32_t ms = api_backoff_next(&b);

			assert_in_range(ms, API_BACKOFF_MIN_MS, API_BACKOFF_MAX_MS);
			assert_true(ms <= 3 * before);
			before = ms;
			longest = ms > longest ? ms : longest;
		}
		api_backoff_reset(&b);
		assert_in_range(api_backoff_next(&b), API_BACKOFF_MIN_MS, 3 * API_BACKOFF_MIN_MS);
	}
	assert_true(longest > API_BACKOFF_MAX_MS * 9 / 10);
}

/* A cluster's nodes must not come back in step. */
static void
test_nodes_differ(void **state)
{
	unsigned buckets[10] = { 0 };

	for (uint64_t seed = 1; seed <= 1000; seed++) {
		struct api_backoff b;

		api_backoff_init(&b, seed * 0x9e3779b97f4a7c15);
		buckets[(api_backoff_next(&b) - API_BACKOFF_MIN_MS) * 10 / (2 * API_BACKOFF_MIN_MS + 1)]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(buckets[i], 50, 150);
}

static void
test_what_the_server_asks_for(void **state)
{
	struct api_backoff b;

	for (uint64_t seed = 1; seed < 200; seed++) {
		api_backoff_init(&b, seed);
		assert_in_range(api_backoff_after(&b, 20), 20000, 25000);
		assert_in_range(api_backoff_after(&b, 0), API_BACKOFF_MIN_MS, API_BACKOFF_MAX_MS);
		assert_in_range(api_backoff_after(&b, UINT32_MAX), API_RETRY_AFTER_MAX_S * 1000,
			API_RETRY_AFTER_MAX_S * 1250);
	}
}

static void
test_random_numbers_have_both_ends(void **state)
{
	struct api_backoff b;
	unsigned seen = 0;

	api_backoff_init(&b, 0);
	for (int i = 0; i < 1000; i++) {
		uint32_t n = api_backoff_random(&b, 3, 6);

		assert_in_range(n, 3, 6);
		seen |= 1u << n;
	}
	assert_int_equal(seen, 0x78);
	assert_int_equal(api_backoff_random(&b, 5, 5), 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_grow_within_bounds),
		cmocka_unit_test(test_nodes_differ),
		cmocka_unit_test(test_what_the_server_asks_for),
		cmocka_unit_test(test_random_numbers_have_both_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
