/* What would let a packet pass that policies deny: whole NetworkPolicies. */
#include <stdio.h>
#include <stdlib.h>

#include "control/admin/explain.h"
#include "control/build/policy_advice.h"
#include "control/source/encode_policy.h"
#include "control/source/yaml_print.h"

#define INTRO_SIZE 128

/* Rules are about packets that open connections; a later one that is denied may only lack its opening. */
static bool
opens(const struct explain_header *h)
{
	return h->proto != PROTO_TCP || !(h->tcp_flags & (TCP_ACK | TCP_RST));
}

/* Whether the judgement after this one found a reply to what is allowed. */
static bool
passes_as_reply(const struct trace *t, unsigned i)
{
	for (i++; i < t->n_policies && t->policies[i].is_reply; i++)
		if (t->policies[i].is_allowed)
			return true;
	return false;
}

/* The pod of this node that has an address, or NULL. */
static const struct endpoint *
local_with(const struct explain_context *c, const struct ip_addr *addr)
{
	const struct endpoint_table *t = c->names.tables->endpoints;

	for (unsigned i = 0; i < t->n; i++)
		if (!t->endpoints[i].is_host &&
			ip_addr_eq(&t->endpoints[i].addrs[ip_addr_is_v4(addr) ? V4 : V6], addr))
			return &t->endpoints[i];
	return NULL;
}

static const char *
intro(const struct explain_context *c, const struct policy_denied *denied, const struct policy_advice *advice)
{
	if (denied->direction == POLICY_EGRESS && advice->is_peer_pod && local_with(c, &denied->peer) == NULL)
		return "This would allow it to leave; whether its receiver's policies let it in, that node "
		       "can "
		       "explain.";
	return denied->direction == POLICY_EGRESS ? "This would allow it to leave." : "This would let it in.";
}

static void
add_advice(const struct explain_context *c, json_t *list, const struct policy_denied *denied)
{
	char note[INTRO_SIZE + POLICY_ADVICE_NOTE_SIZE], *yaml;
	struct policy_advice advice;
	json_t *policy;

	if (policy_builder_advise(c->policies, denied, &advice) != 0)
		return;
	policy = policy_encode(advice.policy);
	yaml = yaml_print(policy);
	snprintf(note, sizeof(note), "%s%s%s", intro(c, denied, &advice), *advice.note == '\0' ? "" : " ",
		advice.note);
	json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:s?}", "direction",
					    denied->direction == POLICY_INGRESS ? "ingress" : "egress",
					    "note", note, "policy", policy, "yaml", yaml));
	free(yaml);
	object_free(&advice.policy->object);
}

/* What egress denies is not judged at its other end, where it may be denied too. */
static void
add_other_end(const struct explain_context *c, json_t *list, const struct trace_policy *judged,
	const struct ip_addr *sender)
{
	const struct policy_table *t = c->names.tables->policies;
	const struct endpoint *other = local_with(c, &judged->peer);
	const struct pod_policy *pod = other == NULL ? NULL : policy_of_port(t, other->port);

	if (pod == NULL || pod->rules[POLICY_INGRESS] == NULL ||
		rule_table_match(pod->rules[POLICY_INGRESS], identity_of(t->identities, sender),
			judged->proto, judged->server_port) >= 0)
		return;
	add_advice(c, list,
		&(struct policy_denied){
			other->port, POLICY_INGRESS, *sender, judged->proto, judged->server_port });
}

static void
advise(const struct explain_context *c, json_t *list, const struct trace_policy *judged,
	const struct explain_output *run)
{
	add_advice(c, list,
		&(struct policy_denied){ judged->pod_port, (enum policy_direction)judged->direction,
			judged->peer, judged->proto, judged->server_port });
	/* in audit it went on, and was judged there */
	if (judged->direction == POLICY_EGRESS && !judged->is_audit)
		add_other_end(c, list, judged, &run->as_parsed.src);
}

json_t *
explain_advice_json(const struct explain_context *c, const struct explain_output *run)
{
	json_t *list = json_array();

	if (c->policies == NULL || c->names.tables->policies == NULL || !opens(&run->as_parsed))
		return list;
	for (unsigned half = 0; half < run->n_halves; half++)
		for (unsigned i = 0; i < run->traces[half].n_policies; i++) {
			const struct trace_policy *judged = &run->traces[half].policies[i];

			if (!judged->is_reply && !judged->is_allowed && !judged->is_closed &&
				!passes_as_reply(&run->traces[half], i))
				advise(c, list, judged, run);
		}
	return list;
}
