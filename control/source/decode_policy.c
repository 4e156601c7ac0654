/* NetworkPolicy. A field that is not known here is an error, other than in other kinds: a misspelled one in a rule makes it
 * allow more than was meant. What the API server refuses is refused, and its defaults are filled in. */
#include <ctype.h>
#include <stdlib.h>

#include "control/model/network_policy.h"
#include "control/source/decode.h"

#define LABEL_VALUE_MAX 63
#define PORT_NAME_MAX 15

enum { INGRESS, EGRESS }; /* as enum policy_direction */

#define MEMBERS(object, ...)                                     \
	field_only(object, (const char *const[]){ __VA_ARGS__ }, \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

/* --- selectors */

static bool
is_label_value(const char *text)
{
	size_t len = strlen(text);

	if (len == 0)
		return true;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && strchr("-_.", text[i]) == NULL)
			return false;
	return len <= LABEL_VALUE_MAX && isalnum((unsigned char)text[0]) &&
	       isalnum((unsigned char)text[len - 1]);
}

static void
check_label_value(const struct field *f, const char *text)
{
	if (!is_label_value(text))
		field_fail(f,
			"\"%.80s\" is not a label's value: at most %d letters, digits, '-', '_' and '.', a "
			"letter "
			"or digit at both ends",
			text, LABEL_VALUE_MAX);
}

static void
decode_values(const struct field *entry, struct selector_expression *e)
{
	struct field list = field_member(entry, "values");
	bool takes_values = e->op == SELECTOR_IN || e->op == SELECTOR_NOT_IN;
	size_t n = field_count(&list);

	if (takes_values && n == 0)
		field_fail(&list, "must hold a value: without one, In selects nothing and NotIn everything");
	if (!takes_values && n != 0)
		field_fail(&list, "must be left out: Exists and DoesNotExist look at the key alone");
	e->values = field_alloc(&list, n, sizeof(*e->values));
	for (size_t i = 0; e->values != NULL && i < n; i++) {
		struct field value = field_element(&list, i);

		e->values[e->n_values++] = field_text(&value, "");
		check_label_value(&value, field_peek(&value));
	}
}

static void
decode_expression(const struct field *entry, struct selector_expression *e)
{
	static const char *const operators[] = { "", "In", "NotIn", "Exists", "DoesNotExist" };
	static const enum selector_operator meanings[] = { 0, SELECTOR_IN, SELECTOR_NOT_IN, SELECTOR_EXISTS,
		SELECTOR_DOES_NOT_EXIST };
	struct field key = field_member(entry, "key"), op = field_member(entry, "operator");
	unsigned choice = field_choice(&op, operators, 5);

	MEMBERS(entry, "key", "operator", "values");
	e->key = field_text(&key, NULL);
	if (choice == 0)
		field_fail(&op, "is missing: In, NotIn, Exists or DoesNotExist");
	e->op = meanings[choice];
	decode_values(entry, e);
}

static void
decode_selector(const struct field *f, struct selector *s)
{
	struct field labels = field_member(f, "matchLabels"), list = field_member(f, "matchExpressions");
	size_t n = field_count(&list);

	MEMBERS(f, "matchLabels", "matchExpressions");
	labels_decode(&labels, &s->match_labels);
	for (size_t i = 0; i < s->match_labels.n; i++) {
		struct field value = field_member(&labels, s->match_labels.items[i].key);

		check_label_value(&value, s->match_labels.items[i].value);
	}
	s->expressions = field_alloc(&list, n, sizeof(*s->expressions));
	for (size_t i = 0; s->expressions != NULL && i < n; i++) {
		struct field entry = field_element(&list, i);

		decode_expression(&entry, &s->expressions[s->n_expressions++]);
	}
}

/* NULL: there is none, which is not the same as an empty one. */
static struct selector *
decode_optional_selector(const struct field *peer, const char *key)
{
	struct field f = field_member(peer, key);
	struct selector *s;

	if (f.value == NULL)
		return NULL;
	s = field_alloc(&f, 1, sizeof(*s));
	if (s != NULL)
		decode_selector(&f, s);
	return s;
}

/* --- peers */

static void
check_except(const struct field *f, const struct ip_block *block, const struct ip_prefix *except)
{
	char cidr[IP_PREFIX_STRLEN];

	if (except->len <= block->cidr.len || !ip_prefix_contains(&block->cidr, &except->addr))
		field_fail(f, "%.60s must be a part of %s, and smaller", field_peek(f),
			ip_prefix_format(&block->cidr, cidr));
}

static struct ip_block *
decode_block(const struct field *peer)
{
	struct field f = field_member(peer, "ipBlock");
	struct field cidr = field_member(&f, "cidr"), list = field_member(&f, "except");
	size_t n = field_count(&list);
	struct ip_block *block;

	if (f.value == NULL)
		return NULL;
	MEMBERS(&f, "cidr", "except");
	block = field_alloc(&f, 1, sizeof(*block));
	if (block == NULL)
		return NULL;
	block->cidr = field_prefix(&cidr);
	block->excepts = field_alloc(&list, n, sizeof(*block->excepts));
	for (size_t i = 0; block->excepts != NULL && i < n; i++) {
		struct field entry = field_element(&list, i);

		block->excepts[block->n_excepts] = field_prefix(&entry);
		check_except(&entry, block, &block->excepts[block->n_excepts++]);
	}
	return block;
}

static void
decode_peer(const struct field *f, struct policy_peer *peer)
{
	MEMBERS(f, "podSelector", "namespaceSelector", "ipBlock");
	peer->pods = decode_optional_selector(f, "podSelector");
	peer->namespaces = decode_optional_selector(f, "namespaceSelector");
	peer->block = decode_block(f);
	if (peer->block != NULL && (peer->pods != NULL || peer->namespaces != NULL))
		field_fail(
			f, "has an ipBlock and a selector; write them as two entries, of which each allows");
	else if (peer->block == NULL && peer->pods == NULL && peer->namespaces == NULL)
		field_fail(f, "selects nobody; write podSelector: {} for all pods of this namespace, "
			      "namespaceSelector: {} for those of all");
}

/* --- ports */

static bool
is_port_name(const char *text)
{
	size_t len = strlen(text);
	bool has_letter = false;

	if (len == 0 || len > PORT_NAME_MAX || text[0] == '-' || text[len - 1] == '-' ||
		strstr(text, "--") != NULL)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) && text[i] != '-')
			return false;
		has_letter |= islower((unsigned char)text[i]) != 0;
	}
	return has_letter;
}

static void
decode_port_name(const struct field *f, const struct field *end, struct policy_port *port)
{
	const char *text = field_peek(f);

	if (*text != '\0' && text[strspn(text, "0123456789")] == '\0')
		field_fail(f, "\"%.60s\" is a name; write the number without quotes", text);
	else if (!is_port_name(text))
		field_fail(f,
			"\"%.60s\" is not the name of a port: at most %d of a-z, 0-9 and single '-', with a "
			"letter, a letter or digit at both ends",
			text, PORT_NAME_MAX);
	else if (end->value != NULL)
		field_fail(end, "needs a number in port, which is \"%s\"", text);
	port->name = field_text(f, NULL);
}

static void
decode_port(const struct field *entry, struct policy_port *port)
{
	struct field proto = field_member(entry, "protocol"), f = field_member(entry, "port");
	struct field end = field_member(entry, "endPort");

	MEMBERS(entry, "protocol", "port", "endPort");
	port->proto = field_proto(&proto);
	if (f.value == NULL) {
		if (end.value != NULL)
			field_fail(&end, "needs a port, where the range begins");
		port->last = UINT16_MAX;
	} else if (json_is_string(f.value)) {
		decode_port_name(&f, &end, port);
	} else {
		port->first = (uint16_t)field_number(&f, 1, UINT16_MAX);
		port->last = (uint16_t)field_number_or(&end, port->first, 1, UINT16_MAX);
		if (port->last < port->first)
			field_fail(&end, "is %u, before port %u", port->last, port->first);
	}
}

/* --- the policy */

static void
decode_rule(const struct field *f, const char *peers_key, struct policy_rule *rule)
{
	struct field peers = field_member(f, peers_key), ports = field_member(f, "ports");
	size_t n_peers = field_count(&peers), n_ports = field_count(&ports);

	MEMBERS(f, peers_key, "ports");
	rule->peers = field_alloc(&peers, n_peers, sizeof(*rule->peers));
	for (size_t i = 0; rule->peers != NULL && i < n_peers; i++) {
		struct field entry = field_element(&peers, i);

		decode_peer(&entry, &rule->peers[rule->n_peers++]);
	}
	rule->ports = field_alloc(&ports, n_ports, sizeof(*rule->ports));
	for (size_t i = 0; rule->ports != NULL && i < n_ports; i++) {
		struct field entry = field_element(&ports, i);

		decode_port(&entry, &rule->ports[rule->n_ports++]);
	}
}

static void
decode_rules(const struct field *spec, const char *key, const char *peers_key, size_t *n_rules,
	struct policy_rule **rules)
{
	struct field list = field_member(spec, key);
	size_t n = field_count(&list);

	*rules = field_alloc(&list, n, sizeof(**rules));
	for (size_t i = 0; *rules != NULL && i < n; i++) {
		struct field entry = field_element(&list, i);

		decode_rule(&entry, peers_key, &(*rules)[(*n_rules)++]);
	}
}

/* An empty list is as good as none: Ingress, and Egress if there are rules for it. */
static void
decode_types(const struct field *spec, struct network_policy_object *policy)
{
	static const char *const types[] = { "", "Ingress", "Egress" };
	struct field list = field_member(spec, "policyTypes");
	size_t n = field_count(&list);

	for (size_t i = 0; i < n; i++) {
		struct field entry = field_element(&list, i);
		unsigned choice = field_choice(&entry, types, 3);

		if (choice == 0)
			field_fail(&entry, "must be Ingress or Egress");
		else
			policy->isolates[choice == 1 ? INGRESS : EGRESS] = true;
	}
	if (n == 0) {
		policy->isolates[INGRESS] = true;
		policy->isolates[EGRESS] = policy->n_rules[EGRESS] != 0;
	}
}

bool
policy_decode(const struct field *root, struct network_policy_object *policy)
{
	struct field spec = field_member(root, "spec"), pods = field_member(&spec, "podSelector");

	if (spec.value == NULL)
		field_fail(&spec, "is missing; podSelector: {} in it would select all pods of the namespace");
	MEMBERS(&spec, "podSelector", "ingress", "egress", "policyTypes");
	decode_selector(&pods, &policy->pods);
	decode_rules(&spec, "ingress", "from", &policy->n_rules[INGRESS], &policy->rules[INGRESS]);
	decode_rules(&spec, "egress", "to", &policy->n_rules[EGRESS], &policy->rules[EGRESS]);
	decode_types(&spec, policy);
	return true;
}

void
policy_decode_pods(const struct field *root, struct selector *pods)
{
	struct field spec = field_member(root, "spec"), selector = field_member(&spec, "podSelector");

	decode_selector(&selector, pods);
	if (!root->decoder->has_failed)
		return;
	selector_fini(pods);
	*pods = (struct selector){ 0 };
}
