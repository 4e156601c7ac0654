/* ringway endpoints: each endpoint of each service, and where this node sends packets for it. */
#include "control/cli/listing.h"

static const char *
service_text(const json_t *endpoint)
{
	static char text[320];

	snprintf(text, sizeof(text), "%s/%s", field_str(endpoint, "namespace"),
		field_str(endpoint, "service"));
	return text;
}

static const char *
port_text(const json_t *endpoint)
{
	static char text[32];

	snprintf(text, sizeof(text), "%lld/%s", field_int(endpoint, "port"), field_str(endpoint, "protocol"));
	return text;
}

static int
endpoints_run(const struct cli *cli, void *input)
{
	static const struct listing_column columns[] = {
		{ { "SERVICE", LEFT, 12 }, NULL, service_text },
		{ { "ADDRESS", LEFT, 0 }, "address", NULL },
		{ { "PORT", LEFT, 0 }, NULL, port_text },
		{ { "STATE", LEFT, 0 }, NULL, endpoint_state_text },
		{ { "POD", LEFT, 12 }, "pod", NULL },
		{ { "NODE", LEFT, 8 }, "node", NULL },
		{ { "VIA", LEFT, 8 }, "via", NULL },
	};
	static const struct listing endpoints = { "no service has endpoints", 7, columns };

	return listing_run(cli, &endpoints, "/v1/endpoints", "endpoints");
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
