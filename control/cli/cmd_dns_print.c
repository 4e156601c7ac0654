/* What GET /v1/dns says, for people. */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/cmd_dns.h"
#include "control/cli/listing.h"

/* What is answered in one round of a worker takes no time by its clock; the daemon's least bin ends here. */
#define LEAST_MS 0.00103

double
dns_figure(const json_t *object, const char *key)
{
	const json_t *recent = json_object_get(object, "recent");

	if (strcmp(key, "p99") == 0)
		return field_real(json_object_get(object, "first_to_final"), "p99_ms");
	if (recent != NULL && strcmp(key, "limited") == 0)
		recent = json_object_get(recent, "sources");
	if (recent == NULL && strcmp(key, "seen") == 0)
		key = "queries"; /* a name's are those that were seen */
	return field_real(recent == NULL ? object : recent, key);
}

static const char *
dns_pod_text(const json_t *pod)
{
	return field_bool(pod, "host") ? "host" : pod_text(pod);
}

static const char *
percent_text(double part, double whole)
{
	static char texts[4][16];
	static unsigned turn;
	char *text = texts[turn++ % 4];

	snprintf(text, sizeof(texts[0]), "%.0f %%", whole == 0 ? 0 : 100 * part / whole);
	return text;
}

/* "<1 us", "250 us", "4.2 ms", "1.5 s"; nothing of what did not happen. */
static const char *
time_text(const json_t *latency, const char *field)
{
	static char texts[4][16];
	static unsigned turn;
	char *text = texts[turn++ % 4];
	double ms = field_real(latency, field);

	if (latency == NULL)
		return "";
	if (ms < LEAST_MS)
		snprintf(text, sizeof(texts[0]), "<1 us");
	else if (ms < 1)
		snprintf(text, sizeof(texts[0]), "%.0f us", ms * 1000);
	else if (ms < 1000)
		snprintf(text, sizeof(texts[0]), ms < 10 ? "%.1f ms" : "%.0f ms", ms);
	else
		snprintf(text, sizeof(texts[0]), "%.1f s", ms / 1000);
	return text;
}

/* What rows of pods and of names have in common. */

static const char *
count_text(const json_t *row, const char *key)
{
	static char text[32];

	snprintf(text, sizeof(text), "%.0f", dns_figure(row, key));
	return text;
}

static const char *
queries_text(const json_t *row)
{
	return count_text(row, "queries");
}

static const char *
wasted_text(const json_t *row)
{
	return percent_text(dns_figure(row, "wasted"), dns_figure(row, "seen"));
}

static const char *
nxdomain_text(const json_t *row)
{
	return percent_text(dns_figure(row, "nxdomain"), dns_figure(row, "queries"));
}

static const char *
upstream_text(const json_t *row)
{
	static char text[48];

	snprintf(text, sizeof(text), "%.0f (%s)", dns_figure(row, "upstream"),
		percent_text(field_real(row, "upstream_share"), 1));
	return text;
}

static const char *
limited_text(const json_t *row)
{
	return count_text(row, "limited");
}

static const char *
final_p50_text(const json_t *pod)
{
	return time_text(json_object_get(pod, "first_to_final"), "p50_ms");
}

static const char *
final_p99_text(const json_t *pod)
{
	return time_text(json_object_get(pod, "first_to_final"), "p99_ms");
}

static const char *
note_text(const json_t *pod)
{
	if (*field_str(pod, "denied") != '\0')
		return "denied by policies";
	if (field_bool(pod, "gone"))
		return "gone";
	return field_bool(pod, "estimated") ? "estimated" : "";
}

static const struct listing_column pod_columns[] = {
	{ { "POD", LEFT, 16 }, NULL, dns_pod_text },
	{ { "QUERIES", RIGHT, 0 }, NULL, queries_text },
	{ { "WASTED", RIGHT, 0 }, NULL, wasted_text },
	{ { "NXDOMAIN", RIGHT, 0 }, NULL, nxdomain_text },
	{ { "UPSTREAM", RIGHT, 0 }, NULL, upstream_text },
	{ { "LIMITED", RIGHT, 0 }, NULL, limited_text },
	{ { "P50", RIGHT, 0 }, NULL, final_p50_text },
	{ { "P99", RIGHT, 0 }, NULL, final_p99_text },
	{ { "NOTE", LEFT, 8 }, NULL, note_text },
};
static const struct listing pod_listing = { "no pod has asked for names", 9, pod_columns };

static const char *
name_pods_text(const json_t *name)
{
	static char *text;

	free(text);
	if (asprintf(&text, "%s%s", field_list(name, "pods"), field_bool(name, "more_pods") ? ", ..." : "") <
		0)
		err(CLI_PROBLEM, "no memory");
	return text;
}

static const struct listing_column name_columns[] = {
	{ { "NAME", LEFT, 20 }, "name", NULL },
	{ { "QUERIES", RIGHT, 0 }, NULL, queries_text },
	{ { "WASTED", RIGHT, 0 }, NULL, wasted_text },
	{ { "NXDOMAIN", RIGHT, 0 }, NULL, nxdomain_text },
	{ { "UPSTREAM", RIGHT, 0 }, NULL, upstream_text },
	{ { "LIMITED", RIGHT, 0 }, NULL, limited_text },
	{ { "ASKED BY", LEFT, 16 }, NULL, name_pods_text },
};
static const struct listing name_listing = { "no names were asked for lately", 7, name_columns };

static const char *
upstream_rtt_text(const json_t *upstream)
{
	return field_real(upstream, "rtt_ms") == 0 ? "" : time_text(upstream, "rtt_ms");
}

static const char *
upstream_state_text(const json_t *upstream)
{
	static char text[64];

	if (strcmp(field_str(upstream, "state"), "failing") != 0)
		return field_str(upstream, "state");
	snprintf(text, sizeof(text), "failing for %s", duration_text(field_real(upstream, "failing_s")));
	return text;
}

static const struct listing_column upstream_columns[] = {
	{ { "UPSTREAM", LEFT, 0 }, NULL, endpoint_text },
	{ { "STATE", LEFT, 0 }, NULL, upstream_state_text },
	{ { "ROUND TRIP", RIGHT, 0 }, NULL, upstream_rtt_text },
	{ { "TRIES", RIGHT, 0 }, "tries", NULL },
	{ { "ANSWERS", RIGHT, 0 }, "answers", NULL },
	{ { "TIMEOUTS", RIGHT, 0 }, "timeouts", NULL },
	{ { "REFUSALS", RIGHT, 0 }, "refusals", NULL },
};
static const struct listing upstream_listing = { NULL, 7, upstream_columns };

/* By source: how many, and how long they took. */
static void
print_sources(const struct cli *cli, const json_t *total, const json_t *recent, const json_t *latency)
{
	static const struct column columns[] = {
		{ "ANSWERED", LEFT, 0 },
		{ "QUERIES", RIGHT, 0 },
		{ "LATELY", RIGHT, 0 },
		{ "P50", RIGHT, 0 },
		{ "P99", RIGHT, 0 },
	};
	struct table *t = table_new(columns, 5);
	const json_t *sources = json_object_get(recent, "sources"), *n;
	const char *source;

	json_object_foreach (json_object_get(total, "sources"), source, n) {
		const json_t *took = json_object_get(latency, source);

		table_cell(t, "%s", source);
		table_cell(t, "%lld", json_integer_value(n));
		table_cell(t, "%lld", field_int(sources, source));
		table_cell(t, "%s", time_text(took, "p50_ms"));
		table_cell(t, "%s", time_text(took, "p99_ms"));
	}
	table_print(t, cli->out, cli->width);
	table_free(t);
}

static void
print_waste(const struct cli *cli, const json_t *recent, const json_t *final)
{
	fprintf(cli->out, "NXDOMAIN %s, wasted on search lists %s of the queries lately",
		percent_text(field_real(recent, "nxdomain"), field_real(recent, "queries")),
		percent_text(field_real(recent, "wasted"), field_real(recent, "seen")));
	if (field_real(recent, "completed") != 0)
		fprintf(cli->out, ", completed searches %s",
			percent_text(field_real(recent, "completed"), field_real(recent, "queries")));
	if (final != NULL)
		fprintf(cli->out, "; first query to final answer: p50 %s, p99 %s", time_text(final, "p50_ms"),
			time_text(final, "p99_ms"));
	fprintf(cli->out, "\n");
}

static const char *
last_text(const json_t *divergence)
{
	static char text[48];

	snprintf(text, sizeof(text), "%s ago", duration_text(field_real(divergence, "last_seconds")));
	return text;
}

static const struct listing_column shadow_columns[] = {
	{ { "NAME", LEFT, 20 }, "name", NULL },
	{ { "TYPE", LEFT, 0 }, "type", NULL },
	{ { "DIFFERS", LEFT, 0 }, "kind", NULL },
	{ { "TIMES", RIGHT, 0 }, "times", NULL },
	{ { "LAST", RIGHT, 0 }, NULL, last_text },
	{ { "ASKED BY", LEFT, 12 }, "pod", NULL },
	{ { "OURS", LEFT, 16 }, "ours", NULL },
	{ { "DNS SERVICE", LEFT, 16 }, "theirs", NULL },
};
static const struct listing shadow_listing = { NULL, 8, shadow_columns };

static void
print_compared(const struct cli *cli, const json_t *shadow, const char *hint)
{
	json_int_t n = field_int(shadow, "compared") - field_int(shadow, "same");

	fprintf(cli->out,
		"Shadow mode: nothing is answered on this node; of %lld answers compared with the DNS "
		"service's, %lld "
		"diverged%s%s\n",
		field_int(shadow, "compared"), n, n == 0 || *hint == '\0' ? "" : "; ", n == 0 ? "" : hint);
}

void
dns_print_shadow(const struct cli *cli, const json_t *shadow)
{
	const char *kind, *comma = "";
	const json_t *n;

	print_compared(cli, shadow, "");
	json_object_foreach (json_object_get(shadow, "differ"), kind, n)
		if (json_integer_value(n) != 0) {
			fprintf(cli->out, "%s%s %lld", comma, kind, json_integer_value(n));
			comma = ", ";
		}
	if (*comma != '\0')
		fprintf(cli->out, "\n");
	if (field_int(shadow, "no_answer") != 0)
		fprintf(cli->out, "%lld more got no answer of the DNS service that could be compared\n",
			field_int(shadow, "no_answer"));
	if (field_int(shadow, "skipped") != 0)
		fprintf(cli->out, "%lld more were left out (dns.queriesPerSecond)\n",
			field_int(shadow, "skipped"));
	if (json_array_size(json_object_get(shadow, "divergences")) == 0)
		return;
	fprintf(cli->out, "\n");
	listing_print(cli, &shadow_listing, json_object_get(shadow, "divergences"));
}

static void
print_node(const struct cli *cli, const json_t *doc)
{
	const json_t *cache = json_object_get(doc, "cache"), *shadow = json_object_get(doc, "shadow");

	if (shadow != NULL)
		print_compared(cli, shadow, "`ringway dns --shadow` lists them");
	else if (!field_bool(doc, "answers"))
		fprintf(cli->out, "DNS is not answered on this node (dns.mode is off)\n");
	else if (*field_str(doc, "zone") != '\0')
		fprintf(cli->out, "Zone %s: %lld names; lately: the last %s\n", field_str(doc, "zone"),
			field_int(doc, "zone_names"), duration_text(field_real(doc, "window_s")));
	print_sources(cli, json_object_get(doc, "total"), json_object_get(doc, "recent"),
		json_object_get(doc, "latency"));
	print_waste(cli, json_object_get(doc, "recent"), json_object_get(doc, "first_to_final"));
	if (cache != NULL)
		fprintf(cli->out, "Cache: %lld entries (%lld negative), %s of %s; %lld evicted\n",
			field_int(cache, "entries"), field_int(cache, "negatives"),
			bytes_text(field_int(cache, "bytes")), bytes_text(field_int(cache, "memory")),
			field_int(cache, "evicted"));
	if (json_array_size(json_object_get(doc, "upstreams")) != 0) {
		fprintf(cli->out, "\n");
		listing_print(cli, &upstream_listing, json_object_get(doc, "upstreams"));
	}
}

static void
print_pod(const struct cli *cli, const json_t *pod)
{
	fprintf(cli->out, "%s%s%s%s\n", dns_pod_text(pod), *note_text(pod) == '\0' ? "" : " (",
		note_text(pod), *note_text(pod) == '\0' ? "" : ")");
	print_sources(cli, json_object_get(pod, "total"), json_object_get(pod, "recent"),
		json_object_get(pod, "latency"));
	print_waste(cli, json_object_get(pod, "recent"), json_object_get(pod, "first_to_final"));
}

static void
print_advice(const struct cli *cli, const json_t *advice)
{
	const json_t *one;
	size_t i;

	if (json_array_size(advice) != 0)
		fprintf(cli->out, "\n");
	json_array_foreach (advice, i, one)
		fprintf(cli->out, "* %s\n", field_str(one, "text"));
}

void
dns_print_pods(const struct cli *cli, const json_t *pods)
{
	listing_print(cli, &pod_listing, pods);
}

void
dns_print_names(const struct cli *cli, const json_t *names)
{
	listing_print(cli, &name_listing, names);
}

void
dns_print(const struct cli *cli, const json_t *doc, bool is_narrow)
{
	const json_t *pods = json_object_get(doc, "pods"), *pod;
	size_t i;

	if (!is_narrow) {
		print_node(cli, doc);
		fprintf(cli->out, "\n");
		dns_print_pods(cli, pods);
	} else {
		json_array_foreach (pods, i, pod)
			print_pod(cli, pod);
	}
	fprintf(cli->out, "\n");
	dns_print_names(cli, json_object_get(doc, "names"));
	print_advice(cli, json_object_get(doc, "advice"));
}
