/* ringway drops: what was dropped, why, and whose packets they were. */
#include "control/cli/listing.h"
#include "control/cli/table.h"

struct drops_args {
	bool all;
};

static const struct argp_option drops_options[] = {
	{ "all", 'a', NULL, 0, "also reasons that nothing was dropped for", 0 },
	{ 0 },
};

static error_t
drops_parse(int key, char *arg, struct argp_state *state)
{
	struct drops_args *args = state->input;

	switch (key) {
	case 'a':
		args->all = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'drops' takes no arguments, but was given '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void
print_ports(const struct cli *cli, const json_t *doc)
{
	static const struct column columns[] = {
		{ "SENDER", LEFT, 16 },
		{ "REASON", LEFT, 0 },
		{ "PACKETS", RIGHT, 0 },
	};
	struct table *t = table_new(columns, 3);
	const json_t *reason, *port;
	size_t i, k;

	json_array_foreach (json_object_get(doc, "reasons"), i, reason)
		json_array_foreach (json_object_get(reason, "ports"), k, port) {
			table_cell(t, "%s", field_str(port, "name"));
			table_cell(t, "%s", field_str(reason, "reason"));
			table_cell(t, "%lld", field_int(port, "packets"));
		}
	if (table_rows(t) != 0) {
		fputc('\n', cli->out);
		table_print(t, cli->out, cli->width);
	}
	table_free(t);
}

static void
print_policies(const struct cli *cli, const json_t *rows)
{
	static const struct listing_column columns[] = {
		{ { "DENIED BY", LEFT, 16 }, "policies", NULL },
		{ { "DIRECTION", LEFT, 0 }, "direction", NULL },
		{ { "PACKETS", RIGHT, 0 }, "denied", NULL },
		{ { "OF PODS", LEFT, 16 }, "pods", NULL },
	};
	static const struct listing policies = { NULL, 4, columns };

	if (json_array_size(rows) != 0) {
		fputc('\n', cli->out);
		listing_print(cli, &policies, rows);
	}
}

static void
print_would_drop(const struct cli *cli, const json_t *would_drop)
{
	static const struct listing_column columns[] = {
		{ { "WOULD BE", LEFT, 0 }, "reason", NULL },
		{ { "PACKETS", RIGHT, 0 }, "packets", NULL },
		{ { "MEANING", LEFT, 20 }, "help", NULL },
	};
	static const struct listing reasons = { NULL, 3, columns };

	if (field_int(would_drop, "packets") == 0)
		return;
	fprintf(cli->out, "\n%lld packets would be dropped but for policy.mode: audit\n\n",
		field_int(would_drop, "packets"));
	listing_print(cli, &reasons, json_object_get(would_drop, "reasons"));
	print_policies(cli, json_object_get(would_drop, "policies"));
}

static void
print_kernel(const struct cli *cli, const json_t *doc)
{
	static const struct column columns[] = {
		{ "LOST BEFORE THE SOCKET OF", LEFT, 16 },
		{ "CAUSE", LEFT, 0 },
		{ "PACKETS", RIGHT, 0 },
		{ "MEANING", LEFT, 20 },
	};
	struct table *t = table_new(columns, 4);
	const json_t *row;
	size_t i;

	json_array_foreach (json_object_get(doc, "kernel"), i, row) {
		table_cell(t, "%s", field_str(row, "name"));
		table_cell(t, "%s", field_str(row, "cause"));
		table_cell(t, "%lld", field_int(row, "packets"));
		table_cell(t, "%s", field_str(row, "help"));
	}
	if (table_rows(t) != 0) {
		fputc('\n', cli->out);
		table_print(t, cli->out, cli->width);
	}
	table_free(t);
}

static int
drops_run(const struct cli *cli, void *input)
{
	static const struct column columns[] = {
		{ "REASON", LEFT, 0 },
		{ "PACKETS", RIGHT, 0 },
		{ "MEANING", LEFT, 20 },
	};
	const struct drops_args *args = input;
	struct table *t;
	json_t *doc, *reasons;
	const json_t *reason;
	size_t i;
	int rc = client_request(cli, "/v1/drops", NULL, &doc);

	if (rc != CLI_FINE)
		return rc;
	reasons = json_object_get(doc, "reasons");
	for (i = json_array_size(reasons); !args->all && i-- > 0;)
		if (field_int(json_array_get(reasons, i), "packets") == 0)
			json_array_remove(reasons, i);
	if (cli->json) {
		cli_print_json(cli, doc);
		json_decref(doc);
		return CLI_FINE;
	}
	t = table_new(columns, 3);
	json_array_foreach (reasons, i, reason) {
		table_cell(t, "%s", field_str(reason, "reason"));
		table_cell(t, "%lld", field_int(reason, "packets"));
		table_cell(t, "%s", field_str(reason, "help"));
	}
	fprintf(cli->out, "%lld of %lld packets dropped\n", field_int(doc, "dropped"),
		field_int(doc, "received"));
	if (table_rows(t) != 0) {
		fputc('\n', cli->out);
		table_print(t, cli->out, cli->width);
	}
	print_ports(cli, doc);
	print_policies(cli, json_object_get(doc, "policies"));
	print_kernel(cli, doc);
	print_would_drop(cli, json_object_get(doc, "would_drop"));
	table_free(t);
	json_decref(doc);
	return CLI_FINE;
}

const struct command drops_command = {
	.name = "drops",
	.help = "What was dropped, why, and who sent it.",
	.json_help = "{\"received\", \"dropped\", \"reasons\": [{\"reason\", \"help\", \"packets\", "
		     "\"workers\": [PACKETS of worker "
		     "0, 1, ...], \"ports\": [{\"port\", \"name\": namespace/name of the pod, \"host\" or "
		     "\"uplink\", \"packets\"}]}], \"policies\": [{\"direction\", \"policies\", \"pods\", "
		     "\"denied\", "
		     "\"audit\"}] as in `ringway policies`, since these policies are as they are, "
		     "\"would_drop\": {\"packets\": that passed "
		     "because of policy.mode: audit, \"reasons\": [{\"reason\", \"help\", \"packets\"}], "
		     "\"policies\": the same of these}, "
		     "\"kernel\": [{\"port\", \"name\", \"cause\", \"help\", \"packets\"}]: lost before our "
		     "socket}; "
		     "reasons without packets only with --all.",
	.options = drops_options,
	.parse = drops_parse,
	.run = drops_run,
	.input_size = sizeof(struct drops_args),
};
