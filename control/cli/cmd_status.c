/* ringway status: is all well on this node, on one screen. */
#include <string.h>
#include <time.h>

#include "control/cli/client.h"
#include "control/cli/table.h"

/* Of an array of texts. */
static void
print_list(struct table *t, const char *title, const json_t *list)
{
	char text[256] = "";
	const json_t *item;
	size_t i, len = 0;

	json_array_foreach (list, i, item)
		if (len < sizeof(text))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i == 0 ? "" : ", ",
				json_string_value(item));
	if (i == 0)
		return;
	table_cell(t, "%s", title);
	table_cell(t, "%s", text);
}

static void
print_dns(struct table *t, const json_t *dns)
{
	const char *service = field_str(dns, "service"), *mode = field_str(dns, "mode");
	const json_t *stub;
	char title[320];
	size_t i;

	table_cell(t, "DNS");
	if (strcmp(mode, "off") == 0) {
		table_cell(t, "off");
		return;
	}
	if (!field_bool(dns, "synced"))
		table_cell(t, "%s, %s not known yet", mode, field_str(dns, "zone"));
	else
		table_cell(t, "%s, %lld names in and around %s, %s", mode, field_int(dns, "names"),
			field_str(dns, "zone"), bytes_text(field_int(dns, "zone_bytes")));
	if (strcmp(mode, "shadow") == 0) {
		table_cell(t, "DNS compared");
		table_cell(t, "%lld answers, of which %lld diverged", field_int(dns, "compared"),
			field_int(dns, "diverged"));
	}
	table_cell(t, "DNS service");
	if (field_bool(dns, "service_found"))
		table_cell(t, "%s, %lld endpoints", service, field_int(dns, "endpoints"));
	else
		table_cell(t, "%s, which is not there", service);
	if (strcmp(mode, "shadow") == 0) {
		print_list(t, "DNS asked at", json_object_get(dns, "addresses"));
		return; /* nobody is asked for other names */
	}
	print_list(t, "DNS answered at", json_object_get(dns, "addresses"));
	print_list(t, "DNS upstream", json_object_get(dns, "upstreams"));
	json_array_foreach (json_object_get(dns, "stub_domains"), i, stub) {
		snprintf(title, sizeof(title), "DNS of %s", field_str(stub, "zone"));
		print_list(t, title, json_object_get(stub, "servers"));
	}
}

static void
print_summary(const struct cli *cli, const json_t *doc)
{
	static const struct column columns[] = { { NULL, LEFT, 0 }, { NULL, LEFT, 0 } };
	struct table *t = table_new(columns, 2);
	const json_t *tables = json_object_get(doc, "tables"), *uplink = json_object_get(doc, "uplink");
	const json_t *tunnel = json_object_get(doc, "tunnel"), *pool, *n;
	const char *kind;
	size_t i;

#define ROW(title, ...) (table_cell(t, title), table_cell(t, __VA_ARGS__))
	ROW("Node", "%s", field_str(doc, "node"));
	ROW("Ringway", "%s, kernel %s, up %s", field_str(doc, "version"), field_str(doc, "kernel"),
		duration_text(field_real(doc, "uptime_seconds")));
	if (field_bool(doc, "ready"))
		ROW("Ready", "yes");
	else
		ROW("Ready", "no: %s", field_str(doc, "not_ready_reason"));
	if (field_int(tables, "version") == 0)
		ROW("Tables", "none published yet");
	else
		ROW("Tables", "version %lld, published %s ago", field_int(tables, "version"),
			duration_text(field_real(tables, "age_seconds")));
	ROW("Uplink", "%s, %s, MTU %lld, XDP %s", field_str(uplink, "interface"),
		field_bool(uplink, "up") ? "up" : "down", field_int(uplink, "mtu"), field_str(uplink, "xdp"));
	ROW("Tunnel", "VTEP %s, VNI %lld, port %lld, MAC %s", field_str(tunnel, "vtep"),
		field_int(tunnel, "vni"), field_int(tunnel, "port"), field_str(tunnel, "mac"));
	ROW("Pods", "%lld attached, MTU %lld", field_int(doc, "pods"), field_int(doc, "pod_mtu"));
	json_array_foreach (json_object_get(doc, "ipam"), i, pool)
		ROW("Addresses", "%s: %lld of %lld used", field_str(pool, "cidr"), field_int(pool, "used"),
			field_int(pool, "size"));
	if (json_is_object(json_object_get(doc, "api")))
		ROW("API server", "%s, pods of %s", field_str(json_object_get(doc, "api"), "server"),
			strcmp(field_str(json_object_get(doc, "api"), "pods"), "all") == 0 ? "all nodes"
											   : "this node");
	print_dns(t, json_object_get(doc, "dns"));
	if (*field_str(json_object_get(doc, "policy_mode"), "text") == '\0')
		ROW("Policies", "enforced");
	else
		ROW("Policies", "AUDIT: %s", field_str(json_object_get(doc, "policy_mode"), "text"));
	table_cell(t, "Objects");
	{
		char text[256] = "";
		size_t len = 0;

		json_object_foreach (json_object_get(doc, "objects"), kind, n)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%lld %s",
				len == 0 ? "" : ", ", json_integer_value(n), kind);
		table_cell(t, "%s", text);
	}
#undef ROW
	table_print(t, cli->out, 0);
	table_free(t);
}

/* Of an API server, if the cluster's state comes from one. */
static void
print_watches(const struct cli *cli, const json_t *doc)
{
	static const struct column columns[] = {
		{ "KIND", LEFT, 0 },
		{ "STATE", LEFT, 0 },
		{ "OBJECTS", RIGHT, 0 },
		{ "VERSION", RIGHT, 0 },
		{ "LAST EVENT", RIGHT, 0 },
		{ "RESTARTS", RIGHT, 0 },
		{ "BYTES", RIGHT, 0 },
	};
	const json_t *watches = json_object_get(json_object_get(doc, "api"), "watches"), *w;
	struct table *t = table_new(columns, 7);
	size_t i;

	json_array_foreach (watches, i, w) {
		table_cell(t, "%s", field_str(w, "kind"));
		table_cell(t, "%s%s", field_str(w, "state"), field_bool(w, "synced") ? "" : ", not all here");
		table_cell(t, "%lld", field_int(w, "objects"));
		table_cell(t, "%s", field_str(w, "resource_version"));
		if (json_is_null(json_object_get(w, "event_age_seconds")))
			table_cell(t, "none");
		else
			table_cell(t, "%s ago", duration_text(field_real(w, "event_age_seconds")));
		table_cell(t, "%lld", field_int(w, "restarts"));
		table_cell(t, "%lld", field_int(w, "bytes"));
	}
	if (table_rows(t) != 0) {
		fputc('\n', cli->out);
		table_print(t, cli->out, cli->width);
	}
	table_free(t);
}

static void
print_workers(const struct cli *cli, const json_t *doc)
{
	static const struct column columns[] = {
		{ "WORKER", RIGHT, 0 },
		{ "CPU", RIGHT, 0 },
		{ "STATE", LEFT, 0 },
		{ "PORTS", RIGHT, 0 },
		{ "RECEIVED", RIGHT, 0 },
		{ "LOAD", RIGHT, 0 },
		{ "POLLS", RIGHT, 0 },
		{ "SLEEPS", RIGHT, 0 },
	};
	struct table *t = table_new(columns, 8);
	bool is_awaited = field_bool(json_object_get(doc, "api"), "awaited");
	const json_t *w;
	size_t i;

	json_array_foreach (json_object_get(doc, "workers"), i, w) {
		table_cell(t, "%lld", field_int(w, "id"));
		if (field_int(w, "cpu") < 0)
			table_cell(t, "any");
		else
			table_cell(t, "%lld", field_int(w, "cpu"));
		table_cell(t, "%s", field_bool(w, "alive") ? "runs" : is_awaited ? "waits" : "STUCK");
		table_cell(t, "%lld", field_int(w, "ports"));
		table_cell(t, "%lld", field_int(w, "received"));
		table_cell(t, "%.1f%%", field_real(w, "load") * 100);
		table_cell(t, "%lld", field_int(w, "polls"));
		table_cell(t, "%lld", field_int(w, "sleeps"));
	}
	fputc('\n', cli->out);
	table_print(t, cli->out, cli->width);
	table_free(t);
}

static void
print_peers(const struct cli *cli, const json_t *doc)
{
	static const struct column columns[] = {
		{ "PEER", LEFT, 12 },
		{ "VTEP", LEFT, 0 },
		{ "NEXT HOP", LEFT, 0 },
		{ "STATE", LEFT, 0 },
		{ "MTU", RIGHT, 0 },
	};
	struct table *t = table_new(columns, 5);
	const json_t *peer;
	size_t i;

	json_array_foreach (json_object_get(doc, "peers"), i, peer) {
		table_cell(t, "%s", field_str(peer, "name"));
		table_cell(t, "%s", field_str(peer, "vtep"));
		table_cell(t, "%s", field_str(peer, "next_hop"));
		table_cell(t, "%s", field_str(peer, "state"));
		table_cell(t, "%lld", field_int(peer, "mtu"));
	}
	if (table_rows(t) != 0) {
		fputc('\n', cli->out);
		table_print(t, cli->out, cli->width);
	}
	table_free(t);
}

static void
print_problems(const struct cli *cli, const json_t *doc)
{
	static const struct {
		const char *field, *title;
	} kinds[] = {
		{ "source_errors", "error in an object" },
		{ "build_errors", "error in the tables" },
		{ "warnings", "warning" },
		{ "worked_around", "worked around" },
	};
	const json_t *item;
	size_t i;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		json_array_foreach (json_object_get(doc, kinds[k].field), i, item)
			fprintf(cli->out, "%s%s: %s\n", i == 0 ? "\n" : "", kinds[k].title,
				json_string_value(item));
}

#define LOAD_SAMPLE_NS 200000000L

/* The daemon tells processor time since its start; what people want to know is the load now, so we ask twice. */
static int
measure_load(const struct cli *cli, json_t *doc)
{
	const struct timespec pause = { 0, LOAD_SAMPLE_NS };
	json_t *later, *worker;
	double elapsed;
	size_t i;
	int rc;

	nanosleep(&pause, NULL);
	rc = client_request(cli, "/v1/status", NULL, &later);
	if (rc != CLI_FINE)
		return rc;
	elapsed = field_real(later, "uptime_seconds") - field_real(doc, "uptime_seconds");
	json_array_foreach (json_object_get(doc, "workers"), i, worker) {
		const json_t *then = json_array_get(json_object_get(later, "workers"), i);
		double used = field_real(then, "cpu_seconds") - field_real(worker, "cpu_seconds");

		if (elapsed > 0 && used >= 0)
			json_object_set_new(worker, "load", json_real(used / elapsed));
	}
	json_decref(later);
	return CLI_FINE;
}

static int
status_run(const struct cli *cli, void *input)
{
	json_t *doc;
	int rc = client_request(cli, "/v1/status", NULL, &doc);

	if (rc != CLI_FINE)
		return rc;
	rc = measure_load(cli, doc);
	if (rc != CLI_FINE) {
		json_decref(doc);
		return rc;
	}
	if (cli->json) {
		cli_print_json(cli, doc);
	} else {
		print_summary(cli, doc);
		print_watches(cli, doc);
		print_workers(cli, doc);
		print_peers(cli, doc);
		print_problems(cli, doc);
	}
	rc = field_bool(doc, "ready") ? CLI_FINE : CLI_PROBLEM;
	json_decref(doc);
	return rc;
}

const struct command status_command = {
	.name = "status",
	.help = "Is all well: workers, tables, uplink, tunnels, warnings.",
	.json_help =
		"{\"version\", \"kernel\", \"node\", \"pid\", \"uptime_seconds\", \"ready\", "
		"\"not_ready_reason\", "
		"\"tables\": {\"version\": 0 before the first, \"age_seconds\"}, \"workers\": [{\"id\", "
		"\"cpu\": -1 when not "
		"pinned, \"alive\", \"ports\", \"received\", \"load\": share of rounds with packets "
		"since the last question, \"polls\", "
		"\"sleeps\"}], \"uplink\": {\"interface\", \"up\", \"mtu\", \"mac\", \"xdp\"}, "
		"\"tunnel\": {\"vtep\", \"mac\", \"vni\", "
		"\"port\"}, \"pods\", \"pod_mtu\", \"ipam\": [{\"cidr\", \"used\", \"size\"}], "
		"\"objects\": {KIND: COUNT}, \"api\": null with manifests, else {\"server\", \"pods\": "
		"\"own\" or \"all\", \"awaited\": not all was here once yet, \"saved_seconds\": null, or the "
		"age of "
		"what was saved and is used until the server tells it, "
		"\"watches\": [{\"kind\", \"state\": waiting, listing or watching, \"synced\", \"objects\", "
		"\"resource_version\", \"event_age_seconds\": null before the first, \"problem\", "
		"\"problem_seconds\", "
		"\"lists\", \"restarts\", \"bytes\"}], \"writes\": [{\"kind\": condition, taint or event, "
		"\"done\", \"stale\": of another version, or there already, \"failed\", \"problem\", "
		"\"problem_seconds\"}], \"events_lost\"}, \"policy_mode\": {\"mode\": \"enforce\" or "
		"\"audit\", "
		"\"audit_namespaces\", "
		"\"enforce_namespaces\": that say it themselves, \"would_drop\": {\"packets\", "
		"\"reasons\": [{\"reason\", "
		"\"help\", \"packets\"}]}, \"text\": where nothing is dropped, in words}, \"dns\": "
		"{\"mode\": \"on\", \"shadow\" (then with \"compared\" answers, and \"diverged\" of them) or "
		"\"off\", \"service\", \"service_found\": it has a cluster address and a UDP port for DNS, "
		"\"zone\", \"synced\": its names are known, \"names\", \"zone_bytes\", "
		"\"addresses\": that are answered, \"endpoints\": of the service, \"upstreams\", "
		"\"stub_domains\": [{\"zone\", \"servers\"}], \"search_suffixes\"}, \"peers\": as "
		"`ringway nodes`, \"source_errors\", \"build_errors\", \"warnings\", \"worked_around\": "
		"[TEXT]}. Exit status 1 "
		"when not ready.",
	.run = status_run,
};
