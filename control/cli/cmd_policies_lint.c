/* ringway policies lint: what NetworkPolicies most likely do not mean as they are written. */
#include <stdlib.h>

#include "control/cli/client.h"
#include "control/lint/lint.h"
#include "control/offline/manifests.h"

struct lint_args {
	const char *dir;
};

static const struct argp_option lint_options[] = {
	{ "manifests", 'm', "DIR", 0, "look at this directory of manifests, without a daemon", 0 },
	{ 0 },
};

static error_t
lint_parse(int key, char *arg, struct argp_state *state)
{
	struct lint_args *args = state->input;

	switch (key) {
	case 'm':
		args->dir = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "what is '%s'? A directory goes behind --manifests", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Manifests with errors are told on stderr, and count as a finding. */
static int
lint_directory(const char *dir, json_t **out)
{
	struct manifests m;
	struct lint l;
	int rc = CLI_PROBLEM;

	if (manifests_load(&m, dir, stderr) < 0)
		return CLI_USAGE;
	if (lint_run(&l, m.store)) {
		*out = lint_json(&l);
		rc = m.n_errors == 0 ? CLI_FINE : CLI_USAGE;
		lint_fini(&l);
	} else {
		fprintf(stderr, "ringway: out of memory\n");
	}
	manifests_fini(&m);
	return rc;
}

static void
print_finding(const struct cli *cli, const json_t *finding)
{
	const json_t *rule = json_object_get(finding, "rule");

	fprintf(cli->out, "%s/%s", field_str(finding, "namespace"), field_str(finding, "name"));
	if (*field_str(finding, "direction") != '\0')
		fprintf(cli->out, ", %s", field_str(finding, "direction"));
	if (json_is_integer(rule))
		fprintf(cli->out, " rule %lld", json_integer_value(rule));
	fprintf(cli->out, ": %s\n    %s\n", field_str(finding, "text"), field_str(finding, "advice"));
}

static void
print(const struct cli *cli, const json_t *findings)
{
	const json_t *finding;
	size_t i;

	json_array_foreach (findings, i, finding)
		print_finding(cli, finding);
	if (json_array_size(findings) == 0)
		fprintf(cli->out, "nothing was found\n");
}

static int
lint_command_run(const struct cli *cli, void *input)
{
	const struct lint_args *args = input;
	json_t *doc = NULL;
	int rc = args->dir == NULL ? client_request(cli, "/v1/policies/lint", NULL, &doc)
				   : lint_directory(args->dir, &doc);

	if (doc == NULL)
		return rc;
	if (cli->json)
		cli_print_json(cli, doc);
	else
		print(cli, json_object_get(doc, "findings"));
	if (rc == CLI_FINE && json_array_size(json_object_get(doc, "findings")) != 0)
		rc = CLI_PROBLEM;
	json_decref(doc);
	return rc;
}

const struct command policies_lint_command = {
	.name = "policies lint",
	.help = "Finds what NetworkPolicies most likely do not mean.",
	.args = "[--manifests DIR]",
	.json_help =
		"{\"findings\": [{\"kind\": \"dns\" (egress is isolated, and no rule lets names be "
		"resolved), "
		"\"selects_no_pods\", \"rules_not_in_force\" (policyTypes leaves them out), "
		"\"peer_matches_nothing\", \"block_has_pods\" or \"port_of_nobody\", \"namespace\", "
		"\"name\": of "
		"the policy, \"direction\": or null, \"rule\": its index, or null, \"text\": what is wrong, "
		"\"advice\": what to do}]}. Exit status 1 when there are findings, 2 when manifests cannot "
		"be "
		"read.",
	.options = lint_options,
	.parse = lint_parse,
	.run = lint_command_run,
	.input_size = sizeof(struct lint_args),
};
