/* ringway endpoints: each endpoint of each service, and where this node sends packets for it. */
#include "control/cli/client.h"
#include "control/cli/table.h"

static int
endpoints_run(const struct cli *cli, void *input)
{
	static const struct column columns[] = {
		{ "SERVICE", LEFT, 12 },
		{ "ADDRESS", LEFT, 0 },
		{ "PORT", LEFT, 0 },
		{ "STATE", LEFT, 0 },
		{ "POD", LEFT, 12 },
		{ "NODE", LEFT, 8 },
		{ "VIA", LEFT, 8 },
	};
	struct table *t;
	const json_t *endpoint;
	json_t *doc;
	size_t i;
	int rc = client_request(cli, "/v1/endpoints", NULL, &doc);

	if (rc != CLI_FINE)
		return rc;
	if (cli->json) {
		cli_print_json(cli, doc);
		json_decref(doc);
		return CLI_FINE;
	}
	t = table_new(columns, 7);
	json_array_foreach (json_object_get(doc, "endpoints"), i, endpoint) {
		table_cell(t, "%s/%s", field_str(endpoint, "namespace"), field_str(endpoint, "service"));
		table_cell(t, "%s", field_str(endpoint, "address"));
		table_cell(t, "%lld/%s", field_int(endpoint, "port"), field_str(endpoint, "protocol"));
		table_cell(t, "%s",
			field_bool(endpoint, "ready")         ? "ready"
			: field_bool(endpoint, "terminating") ? "terminating"
							      : "not ready");
		table_cell(t, "%s", field_str(endpoint, "pod"));
		table_cell(t, "%s", field_str(endpoint, "node"));
		table_cell(t, "%s", field_str(endpoint, "via"));
	}
	if (table_rows(t) == 0)
		fprintf(cli->out, "no service has endpoints\n");
	else
		table_print(t, cli->out, cli->width);
	table_free(t);
	json_decref(doc);
	return CLI_FINE;
}

const struct command endpoints_command = {
	.name = "endpoints",
	.help = "Every endpoint of every service, and the way to it.",
	.json_help = "{\"endpoints\": [{\"namespace\", \"service\", \"address\", \"port\", \"port_name\", "
		     "\"protocol\", "
		     "\"ready\", \"serving\", \"terminating\", \"pod\", \"node\", \"via\": the local port, "
		     "the node's VTEP, or why "
		     "there is no way}]}",
	.run = endpoints_run,
};
