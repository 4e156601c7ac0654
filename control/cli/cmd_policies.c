/* ringway policies: NetworkPolicies, as this node has them in force. */
#include "control/cli/listing.h"

static const char *
rules_text(const json_t *policy)
{
	static char text[24];

	snprintf(text, sizeof(text), "%zu", json_array_size(json_object_get(policy, "rules")));
	return text;
}

static const char *
generation_text(const json_t *policy)
{
	static char text[24];

	if (field_bool(policy, "pending"))
		return "pending";
	snprintf(text, sizeof(text), "%lld", field_int(policy, "generation"));
	return text;
}

static const char *
denied_text(const json_t *set)
{
	static char text[40];

	snprintf(text, sizeof(text), "%lld%s", field_int(set, "denied"),
		field_bool(set, "audit") ? " (audit)" : "");
	return text;
}

static void
print(const struct cli *cli, const json_t *doc)
{
	static const struct listing_column columns[] = {
		{ { "NAMESPACE", LEFT, 12 }, "namespace", NULL },
		{ { "NAME", LEFT, 12 }, "name", NULL },
		{ { "ISOLATES", LEFT, 0 }, "directions", NULL },
		{ { "MODE", LEFT, 0 }, "mode", NULL },
		{ { "SINCE", RIGHT, 0 }, NULL, generation_text },
		{ { "PODS HERE", RIGHT, 0 }, "pods", NULL },
		{ { "RULES", RIGHT, 0 }, NULL, rules_text },
		{ { "HITS", RIGHT, 0 }, "hits", NULL },
		{ { "PROBLEM", LEFT, 12 }, "problem", NULL },
	};
	static const struct listing_column set_columns[] = {
		{ { "PODS ISOLATED", LEFT, 16 }, "pods", NULL },
		{ { "DIRECTION", LEFT, 0 }, "direction", NULL },
		{ { "BY", LEFT, 16 }, "policies", NULL },
		{ { "DENIED", RIGHT, 0 }, NULL, denied_text },
	};
	static const struct listing policies = { "there are no NetworkPolicies", 9, columns };
	static const struct listing sets = { NULL, 4, set_columns };

	if (json_array_size(json_object_get(doc, "policies")) != 0)
		fprintf(cli->out, "tables of version %lld are in force\n", field_int(doc, "version"));
	listing_print(cli, &policies, json_object_get(doc, "policies"));
	if (json_array_size(json_object_get(doc, "sets")) == 0)
		return;
	fputc('\n', cli->out);
	listing_print(cli, &sets, json_object_get(doc, "sets"));
}

static int
policies_run(const struct cli *cli, void *input)
{
	json_t *doc;
	int rc = client_request(cli, "/v1/policies", NULL, &doc);

	if (rc != CLI_FINE)
		return rc;
	if (cli->json)
		cli_print_json(cli, doc);
	else
		print(cli, doc);
	json_decref(doc);
	return CLI_FINE;
}

const struct command policies_command = {
	.name = "policies",
	.help = "NetworkPolicies: whom they isolate, let pass, and deny.",
	.json_help =
		"{\"version\": of the tables in force, \"policies\": [{\"namespace\", \"name\", "
		"\"directions\": that it isolates, \"mode\": \"enforce\" or \"audit\", which drops nothing, "
		"\"generation\": the version that it came into force with "
		"as it is now, or null, \"pending\": it is not yet in force as it is, since tables cannot be "
		"built, \"pods\": of this node that it selects, \"hits\": packets that its rules allowed "
		"since they are as they are, \"rules\": [{\"direction\", \"index\", \"hits\", \"nobody\": "
		"its peers are nobody now}], of a policy that selects a pod here, \"problem\"}], \"sets\": "
		"[{\"direction\", \"policies\": [NAMESPACE/NAME] that together isolate, \"pods\": "
		"[NAMESPACE/NAME] of this node, \"denied\": packets that none of their rules allowed, since "
		"they are as they are, \"audit\": these passed}]}",
	.run = policies_run,
};
