#include "control/source/encode_policy.h"

static json_t *
labels_encode(const struct labels *labels)
{
	json_t *out = json_object();

	for (size_t i = 0; i < labels->n; i++)
		json_object_set_new(out, labels->items[i].key, json_string(labels->items[i].value));
	return out;
}

static json_t *
expression_encode(const struct selector_expression *e)
{
	static const char *const operators[] = {
		[SELECTOR_IN] = "In",
		[SELECTOR_NOT_IN] = "NotIn",
		[SELECTOR_EXISTS] = "Exists",
		[SELECTOR_DOES_NOT_EXIST] = "DoesNotExist",
	};
	json_t *out = json_pack("{s:s, s:s}", "key", e->key, "operator", operators[e->op]);
	json_t *values = json_array();

	for (size_t i = 0; i < e->n_values; i++)
		json_array_append_new(values, json_string(e->values[i]));
	if (e->n_values != 0)
		json_object_set(out, "values", values);
	json_decref(values);
	return out;
}

static json_t *
selector_encode(const struct selector *s)
{
	json_t *out = json_object(), *list = json_array();

	if (s->match_labels.n != 0)
		json_object_set_new(out, "matchLabels", labels_encode(&s->match_labels));
	for (size_t i = 0; i < s->n_expressions; i++)
		json_array_append_new(list, expression_encode(&s->expressions[i]));
	if (s->n_expressions != 0)
		json_object_set(out, "matchExpressions", list);
	json_decref(list);
	return out;
}

static json_t *
block_encode(const struct ip_block *block)
{
	char text[IP_PREFIX_STRLEN];
	json_t *out = json_pack("{s:s}", "cidr", ip_prefix_format(&block->cidr, text)), *list = json_array();

	for (size_t i = 0; i < block->n_excepts; i++)
		json_array_append_new(list, json_string(ip_prefix_format(&block->excepts[i], text)));
	if (block->n_excepts != 0)
		json_object_set(out, "except", list);
	json_decref(list);
	return out;
}

static json_t *
peer_encode(const struct policy_peer *peer)
{
	json_t *out = json_object();

	if (peer->block != NULL)
		json_object_set_new(out, "ipBlock", block_encode(peer->block));
	if (peer->namespaces != NULL)
		json_object_set_new(out, "namespaceSelector", selector_encode(peer->namespaces));
	if (peer->pods != NULL)
		json_object_set_new(out, "podSelector", selector_encode(peer->pods));
	return out;
}

/* A range from 0 on is all of the protocol. */
static json_t *
port_encode(const struct policy_port *port)
{
	json_t *out = json_pack("{s:s}", "protocol",
		port->proto == PROTO_TCP   ? "TCP"
		: port->proto == PROTO_UDP ? "UDP"
					   : "SCTP");

	if (port->name != NULL)
		json_object_set_new(out, "port", json_string(port->name));
	else if (port->first != 0)
		json_object_set_new(out, "port", json_integer(port->first));
	if (port->name == NULL && port->first != 0 && port->last != port->first)
		json_object_set_new(out, "endPort", json_integer(port->last));
	return out;
}

static json_t *
rule_encode(const struct policy_rule *rule, const char *peers_key)
{
	json_t *out = json_object(), *peers = json_array(), *ports = json_array();

	for (size_t i = 0; i < rule->n_peers; i++)
		json_array_append_new(peers, peer_encode(&rule->peers[i]));
	for (size_t i = 0; i < rule->n_ports; i++)
		json_array_append_new(ports, port_encode(&rule->ports[i]));
	if (rule->n_peers != 0)
		json_object_set(out, peers_key, peers);
	if (rule->n_ports != 0)
		json_object_set(out, "ports", ports);
	json_decref(peers);
	json_decref(ports);
	return out;
}

static void
add_direction(json_t *spec, const struct network_policy_object *policy, unsigned d)
{
	static const char *const types[] = { "Ingress", "Egress" }, *const keys[] = { "ingress", "egress" },
				 *const peers[] = { "from", "to" };
	json_t *list = json_array();

	for (size_t i = 0; i < policy->n_rules[d]; i++)
		json_array_append_new(list, rule_encode(&policy->rules[d][i], peers[d]));
	if (policy->n_rules[d] != 0)
		json_object_set(spec, keys[d], list);
	if (policy->isolates[d])
		json_array_append_new(json_object_get(spec, "policyTypes"), json_string(types[d]));
	json_decref(list);
}

json_t *
policy_encode(const struct network_policy_object *policy)
{
	json_t *spec = json_pack("{s:o, s:[]}", "podSelector", selector_encode(&policy->pods), "policyTypes");

	for (unsigned d = 0; d < 2; d++)
		add_direction(spec, policy, d);
	return json_pack("{s:s, s:s, s:{s:s, s:s}, s:o}", "apiVersion", "networking.k8s.io/v1", "kind",
		"NetworkPolicy", "metadata", "name", policy->object.name, "namespace", policy->object.ns,
		"spec", spec);
}
