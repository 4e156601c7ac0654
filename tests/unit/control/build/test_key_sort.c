/* Digits sort as comparisons do, and what has one key stays in order. */
#include "control/build/key_sort.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define N 500

static int
compare(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;

	if (x->high != y->high)
		return x->high < y->high ? -1 : 1;
	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static uint64_t
draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void
any_keys_come_into_order(void **state)
{
	static const uint64_t masks[][2] = { { 0, 0 }, { 0, 0xffff }, { 0, 0xff00ff }, { UINT64_MAX, 0 },
		{ UINT64_MAX, UINT64_MAX }, { 0x7000000000000000, 3 }, { 0, 0x8000000000000001 } };
	struct sort_key keys[N], scratch[N], wanted[N];
	uint64_t seed = 1;

	for (size_t m = 0; m < sizeof(masks) / sizeof(masks[0]); m++)
		for (size_t n = 0; n <= N; n += n < 3 ? 1 : 71) {
			for (uint32_t i = 0; i < n; i++)
				keys[i] = wanted[i] = (struct sort_key){ draw(&seed) & masks[m][0],
					(draw(&seed) & masks[m][1]) | 1 << 20, i };
			key_sort(keys, scratch, n);
			qsort(wanted, n, sizeof(*wanted), compare);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(compare(&keys[i], &wanted[i]), 0);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(any_keys_come_into_order) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
