/* ringway nodes: the nodes of the cluster, and the tunnels to them. */
#include "control/cli/client.h"
#include "control/cli/table.h"

static int
nodes_run(const struct cli *cli, void *input)
{
	static const struct column columns[] = {
		{ "NODE", LEFT, 12 },
		{ "VTEP", LEFT, 0 },
		{ "NEXT HOP", LEFT, 0 },
		{ "STATE", LEFT, 0 },
		{ "MTU", RIGHT, 0 },
		{ "POD CIDRS", LEFT, 18 },
		{ "PROBLEM", LEFT, 12 },
	};
	struct table *t;
	const json_t *node;
	json_t *doc;
	size_t i;
	int rc = client_request(cli, "/v1/nodes", NULL, &doc);

	if (rc != CLI_FINE)
		return rc;
	if (cli->json) {
		cli_print_json(cli, doc);
		json_decref(doc);
		return CLI_FINE;
	}
	t = table_new(columns, 7);
	json_array_foreach (json_object_get(doc, "nodes"), i, node) {
		table_cell(t, "%s", field_str(node, "name"));
		table_cell(t, "%s", field_str(node, "vtep"));
		table_cell(t, "%s", field_str(node, "next_hop"));
		table_cell(t, "%s", field_str(node, "state"));
		table_cell(t, "%lld", field_int(node, "mtu"));
		table_cell(t, "%s", field_list(node, "pod_cidrs"));
		table_cell(t, "%s", field_str(node, "problem"));
	}
	if (table_rows(t) == 0)
		fprintf(cli->out, "no nodes are known yet\n");
	else
		table_print(t, cli->out, cli->width);
	table_free(t);
	json_decref(doc);
	return CLI_FINE;
}

const struct command nodes_command = {
	.name = "nodes",
	.help = "The cluster's nodes: tunnel end, next hop, MTU.",
	.json_help = "{\"nodes\": [{\"name\", \"self\", \"addresses\": [ADDRESS], \"pod_cidrs\": [PREFIX], "
		     "\"vtep\", "
		     "\"tunnel_mac\", \"next_hop\": MAC address, \"state\": \"self\", \"reachable\", "
		     "\"resolving\" or \"unusable\", "
		     "\"mtu\": of packets between pods, \"problem\"}]}",
	.run = nodes_run,
};
