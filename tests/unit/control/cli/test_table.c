/* The tables that `ringway` prints for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/table.h"

static const struct column pods[] = {
	{ "POD", LEFT, 6 },
	{ "ADDRESSES", LEFT, 10 },
	{ "DROPS", RIGHT, 0 },
};

static char *
printed(const struct table *t, unsigned width)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	table_print(t, f, width);
	fclose(f);
	return text;
}

static void
assert_prints(const struct table *t, unsigned width, const char *expected)
{
	char *text = printed(t, width);

	assert_string_equal(text, expected);
	free(text);
}

static struct table *
two_pods(void)
{
	struct table *t = table_new(pods, 3);

	table_cell(t, "default/web-0");
	table_cell(t, "10.244.1.2, fd00:10:244:1::2");
	table_cell(t, "%d", 7);
	table_cell(t, "a/b");
	table_cell(t, "%s", "");
	table_cell(t, "%d", 12345678);
	return t;
}

static void
columns_are_aligned(void **state)
{
	struct table *t = two_pods();

	assert_int_equal(table_rows(t), 2);
	assert_prints(t, 0,
		"POD            ADDRESSES                        DROPS\n"
		"default/web-0  10.244.1.2, fd00:10:244:1::2         7\n"
		"a/b            -                             12345678\n");
	table_free(t);
}

static void
a_wide_enough_terminal_changes_nothing(void **state)
{
	struct table *t = two_pods();
	char *unlimited = printed(t, 0);

	assert_prints(t, 53, unlimited);
	assert_prints(t, 500, unlimited);
	free(unlimited);
	table_free(t);
}

/* The widest gives way first, numbers never, and what was cut is marked. */
static void
a_narrow_terminal_cuts_what_may_be_cut(void **state)
{
	struct table *t = two_pods();

	assert_prints(t, 40,
		"POD            ADDRESSES           DROPS\n"
		"default/web-0  10.244.1.2, fd…         7\n"
		"a/b            -                12345678\n");
	assert_prints(t, 1,
		"POD     ADDRESSES      DROPS\n"
		"defau…  10.244.1.…         7\n"
		"a/b     -           12345678\n");
	table_free(t);
}

static void
no_line_is_wider_than_the_terminal(void **state)
{
	struct table *t = two_pods();

	for (unsigned width = 28; width < 60; width++) {
		char *text = printed(t, width);

		for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
			assert_in_range(table_text_width(line), 1, width);
		free(text);
	}
	table_free(t);
}

static void
characters_count_not_bytes(void **state)
{
	static const struct column columns[] = { { "NAME", LEFT, 3 }, { "N", RIGHT, 0 } };
	struct table *t = table_new(columns, 2);

	table_cell(t, "äöüßé");
	table_cell(t, "1");
	table_cell(t, "abcde");
	table_cell(t, "2");
	assert_int_equal(table_text_width("äöüßé"), 5);
	assert_prints(t, 0, "NAME   N\näöüßé  1\nabcde  2\n");
	assert_prints(t, 7, "NAME  N\näöü…  1\nabc…  2\n");
	table_free(t);
}

static void
without_titles_there_is_no_heading(void **state)
{
	static const struct column columns[] = { { NULL, LEFT, 0 }, { NULL, LEFT, 0 } };
	struct table *t = table_new(columns, 2);

	table_cell(t, "Node");
	table_cell(t, "node-a");
	table_cell(t, "Uplink");
	table_cell(t, "eth0");
	assert_prints(t, 0, "Node    node-a\nUplink  eth0\n");
	table_free(t);
}

static void
an_empty_table_has_its_heading_only(void **state)
{
	struct table *t = table_new(pods, 3);

	assert_int_equal(table_rows(t), 0);
	assert_prints(t, 0, "POD  ADDRESSES  DROPS\n");
	table_free(t);
	table_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_aligned),
		cmocka_unit_test(a_wide_enough_terminal_changes_nothing),
		cmocka_unit_test(a_narrow_terminal_cuts_what_may_be_cut),
		cmocka_unit_test(no_line_is_wider_than_the_terminal),
		cmocka_unit_test(characters_count_not_bytes),
		cmocka_unit_test(without_titles_there_is_no_heading),
		cmocka_unit_test(an_empty_table_has_its_heading_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
