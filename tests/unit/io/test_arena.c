/* dataplane/io/arena.h */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "dataplane/io/arena.h"

#define SIZE (1u << 20)

struct file {
	char dir[32], path[64];
};

static int
make_dir(void **state)
{
	struct file *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/test_arena.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/arena", f->dir);
	*state = f;
	return 0;
}

static int
remove_dir(void **state)
{
	struct file *f = *state;

	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static struct arena *
open_arena(void **state, size_t size)
{
	struct file *f = *state;
	struct arena *a = NULL;

	assert_int_equal(arena_open(&a, f->path, size, -1), 0);
	return a;
}

static void
regions_are_found_again(void **state)
{
	struct arena *a = open_arena(state, SIZE);
	bool is_new;
	uint8_t *x = arena_region(a, "roles/1", 1000, &is_new);
	uint8_t *y;

	assert_true(is_new);
	y = arena_region(a, "roles/2", 64, &is_new);
	assert_true(is_new);
	assert_true((uintptr_t)x % 64 == 0 && (uintptr_t)y % 64 == 0);
	assert_true(y >= x + 1000 || x >= y + 64);
	memset(x, 0x11, 1000);
	memset(y, 0x22, 64);
	arena_close(a);

	a = open_arena(state, SIZE);
	x = arena_region(a, "roles/1", 1000, &is_new);
	assert_false(is_new);
	assert_int_equal(x[0], 0x11);
	assert_int_equal(x[999], 0x11);
	y = arena_region(a, "roles/2", 64, &is_new);
	assert_false(is_new);
	assert_int_equal(y[63], 0x22);
	arena_close(a);
}

static void
another_size_is_another_region(void **state)
{
	struct arena *a = open_arena(state, SIZE);
	bool is_new;
	uint8_t *x = arena_region(a, "x", 100, NULL);

	memset(x, 0xff, 100);
	x = arena_region(a, "x", 200, &is_new);
	assert_true(is_new);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(x[i], 0);
	arena_close(a);
}

static void
released_room_is_used_again(void **state)
{
	struct arena *a = open_arena(state, SIZE);
	char name[32];

	/* thrice what would fit without reuse */
	for (unsigned i = 0; i < 3 * SIZE / 4096; i++) {
		bool is_new;
		uint8_t *x;

		snprintf(name, sizeof(name), "pod-%u", i);
		x = arena_region(a, name, 4096, &is_new);
		assert_non_null(x);
		assert_true(is_new);
		assert_int_equal(x[17], 0);
		memset(x, 0xaa, 4096);
		arena_release(a, name);
	}
	arena_close(a);
}

static void
a_full_arena_refuses(void **state)
{
	struct arena *a = open_arena(state, SIZE);

	assert_null(arena_region(a, "too much", SIZE, NULL));
	assert_null(arena_region(a, "overflow", SIZE_MAX, NULL));
	assert_null(arena_region(a, "", 64, NULL));
	assert_null(arena_region(a, "a name that is longer than a name of a region can be", 64, NULL));
	assert_non_null(arena_region(a, "fits", 64, NULL));
	arena_close(a);
}

static void
one_process_at_a_time(void **state)
{
	struct file *f = *state;
	struct arena *a = open_arena(state, SIZE);
	struct arena *second = NULL;

	assert_int_equal(arena_open(&second, f->path, SIZE, -1), -EBUSY);
	assert_null(second);
	arena_close(a);
}

static void
a_damaged_file_is_emptied(void **state)
{
	static const struct {
		off_t at;
		uint64_t value;
	} damages[] = {
		{ 0, 1 },                /* magic */
		{ 8, SIZE + 1 },         /* size */
		{ 16, UINT64_MAX },      /* used */
		{ 24, 1u << 20 },        /* number of regions */
		{ 32 + 48, UINT64_MAX }, /* a region's offset */
		{ 32 + 56, UINT64_MAX }, /* a region's size */
	};
	struct file *f = *state;

	for (unsigned i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct arena *a = open_arena(state, SIZE);
		bool is_new;
		int fd;

		memset(arena_region(a, "x", 100, NULL), 0xff, 100);
		arena_close(a);
		fd = open(f->path, O_WRONLY);
		assert_int_equal(pwrite(fd, &damages[i].value, 8, damages[i].at), 8);
		close(fd);
		a = open_arena(state, SIZE);
		assert_int_equal(((uint8_t *)arena_region(a, "x", 100, &is_new))[0], 0);
		assert_true(is_new);
		arena_close(a);
	}
}

static void
another_size_of_file_is_emptied(void **state)
{
	struct arena *a = open_arena(state, SIZE);
	bool is_new;

	arena_region(a, "x", 100, NULL);
	arena_close(a);
	a = open_arena(state, 2 * SIZE);
	arena_region(a, "x", 100, &is_new);
	assert_true(is_new);
	arena_close(a);
}

static void
release_if_odd(void *arg, const char *name)
{
	if (name[0] == 'o')
		arena_release(arg, name);
}

static void
count_region(void *arg, const char *name)
{
	++*(unsigned *)arg;
}

static void
regions_of_the_gone_can_be_released(void **state)
{
	struct arena *a = open_arena(state, SIZE);
	unsigned n = 0;

	arena_region(a, "odd", 64, NULL);
	arena_region(a, "even", 64, NULL);
	arena_region(a, "odder", 64, NULL);
	arena_each(a, release_if_odd, a);
	arena_each(a, count_region, &n);
	assert_int_equal(n, 1);
	arena_close(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(regions_are_found_again, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(another_size_is_another_region, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(released_room_is_used_again, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_full_arena_refuses, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(one_process_at_a_time, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_damaged_file_is_emptied, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(another_size_of_file_is_emptied, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(regions_of_the_gone_can_be_released, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
