/* What is sorted is in order, is what was given, and of one key stays in order. */
#include "control/build/key_sort.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#define N 500

static unsigned __int128
key_of(const struct sort_key *k)
{
	return (unsigned __int128)k->high << 64 | k->low;
}

/* Each of the given keys is there once, none before a lesser one, nor before an equal one that was given earlier. */
static void
assert_sorted(const struct sort_key *keys, const struct sort_key *given, size_t n)
{
	bool seen[N] = { false };

	for (size_t i = 0; i < n; i++) {
		uint32_t index = keys[i].index;

		assert_true(index < n && !seen[index]);
		seen[index] = true;
		assert_true(key_of(&keys[i]) == key_of(&given[index]));
		if (i == 0)
			continue;
		assert_true(key_of(&keys[i - 1]) <= key_of(&keys[i]));
		if (key_of(&keys[i - 1]) == key_of(&keys[i]))
			assert_true(keys[i - 1].index < index);
	}
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
	struct sort_key keys[N], scratch[N], given[N];
	uint64_t seed = 1;

	for (size_t m = 0; m < sizeof(masks) / sizeof(masks[0]); m++)
		for (size_t n = 0; n <= N; n += n < 3 ? 1 : 71) {
			for (uint32_t i = 0; i < n; i++)
				keys[i] = given[i] = (struct sort_key){ draw(&seed) & masks[m][0],
					(draw(&seed) & masks[m][1]) | 1 << 20, i };
			key_sort(keys, scratch, n);
			assert_sorted(keys, given, n);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(any_keys_come_into_order) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
