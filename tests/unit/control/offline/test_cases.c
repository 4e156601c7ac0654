#include "control/offline/cases.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/net/headers.h"

static char file[64];

static int
setup(void **state)
{
	int fd;

	strcpy(file, "/tmp/test_cases.XXXXXX");
	fd = mkstemp(file);
	return fd < 0 ? -1 : close(fd);
}

static int
teardown(void **state)
{
	return unlink(file);
}

/* What was written about errors; the caller's to free. */
static char *
read_cases(struct case_list *l, const char *text, int wanted)
{
	char *errors = NULL;
	size_t size;
	FILE *out = fopen(file, "w"), *stream = open_memstream(&errors, &size);

	fputs(text, out);
	fclose(out);
	assert_int_equal(case_list_read(l, file, stream), wanted);
	fclose(stream);
	return errors;
}

static void
cases_are_read(void **state)
{
	struct case_list l;
	char *errors = read_cases(&l,
		"{\"name\": \"a\", \"from\": \"x/y\", \"to\": \"10.0.0.1\", \"port\": 80, \"expected\": "
		"\"allow\"}\r\n"
		" \t\r\n"
		"{\"from\": \"x/y\", \"to\": \"x/z\", \"port\": \"dns\", \"protocol\": \"UDP\", "
		"\"expected\": \"deny\"}\n"
		"{\"from\": \"x/y\", \"to\": \"fd00::1\", \"protocol\": \"icmp\", \"expected\": \"deny\"}",
		0);

	assert_string_equal(errors, "");
	assert_int_equal(l.n, 3);
	assert_int_equal(l.n_errors, 0);
	assert_string_equal(l.items[0].name, "a");
	assert_string_equal(l.items[0].from, "x/y");
	assert_string_equal(l.items[0].to, "10.0.0.1");
	assert_int_equal(l.items[0].port, 80);
	assert_int_equal(l.items[0].proto, PROTO_TCP);
	assert_true(l.items[0].is_allow_expected);
	assert_int_equal(l.items[1].line, 3);
	assert_null(l.items[1].name);
	assert_string_equal(l.items[1].port_name, "dns");
	assert_int_equal(l.items[1].proto, PROTO_UDP);
	assert_false(l.items[1].is_allow_expected);
	assert_int_equal(l.items[2].proto, PROTO_ICMP);
	assert_int_equal(l.items[2].port, 0);
	case_list_fini(&l);
	free(errors);
}

#define ENDS "\"from\": \"x/y\", \"to\": \"x/z\""

static void
what_is_wrong_is_said_with_its_line(void **state)
{
	static const struct {
		const char *line, *message;
	} wrong[] = {
		{ "{" ENDS ", \"port\": 80, \"expected\": \"allow\"", "not a JSON object: " },
		{ "[]", "must be a JSON object" },
		{ "{\"to\": \"x/z\", \"port\": 80, \"expected\": \"allow\"}", "\"from\" is missing" },
		{ "{\"from\": 5, \"to\": \"x/z\", \"port\": 80, \"expected\": \"allow\"}",
			"\"from\" must be text" },
		{ "{\"from\": \"x/y\", \"to\": \"\", \"port\": 80, \"expected\": \"allow\"}",
			"\"to\" must be text" },
		{ "{" ENDS ", \"expected\": \"allow\"}", "\"port\" is missing" },
		{ "{" ENDS ", \"port\": 0, \"expected\": \"allow\"}", "\"port\" must be a number from 1" },
		{ "{" ENDS ", \"port\": 65536, \"expected\": \"allow\"}",
			"\"port\" must be a number from 1" },
		{ "{" ENDS ", \"port\": 80.5, \"expected\": \"allow\"}", "\"port\" must be a number from 1" },
		{ "{" ENDS ", \"port\": \"\", \"expected\": \"allow\"}", "\"port\" must be a number from 1" },
		{ "{" ENDS ", \"port\": 8, \"protocol\": \"ICMP\", \"expected\": \"allow\"}",
			"\"port\" means nothing to ICMP" },
		{ "{" ENDS ", \"port\": 80, \"protocol\": \"GRE\", \"expected\": \"allow\"}",
			"\"protocol\" must be" },
		{ "{" ENDS ", \"port\": 80}", "\"expected\" is missing" },
		{ "{" ENDS ", \"port\": 80, \"expected\": true}", "\"expected\" must be" },
		{ "{" ENDS ", \"port\": 80, \"port\": 81, \"expected\": \"allow\"}", "not a JSON object: " },
		{ "{" ENDS ", \"prot\": \"TCP\", \"port\": 80, \"expected\": \"allow\"}",
			"\"prot\" is not known here" },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[512], line[80];
		struct case_list l;
		char *errors;

		snprintf(text, sizeof(text), "\n%s\n", wrong[i].line);
		errors = read_cases(&l, text, 0);
		snprintf(line, sizeof(line), "%s:2: ", file);
		if (l.n != 0 || l.n_errors != 1 || strncmp(errors, line, strlen(line)) != 0 ||
			strstr(errors, wrong[i].message) == NULL)
			fail_msg("%s: %zu errors: %s", wrong[i].line, l.n_errors, errors);
		case_list_fini(&l);
		free(errors);
	}
}

static void
a_file_that_cannot_be_read_is_said(void **state)
{
	char *errors = NULL;
	struct case_list l;
	size_t size;
	FILE *stream = open_memstream(&errors, &size);

	assert_int_equal(case_list_read(&l, "/nonexistent/cases", stream), -ENOENT);
	fclose(stream);
	assert_string_equal(errors, "/nonexistent/cases: No such file or directory\n");
	case_list_fini(&l);
	free(errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cases_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_said_with_its_line, setup, teardown),
		cmocka_unit_test(a_file_that_cannot_be_read_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
