#include "control/build/policy_compile.h"

#include <errno.h>
#include <stdlib.h>

struct compiling {
	enum policy_direction direction;
	unsigned n_identities;
	size_t n_words; /* of a bit per identity */
	unsigned n, room;
	struct rule *rules;
	void **memory; /* what rules point into; freed once the table is made */
	size_t n_memory, memory_room;
};

static void *
allocate(struct compiling *c, size_t n, size_t size)
{
	void *memory;

	if (c->n_memory == c->memory_room) {
		size_t room = c->memory_room == 0 ? 64 : 2 * c->memory_room;
		void **grown = reallocarray(c->memory, room, sizeof(void *));

		if (grown == NULL)
			return NULL;
		c->memory = grown;
		c->memory_room = room;
	}
	memory = calloc(n, size);
	if (memory != NULL)
		c->memory[c->n_memory++] = memory;
	return memory;
}

static int
add_rule(struct compiling *c, const struct rule *rule)
{
	if (c->n == c->room) {
		unsigned room = c->room == 0 ? 64 : 2 * c->room;
		struct rule *grown = reallocarray(c->rules, room, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		c->rules = grown;
		c->room = room;
	}
	c->rules[c->n++] = *rule;
	return 0;
}

/* A bit for each identity that is one of the rule's peers; NULL: all are. */
static int
collect_peers(struct compiling *c, const struct rule_record *record, size_t n, const uint64_t **out)
{
	uint64_t *bits;

	*out = n == 0 ? NULL : record->traits[0]->members;
	if (n < 2)
		return 0;
	bits = allocate(c, c->n_words, sizeof(*bits));
	if (bits == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		for (size_t word = 0; word < c->n_words; word++)
			bits[word] |= record->traits[i]->members[word];
	*out = bits;
	return 0;
}

/* What a named port of the peers is differs between them: a part of the rule for each number, with the peers that have it. */
static int
add_named_parts(struct compiling *c, const struct port_name *name, uint8_t proto, const struct rule *whole)
{
	for (size_t i = 0; i < name->n; i++) {
		const uint64_t *members = name->numbers[i].trait->members;
		struct rule_ports *port = allocate(c, 1, sizeof(*port));
		struct rule part = { .peers = members, .ports = port, .n_ports = 1, .id = whole->id };

		if (port == NULL)
			return -ENOMEM;
		*port = (struct rule_ports){ proto, name->numbers[i].port, name->numbers[i].port };
		if (whole->peers != NULL) {
			uint64_t *both = allocate(c, c->n_words, sizeof(*both));

			if (both == NULL)
				return -ENOMEM;
			for (size_t word = 0; word < c->n_words; word++)
				both[word] = whole->peers[word] & members[word];
			part.peers = both;
		}
		if (add_rule(c, &part) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Numbers and ranges; of ingress also what the names are on this pod, which are taken off *named. */
static unsigned
collect_ports(const struct compiling *c, const struct policy_rule *rule, const uint16_t **named,
	struct rule_ports *out)
{
	unsigned n = 0;

	for (size_t i = 0; i < rule->n_ports; i++) {
		const struct policy_port *port = &rule->ports[i];

		if (port->name == NULL) {
			out[n++] = (struct rule_ports){ port->proto, port->first, port->last };
		} else if (c->direction == POLICY_INGRESS) {
			uint16_t number = *(*named)++;

			if (number != 0)
				out[n++] = (struct rule_ports){ port->proto, number, number };
		}
	}
	return n;
}

static int
add_record(struct compiling *c, const struct policy_rule *rule, const struct rule_record *record,
	const uint16_t **named)
{
	struct rule whole = { .id = record->number };
	struct rule_ports *ports = allocate(c, rule->n_ports + 1, sizeof(*ports));

	if (ports == NULL || collect_peers(c, record, rule->n_peers, &whole.peers) < 0)
		return -ENOMEM;
	whole.ports = ports;
	whole.n_ports = collect_ports(c, rule, named, ports);
	if ((rule->n_ports == 0 || whole.n_ports != 0) && add_rule(c, &whole) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < rule->n_ports; i++)
		if (record->names[i] != NULL &&
			add_named_parts(c, record->names[i], rule->ports[i].proto, &whole) < 0)
			return -ENOMEM;
	return 0;
}

static int
collect_rules(struct compiling *c, const struct policy_sources *s)
{
	const uint16_t *named = s->named;

	for (size_t i = 0; i < s->n; i++) {
		const struct policy_record *p = s->policies[i];

		for (size_t k = 0; k < p->object->n_rules[s->direction]; k++)
			if (add_record(c, &p->object->rules[s->direction][k], &p->rules[s->direction][k],
				    &named) < 0)
				return -ENOMEM;
	}
	return 0;
}

int
policy_compile(const struct policy_sources *s, const struct identities *ids, struct rule_table **out)
{
	struct compiling c = { .direction = s->direction, .n_identities = identities_n(ids) };
	int result;

	c.n_words = (c.n_identities + 63) / 64;
	result = collect_rules(&c, s);
	if (result == 0)
		result = rule_table_new(out, c.rules, c.n, c.n_identities);
	for (size_t i = 0; i < c.n_memory; i++)
		free(c.memory[i]);
	free(c.memory);
	free(c.rules);
	return result;
}

size_t
policy_named_ports(
	struct policy_record *const *policies, size_t n, const struct pod_group *group, uint16_t *out)
{
	size_t n_named = 0;

	for (size_t i = 0; i < n; i++) {
		const struct network_policy_object *object = policies[i]->object;

		for (size_t k = 0; k < object->n_rules[POLICY_INGRESS]; k++)
			for (size_t j = 0; j < object->rules[POLICY_INGRESS][k].n_ports; j++) {
				const struct policy_port *port = &object->rules[POLICY_INGRESS][k].ports[j];

				if (port->name == NULL)
					continue;
				if (out != NULL)
					out[n_named] = group == NULL ? 0
								     : pod_group_port(group, port->name,
									       port->proto);
				n_named++;
			}
	}
	return n_named;
}

uint64_t
policy_sources_changed(const struct policy_sources *s)
{
	uint64_t last = 0;

	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->policies[i]->object->n_rules[s->direction]; k++) {
			const struct rule_record *rule = &s->policies[i]->rules[s->direction][k];

			for (size_t j = 0; rule->traits[j] != NULL; j++)
				last = rule->traits[j]->changed > last ? rule->traits[j]->changed : last;
			for (size_t j = 0; j < rule->n_names; j++) {
				const struct port_name *name = rule->names[j];

				if (name == NULL)
					continue;
				last = name->changed > last ? name->changed : last;
				for (size_t m = 0; m < name->n; m++)
					last = name->numbers[m].trait->changed > last
						       ? name->numbers[m].trait->changed
						       : last;
			}
		}
	return last;
}
