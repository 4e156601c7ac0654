/* ringway policies: NetworkPolicies, as this node has them in force. */
#include "control/cli/listing.h"

static const char *
rules_text(const json_t *policy)
{
	static char text[24];

	snprintf(text, sizeof(text), "%zu", json_array_size(json_object_get(policy, "rules")));
	return text;
}

static int
policies_run(const struct cli *cli, void *input)
{
	static const struct listing_column columns[] = {
		{ { "NAMESPACE", LEFT, 12 }, "namespace", NULL },
		{ { "NAME", LEFT, 12 }, "name", NULL },
		{ { "ISOLATES", LEFT, 0 }, "directions", NULL },
		{ { "PODS HERE", RIGHT, 0 }, "pods", NULL },
		{ { "RULES", RIGHT, 0 }, NULL, rules_text },
		{ { "HITS", RIGHT, 0 }, "hits", NULL },
		{ { "PROBLEM", LEFT, 12 }, "problem", NULL },
	};
	static const struct listing policies = { "there are no NetworkPolicies", 7, columns };

	return listing_run(cli, &policies, "/v1/policies", "policies");
}

const struct command policies_command = {
	.name = "policies",
	.help = "NetworkPolicies: whom they isolate here, what their rules let pass.",
	.json_help = "{\"version\": of the tables in force, which have all of them, \"policies\": "
		     "[{\"namespace\", "
		     "\"name\", \"directions\": that it isolates, \"pods\": of this node that it selects, "
		     "\"hits\": "
		     "packets that its rules allowed since the daemon began, \"rules\": [{\"direction\", "
		     "\"index\", "
		     "\"hits\", \"nobody\": its peers are nobody now}], of a policy that selects a pod here, "
		     "\"problem\"}]}",
	.run = policies_run,
};
