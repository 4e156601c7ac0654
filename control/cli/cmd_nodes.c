/* ringway nodes: the nodes of the cluster, and the tunnels to them. */
#include "control/cli/listing.h"

static int
nodes_run(const struct cli *cli, void *input)
{
	static const struct listing_column columns[] = {
		{ { "NODE", LEFT, 12 }, "name", NULL },
		{ { "VTEP", LEFT, 0 }, "vtep", NULL },
		{ { "NEXT HOP", LEFT, 0 }, "next_hop", NULL },
		{ { "STATE", LEFT, 0 }, "state", NULL },
		{ { "MTU", RIGHT, 0 }, "mtu", NULL },
		{ { "POD CIDRS", LEFT, 18 }, "pod_cidrs", NULL },
		{ { "PROBLEM", LEFT, 12 }, "problem", NULL },
	};
	static const struct listing nodes = { "no nodes are known yet", 7, columns };

	return listing_run(cli, &nodes, "/v1/nodes", "nodes");
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
