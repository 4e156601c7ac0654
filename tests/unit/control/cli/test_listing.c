/* What a list in the daemon's answer looks like. */
#include "control/cli/listing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct listing_column columns[] = {
	{ { "NAME", LEFT, 0 }, "name", NULL },
	{ { "AT", LEFT, 0 }, NULL, endpoint_text },
	{ { "N", RIGHT, 0 }, "n", NULL },
	{ { "TAGS", LEFT, 0 }, "tags", NULL },
	{ { "STATE", LEFT, 0 }, NULL, endpoint_state_text },
};

static char *
printed(const char *empty, const char *rows)
{
	struct listing l = { empty, 5, columns };
	json_t *doc = json_loads(rows, 0, NULL);
	struct cli cli = { 0 };
	char *text;
	size_t size;

	assert_non_null(doc);
	cli.out = open_memstream(&text, &size);
	listing_print(&cli, &l, doc);
	fclose(cli.out);
	json_decref(doc);
	return text;
}

static void
test_rows(void **state)
{
	char *text = printed("nothing",
		"[{\"name\": \"a\", \"address\": \"10.0.0.1\", \"port\": 80, \"n\": 7, \"tags\": [\"x\", "
		"\"y\"],"
		"  \"ready\": true},"
		" {\"name\": null, \"address\": \"fd00::1\", \"port\": 81, \"n\": 12, \"serving\": true,"
		"  \"terminating\": true},"
		" {\"name\": \"c\", \"address\": \"fd00::2\", \"port\": 1, \"n\": 0, \"terminating\": true},"
		" {\"name\": \"d\", \"address\": \"fd00::3\", \"port\": 1, \"n\": 0}]");

	assert_string_equal(text, "NAME  AT             N  TAGS  STATE\n"
				  "a     10.0.0.1:80    7  x, y  ready\n"
				  "-     [fd00::1]:81  12  -     terminating, serving\n"
				  "c     [fd00::2]:1    0  -     terminating\n"
				  "d     [fd00::3]:1    0  -     not ready\n");
	free(text);
}

static void
test_no_rows(void **state)
{
	char *text = printed("nothing is here", "[]");

	assert_string_equal(text, "nothing is here\n");
	free(text);
	text = printed(NULL, "[]");
	assert_string_equal(text, "");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_no_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
