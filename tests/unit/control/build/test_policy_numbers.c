/* Numbers are used again, and what they counted for others is not told of their next owner. */
#include "control/build/policy_numbers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/policy/policy_table.h"

static uint64_t counts[POLICY_NUMBERS];

static uint64_t
counted(uint32_t number, void *arg)
{
	return ((uint64_t *)arg)[number];
}

static void
a_number_counts_from_when_it_is_taken(void **state)
{
	const struct policy_number what = { .ns = "shop", .name = "a", .rule = 1 };
	struct policy_numbers *n = policy_numbers_new();
	uint32_t first, other, again = 0;

	first = policy_numbers_take(n, &what);
	counts[first] = 7;
	assert_int_equal(policy_numbers_hits(n, first), 0); /* nobody knows yet */
	policy_numbers_count_by(n, counted, counts);
	assert_int_equal(policy_numbers_hits(n, first), 7);
	policy_numbers_give(n, first);
	assert_int_equal(policy_numbers_hits(n, first), 0);
	other = policy_numbers_take(n, &what);
	assert_int_not_equal(other, first); /* it rests */
	for (unsigned i = 0; i < POLICY_NUMBERS && again != first; i++) {
		policy_numbers_give(n, again);
		again = policy_numbers_take(n, &what);
	}
	assert_int_equal(again, first);
	assert_int_equal(policy_numbers_hits(n, first), 0);
	counts[first] += 5;
	assert_int_equal(policy_numbers_hits(n, first), 5);
	assert_int_equal(policy_numbers_hits(n, 0), 0);
	policy_numbers_free(n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_counts_from_when_it_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
