/* ringway services: what stands behind each service port, and why nothing does. */
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/table.h"

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

static void
print_all(const struct cli *cli, const json_t *services)
{
	static const struct column columns[] = {
		{ "SERVICE", LEFT, 16 },
		{ "ADDRESSES", LEFT, 15 },
		{ "PORT", LEFT, 0 },
		{ "READY", RIGHT, 0 },
		{ "BUCKETS", RIGHT, 0 },
		{ "PROBLEM", LEFT, 12 },
	};
	struct table *t = table_new(columns, 6);
	const json_t *service;
	size_t i;

	json_array_foreach (services, i, service) {
		table_cell(t, "%s", pod_text(service));
		table_cell(t, "%s",
			field_bool(service, "headless") ? "headless" : field_list(service, "addresses"));
		table_cell(t, "%lld/%s", field_int(service, "port"), field_str(service, "protocol"));
		table_cell(t, "%lld/%lld", field_int(service, "ready"), field_int(service, "total"));
		table_cell(t, "%lld", field_int(service, "buckets"));
		table_cell(t, "%s", field_str(service, "problem"));
	}
	if (table_rows(t) == 0)
		fprintf(cli->out, "there are no services\n");
	else
		table_print(t, cli->out, cli->width);
	table_free(t);
}

static const char *
backend_state(const json_t *backend)
{
	if (field_bool(backend, "ready"))
		return "ready";
	if (field_bool(backend, "terminating"))
		return field_bool(backend, "serving") ? "terminating, serving" : "terminating";
	return "not ready";
}

static void
print_backends(const struct cli *cli, const json_t *service)
{
	static const struct column columns[] = {
		{ "  BACKEND", LEFT, 0 },
		{ "STATE", LEFT, 0 },
		{ "SLOT", RIGHT, 0 },
		{ "POD", LEFT, 12 },
		{ "NODE", LEFT, 8 },
	};
	struct table *t = table_new(columns, 5);
	const json_t *backend;
	size_t i;

	json_array_foreach (json_object_get(service, "backends"), i, backend) {
		bool is_v6 = strchr(field_str(backend, "address"), ':') != NULL;

		table_cell(t, "  %s%s%s:%lld", is_v6 ? "[" : "", field_str(backend, "address"),
			is_v6 ? "]" : "", field_int(backend, "port"));
		table_cell(t, "%s", backend_state(backend));
		if (!field_bool(backend, "ready"))
			table_cell(t, "%s", "");
		else if (field_int(backend, "slot") == 0)
			table_cell(t, "exceptions");
		else
			table_cell(t, "%lld", field_int(backend, "slot"));
		table_cell(t, "%s", field_str(backend, "pod"));
		table_cell(t, "%s", field_str(backend, "node"));
	}
	if (table_rows(t) != 0)
		table_print(t, cli->out, cli->width);
	table_free(t);
}

static void
print_one(const struct cli *cli, const json_t *service)
{
	fprintf(cli->out, "%s %s port %lld/%s on %s: %lld of %lld backends ready, %lld buckets\n",
		pod_text(service), field_str(service, "port_name"), field_int(service, "port"),
		field_str(service, "protocol"), field_list(service, "addresses"), field_int(service, "ready"),
		field_int(service, "total"), field_int(service, "buckets"));
	if (*field_str(service, "problem") != '\0')
		fprintf(cli->out, "  problem: %s\n", field_str(service, "problem"));
	print_backends(cli, service);
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
		print_all(cli, services);
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
