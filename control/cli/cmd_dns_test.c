/* ringway dns test: asks the cluster's zone, as it follows from a directory of manifests. No daemon, no privileges. */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/case_files.h"
#include "control/offline/dns_ask.h"
#include "control/offline/manifests.h"

struct test_args {
	struct case_files files;
	const char *zone;
	enum dns_pod_records pods;
};

static const char *const pod_choices[N_DNS_POD_RECORDS] = { "insecure", "verified", "disabled" };

static const struct argp_option test_options[] = {
	CASE_FILES_OPTIONS,
	{ "zone", 'z', "NAME", 0, "the cluster's zone (default: " DNS_ZONE_DEFAULT ")", 0 },
	{ "pod-records", 'p', "WHICH", 0,
		"names of pods' addresses: insecure (any address, which is the default), verified (those of "
		"pods) or "
		"disabled",
		0 },
	{ 0 },
};

static void
take_pods(struct test_args *args, const char *arg, struct argp_state *state)
{
	for (unsigned i = 0; i < N_DNS_POD_RECORDS; i++)
		if (strcmp(arg, pod_choices[i]) == 0) {
			args->pods = (enum dns_pod_records)i;
			return;
		}
	argp_error(state, "pod records are insecure, verified or disabled, not '%s'", arg);
}

static error_t
test_parse(int key, char *arg, struct argp_state *state)
{
	struct test_args *args = state->input;

	switch (key) {
	case 'z':
		args->zone = arg;
		return 0;
	case 'p':
		take_pods(args, arg, state);
		return 0;
	default:
		return case_files_parse(&args->files, key, arg, state);
	}
}

/* --- telling */

static void
print_records(FILE *out, const char *rcode, const json_t *records)
{
	size_t n = json_array_size(records);

	fprintf(out, "%s", rcode);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%s", i == 0 ? " " : ", ", json_string_value(json_array_get(records, i)));
	if (records != NULL && n == 0 && strcmp(rcode, "NOERROR") == 0)
		fprintf(out, " without records");
}

/* "shop.jsonl:7: the shop's: api A is NXDOMAIN, expected NOERROR 10.96.0.10" */
static void
print_mismatch(const struct cli *cli, const char *file, const struct dns_case *c, const struct dns_outcome *o)
{
	FILE *out = cli->out;

	fprintf(out, "%s:%u: %s%s%s %s is ", file, c->line, c->about == NULL ? "" : c->about,
		c->about == NULL ? "" : ": ", c->name, dns_type_name(c->type));
	print_records(out, o->rcode, o->answers);
	fprintf(out, "%s, expected ", o->is_truncated ? " (truncated)" : "");
	print_records(out, c->rcode, c->records);
	fprintf(out, "\n");
	if (o->n_lookups > 1)
		fprintf(out, "    that was of %s, the last of %u look-ups\n", o->name, o->n_lookups);
	if (c->additional == NULL)
		return;
	fprintf(out, "    additional: ");
	print_records(out, "is", o->additional);
	print_records(out, ", expected", c->additional);
	fprintf(out, "\n");
}

static size_t
count_expected(const struct dns_case_list *cases, const struct dns_outcome *outcomes)
{
	size_t n = 0;

	for (size_t i = 0; i < cases->n; i++)
		n += dns_outcome_is_expected(&outcomes[i], &cases->items[i]);
	return n;
}

static void
print_all(const struct cli *cli, const struct dns_case_list *cases, const struct dns_outcome *outcomes)
{
	for (size_t i = 0; i < cases->n; i++)
		if (!dns_outcome_is_expected(&outcomes[i], &cases->items[i]))
			print_mismatch(cli, cases->file, &cases->items[i], &outcomes[i]);
	cases_print_count(cli, cases->n, count_expected(cases, outcomes));
}

static json_t *
case_json(const struct dns_case *c, const struct dns_outcome *o)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:O, s:O, s:b}", "line",
		(json_int_t)c->line, "about", c->about == NULL ? "" : c->about, "pod",
		c->pod == NULL ? "" : c->pod, "name", c->name, "type", dns_type_name(c->type), "expected",
		c->rcode, "rcode", o->rcode, "answered", o->name, "lookups", (json_int_t)o->n_lookups,
		"truncated", o->is_truncated, "records", o->answers, "additional", o->additional,
		"as_expected", dns_outcome_is_expected(o, c));
}

static void
print_json(const struct cli *cli, const struct dns_case_list *cases, const struct dns_outcome *outcomes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < cases->n; i++)
		json_array_append_new(list, case_json(&cases->items[i], &outcomes[i]));
	cases_print_json(cli, list, count_expected(cases, outcomes));
}

/* --- the test */

static int
ask(const struct cli *cli, const struct test_args *args, struct store *store, struct dns_case_list *cases)
{
	const struct dns_build_config config = {
		.zone = args->zone == NULL ? DNS_ZONE_DEFAULT : args->zone,
		.ttl_s = DNS_TTL_DEFAULT_S,
		.pods = args->pods,
		.server_ns = "kube-system",
		.server = "kube-dns",
		.serial = 1,
	};
	struct dns_outcome *outcomes = calloc(cases->n + 1, sizeof(*outcomes));
	struct dns_asking *asking;
	int rc = CLI_USAGE, result;

	if (outcomes == NULL)
		err(CLI_USAGE, "no memory");
	if (dns_asking_new(&asking, store, &config, stderr) < 0) {
		free(outcomes);
		return CLI_USAGE;
	}
	result = dns_ask(asking, cases, outcomes, stderr);
	if (result < 0)
		warnx("%s", strerror(-result));
	if (result == 0 && cases->n_errors == 0) {
		rc = count_expected(cases, outcomes) == cases->n ? CLI_FINE : CLI_PROBLEM;
		if (cli->json)
			print_json(cli, cases, outcomes);
		else
			print_all(cli, cases, outcomes);
	}
	dns_asking_free(asking);
	dns_outcomes_free(outcomes, cases->n);
	return rc;
}

/* All that is wrong with either is said before the command gives up. */
static int
test_run(const struct cli *cli, void *input)
{
	const struct test_args *args = input;
	struct manifests manifests;
	struct dns_case_list cases;
	int rc = CLI_USAGE;
	bool ok = manifests_load(&manifests, args->files.manifests, stderr) == 0 && manifests.n_errors == 0;

	if (dns_case_list_read(&cases, args->files.cases, stderr) == 0 && ok)
		rc = ask(cli, args, manifests.store, &cases);
	dns_case_list_fini(&cases);
	manifests_fini(&manifests);
	return rc;
}

const struct command dns_test_command = {
	.name = "dns test",
	.help = "Answers DNS queries for cluster names, without a daemon.",
	.args = "--manifests DIR --cases FILE",
	.json_help =
		"{\"cases\": [{\"line\", \"about\", \"pod\", \"name\", \"type\", \"expected\", \"rcode\": of "
		"the "
		"answer, \"records\" and \"additional\" of it, \"answered\": the name that it is for, "
		"\"lookups\": "
		"how many it took, \"truncated\": it does not fit, so the client would ask again over TCP, "
		"\"as_expected\"}], \"n\": cases, \"as_expected\", \"not_as_expected\"}.\n\n"
		"Each line of FILE is a JSON object: {\"about\": \"the shop's\", \"pod\": \"shop/web\", "
		"\"name\": "
		"\"api\", \"type\": \"A\", \"rcode\": \"NOERROR\", \"records\": [\"10.96.0.10\"]}. \"rcode\" "
		"is "
		"NOERROR, NXDOMAIN, or UPSTREAM where the node would ask elsewhere: for names outside of the "
		"zone, or "
		"when a CNAME leads there. \"records\" are the answer's, in any order and written as in zone "
		"files; "
		"one of another type than was asked for has its type before it, as in \"CNAME "
		"www.example.com.\". "
		"\"additional\" are the addresses that come with an answer: \"api.shop.svc.cluster.local. A "
		"10.96.0.10\". Where either is missing, any will do. With \"pod\" (NAMESPACE/POD) the name "
		"is looked "
		"for as that pod's resolver does, below its search list (NAMESPACE.svc.ZONE, svc.ZONE, ZONE) "
		"while it "
		"has fewer than 5 dots; without, or with a dot at its end, just as it is. What the node's "
		"own search "
		"list or the pod's dnsConfig would add is not known.\n\n"
		"Services without a ClusterIP, pods without an address, services without EndpointSlices, and "
		"namespaces without an object get what a cluster would have given them, of both families; "
		"selected "
		"pods count as ready. The cluster's DNS service, which the zone's NS record names, is "
		"kube-system/kube-dns.\n\nExit status: 0 all cases are as expected; 1 some are not; 2 there "
		"are "
		"errors in manifests or cases, and nothing was asked.",
	.options = test_options,
	.parse = test_parse,
	.run = test_run,
	.input_size = sizeof(struct test_args),
};
