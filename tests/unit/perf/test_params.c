#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "perf/params.h"

#define ARGS_MAX 32

static void
split(char *line, int *argc, char **argv)
{
	char *rest = NULL;

	*argc = 1;
	argv[0] = "ringway-perf";
	for (char *word = strtok_r(line, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
		argv[(*argc)++] = word;
	argv[*argc] = NULL;
}

static void
parse(const char *line, struct params *p)
{
	char copy[256], *argv[ARGS_MAX];
	int argc;

	strcpy(copy, line);
	split(copy, &argc, argv);
	params_parse_pipeline(argc, argv, p);
}

/* Runs the parser in a child and returns its exit code. */
static int
exit_code(const char *line, bool is_wire)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		char copy[256], *argv[ARGS_MAX];
		struct params p;
		int argc;

		fclose(stderr);
		strcpy(copy, line);
		split(copy, &argc, argv);
		if (is_wire)
			params_parse_wire(argc, argv, &p);
		else
			params_parse_pipeline(argc, argv, &p);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

static void
defaults_are_the_run_that_counts(void **state)
{
	struct params p;

	parse("", &p);
	assert_int_equal(p.scenario, SCENARIO_SERVICE_ENCAP);
	assert_int_equal(p.services, 10000);
	assert_int_equal(p.endpoints, 100000);
	assert_int_equal(p.flows, 1000000);
	assert_int_equal(p.hot_percent, 90);
	assert_int_equal(p.hot_services, 200);
	assert_int_equal(p.size, 64);
	assert_int_equal(p.workers, 1);
}

static void
every_argument_is_read(void **state)
{
	struct params p;
	char skew[32];

	parse("--scenario reply --services 10 --endpoints=100 --flows 7 --skew 80/5 --size 128 "
	      "--policy-rules 20 --identities 500 --workers 2 "
	      "--seconds 0.5 --packets 6400 --ipv6",
		&p);
	assert_int_equal(p.scenario, SCENARIO_REPLY);
	assert_int_equal(p.services, 10);
	assert_int_equal(p.endpoints, 100);
	assert_int_equal(p.flows, 7);
	assert_string_equal(params_format_skew(&p, skew), "80/5");
	assert_int_equal(p.size, 128);
	assert_int_equal(p.policy_rules, 20);
	assert_int_equal(p.identities, 500);
	assert_int_equal(p.workers, 2);
	assert_true(p.seconds == 0.5);
	assert_int_equal(p.packets, 6400);
	assert_true(p.ipv6);
	parse("--skew uniform", &p);
	assert_string_equal(params_format_skew(&p, skew), "uniform");
}

static void
the_least_size_holds_the_headers(void **state)
{
	struct params p;

	parse("--ipv6", &p);
	assert_int_equal(p.size, 14 + 40 + 20 + 4);
	parse("--ipv6 --udp", &p);
	assert_int_equal(p.size, 14 + 40 + 8 + 4);
}

static void
what_is_wrong_is_refused(void **state)
{
	static const char *const lines[] = {
		"--scenario nat",
		"--services 0",
		"--services 10k",
		"--services -1",
		"--skew 90",
		"--skew 100/5",
		"--skew 90/0",
		"--size 63",
		"--ipv6 --size 64",
		"--seconds 0",
		"--seconds x",
		"--policy-rules 5001",
		"--identities 1",
		"--services 100 --endpoints 10",
		"--unknown",
		"stray",
	};

	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_not_equal(exit_code(lines[i], false), 0);
	assert_int_equal(exit_code("--policy-rules 0", false), 0);
	assert_int_not_equal(exit_code("--scenario decap", true), 0);
	assert_int_not_equal(exit_code("--bare --testpmd", true), 0);
	assert_int_equal(exit_code("--bare --testpmd --pairs 9", true), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_the_run_that_counts),
		cmocka_unit_test(every_argument_is_read),
		cmocka_unit_test(the_least_size_holds_the_headers),
		cmocka_unit_test(what_is_wrong_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
