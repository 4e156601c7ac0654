#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "dataplane/service/piece_pool.h"

#define N_PIECES 200

static const size_t sizes[] = { 1, 64, 65, 512, 513, 832, 4096, 65536, 65537, 1 << 20, (1 << 20) + 1,
	5 << 20 };
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void
rounding_wastes_a_quarter_at_most(void **state)
{
	for (size_t size = 512; size <= 1 << 20; size += size / 7) {
		assert_true(piece_footprint(size) >= size);
		assert_true(piece_footprint(size) <= size + size / 4);
	}
}

/* Pieces do not overlap, begin on cache lines, and the books balance. */
static void
pieces_come_and_go(void **state)
{
	struct piece_pool *p = piece_pool_new();
	struct {
		uint8_t *memory;
		size_t size;
	} pieces[N_PIECES] = { 0 };
	uint32_t seed = 1;
	size_t used = 0;

	for (unsigned step = 0; step < 5000; step++) {
		unsigned i = (seed = seed * 1664525 + 1013904223) >> 8, size = (seed >> 16) % N_SIZES;

		i %= N_PIECES;
		if (pieces[i].memory != NULL) {
			assert_int_equal(pieces[i].memory[0], i);
			assert_int_equal(pieces[i].memory[pieces[i].size - 1], i);
			piece_free(p, pieces[i].memory, pieces[i].size);
			used -= piece_footprint(pieces[i].size);
			pieces[i].memory = NULL;
			continue;
		}
		if (sizes[size] >= 1 << 20 && step % 8 != 0)
			continue; /* few large ones */
		pieces[i].size = sizes[size];
		pieces[i].memory = piece_alloc(p, sizes[size]);
		assert_non_null(pieces[i].memory);
		assert_int_equal((uintptr_t)pieces[i].memory % 64, 0);
		pieces[i].memory[0] = pieces[i].memory[sizes[size] - 1] = (uint8_t)i;
		used += piece_footprint(sizes[size]);
		assert_int_equal(piece_pool_books(p).used_bytes, used);
		assert_true(piece_pool_books(p).reserved_bytes >= used);
	}
	for (unsigned i = 0; i < N_PIECES; i++)
		piece_free(p, pieces[i].memory, pieces[i].size);
	assert_int_equal(piece_pool_books(p).used_bytes, 0);
	assert_int_equal(piece_pool_books(p).n_pieces, 0);
	piece_pool_free(p);
}

static void
a_freed_piece_serves_the_next(void **state)
{
	struct piece_pool *p = piece_pool_new();

	for (unsigned i = 0; i < 100000; i++)
		piece_free(p, piece_alloc(p, 65536), 65536);
	assert_true(piece_pool_books(p).reserved_bytes <= 4 << 20);
	piece_free(p, NULL, 64);
	piece_pool_free(p);
	piece_pool_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rounding_wastes_a_quarter_at_most),
		cmocka_unit_test(pieces_come_and_go),
		cmocka_unit_test(a_freed_piece_serves_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
