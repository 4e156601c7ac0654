#include "control/model/network_policy.h"

#include <stdio.h>
#include <stdlib.h>

void
selector_fini(struct selector *s)
{
	for (size_t i = 0; i < s->match_labels.n; i++) {
		free(s->match_labels.items[i].key);
		free(s->match_labels.items[i].value);
	}
	free(s->match_labels.items);
	for (size_t i = 0; i < s->n_expressions; i++) {
		for (size_t v = 0; v < s->expressions[i].n_values; v++)
			free(s->expressions[i].values[v]);
		free(s->expressions[i].values);
		free(s->expressions[i].key);
	}
	free(s->expressions);
}

void
selector_free(struct selector *s)
{
	if (s == NULL)
		return;
	selector_fini(s);
	free(s);
}

static bool
copy_expression(struct selector_expression *to, const struct selector_expression *from)
{
	to->op = from->op;
	to->key = strdup(from->key);
	to->values = calloc(from->n_values + 1, sizeof(*to->values));
	if (to->key == NULL || to->values == NULL)
		return false;
	for (; to->n_values < from->n_values; to->n_values++) {
		to->values[to->n_values] = strdup(from->values[to->n_values]);
		if (to->values[to->n_values] == NULL)
			return false;
	}
	return true;
}

static bool
copy_labels(struct labels *to, const struct labels *from)
{
	to->items = calloc(from->n + 1, sizeof(*to->items));
	if (to->items == NULL)
		return false;
	for (; to->n < from->n; to->n++) {
		struct label *label = &to->items[to->n];

		label->key = strdup(from->items[to->n].key);
		label->value = strdup(from->items[to->n].value);
		if (label->key == NULL || label->value == NULL) {
			free(label->key);
			free(label->value);
			return false;
		}
	}
	return true;
}

struct selector *
selector_copy(const struct selector *s)
{
	struct selector *copy = calloc(1, sizeof(*copy));
	bool ok = copy != NULL && copy_labels(&copy->match_labels, &s->match_labels);

	if (ok)
		ok = (copy->expressions = calloc(s->n_expressions + 1, sizeof(*copy->expressions))) != NULL;
	while (ok && copy->n_expressions < s->n_expressions) {
		size_t i = copy->n_expressions++; /* what was copied of it is freed with it */

		ok = copy_expression(&copy->expressions[i], &s->expressions[i]);
	}
	if (ok)
		return copy;
	selector_free(copy);
	return NULL;
}

struct ip_block *
ip_block_copy(const struct ip_block *block)
{
	struct ip_block *copy = calloc(1, sizeof(*copy));

	if (copy == NULL)
		return NULL;
	*copy = (struct ip_block){ .cidr = block->cidr,
		.excepts = calloc(block->n_excepts + 1, sizeof(*copy->excepts)) };
	if (copy->excepts == NULL) {
		free(copy);
		return NULL;
	}
	copy->n_excepts = block->n_excepts;
	if (block->n_excepts != 0)
		memcpy(copy->excepts, block->excepts, block->n_excepts * sizeof(*copy->excepts));
	return copy;
}

void
ip_block_free(struct ip_block *block)
{
	if (block == NULL)
		return;
	free(block->excepts);
	free(block);
}

static void
peer_fini(struct policy_peer *peer)
{
	selector_free(peer->namespaces);
	selector_free(peer->pods);
	ip_block_free(peer->block);
}

static void
rule_fini(struct policy_rule *rule)
{
	for (size_t i = 0; i < rule->n_peers; i++)
		peer_fini(&rule->peers[i]);
	free(rule->peers);
	for (size_t i = 0; i < rule->n_ports; i++)
		free(rule->ports[i].name);
	free(rule->ports);
}

void
network_policy_fini(struct object *object)
{
	struct network_policy_object *policy = (struct network_policy_object *)object;

	selector_fini(&policy->pods);
	for (unsigned d = 0; d < 2; d++) {
		for (size_t i = 0; i < policy->n_rules[d]; i++)
			rule_fini(&policy->rules[d][i]);
		free(policy->rules[d]);
	}
}

void
unread_policy_fini(struct object *object)
{
	selector_fini(&((struct unread_policy_object *)object)->pods);
}

void
unread_policy_describe(const struct unread_policy_object *unread, char *text, size_t size)
{
	const char *origin = unread->object.origin == NULL ? "a manifest" : unread->object.origin;
	const struct selector *s = &unread->pods;
	bool is_of_all = s->match_labels.n == 0 && s->n_expressions == 0;

	if (*unread->object.ns == '\0')
		snprintf(text, size,
			"%s could not be read when the daemon started, and may hold NetworkPolicies of any "
			"namespace: all pods are closed until it is mended",
			origin);
	else
		snprintf(text, size,
			"%s could not be read when the daemon started: %spods of namespace %s are closed "
			"until it is mended",
			origin, is_of_all ? "all " : "the selected ", unread->object.ns);
}
