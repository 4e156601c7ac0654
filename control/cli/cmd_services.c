/* ringway services: what stands behind each service port, and why nothing does. */
#include <string.h>

#include "control/cli/listing.h"

/* Of a namespace and a name. */
#define NAME_MAX_LEN 400

struct services_args {
	const char *which; /* "namespace/name" or "name"; NULL: all */
	bool is_exposed;
};

enum {
	KEY_EXPOSED = 256,
};

static const struct argp_option services_options[] = {
	{ "exposed", KEY_EXPOSED, NULL, 0, "what can be reached from outside the cluster, and by whom", 0 },
	{ 0 },
};

static error_t
services_parse(int key, char *arg, struct argp_state *state)
{
	struct services_args *args = state->input;

	switch (key) {
	case KEY_EXPOSED:
		args->is_exposed = true;
		return 0;
	case ARGP_KEY_ARG:
		if (args->which != NULL)
			argp_error(state, "one service, or none for all of them: '%s' is too much", arg);
		args->which = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char *
addresses_text(const json_t *service)
{
	if (*field_str(service, "external_name") != '\0')
		return field_str(service, "external_name");
	return field_bool(service, "headless") ? "headless" : field_list(service, "addresses");
}

static const char *
port_text(const json_t *service)
{
	static char text[32];

	if (field_int(service, "port") == 0)
		return "";
	snprintf(text, sizeof(text), "%lld/%s", field_int(service, "port"), field_str(service, "protocol"));
	return text;
}

static const char *
ready_text(const json_t *service)
{
	static char text[32];

	snprintf(text, sizeof(text), "%lld/%lld", field_int(service, "ready"), field_int(service, "total"));
	return text;
}

static const char *
slot_text(const json_t *backend)
{
	static char text[32];

	if (!field_bool(backend, "in_force"))
		return "";
	if (field_int(backend, "slot") == 0)
		return "exceptions";
	snprintf(text, sizeof(text), "%lld", field_int(backend, "slot"));
	return text;
}

/* Whom it serves, and who it is meant for when that is not everybody. */
static const char *
serves_text(const json_t *backend)
{
	bool inside = field_bool(backend, "serves_inside"), outside = field_bool(backend, "serves_outside");

	return inside ? (outside ? "all" : "inside") : outside ? "outside" : "nobody";
}

static const char *
hints_text(const json_t *backend)
{
	static char text[128];
	const json_t *hints = json_object_get(backend, "hints");
	const char *zones = field_list(hints, "zones"), *nodes = field_list(hints, "nodes");

	snprintf(text, sizeof(text), "%s%s%s", zones, *zones != '\0' && *nodes != '\0' ? "; " : "", nodes);
	return text;
}

static const char *
node_text(const json_t *backend)
{
	return field_bool(backend, "local") ? "this one" : field_str(backend, "node");
}

static const char *
frontend_text(const json_t *frontend)
{
	static char text[96];

	snprintf(text, sizeof(text), "  %s/%s", endpoint_text(frontend), field_str(frontend, "protocol"));
	return text;
}

static const char *
clients_text(const json_t *frontend)
{
	const char *ranges = field_list(frontend, "source_ranges");

	if (!field_bool(frontend, "exposed"))
		return "inside";
	return *ranges == '\0' ? "everybody" : ranges;
}

static const char *
empty_text(const json_t *frontend)
{
	const char *empty = field_str(frontend, "empty");

	return *empty == '\0' ? "" : *empty == 'd' ? "dropped" : "refused";
}

static const char *
backend_text(const json_t *backend)
{
	static char text[96];

	snprintf(text, sizeof(text), "  %s", endpoint_text(backend));
	return text;
}

static const struct listing_column service_columns[] = {
	{ { "SERVICE", LEFT, 16 }, NULL, pod_text },
	{ { "TYPE", LEFT, 0 }, "type", NULL },
	{ { "ADDRESSES", LEFT, 15 }, NULL, addresses_text },
	{ { "PORT", LEFT, 0 }, NULL, port_text },
	{ { "READY", RIGHT, 0 }, NULL, ready_text },
	{ { "BUCKETS", RIGHT, 0 }, "buckets", NULL },
	{ { "PROBLEM", LEFT, 12 }, "problem", NULL },
};
static const struct listing all_services = { "there are no services", 7, service_columns };

static const struct listing_column frontend_columns[] = {
	{ { "  FRONTEND", LEFT, 0 }, NULL, frontend_text },
	{ { "KIND", LEFT, 0 }, "kind", NULL },
	{ { "CLIENTS", LEFT, 9 }, NULL, clients_text },
	{ { "INSIDE", RIGHT, 0 }, "backends", NULL },
	{ { "OUTSIDE", RIGHT, 0 }, "backends_outside", NULL },
	{ { "WITHOUT", LEFT, 0 }, NULL, empty_text },
};
static const struct listing frontends = { NULL, 6, frontend_columns };

static const struct listing_column backend_columns[] = {
	{ { "  BACKEND", LEFT, 0 }, NULL, backend_text },
	{ { "STATE", LEFT, 0 }, NULL, endpoint_state_text },
	{ { "SERVES", LEFT, 0 }, NULL, serves_text },
	{ { "SLOT", RIGHT, 0 }, NULL, slot_text },
	{ { "BUCKETS", RIGHT, 0 }, "buckets", NULL },
	{ { "POD", LEFT, 12 }, "pod", NULL },
	{ { "NODE", LEFT, 8 }, NULL, node_text },
	{ { "ZONE", LEFT, 0 }, "zone", NULL },
	{ { "MEANT FOR", LEFT, 8 }, NULL, hints_text },
};
static const struct listing backends = { NULL, 9, backend_columns };

static const struct listing_column exposed_columns[] = {
	{ { "REACHABLE", LEFT, 0 }, "at", NULL },
	{ { "KIND", LEFT, 0 }, "kind", NULL },
	{ { "LEADS TO", LEFT, 16 }, "to", NULL },
	{ { "CLIENTS", LEFT, 9 }, NULL, clients_text },
	{ { "BACKENDS", RIGHT, 0 }, "backends_outside", NULL },
};
static const struct listing exposed = { "nothing is reachable from outside", 5, exposed_columns };

/* One row: where, and to what it leads. */
static void
add_exposed(json_t *rows, json_t *row, const json_t *owner, const char *kind)
{
	char at[112];

	snprintf(at, sizeof(at), "%s/%s", *field_str(row, "address") == '\0' ? "" : endpoint_text(row),
		field_str(row, "protocol"));
	if (*field_str(row, "address") == '\0')
		snprintf(at, sizeof(at), "*:%lld/%s", field_int(row, "port"), field_str(row, "protocol"));
	json_object_set_new(row, "at", json_string(at));
	json_object_set_new(row, "to", json_sprintf("%s %s", kind, pod_text(owner)));
	json_array_append(rows, row);
}

static void
print_exposed(const struct cli *cli, const json_t *doc)
{
	json_t *rows = json_array(), *row;
	const json_t *service;
	size_t i, k;

	json_array_foreach (json_object_get(doc, "services"), i, service)
		json_array_foreach (json_object_get(service, "frontends"), k, row)
			if (field_bool(row, "exposed"))
				add_exposed(rows, row, service, "service");
	json_array_foreach (json_object_get(doc, "host_ports"), i, row) {
		json_object_set_new(row, "exposed", json_true());
		json_object_set_new(row, "kind", json_string("HostPort"));
		json_object_set_new(row, "backends_outside", json_integer(1));
		add_exposed(rows, row, row, "pod");
	}
	listing_print(cli, &exposed, rows);
	json_decref(rows);
}

static void
print_policies(const struct cli *cli, const json_t *service)
{
	const char *distribution = field_str(service, "traffic_distribution");

	if (strcmp(field_str(service, "internal_policy"), "Local") == 0)
		fprintf(cli->out, "  internalTrafficPolicy Local: clients here use backends here\n");
	if (strcmp(field_str(service, "external_policy"), "Local") == 0)
		fprintf(cli->out,
			"  externalTrafficPolicy Local: what comes from outside goes to backends here\n");
	if (field_int(service, "affinity_s") != 0)
		fprintf(cli->out, "  sessionAffinity: a client keeps its backend for %s\n",
			duration_text((double)field_int(service, "affinity_s")));
	if (*distribution != '\0')
		fprintf(cli->out, "  trafficDistribution %s\n", distribution);
	if (field_int(service, "health_check_node_port") != 0)
		fprintf(cli->out, "  health checks of load balancers on port %lld\n",
			field_int(service, "health_check_node_port"));
	if (field_bool(service, "other_proxy"))
		fprintf(cli->out,
			"  left to another proxy by its label service.kubernetes.io/service-proxy-name\n");
}

static void
print_one(const struct cli *cli, const json_t *service)
{
	const json_t *refused, *lost;
	size_t i;

	fprintf(cli->out, "%s %s %s port %s on %s: %lld of %lld backends ready, %lld buckets\n",
		pod_text(service), field_str(service, "type"), field_str(service, "port_name"),
		port_text(service), addresses_text(service), field_int(service, "ready"),
		field_int(service, "total"), field_int(service, "buckets"));
	if (*field_str(service, "problem") != '\0')
		fprintf(cli->out, "  problem: %s\n", field_str(service, "problem"));
	json_array_foreach (json_object_get(service, "refused"), i, refused)
		fprintf(cli->out, "  refused: %s %s\n", field_str(refused, "address"),
			field_str(refused, "reason"));
	json_array_foreach (json_object_get(service, "lost"), i, lost)
		fprintf(cli->out, "  not served: %s\n", field_str(lost, "text"));
	if (field_int(service, "moving") != 0)
		fprintf(cli->out, "  %lld buckets are moving to other backends\n",
			field_int(service, "moving"));
	if (field_int(service, "exceptions") != 0)
		fprintf(cli->out,
			"  %lld flows of this node have an entry of their own, %lld to stay with a backend "
			"that new ones no longer get\n",
			field_int(service, "exceptions"), field_int(service, "kept"));
	print_policies(cli, service);
	listing_print(cli, &frontends, json_object_get(service, "frontends"));
	listing_print(cli, &backends, json_object_get(service, "backends"));
}

/* Nothing of a name needs to be escaped in a URL, and what is no name is nobody's. */
static bool
is_name(const char *which)
{
	return strlen(which) < NAME_MAX_LEN &&
	       which[strspn(which, "abcdefghijklmnopqrstuvwxyz0123456789-./")] == '\0';
}

static int
services_run(const struct cli *cli, void *input)
{
	const struct services_args *args = input;
	char path[512] = "/v1/services";
	json_t *doc = NULL, *services, *service;
	size_t i;
	int rc = CLI_FINE;

	if (args->which != NULL && is_name(args->which))
		snprintf(path, sizeof(path), "/v1/services?service=%s%s", args->which,
			args->is_exposed ? "&exposed=1" : "");
	else if (args->which == NULL && args->is_exposed)
		snprintf(path, sizeof(path), "/v1/services?exposed=1");
	else if (args->which == NULL && !cli->json)
		snprintf(path, sizeof(path), "/v1/services?brief=1");
	if (args->which == NULL || is_name(args->which))
		rc = client_request(cli, path, NULL, &doc);
	if (rc != CLI_FINE)
		return rc;
	services = json_object_get(doc, "services");
	if (args->which != NULL && !args->is_exposed && json_array_size(services) == 0) {
		fprintf(stderr, "ringway: there is no service '%s'; `ringway services` lists them\n",
			args->which);
		rc = CLI_PROBLEM;
	} else if (cli->json) {
		cli_print_json(cli, doc);
	} else if (args->is_exposed) {
		print_exposed(cli, doc);
	} else if (args->which == NULL) {
		listing_print(cli, &all_services, services);
	} else {
		json_array_foreach (services, i, service)
			print_one(cli, service);
	}
	json_decref(doc);
	return rc;
}

const struct command services_command = {
	.name = "services",
	.help = "Service ports, their backends, and who can reach them.",
	.args = "[NAMESPACE/NAME]",
	.json_help =
		"{\"services\": [{\"namespace\", \"name\", \"type\", \"port_name\", \"port\" (0: the service "
		"has "
		"none), \"protocol\": \"tcp\", \"udp\" or \"sctp\", \"target_port\": number or name, "
		"\"addresses\": [ADDRESS] of the cluster, \"headless\", \"external_name\", \"in_force\": in "
		"the "
		"tables, \"ready\", \"total\" (backends), \"buckets\", \"moving\": of them, to another "
		"backend, "
		"\"exceptions\": flows of this node with an entry of their own, \"kept\": of these, by "
		"moves; of "
		"the service, \"problem\": why no backend, or \"\", "
		"\"internal_policy\" and \"external_policy\": \"Cluster\" or \"Local\", \"affinity_s\": 0 "
		"without, "
		"\"traffic_distribution\", \"publish_not_ready\", \"health_check_node_port\", "
		"\"other_proxy\": "
		"labelled as another's, \"refused\": [{\"address\", \"reason\"}], \"lost\": what another "
		"service "
		"has, the older one, [{\"kind\", \"address\", \"port\", \"protocol\", \"holder_kind\": "
		"\"service\", "
		"or \"pod\" with a host port, \"holder_namespace\", \"holder\", \"text\": all that in "
		"words}], "
		"\"frontends\": [{\"kind\": \"ClusterIP\", \"NodePort\", \"LoadBalancer\" or \"ExternalIP\", "
		"\"address\", \"port\", \"protocol\", \"exposed\": reachable from outside, \"backends\": for "
		"inside "
		"traffic, \"backends_outside\", \"buckets\", \"empty\": what happens to packets without a "
		"backend, "
		"\"reject\" or \"drop\", or \"\", \"keeps_client\": backends see outside clients' addresses, "
		"\"source_ranges\": [PREFIX], none: everybody}], "
		"\"backends\": [{\"address\", \"port\", \"ready\", \"serving\", \"terminating\", \"local\": "
		"on this "
		"node, \"zone\", \"hints\": {\"zones\", \"nodes\"}, \"in_force\": gets packets, "
		"\"serves_inside\", "
		"\"serves_outside\", \"slot\": 1 to 3, or 0 when flows to it are exceptions, \"pod\", "
		"\"node\"}]}], "
		"one object per service and port; without a name also \"host_ports\": [{\"namespace\", "
		"\"name\" of the "
		"pod, \"address\": \"\" for any of the node's, \"port\", \"protocol\", \"pod_port\"}]}. With "
		"--exposed, only services that can be reached from outside.",
	.options = services_options,
	.parse = services_parse,
	.run = services_run,
	.input_size = sizeof(struct services_args),
};
