#include "control/model/network_policy.h"

#include <stdlib.h>

static void
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

static void
selector_free(struct selector *s)
{
	if (s == NULL)
		return;
	selector_fini(s);
	free(s);
}

static void
peer_fini(struct policy_peer *peer)
{
	selector_free(peer->namespaces);
	selector_free(peer->pods);
	if (peer->block != NULL)
		free(peer->block->excepts);
	free(peer->block);
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
