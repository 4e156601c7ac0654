#include "control/source/api/api_saved.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/log.h"
#include "control/loop.h"

struct fixture {
	struct loop *loop;
	char dir[64], path[128];
};

static void
quiet(enum log_level level, const char *line, void *arg)
{
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	log_set_sink(quiet, NULL);
	strcpy(f->dir, "/tmp/ringway-saved.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/%s", f->dir, API_SAVED_FILE);
	f->loop = loop_new();
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	loop_free(f->loop);
	unlink(f->path);
	rmdir(f->dir);
	log_set_sink(NULL, NULL);
	free(f);
	return 0;
}

static struct api_saved *
open_as(struct fixture *f, const char *server, const char *node)
{
	struct api_saved *s = api_saved_open(f->loop, f->path, server, node);

	assert_non_null(s);
	return s;
}

static void
put(struct api_saved *s, enum object_kind kind, const char *name, const char *text)
{
	api_saved_put(s, kind, "default", name, "v1", text, strlen(text));
}

static int
collect(const char *api_version, const char *text, size_t size, void *arg)
{
	assert_string_equal(api_version, "v1");
	strncat(strcat(arg, " "), text, size);
	return 0;
}

static void
check(struct api_saved *s, enum object_kind kind, const char *wanted)
{
	char found[256] = "";

	assert_int_equal(api_saved_each(s, kind, collect, found), 0);
	assert_string_equal(found, wanted);
}

static void
test_what_was_put_is_there_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct api_saved *s = open_as(f, "https://a", "n");
	struct stat st;

	assert_int_equal(api_saved_time(s), 0);
	put(s, OBJECT_SERVICE, "x", "one");
	put(s, OBJECT_SERVICE, "y", "two");
	put(s, OBJECT_POD, "x", "pod");
	put(s, OBJECT_SERVICE, "x", "one again");
	api_saved_note_complete(s);
	assert_true(api_saved_time(s) > 0);
	put(s, OBJECT_SERVICE, "z", "late");
	api_saved_remove(s, OBJECT_SERVICE, "default", "y");
	api_saved_remove(s, OBJECT_SERVICE, "default", "none");
	api_saved_close(s);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	s = open_as(f, "https://a", "n");
	assert_true(api_saved_time(s) > 0);
	check(s, OBJECT_SERVICE, " one again late");
	check(s, OBJECT_POD, " pod");
	check(s, OBJECT_NODE, "");
	api_saved_close(s);
}

static bool
is_b(const char *ns, const char *name, void *arg)
{
	++*(unsigned *)arg;
	return strcmp(ns, "default") == 0 && strcmp(name, "b") == 0;
}

static void
test_what_is_not_there_is_swept(void **state)
{
	struct fixture *f = *state;
	struct api_saved *s = open_as(f, "https://a", "n");
	unsigned n = 0;

	put(s, OBJECT_SERVICE, "a", "a");
	put(s, OBJECT_SERVICE, "b", "b");
	put(s, OBJECT_SERVICE, "c", "c");
	put(s, OBJECT_POD, "c", "c");
	api_saved_sweep(s, OBJECT_SERVICE, is_b, &n);
	assert_int_equal(n, 3);
	check(s, OBJECT_SERVICE, " b");
	check(s, OBJECT_POD, " c");
	api_saved_close(s);
}

/* Before all kinds were listed once, what there is would look like a cluster that lost the rest. */
static void
test_a_part_is_nothing_to_begin_with(void **state)
{
	struct fixture *f = *state;
	struct api_saved *s = open_as(f, "https://a", "n");

	put(s, OBJECT_SERVICE, "a", "a");
	api_saved_close(s);
	s = open_as(f, "https://a", "n");
	assert_int_equal(api_saved_time(s), 0);
	api_saved_close(s);
}

static void
test_others_are_thrown_away(void **state)
{
	static const char *const others[][2] = { { "https://b", "n" }, { "https://b", "m" } };
	struct fixture *f = *state;
	struct api_saved *s = open_as(f, "https://a", "n");

	for (size_t i = 0; i < 2; i++) {
		put(s, OBJECT_SERVICE, "a", "a");
		api_saved_note_complete(s);
		api_saved_close(s);
		s = open_as(f, others[i][0], others[i][1]);
		assert_int_equal(api_saved_time(s), 0);
		check(s, OBJECT_SERVICE, "");
	}
	api_saved_close(s);
}

static void
test_what_is_damaged_is_begun_anew(void **state)
{
	static const char noise[8192] = "this is no database";
	struct fixture *f = *state;
	int fd = open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct api_saved *s;

	assert_int_equal(write(fd, noise, sizeof(noise)), sizeof(noise));
	close(fd);
	s = open_as(f, "https://a", "n");
	put(s, OBJECT_SERVICE, "a", "a");
	api_saved_note_complete(s);
	api_saved_close(s);
	/* its first pages are good, and the rest is gone */
	assert_int_equal(truncate(f->path, 4096), 0);
	s = open_as(f, "https://a", "n");
	assert_int_equal(api_saved_time(s), 0);
	check(s, OBJECT_SERVICE, "");
	api_saved_close(s);
	/* nowhere to put it */
	assert_null(api_saved_open(f->loop, "/proc/ringway/objects.db", "https://a", "n"));
}

/* When it was saved must not be said of what nobody has told since. */
static void
test_a_part_is_not_of_now(void **state)
{
	struct fixture *f = *state;
	struct api_saved *s = open_as(f, "https://a", "n");
	sqlite3 *db;

	put(s, OBJECT_SERVICE, "a", "a");
	api_saved_note_complete(s);
	api_saved_close(s);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE meta SET value = 7 WHERE key = 'time'", NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	s = open_as(f, "https://a", "n");
	put(s, OBJECT_SERVICE, "b", "b");
	api_saved_close(s);
	s = open_as(f, "https://a", "n");
	assert_int_equal(api_saved_time(s), 7);
	api_saved_note_complete(s);
	assert_true(api_saved_time(s) > 7);
	api_saved_close(s);
}

/* A version of the program that means something else by it. */
static void
test_another_format_is_thrown_away(void **state)
{
	struct fixture *f = *state;
	struct api_saved *s = open_as(f, "https://a", "n");
	sqlite3 *db;

	put(s, OBJECT_SERVICE, "a", "a");
	api_saved_note_complete(s);
	api_saved_close(s);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "DELETE FROM meta WHERE key = 'format'", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	s = open_as(f, "https://a", "n");
	assert_int_equal(api_saved_time(s), 0);
	check(s, OBJECT_SERVICE, "");
	api_saved_close(s);
}

static void
test_what_somebody_looks_into_stays(void **state)
{
	struct fixture *f = *state;
	struct api_saved *s = open_as(f, "https://a", "n");

	put(s, OBJECT_SERVICE, "a", "a");
	api_saved_note_complete(s);
	assert_null(api_saved_open(f->loop, f->path, "https://a", "n"));
	api_saved_close(s);
	s = open_as(f, "https://a", "n");
	check(s, OBJECT_SERVICE, " a");
	api_saved_close(s);
}

static void
test_what_cannot_be_written_is_as_it_was(void **state)
{
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY },
			    all = { .rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY };
	struct fixture *f = *state;
	struct api_saved *s = open_as(f, "https://a", "n");

	put(s, OBJECT_SERVICE, "a", "a");
	api_saved_note_complete(s);
	api_saved_close(s);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	s = open_as(f, "https://a", "n");
	put(s, OBJECT_SERVICE, "b", "b");
	api_saved_note_complete(s);
	assert_true(api_saved_time(s) > 0);
	check(s, OBJECT_SERVICE, " a");
	api_saved_close(s);
	/* another's cannot be thrown away */
	assert_null(api_saved_open(f->loop, f->path, "https://b", "n"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
}

static int
refuse(const char *api_version, const char *text, size_t size, void *arg)
{
	++*(unsigned *)arg;
	return -EINVAL;
}

static int
ignore(const char *api_version, const char *text, size_t size, void *arg)
{
	return 0;
}

/* A policy may be missing. */
static void
test_what_cannot_be_read_is_told(void **state)
{
	enum { SIZE = 8 << 20, GOOD = 64 << 10 };
	char *noise = malloc(SIZE);
	struct fixture *f = *state;
	struct api_saved *s = open_as(f, "https://a", "n");
	unsigned n = 0;
	int fd;

	memset(noise, 'x', SIZE);
	put(s, OBJECT_SERVICE, "a", "a");
	put(s, OBJECT_SERVICE, "b", "b");
	for (int i = 0; i < 1024; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%d", i);
		api_saved_put(s, OBJECT_POD, "default", name, "v1", noise, SIZE / 1024);
	}
	put(s, OBJECT_NODE, "last", "last");
	api_saved_note_complete(s);
	api_saved_close(s);
	s = open_as(f, "https://a", "n");
	assert_int_equal(api_saved_each(s, OBJECT_SERVICE, refuse, &n), -EINVAL);
	assert_int_equal(n, 1);
	/* the disk forgets */
	fd = open(f->path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, noise, SIZE - GOOD, GOOD), SIZE - GOOD);
	assert_int_equal(api_saved_each(s, OBJECT_POD, ignore, NULL), -EIO);
	close(fd);
	api_saved_close(s);
	free(noise);
}

static void
test_without_a_file(void **state)
{
	put(NULL, OBJECT_SERVICE, "a", "a");
	api_saved_remove(NULL, OBJECT_SERVICE, "default", "a");
	api_saved_sweep(NULL, OBJECT_SERVICE, is_b, NULL);
	api_saved_note_complete(NULL);
	assert_int_equal(api_saved_time(NULL), 0);
	check(NULL, OBJECT_SERVICE, "");
	api_saved_close(NULL);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_what_was_put_is_there_after_a_restart),
		TEST(test_what_is_not_there_is_swept),
		TEST(test_a_part_is_nothing_to_begin_with),
		TEST(test_others_are_thrown_away),
		TEST(test_what_is_damaged_is_begun_anew),
		TEST(test_a_part_is_not_of_now),
		TEST(test_another_format_is_thrown_away),
		TEST(test_what_somebody_looks_into_stays),
		TEST(test_what_cannot_be_written_is_as_it_was),
		TEST(test_what_cannot_be_read_is_told),
		TEST(test_without_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
