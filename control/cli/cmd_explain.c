/* ringway explain: what would become of a packet, decided by the real pipeline. */
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/table.h"

struct explain_args {
	const char *from, *to, *tcp_flags;
	const char *sport, *size;
	bool json;
};

static const struct argp_option explain_options[] = {
	{ "from", 'f', "SENDER", 0,
		"NAMESPACE/POD, an address (also of a pod on another node), \"node\", or outside:ADDRESS for "
		"a client "
		"outside the cluster",
		0 },
	{ "to", 't', "DESTINATION", 0,
		"ADDRESS:PORT/PROTOCOL, NAMESPACE/NAME:PORT/PROTOCOL of a service or pod (from outside: "
		"where they are exposed), or "
		"ADDRESS/icmp; "
		"an IPv6 address in "
		"brackets; PROTOCOL is tcp (the default), udp, sctp or icmp",
		0 },
	{ "sport", 'p', "PORT", 0, "source port (default: 40000)", 0 },
	{ "tcp-flags", 'F', "FLAGS", 0, "for example SYN, or SYN,ACK (default: SYN)", 0 },
	{ "size", 'S', "BYTES", 0, "length of the IP packet (default: no payload)", 0 },
	{ "json", 'j', NULL, 0, "as -o json", 0 },
	{ 0 },
};

static error_t
explain_parse(int key, char *arg, struct argp_state *state)
{
	struct explain_args *args = state->input;

	switch (key) {
	case 'f':
		args->from = arg;
		return 0;
	case 't':
		args->to = arg;
		return 0;
	case 'p':
		args->sport = arg;
		return 0;
	case 'F':
		args->tcp_flags = arg;
		return 0;
	case 'S':
		args->size = arg;
		return 0;
	case 'j':
		args->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "what is '%s'? The sender goes behind --from, the destination behind --to",
			arg);
		return 0;
	case ARGP_KEY_END:
		if (args->from == NULL || args->to == NULL)
			argp_error(state,
				"a packet needs --from and --to, for example --from default/client --to "
				"10.96.0.10:80/tcp");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static json_t *
question(const struct explain_args *args)
{
	json_t *body = json_pack("{s:s, s:s}", "from", args->from, "to", args->to);

	if (args->sport != NULL)
		json_object_set_new(body, "sport", json_string(args->sport));
	if (args->tcp_flags != NULL)
		json_object_set_new(body, "tcp_flags", json_string(args->tcp_flags));
	if (args->size != NULL)
		json_object_set_new(body, "size", json_string(args->size));
	return body;
}

static void
print_answer(const struct cli *cli, const json_t *doc)
{
	static const struct column columns[] = { { NULL, LEFT, 0 }, { NULL, LEFT, 0 }, { NULL, LEFT, 0 } };
	struct table *t = table_new(columns, 3);
	const char *last = "";
	const json_t *step;
	size_t i;

	fprintf(cli->out, "%s\n", field_str(doc, "packet"));
	json_array_foreach (json_object_get(doc, "steps"), i, step) {
		const char *where = field_str(step, "where");

		table_cell(t, "  %s", strcmp(where, last) == 0 ? "" : where);
		table_cell(t, "%s", field_str(step, "stage"));
		table_cell(t, "%s", field_str(step, "text"));
		last = where;
	}
	table_print(t, cli->out, 0); /* sentences wrap better than they are cut */
	table_free(t);
	json_array_foreach (json_object_get(doc, "policies"), i, step)
		fprintf(cli->out, "policy: %s\n", field_str(step, "text"));
	if (*field_str(json_object_get(doc, "service"), "text") != '\0')
		fprintf(cli->out, "service: %s\n", field_str(json_object_get(doc, "service"), "text"));
	if (*field_str(doc, "rewritten") != '\0')
		fprintf(cli->out, "leaves as: %s\n", field_str(doc, "rewritten"));
	fprintf(cli->out, "verdict: %s\n", field_str(doc, "summary"));
	if (*field_str(doc, "hint") != '\0')
		fprintf(cli->out, "hint: %s\n", field_str(doc, "hint"));
	json_array_foreach (json_object_get(doc, "advice"), i, step) /* documents, for kubectl apply -f - */
		fprintf(cli->out, "---\n# %s\n%s", field_str(step, "note"), field_str(step, "yaml"));
}

static int
explain_run(const struct cli *cli, void *input)
{
	const struct explain_args *args = input;
	json_t *body = question(args);
	json_t *doc;
	int rc = client_request(cli, "/v1/explain", body, &doc);

	json_decref(body);
	if (rc != CLI_FINE)
		return rc;
	if (cli->json || args->json)
		cli_print_json(cli, doc);
	else
		print_answer(cli, doc);
	rc = strcmp(field_str(doc, "verdict"), "drop") == 0 ? CLI_PROBLEM : CLI_FINE;
	json_decref(doc);
	return rc;
}

const struct command explain_command = {
	.name = "explain",
	.help = "Runs one packet through the pipeline, without sending it.",
	.args = "--from SENDER --to DESTINATION",
	.json_help =
		"{\"packet\": the packet in words, \"from\": {\"kind\": \"pod\", \"remote\", "
		"\"host\" or \"outside\", \"name\", \"address\", "
		"\"port\", \"worker\"}, \"to\": {\"address\", \"port\", \"protocol\", \"name\"}, "
		"\"steps\": [{\"where\", \"stage\", "
		"\"text\"}], \"policies\": [{\"direction\", \"allowed\", \"reply\": judged as one, "
		"\"closed\", \"audit\": what it does not allow passes, "
		"\"isolating\": [{\"namespace\", \"name\"}], \"rule\": {\"namespace\", \"name\", "
		"\"direction\", "
		"\"index\"} that allows, or null, \"text\": all that in words}] on pods of this node, "
		"\"advice\": [{\"direction\", \"note\", \"policy\": a NetworkPolicy that would allow it, "
		"\"yaml\": the same as text}] for a packet that opens a flow and that policies deny, "
		"\"service\": {\"namespace\", \"name\", \"kind\": of the frontend, \"from\": "
		"\"inside\" or "
		"\"outside\", \"endpoints\": of the frontend's family and port, \"used\": those that new "
		"flows go to, "
		"\"terminating\": they are used for want of ready ones, \"hints\": \"zone\", \"node\" or "
		"\"\", "
		"\"local\": only this node's are used, \"moving\": its backends are changing, "
		"\"affinity_timeout_s\", \"text\": all that in words} to which it goes, or null, "
		"\"verdict\": \"forward\", \"reply\", \"punt\" or \"drop\", "
		"\"drop_reason\", \"help\", \"would_drop\": {\"reason\", \"help\"} of what passes only "
		"because "
		"of policy.mode: audit, or null, \"hint\", "
		"\"summary\", \"rewritten\": the packet as it leaves, in words, \"after\": {\"src\", "
		"\"sport\", \"dst\", \"dport\", \"protocol\", \"ttl\", \"size\"} of it, inside the tunnel "
		"(port 0: any that is free), "
		"\"tunnel\": the same of the tunnel's own header, or null, \"out\": {\"port\", \"name\", "
		"\"vtep\"}}. Exit status 1 when the packet "
		"would be dropped.",
	.options = explain_options,
	.parse = explain_parse,
	.run = explain_run,
	.input_size = sizeof(struct explain_args),
};
