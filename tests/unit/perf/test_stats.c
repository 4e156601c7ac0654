#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "perf/stats.h"

static void
a_bin_holds_its_values_to_a_thirtysecond(void **state)
{
	for (uint64_t value = 1; value < UINT64_MAX / 8; value += value / 2 + 1) {
		unsigned bin = hist_bin(value);
		uint64_t floor = hist_bin_floor(bin);

		assert_true(bin < HIST_BINS);
		assert_true(floor <= value);
		assert_true(hist_bin_floor(bin + 1) > value);
		assert_true(value - floor <= value / 32);
	}
	assert_true(hist_bin(UINT64_MAX) < HIST_BINS);
}

static void
bins_follow_each_other(void **state)
{
	for (unsigned bin = 0; bin < 1000; bin++)
		assert_int_equal(hist_bin(hist_bin_floor(bin)), bin);
}

static void
quantiles_are_those_of_the_values(void **state)
{
	struct hist *h = calloc(1, sizeof(*h)), *other = calloc(1, sizeof(*other));

	assert_true(hist_quantile(h, 0.5) == 0);
	for (uint64_t i = 1; i <= 500; i++)
		hist_add(h, i, 2);
	for (uint64_t i = 501; i <= 1000; i++)
		hist_add(other, i, 2);
	hist_merge(h, other);
	assert_int_equal(h->n, 2000);
	assert_true(abs((int)hist_quantile(h, 0.5) - 500) <= 500 / 32 + 1);
	assert_true(abs((int)hist_quantile(h, 0.99) - 990) <= 990 / 32 + 1);
	assert_true(hist_quantile(h, 0) == 1);
	free(h);
	free(other);
}

static void
the_median_is_the_middle(void **state)
{
	double odd[] = { 9, 1, 5 }, even[] = { 4, 1, 3, 2 };

	assert_true(median(odd, 3) == 5);
	assert_true(median(even, 4) == 2.5);
	assert_true(median(NULL, 0) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bin_holds_its_values_to_a_thirtysecond),
		cmocka_unit_test(bins_follow_each_other),
		cmocka_unit_test(quantiles_are_those_of_the_values),
		cmocka_unit_test(the_median_is_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
