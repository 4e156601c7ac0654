/* What NetworkPolicies had to say about a packet, with their names. */
#include <stdio.h>

#include "control/admin/explain.h"
#include "control/build/policy_build.h"

#define TEXT_SIZE 1024

static void
add_policy(const char *ns, const char *name, void *arg)
{
	json_array_append_new(arg, json_pack("{s:s, s:s}", "namespace", ns, "name", name));
}

static json_t *
isolating_json(const struct explain_context *c, const struct trace_policy *judged)
{
	json_t *list = json_array();

	if (c->policies != NULL)
		policy_builder_each_isolating(c->policies, judged->pod_port,
			(enum policy_direction)judged->direction, add_policy, list);
	return list;
}

/* "shop/a, shop/b" */
static void
print_policies(const json_t *list, char *text, size_t size)
{
	size_t used = 0, i;
	const json_t *policy;

	*text = '\0';
	json_array_foreach (list, i, policy) {
		used += (size_t)snprintf(text + used, size - used, "%s%s/%s", i == 0 ? "" : ", ",
			json_string_value(json_object_get(policy, "namespace")),
			json_string_value(json_object_get(policy, "name")));
		if (used >= size)
			return;
	}
}

/* "ingress of pod shop/db from 10.244.1.7 (pod shop/web), tcp port 80" */
static void
print_question(const struct explain_context *c, const struct trace_policy *judged, char *text, size_t size)
{
	bool has_port =
		judged->proto == PROTO_TCP || judged->proto == PROTO_UDP || judged->proto == PROTO_SCTP;
	char pod[NAME_TEXT_SIZE], peer[NAME_TEXT_SIZE], addr[IP_ADDR_STRLEN], port[32] = "";

	if (has_port)
		snprintf(port, sizeof(port), " port %u", judged->server_port);
	names_of_addr(&c->names, &judged->peer, peer);
	snprintf(text, size, "%s%s of %s %s %s%s%s%s, %s%s", judged->is_reply ? "as a reply: " : "",
		judged->direction == POLICY_INGRESS ? "ingress" : "egress",
		names_of_port(&c->names, judged->pod_port, pod),
		judged->direction == POLICY_INGRESS ? "from" : "to", ip_addr_format(&judged->peer, addr),
		*peer == '\0' ? "" : " (", peer, *peer == '\0' ? "" : ")", proto_name(judged->proto), port);
}

static json_t *
judgement_json(const struct explain_context *c, const struct trace_policy *judged)
{
	char question[TEXT_SIZE], names[TEXT_SIZE], text[3 * TEXT_SIZE];
	json_t *isolating = isolating_json(c, judged), *rule = json_null();
	const char *direction = judged->direction == POLICY_INGRESS ? "ingress" : "egress", *closed = NULL;
	struct policy_number what;

	print_question(c, judged, question, sizeof(question));
	print_policies(isolating, names, sizeof(names));
	if (judged->is_closed && c->policies != NULL)
		closed = policy_builder_closed(c->policies, judged->pod_port);
	if (judged->is_closed) {
		snprintf(text, sizeof(text), "%s: the pod is closed: %s", question,
			closed == NULL ? "its policies could not be compiled" : closed);
	} else if (judged->is_allowed && judged->number != 0 && c->policies != NULL &&
		   policy_builder_number(c->policies, judged->number, &what) && what.rule >= 0) {
		json_decref(rule);
		rule = json_pack("{s:s, s:s, s:s, s:i}", "namespace", what.ns, "name", what.name, "direction",
			direction, "index", what.rule);
		snprintf(text, sizeof(text), "%s: allowed by %s/%s, spec.%s[%d]", question, what.ns,
			what.name, direction, what.rule);
	} else if (judged->is_allowed) {
		snprintf(text, sizeof(text), "%s: %s", question,
			json_array_size(isolating) == 0 ? "no policy isolates the pod in this direction"
							: "always allowed");
	} else {
		snprintf(text, sizeof(text), "%s: no rule of %s allows it", question, names);
	}
	return json_pack("{s:s, s:b, s:b, s:b, s:b, s:o, s:o, s:s}", "direction", direction, "allowed",
		judged->is_allowed, "reply", judged->is_reply, "closed", judged->is_closed, "audit",
		judged->is_audit, "isolating", isolating, "rule", rule, "text", text);
}

json_t *
explain_policies_json(const struct explain_context *c, const struct explain_output *run)
{
	json_t *list = json_array();

	for (unsigned half = 0; half < run->n_halves; half++)
		for (unsigned i = 0; i < run->traces[half].n_policies; i++)
			json_array_append_new(list, judgement_json(c, &run->traces[half].policies[i]));
	return list;
}
