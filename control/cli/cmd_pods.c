/* ringway pods: the pods attached to this node's dataplane. */
#include <string.h>

#include "control/cli/listing.h"

struct pods_args {
	const char *which; /* "namespace/name" or "name"; NULL: all */
};

static error_t
pods_parse(int key, char *arg, struct argp_state *state)
{
	struct pods_args *args = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (args->which != NULL)
			argp_error(state, "one pod, or none for all of them: '%s' is too much", arg);
		args->which = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Empty when it is null: a pod without a port. */
static void
number_cell(struct table *t, const json_t *pod, const char *name)
{
	if (json_is_integer(json_object_get(pod, name)))
		table_cell(t, "%lld", field_int(pod, name));
	else
		table_cell(t, "%s", "");
}

static void
print_all(const struct cli *cli, const json_t *pods, const json_t *unmanaged)
{
	static const struct column columns[] = {
		{ "POD", LEFT, 16 },
		{ "ADDRESSES", LEFT, 15 },
		{ "PORT", RIGHT, 0 },
		{ "WORKER", RIGHT, 0 },
		{ "XDP", LEFT, 0 },
		{ "SENT", RIGHT, 0 },
		{ "RECEIVED", RIGHT, 0 },
		{ "DROPS", RIGHT, 0 },
		{ "EXCEPTIONS", RIGHT, 0 },
		{ "PROBLEM", LEFT, 12 },
	};
	struct table *t = table_new(columns, 10);
	const json_t *pod, *drops, *n;
	const char *reason;
	size_t i;

	json_array_foreach (pods, i, pod) {
		json_int_t dropped = 0;

		drops = json_object_get(pod, "drops");
		json_object_foreach ((json_t *)drops, reason, n)
			dropped += json_integer_value(n);
		table_cell(t, "%s", pod_text(pod));
		table_cell(t, "%s", field_list(pod, "addresses"));
		number_cell(t, pod, "port");
		number_cell(t, pod, "worker");
		table_cell(t, "%s", field_str(pod, "xdp"));
		table_cell(t, "%lld", field_int(pod, "rx_packets"));
		table_cell(t, "%lld", field_int(pod, "tx_packets"));
		table_cell(t, "%lld", dropped);
		table_cell(t, "%lld", field_int(pod, "exceptions"));
		table_cell(t, "%s", field_str(pod, "problem"));
	}
	json_array_foreach (unmanaged, i, pod) {
		table_cell(t, "%s", pod_text(pod));
		table_cell(t, "%s", field_list(pod, "addresses"));
		for (unsigned k = 0; k < 7; k++)
			table_cell(t, "%s", "");
		table_cell(t, "%s", field_str(pod, "problem"));
	}
	if (table_rows(t) == 0)
		fprintf(cli->out, "no pods are attached\n");
	else
		table_print(t, cli->out, cli->width);
	table_free(t);
}

static void
print_host_ports(struct table *t, const json_t *pod)
{
	const json_t *port;
	size_t i;

	json_array_foreach (json_object_get(pod, "host_ports"), i, port) {
		const char *address = field_str(port, "address");

		table_cell(t, "Host port");
		if (*address == '\0')
			table_cell(t, "%lld/%s to its port %lld", field_int(port, "port"),
				field_str(port, "protocol"), field_int(port, "pod_port"));
		else
			table_cell(t, "%s/%s to its port %lld", endpoint_text(port),
				field_str(port, "protocol"), field_int(port, "pod_port"));
	}
}

static void
print_one(const struct cli *cli, const json_t *pod)
{
	static const struct column columns[] = { { NULL, LEFT, 0 }, { NULL, LEFT, 0 } };
	struct table *t = table_new(columns, 2);
	const json_t *n;
	const char *reason;

#define ROW(title, ...) (table_cell(t, title), table_cell(t, __VA_ARGS__))
	ROW("Pod", "%s", pod_text(pod));
	ROW("Addresses", "%s", field_list(pod, "addresses"));
	ROW("MAC", "%s", field_str(pod, "mac"));
	ROW("MTU", "%lld", field_int(pod, "mtu"));
	ROW("Interface", "%s (the node's end)", field_str(pod, "interface"));
	if (*field_str(pod, "problem") != '\0')
		ROW("Problem", "%s", field_str(pod, "problem"));
	if (json_is_integer(json_object_get(pod, "port")))
		ROW("Port", "%lld, on worker %lld, XDP %s", field_int(pod, "port"), field_int(pod, "worker"),
			field_str(pod, "xdp"));
	print_host_ports(t, pod);
	ROW("Container", "%s", field_str(pod, "container"));
	ROW("Sent", "%lld packets, %s", field_int(pod, "rx_packets"), bytes_text(field_int(pod, "rx_bytes")));
	ROW("Received", "%lld packets, %s", field_int(pod, "tx_packets"),
		bytes_text(field_int(pod, "tx_bytes")));
	ROW("Exceptions", "%lld of %lld", field_int(pod, "exceptions"), field_int(pod, "exceptions_quota"));
	json_object_foreach (json_object_get(pod, "exceptions_why"), reason, n) {
		table_cell(t, "%s", "");
		table_cell(t, "%lld %s", json_integer_value(n), reason);
	}
	if (json_is_true(json_object_get(pod, "opaque")))
		ROW("Opaque", "connections' sockets are not in its network namespace (Docker in a pod, a "
			      "virtual machine)");
	json_object_foreach (json_object_get(pod, "drops"), reason, n) {
		table_cell(t, "Dropped");
		table_cell(t, "%lld %s", json_integer_value(n), reason);
	}
#undef ROW
	table_print(t, cli->out, cli->width);
	table_free(t);
}

static bool
is_named(const json_t *pod, const char *which)
{
	return strcmp(which, pod_text(pod)) == 0 || strcmp(which, field_str(pod, "name")) == 0;
}

static int
pods_run(const struct cli *cli, void *input)
{
	const struct pods_args *args = input;
	json_t *doc, *pods, *pod;
	size_t i, n_found = 0;
	int rc = client_request(cli, "/v1/pods", NULL, &doc);

	if (rc != CLI_FINE)
		return rc;
	pods = json_object_get(doc, "pods");
	if (args->which == NULL) {
		if (cli->json)
			cli_print_json(cli, doc);
		else
			print_all(cli, pods, json_object_get(doc, "unmanaged"));
		json_decref(doc);
		return CLI_FINE;
	}
	json_array_foreach (pods, i, pod)
		if (is_named(pod, args->which)) {
			if (cli->json)
				cli_print_json(cli, pod);
			else
				print_one(cli, pod);
			n_found++;
		}
	json_array_foreach (json_object_get(doc, "unmanaged"), i, pod)
		if (n_found == 0 && is_named(pod, args->which)) {
			fprintf(stderr, "ringway: pod '%s' is not attached to Ringway: %s\n", pod_text(pod),
				field_str(pod, "problem"));
			json_decref(doc);
			return CLI_PROBLEM;
		}
	if (n_found == 0)
		fprintf(stderr, "ringway: no pod '%s' is attached to this node; `ringway pods` lists them\n",
			args->which);
	json_decref(doc);
	return n_found == 0 ? CLI_PROBLEM : CLI_FINE;
}

const struct command pods_command = {
	.name = "pods",
	.help = "The pods attached here: addresses, packets, drops.",
	.args = "[NAMESPACE/NAME]",
	.json_help =
		"{\"pods\": [{\"namespace\", \"name\", \"container\", \"netns\", \"addresses\": [ADDRESS], "
		"\"mac\", \"mtu\", "
		"\"interface\", \"port\" and \"worker\": null without a port, \"xdp\": \"native\" or "
		"\"skb\", \"rx_packets\", "
		"\"rx_bytes\" (sent by "
		"the pod), \"tx_packets\", \"tx_bytes\" (received by it), \"drops\": {REASON: COUNT} of "
		"packets the pod "
		"sent, \"exceptions\", \"exceptions_why\": {REASON: COUNT}, \"exceptions_quota\", "
		"\"opaque\": whether connections have sockets that are not in its network namespace, "
		"\"host_ports\": [{\"address\": of the node, "
		"\"\" for any, "
		"\"port\", \"protocol\", \"pod_port\"}], \"problem\": what keeps it from its traffic (it has "
		"no port, it is closed), or \"\"}], "
		"\"unmanaged\": [{\"namespace\", \"name\", \"addresses\", \"problem\"}] of pods that "
		"another network attached}; "
		"with a name, that pod's object alone.",
	.parse = pods_parse,
	.run = pods_run,
	.input_size = sizeof(struct pods_args),
};
