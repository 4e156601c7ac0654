/* What `ringway` does about its arguments: exit status and message, as a script and a person see them. The
 * program is run, from the path in RINGWAY_COMMAND. No daemon is there. */
#include <jansson.h>

#include "control/cli/command.h"
#include "tests/support/scratch.h"

static char output[16384];

/* Both streams go into output. Returns the exit status. */
static int
ringway(const char *args)
{
	return scratch_run(output, sizeof(output), "RINGWAY_SOCKET=/nonexistent/ringway.sock %s %s",
		getenv("RINGWAY_COMMAND"), args);
}

static void
wrong_arguments_exit_with_2_and_say_what_is_wrong(void **state)
{
	static const struct {
		const char *args, *message;
	} cases[] = {
		{ "", "COMMAND" },
		{ "statsu", "there is no command 'statsu'" },
		{ "pods -o xml", "unknown format 'xml'" },
		{ "-o xml pods", "unknown format 'xml'" },
		{ "pods --colour", "unrecognized option" },
		{ "--colour pods", "unrecognized option" },
		{ "pods a b", "'b' is too much" },
		{ "services a b", "'b' is too much" },
		{ "status now", "'status' takes no arguments" },
		{ "nodes now", "'nodes' takes no arguments" },
		{ "endpoints now", "'endpoints' takes no arguments" },
		{ "drops now", "'drops' takes no arguments" },
		{ "doctor now", "'doctor' takes no arguments" },
		{ "explain", "needs --from and --to" },
		{ "explain --from a/b", "needs --from and --to" },
		{ "explain --from a/b --to 10.96.0.10:80 tcp", "what is 'tcp'?" },
		{ "pods --socket", "requires an argument" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = ringway(cases[i].args);

		if (rc != CLI_USAGE || strstr(output, cases[i].message) == NULL)
			fail_msg("ringway %s: exit %d, output:\n%s", cases[i].args, rc, output);
	}
}

static void
without_a_daemon_every_command_exits_with_3(void **state)
{
	static const char *const args[] = { "status", "pods", "pods a/b", "services", "endpoints", "nodes",
		"dns", "dns a/b", "drops", "drops --all", "explain --from a/b --to c/d:80", "-o json status",
		"status -o json" };

	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		int rc = ringway(args[i]);

		if (rc != CLI_UNREACHABLE || strstr(output, "does not run on this node: there is no "
							    "/nonexistent/ringway.sock") == NULL)
			fail_msg("ringway %s: exit %d, output:\n%s", args[i], rc, output);
	}
}

static void
the_socket_option_goes_before_and_after_the_command(void **state)
{
	assert_int_equal(ringway("--socket /nowhere/a pods"), CLI_UNREACHABLE);
	assert_non_null(strstr(output, "/nowhere/a"));
	assert_int_equal(ringway("pods --socket /nowhere/b"), CLI_UNREACHABLE);
	assert_non_null(strstr(output, "/nowhere/b"));
}

static void
help_names_every_command_and_every_json_field_list(void **state)
{
	static const char *const names[] = { "status", "pods", "services", "endpoints", "nodes", "policies",
		"policies test", "policies lint", "dns", "dns test", "drops", "explain", "doctor" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char args[64], line[64];

		assert_int_equal(ringway("--help"), CLI_FINE);
		snprintf(line, sizeof(line), "\n  %-13s ", names[i]);
		assert_non_null(strstr(output, line));
		/* its sentence stands in one line */
		assert_int_equal(strchr(strstr(output, line) + 1, '\n')[-1], '.');
		snprintf(args, sizeof(args), "%s --help", names[i]);
		assert_int_equal(ringway(args), CLI_FINE);
		assert_non_null(strstr(output, "With -o json: {"));
	}
	assert_int_equal(ringway("--version"), CLI_FINE);
	assert_int_equal(strncmp(output, "ringway ", 8), 0);
}

static void
preflight_needs_no_daemon_and_advises_on_what_is_not_ok(void **state)
{
	int rc = ringway("doctor --preflight -o json");
	json_t *doc = json_loads(output, 0, NULL);
	const json_t *check;
	bool has_failed = false;
	size_t i;

	assert_non_null(doc);
	json_array_foreach (json_object_get(doc, "checks"), i, check) {
		const char *status = field_str(check, "status");

		assert_true(*field_str(check, "check") != '\0' && *field_str(check, "found") != '\0');
		assert_int_equal(strcmp(status, "ok") == 0, *field_str(check, "advice") == '\0');
		has_failed |= strcmp(status, "fail") == 0;
	}
	assert_true(i >= 12);
	assert_int_equal(rc, has_failed ? CLI_PROBLEM : CLI_FINE);
	json_decref(doc);
}

static void
doctor_without_a_daemon_still_shows_its_checks_and_exits_with_3(void **state)
{
	assert_int_equal(ringway("doctor"), CLI_UNREACHABLE);
	assert_non_null(strstr(output, "af_xdp"));
	assert_non_null(strstr(output, "does not run on this node"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_arguments_exit_with_2_and_say_what_is_wrong),
		cmocka_unit_test(without_a_daemon_every_command_exits_with_3),
		cmocka_unit_test(the_socket_option_goes_before_and_after_the_command),
		cmocka_unit_test(help_names_every_command_and_every_json_field_list),
		cmocka_unit_test(preflight_needs_no_daemon_and_advises_on_what_is_not_ok),
		cmocka_unit_test(doctor_without_a_daemon_still_shows_its_checks_and_exits_with_3),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
