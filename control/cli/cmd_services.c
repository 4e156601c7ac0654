/* ringway services: what stands behind each service port, and why nothing does. */
#include <string.h>

#include "control/cli/listing.h"

struct services_args {
	const char *which; /* "namespace/name" or "name"; NULL: all */
};

static error_t
services_parse(int key, char *arg, struct argp_state *state)
{
	struct services_args *args = state->input;

	switch (key) {
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
	return field_bool(service, "headless") ? "headless" : field_list(service, "addresses");
}

static const char *
port_text(const json_t *service)
{
	static char text[32];

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

	if (!field_bool(backend, "ready"))
		return "";
	if (field_int(backend, "slot") == 0)
		return "exceptions";
	snprintf(text, sizeof(text), "%lld", field_int(backend, "slot"));
	return text;
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
	{ { "ADDRESSES", LEFT, 15 }, NULL, addresses_text },
	{ { "PORT", LEFT, 0 }, NULL, port_text },
	{ { "READY", RIGHT, 0 }, NULL, ready_text },
	{ { "BUCKETS", RIGHT, 0 }, "buckets", NULL },
	{ { "PROBLEM", LEFT, 12 }, "problem", NULL },
};
static const struct listing all_services = { "there are no services", 6, service_columns };

static const struct listing_column backend_columns[] = {
	{ { "  BACKEND", LEFT, 0 }, NULL, backend_text },
	{ { "STATE", LEFT, 0 }, NULL, endpoint_state_text },
	{ { "SLOT", RIGHT, 0 }, NULL, slot_text },
	{ { "POD", LEFT, 12 }, "pod", NULL },
	{ { "NODE", LEFT, 8 }, "node", NULL },
};
static const struct listing backends = { NULL, 5, backend_columns };

static void
print_one(const struct cli *cli, const json_t *service)
{
	fprintf(cli->out, "%s %s port %lld/%s on %s: %lld of %lld backends ready, %lld buckets\n",
		pod_text(service), field_str(service, "port_name"), field_int(service, "port"),
		field_str(service, "protocol"), field_list(service, "addresses"), field_int(service, "ready"),
		field_int(service, "total"), field_int(service, "buckets"));
	if (*field_str(service, "problem") != '\0')
		fprintf(cli->out, "  problem: %s\n", field_str(service, "problem"));
	listing_print(cli, &backends, json_object_get(service, "backends"));
}

static bool
is_named(const json_t *service, const char *which)
{
	return strcmp(which, pod_text(service)) == 0 || strcmp(which, field_str(service, "name")) == 0;
}

/* Leaves only the ports of one service in the document. */
static void
keep_named(json_t *services, const char *which)
{
	for (size_t i = json_array_size(services); i-- > 0;)
		if (!is_named(json_array_get(services, i), which))
			json_array_remove(services, i);
}

static int
services_run(const struct cli *cli, void *input)
{
	const struct services_args *args = input;
	json_t *doc, *services, *service;
	size_t i;
	int rc = client_request(cli, "/v1/services", NULL, &doc);

	if (rc != CLI_FINE)
		return rc;
	services = json_object_get(doc, "services");
	if (args->which != NULL)
		keep_named(services, args->which);
	if (args->which != NULL && json_array_size(services) == 0) {
		fprintf(stderr, "ringway: there is no service '%s'; `ringway services` lists them\n",
			args->which);
		rc = CLI_PROBLEM;
	} else if (cli->json) {
		cli_print_json(cli, doc);
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
	.help = "Each service port, its backends, and why it has none.",
	.args = "[NAMESPACE/NAME]",
	.json_help =
		"{\"services\": [{\"namespace\", \"name\", \"port_name\", \"port\", \"protocol\": \"tcp\", "
		"\"udp\" or "
		"\"sctp\", \"addresses\": [ADDRESS], \"headless\", \"in_force\": in the tables, \"ready\", "
		"\"total\" (backends), \"buckets\", "
		"\"problem\": why no backend, "
		"or \"\", \"backends\": [{\"address\", \"port\", \"ready\", \"serving\", \"terminating\", "
		"\"in_force\", \"slot\": 1 to 3, or 0 "
		"when flows to it are exceptions, \"pod\", \"node\"}]}]}, one object per service and port.",
	.parse = services_parse,
	.run = services_run,
	.input_size = sizeof(struct services_args),
};
