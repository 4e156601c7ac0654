/* ringway dns: who asks for which names, from where they are answered, how long it takes, and what would help. */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/cmd_dns.h"

#define TOP_DEFAULT 10 /* of the overview's lists */

struct dns_args {
	const char *which; /* "namespace/name", "name", or "host" for the host alone; NULL: all */
	const char *ns;
	const char *sort; /* NULL: queries */
	bool pods, names, shadow;
	size_t top; /* 0: not said */
};

enum {
	KEY_PODS = 256,
	KEY_NAMES,
	KEY_SHADOW,
	KEY_SORT,
	KEY_TOP,
};

static const char *const sort_keys[] = { "queries", "wasted", "nxdomain", "upstream", "limited", "p99" };
#define N_SORT_KEYS (sizeof(sort_keys) / sizeof(sort_keys[0]))

static const struct argp_option dns_options[] = {
	{ "namespace", 'n', "NAME", 0, "only pods of this namespace, and names that they ask for", 0 },
	{ "pods", KEY_PODS, NULL, 0, "the table of pods alone, all of it", 0 },
	{ "names", KEY_NAMES, NULL, 0, "the table of names alone, all of it", 0 },
	{ "shadow", KEY_SHADOW, NULL, 0,
		"with dns.mode: shadow, what this node would have answered otherwise than the DNS service "
		"did",
		0 },
	{ "sort", KEY_SORT, "BY", 0,
		"queries (the default), wasted, nxdomain, upstream, limited, or p99 (pods: from the first "
		"query to the final answer)",
		0 },
	{ "top", KEY_TOP, "N", 0, "only the first N of pods and of names", 0 },
	{ 0 },
};

static void
take_sort(struct dns_args *args, const char *arg, struct argp_state *state)
{
	for (size_t i = 0; i < N_SORT_KEYS; i++)
		if (strcmp(arg, sort_keys[i]) == 0) {
			args->sort = sort_keys[i];
			return;
		}
	argp_error(state, "sorted by queries, wasted, nxdomain, upstream, limited or p99, not '%s'", arg);
}

static void
take_top(struct dns_args *args, const char *arg, struct argp_state *state)
{
	char *end;
	unsigned long n = strtoul(arg, &end, 10);

	if (*arg < '1' || *arg > '9' || *end != '\0' || n > 1000000)
		argp_error(state, "--top takes a number from 1 on, not '%s'", arg);
	args->top = n;
}

static error_t
dns_parse(int key, char *arg, struct argp_state *state)
{
	struct dns_args *args = state->input;

	switch (key) {
	case 'n':
		args->ns = arg;
		return 0;
	case KEY_PODS:
		args->pods = true;
		return 0;
	case KEY_NAMES:
		args->names = true;
		return 0;
	case KEY_SHADOW:
		args->shadow = true;
		return 0;
	case KEY_SORT:
		take_sort(args, arg, state);
		return 0;
	case KEY_TOP:
		take_top(args, arg, state);
		return 0;
	case ARGP_KEY_ARG:
		if (args->which != NULL)
			argp_error(state, "one pod, or none for all of them: '%s' is too much", arg);
		args->which = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* --- what is wanted */

/* A pod that is called host takes its namespace to be meant. */
static bool
is_wanted(const struct dns_args *args, const char *ns, const char *name, bool is_host)
{
	const char *which = args->which, *slash = which == NULL ? NULL : strchr(which, '/');

	if (args->ns != NULL && strcmp(args->ns, ns) != 0)
		return false;
	if (which == NULL)
		return true;
	if (is_host || strcmp(which, "host") == 0)
		return is_host && strcmp(which, "host") == 0;
	if (strcmp(which, name) == 0)
		return true;
	return slash != NULL && (size_t)(slash - which) == strlen(ns) &&
	       strncmp(which, ns, (size_t)(slash - which)) == 0 && strcmp(slash + 1, name) == 0;
}

static bool
is_wanted_pod(const struct dns_args *args, const json_t *pod)
{
	return is_wanted(args, field_str(pod, "namespace"), field_str(pod, "name"), field_bool(pod, "host"));
}

/* As a text: "shop/web", "host". */
static bool
is_wanted_text(const struct dns_args *args, const char *text)
{
	const char *slash = strchr(text, '/');
	char ns[256];

	snprintf(ns, sizeof(ns), "%.*s", slash == NULL ? 0 : (int)(slash - text), text);
	return is_wanted(args, ns, slash == NULL ? "" : slash + 1, slash == NULL);
}

static bool
is_wanted_divergence(const struct dns_args *args, const json_t *divergence)
{
	return is_wanted_text(args, field_str(divergence, "pod"));
}

/* A name that one of the pods asks for. */
static bool
is_wanted_name(const struct dns_args *args, const json_t *name)
{
	const json_t *pod;
	size_t i;

	if (args->which == NULL && args->ns == NULL)
		return true;
	json_array_foreach (json_object_get(name, "pods"), i, pod)
		if (is_wanted_text(args, json_string_value(pod)))
			return true;
	return false;
}

/* What is about the node is for everybody. */
static bool
is_wanted_advice(const struct dns_args *args, const json_t *advice)
{
	return *field_str(advice, "name") == '\0' ||
	       is_wanted(args, field_str(advice, "namespace"), field_str(advice, "name"), false);
}

static void
keep_wanted(const struct dns_args *args, json_t *list,
	bool (*is_one)(const struct dns_args *args, const json_t *object))
{
	for (size_t i = json_array_size(list); i-- > 0;)
		if (!is_one(args, json_array_get(list, i)))
			json_array_remove(list, i);
}

struct ranked {
	json_t *object;
	double figure;
	size_t at;
};

static int
compare(const void *a, const void *b)
{
	const struct ranked *one = a, *other = b;

	if (one->figure != other->figure)
		return one->figure < other->figure ? 1 : -1;
	return one->at < other->at ? -1 : one->at > other->at;
}

/* Largest first, and no more than n unless that is 0. */
static void
sort_list(json_t *list, const char *key, size_t n)
{
	size_t size = json_array_size(list);
	struct ranked *ranked = calloc(size + 1, sizeof(*ranked));

	if (ranked == NULL)
		err(CLI_PROBLEM, "no memory");
	for (size_t i = 0; i < size; i++) {
		json_t *object = json_incref(json_array_get(list, i));

		ranked[i] = (struct ranked){ object, dns_figure(object, key), i };
	}
	qsort(ranked, size, sizeof(*ranked), compare);
	json_array_clear(list);
	for (size_t i = 0; i < size; i++) {
		if (n == 0 || i < n)
			json_array_append(list, ranked[i].object);
		json_decref(ranked[i].object);
	}
	free(ranked);
}

/* --- the command */

static void
narrow(const struct cli *cli, const struct dns_args *args, json_t *doc)
{
	json_t *pods = json_object_get(doc, "pods"), *names = json_object_get(doc, "names");
	const char *key = args->sort == NULL ? "queries" : args->sort;
	bool is_overview = !cli->json && !args->pods && !args->names;
	size_t top = args->top == 0 && is_overview ? TOP_DEFAULT : args->top;

	keep_wanted(args, pods, is_wanted_pod);
	keep_wanted(args, names, is_wanted_name);
	keep_wanted(args, json_object_get(doc, "advice"), is_wanted_advice);
	sort_list(pods, key, top);
	sort_list(names, strcmp(key, "p99") == 0 ? "queries" : key, top);
}

/* The latest come first, and stay so. */
static int
run_shadow(const struct cli *cli, const struct dns_args *args, json_t *doc)
{
	json_t *shadow = json_object_get(doc, "shadow"), *list = json_object_get(shadow, "divergences");

	if (shadow == NULL) {
		fprintf(stderr, "ringway: dns.mode is %s on this node, not shadow: nothing is compared\n",
			field_str(doc, "mode"));
		return CLI_PROBLEM;
	}
	keep_wanted(args, list, is_wanted_divergence);
	while (args->top != 0 && json_array_size(list) > args->top)
		json_array_remove(list, json_array_size(list) - 1);
	if (cli->json)
		cli_print_json(cli, shadow);
	else
		dns_print_shadow(cli, shadow);
	return CLI_FINE;
}

static int
dns_run(const struct cli *cli, void *input)
{
	const struct dns_args *args = input;
	json_t *doc, *pods;
	int rc = client_request(cli, "/v1/dns", NULL, &doc);

	if (rc != CLI_FINE)
		return rc;
	if (args->shadow) {
		rc = run_shadow(cli, args, doc);
		json_decref(doc);
		return rc;
	}
	narrow(cli, args, doc);
	pods = json_object_get(doc, "pods");
	if (args->which != NULL && json_array_size(pods) == 0) {
		fprintf(stderr,
			"ringway: no pod '%s' of this node has asked for names; `ringway dns --pods` lists "
			"those that have\n",
			args->which);
		rc = CLI_PROBLEM;
	} else if (cli->json) {
		cli_print_json(cli, doc);
	} else if (args->pods || args->names) {
		if (args->pods)
			dns_print_pods(cli, pods);
		if (args->names)
			dns_print_names(cli, json_object_get(doc, "names"));
	} else {
		dns_print(cli, doc, args->which != NULL);
	}
	json_decref(doc);
	return rc;
}

const struct command dns_command = {
	.name = "dns",
	.help = "Who asks for which names, and how long it takes.",
	.args = "[NAMESPACE/NAME | host]",
	.json_help =
		"{\"mode\": \"on\", \"off\" or \"shadow\", \"answers\": it is on, \"zone\", \"zone_names\": "
		"in force (0: none yet), "
		"\"window_s\": for so long there are recent figures, \"queries_per_second\": that may go "
		"upstream, \"total\" (since the start) and \"recent\": {\"queries\", \"sources\": {SOURCE: "
		"COUNT}, \"nxdomain\", \"completed\": answered with an alias of a name further along the "
		"search list (dns.searchCompletion), \"seen\": of all, those looked at, of which \"wasted\": "
		"tries along a "
		"search list that had to go on, \"upstream\": asked of upstream servers}, \"latency\": "
		"{SOURCE: {\"n\", \"p50_ms\", \"p99_ms\"}} of recent answers, \"first_to_final\": the same "
		"from the first query of a look-up to its final answer, \"pods\": [{\"namespace\", "
		"\"name\", \"port\", \"host\": it is the host's stack, \"gone\", \"total\" and \"recent\" "
		"as above, \"estimated\", \"upstream_share\": of all recent ones, 0 to 1, \"latency\", "
		"\"first_to_final\", \"denied\": by policies, a sentence or \"\"}], \"names\": recently, "
		"[{\"name\": that ended look-ups, \"queries\", \"error\": of them, those that may be other "
		"names', \"wasted\", \"nxdomain\", \"upstream\", \"limited\", \"upstream_share\", "
		"\"pods\": [\"NAMESPACE/NAME\" or \"host\"] that ask most, \"more_pods\"}], \"advice\": "
		"[{\"namespace\", \"name\": of the pod that it is about, or \"\", \"text\"}]; with a "
		"cache: \"cache\": {\"memory\", \"bytes\", \"entries\", \"negatives\", \"evicted\", "
		"\"refused\"}, \"resolver\": {COUNTER: COUNT}, \"upstreams\": [{\"address\", \"port\", "
		"\"state\": \"answers\", \"failing\", \"silent\" (no answer yet) or \"unasked\", "
		"\"failing_s\", \"rtt_ms\", \"tries\", \"answers\", \"timeouts\", \"refusals\"}]; with "
		"dns.mode: shadow, and alone with --shadow: \"shadow\": {\"compared\", \"same\", \"differ\": "
		"{\"rcode\", \"missing\": here, \"extra\": here, \"authority\": AA alone: COUNT}, "
		"\"no_answer\": of the service that could be compared, \"skipped\": not compared, for want "
		"of "
		"budget, \"divergences\": up to 64, [{\"name\", \"type\", \"kind\": as above, or no_answer, "
		"\"pod\": "
		"that asked last, \"ours\", \"theirs\": "
		"the last time, \"times\", \"first_seconds\", \"last_seconds\": ago}]}}. "
		"Filters, --sort and --top narrow these lists, too.\n\n"
		"Sources: authority, the cluster's own objects; hit, the cache; stale, an expired entry of "
		"it; upstream; limited and failed, SERVFAIL; passed, left to the cluster's DNS "
		"service.\n\n"
		"To try DNS out before it is switched on, run ringwayd with dns.mode: shadow for some days. "
		"Nothing "
		"is answered by this node then; of what is asked for names of the cluster's zone, some (up "
		"to 16 "
		"queries of a pod in 0.1 s, within dns.queriesPerSecond) is asked of the DNS service again, "
		"and its "
		"answers are compared with what this node would have said: the result code, the records "
		"whatever "
		"their order and TTL, and AA. --shadow lists what differs. While names change, and for as "
		"long as the "
		"service caches, answers may differ rightly: what counts is what goes on.\n\n"
		"Queries by source, NXDOMAIN and completed searches are counted one by one. All else comes "
		"from samples: a "
		"pod's first four answers of a burst, so that those of quiet pods are all seen. Under load "
		"they stand for the others and figures are estimates (\"estimated\"): shares and latencies "
		"mostly a few percent off, from first query to final answer more, when several clients of "
		"a pod look for the same name; queries for a name are those that were looked at "
		"(\"seen\"), and names that are asked for rarely are missing. Wasted are queries for a "
		"name below a suffix of the pod's search list (NAMESPACE.svc.ZONE, svc.ZONE, ZONE, the "
		"node's) that another suffix, or the name as it is, followed; suffixes of a pod's own "
		"dnsConfig are not known.",
	.options = dns_options,
	.parse = dns_parse,
	.run = dns_run,
	.input_size = sizeof(struct dns_args),
};
