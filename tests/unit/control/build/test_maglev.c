/* Properties of the fill: even, few changes, nothing but the backends matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/build/maglev.h"
#include "dataplane/net/flow_key.h"

#define N_MAX 1000

/* The hashes of n backends of either family; 'without' is left out. */
static void
hash_backends(uint32_t *hashes, unsigned n, unsigned without, bool v4)
{
	struct ip_addr a;
	unsigned kept = 0;

	assert_true(ip_addr_parse(v4 ? "10.244.0.0" : "fd00:10:244::", &a));
	for (unsigned i = 0; i <= n && kept < n; i++) {
		a.b[15] = (uint8_t)i;
		a.b[14] = (uint8_t)(i >> 8);
		if (i != without)
			hashes[kept++] = addr_hash(&a, 8080, 6);
	}
}

static const unsigned sizes[] = { 1, 2, 3, 7, 10, 16, 17, 100, N_MAX };
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void
every_backend_has_an_even_share(void **state)
{
	static uint32_t hashes[N_MAX + 1], scratch[2 * N_MAX];

	for (unsigned k = 0; k < 2 * N_SIZES; k++) {
		unsigned n = sizes[k / 2], size = maglev_size(n), counts[N_MAX] = { 0 };
		uint16_t *buckets = malloc(size * sizeof(*buckets));

		assert_true(n == 1 ? size == 1 : size >= 16 * n && size >= 128 && (size & (size - 1)) == 0);
		hash_backends(hashes, n, n, k % 2);
		maglev_fill(buckets, size, hashes, n, scratch);
		for (unsigned i = 0; i < size; i++) {
			assert_true(buckets[i] < n);
			counts[buckets[i]]++;
		}
		for (unsigned i = 0; i < n; i++)
			assert_in_range(counts[i], size / n, (size + n - 1) / n);
		free(buckets);
	}
}

/* Buckets that change although neither their old nor their new backend had to: at most so many of 100. */
#define NEEDLESS_PERCENT 12

static void
a_backend_that_leaves_takes_little_along(void **state)
{
	static uint32_t before[N_MAX + 1], after[N_MAX + 1], scratch[2 * N_MAX];

	for (unsigned k = 2; k < 2 * N_SIZES; k++) {
		unsigned n = sizes[k / 2], size = maglev_size(n), worst = 0;
		uint16_t *old = malloc(size * sizeof(*old)), *new = malloc(size * sizeof(*new));

		hash_backends(before, n, n, k % 2);
		maglev_fill(old, size, before, n, scratch);
		for (unsigned leaver = 0; leaver < n && leaver < 20; leaver++) {
			unsigned needless = 0;

			memcpy(after, before, leaver * sizeof(*after));
			memcpy(after + leaver, before + leaver + 1, (n - leaver - 1) * sizeof(*after));
			maglev_fill(new, size, after, n - 1, scratch);
			for (unsigned i = 0; i < size; i++)
				needless += old[i] != leaver && before[old[i]] != after[new[i]];
			if (needless * 100 / size > worst)
				worst = needless * 100 / size;
		}
		print_message("%u backends, %u buckets: at most %u%% change needlessly\n", n, size, worst);
		assert_in_range(worst, 0, NEEDLESS_PERCENT);
		free(old);
		free(new);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_backend_has_an_even_share),
		cmocka_unit_test(a_backend_that_leaves_takes_little_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
