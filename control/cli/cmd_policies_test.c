/* ringway policies test: judges connections by the policies of a directory of manifests. No daemon, no privileges. */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/case_files.h"
#include "control/offline/judge.h"
#include "control/offline/manifests.h"

static const struct argp_option test_options[] = {
	CASE_FILES_OPTIONS,
	{ 0 },
};

static error_t
test_parse(int key, char *arg, struct argp_state *state)
{
	return case_files_parse(state->input, key, arg, state);
}

/* --- telling */

static const char *
verdict_text(bool is_allowed)
{
	return is_allowed ? "allow" : "deny";
}

/* "the shop is open: web/nginx to shop/api, port 8080/TCP" */
static void
print_case(FILE *out, const struct policy_case *c)
{
	const char *proto = case_proto_name(c->proto);

	fprintf(out, "%s%s%s to %s, ", c->name == NULL ? "" : c->name, c->name == NULL ? "" : ": ", c->from,
		c->to);
	if (c->port_name != NULL)
		fprintf(out, "port %s/%s", c->port_name, proto);
	else if (c->port != 0)
		fprintf(out, "port %u/%s", c->port, proto);
	else
		fprintf(out, "%s", proto);
}

static const char *
reason_text(const json_t *policies, size_t i)
{
	return field_str(json_array_get(policies, i), "text");
}

/* Backends of a service may all have the same one. */
static bool
is_repeated(const json_t *policies, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(reason_text(policies, k), reason_text(policies, i)) == 0)
			return true;
	return false;
}

static void
print_mismatch(const struct cli *cli, const char *file, const struct policy_case *c, const struct outcome *o)
{
	fprintf(cli->out, "%s:%u: ", file, c->line);
	print_case(cli->out, c);
	fprintf(cli->out, " is %s%s, expected %s\n", o->is_denied ? "denied" : "allowed",
		o->is_mixed ? " at some backends" : "", verdict_text(c->is_allow_expected));
	for (size_t i = 0; i < json_array_size(o->policies); i++)
		if (!is_repeated(o->policies, i))
			fprintf(cli->out, "    %s\n", reason_text(o->policies, i));
	if (o->why != NULL)
		fprintf(cli->out, "    not by policies: %s\n", o->why);
	else if (json_array_size(o->policies) == 0)
		fprintf(cli->out, "    no policy isolates either end%s\n", o->is_mixed ? " there" : "");
}

static size_t
count_expected(const struct case_list *cases, const struct outcome *outcomes)
{
	size_t n = 0;

	for (size_t i = 0; i < cases->n; i++)
		n += outcome_is_expected(&outcomes[i], &cases->items[i]);
	return n;
}

static void
print_all(const struct cli *cli, const struct case_list *cases, const struct outcome *outcomes)
{
	for (size_t i = 0; i < cases->n; i++)
		if (!outcome_is_expected(&outcomes[i], &cases->items[i]))
			print_mismatch(cli, cases->file, &cases->items[i], &outcomes[i]);
	cases_print_count(cli, cases->n, count_expected(cases, outcomes));
}

static json_t *
port_json(const struct policy_case *c)
{
	if (c->port_name != NULL)
		return json_string(c->port_name);
	return c->port == 0 ? json_null() : json_integer(c->port);
}

static json_t *
list_json(json_t *list)
{
	return list == NULL ? json_array() : json_incref(list);
}

static json_t *
case_json(const struct policy_case *c, const struct outcome *o)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:b, s:o, s:o, s:s}", "line",
		(json_int_t)c->line, "name", c->name == NULL ? "" : c->name, "from", c->from, "to", c->to,
		"port", port_json(c), "protocol", case_proto_name(c->proto), "expected",
		verdict_text(c->is_allow_expected), "verdict", verdict_text(!o->is_denied), "as_expected",
		outcome_is_expected(o, c), "policies", list_json(o->policies), "advice", list_json(o->advice),
		"why", o->why == NULL ? "" : o->why);
}

static void
print_json(const struct cli *cli, const struct case_list *cases, const struct outcome *outcomes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < cases->n; i++)
		json_array_append_new(list, case_json(&cases->items[i], &outcomes[i]));
	cases_print_json(cli, list, count_expected(cases, outcomes));
}

/* --- the test */

static int
judge(const struct cli *cli, struct store *store, struct case_list *cases)
{
	struct outcome *outcomes = calloc(cases->n + 1, sizeof(*outcomes));
	struct world *world;
	int rc = CLI_USAGE, result;

	if (outcomes == NULL)
		err(CLI_USAGE, "no memory");
	result = world_new(&world, store);
	if (result < 0) {
		warnx("%s", result == -E2BIG
				    ? "there are more pods and services without addresses than can be made up"
				    : strerror(-result));
	} else if (judge_cases(world, cases, cli->json, outcomes, stderr) == 0 && cases->n_errors == 0) {
		rc = count_expected(cases, outcomes) == cases->n ? CLI_FINE : CLI_PROBLEM;
		if (cli->json)
			print_json(cli, cases, outcomes);
		else
			print_all(cli, cases, outcomes);
	}
	if (result == 0)
		world_free(world);
	outcomes_free(outcomes, cases->n);
	return rc;
}

/* All that is wrong with either is said before the command gives up. */
static int
test_run(const struct cli *cli, void *input)
{
	const struct case_files *files = input;
	struct manifests manifests;
	struct case_list cases;
	int rc = CLI_USAGE;
	bool ok = manifests_load(&manifests, files->manifests, stderr) == 0 && manifests.n_errors == 0;

	if (case_list_read(&cases, files->cases, stderr) == 0 && ok) {
		size_t n_errors = cases.n_errors;

		rc = judge(cli, manifests.store, &cases);
		if (n_errors != 0)
			rc = CLI_USAGE;
	}
	case_list_fini(&cases);
	manifests_fini(&manifests);
	return rc;
}

const struct command policies_test_command = {
	.name = "policies test",
	.help = "Judges connections by policies, without a daemon.",
	.args = "--manifests DIR --cases FILE",
	.json_help =
		"{\"cases\": [{\"line\", \"name\", \"from\", \"to\", \"port\", \"protocol\", \"expected\", "
		"\"verdict\": "
		"\"allow\" or \"deny\", \"as_expected\", \"policies\": what was found at both ends, as "
		"`ringway "
		"explain --help` describes it; of what is denied, where it first was, \"advice\": what would "
		"allow what was expected to be, as described there too, \"why\": it is denied, "
		"though not by "
		"policies, else \"\"}], \"n\": cases, \"as_expected\", \"not_as_expected\"}.\n\n"
		"Each line of FILE is a JSON object: {\"name\": \"the shop is open\", \"from\": "
		"\"web/nginx\", "
		"\"to\": "
		"\"shop/api\", \"port\": 8080, \"protocol\": \"TCP\", \"expected\": \"allow\"}. \"from\" and "
		"\"to\" are "
		"NAMESPACE/POD or an address, \"to\" also NAMESPACE/SERVICE (service:NAMESPACE/SERVICE where "
		"a "
		"pod has the "
		"same name), whose backends are all asked for, and must all be as expected; \"port\" is a "
		"number or the name that the pod "
		"or "
		"service has "
		"for it; \"protocol\" is TCP, as when it is missing, UDP, SCTP or ICMP, which has no port; "
		"\"name\" may be "
		"missing. Clients outside are judged by their own address, as where it is kept "
		"(externalTrafficPolicy: Local); processes of a pod's own node may always reach it. Pods are "
		"objects of kind Pod: what a Deployment would make is not known. Pods "
		"without an address, services without a ClusterIP or EndpointSlices, and "
		"namespaces without an "
		"object get what a cluster would have given them; where policies are only audited, they are "
		"judged as if they were enforced. Addresses by which the outside reaches services, and node "
		"ports, are not translated: they are judged as the addresses that they are.\n\nExit status: "
		"0 all cases are as "
		"expected; "
		"1 some are "
		"not; 2 there are errors in manifests or cases, and nothing was judged.",
	.options = test_options,
	.parse = test_parse,
	.run = test_run,
	.input_size = sizeof(struct case_files),
};
