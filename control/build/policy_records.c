#include "control/build/policy_records.h"

#include <errno.h>
#include <stdlib.h>

static int
compare(const struct policy_record *p, const char *ns, const char *name)
{
	int by_ns = strcmp(p->ns, ns);

	return by_ns != 0 ? by_ns : strcmp(p->name, name);
}

/* The first that is not less; name "" is less than all. */
static size_t
lower_bound(const struct policy_records *r, const char *ns, const char *name)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(r->items[middle], ns, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t
policy_records_first(const struct policy_records *r, const char *ns)
{
	return lower_bound(r, ns, "");
}

/* --- one */

/* Also when the object is no longer good. */
static size_t
count_rules(const struct policy_record *p, enum policy_direction d)
{
	size_t n = 0;

	while (p->rules[d] != NULL && p->rules[d][n].traits != NULL)
		n++;
	return n;
}

static void
rule_fini(struct rule_record *rule, struct identities *ids, struct policy_numbers *numbers)
{
	for (size_t i = 0; ids != NULL && rule->traits[i] != NULL; i++)
		identities_drop(ids, rule->traits[i]);
	for (size_t i = 0; ids != NULL && i < rule->n_names; i++)
		identities_drop_port(ids, rule->names[i]);
	free(rule->traits);
	free(rule->names);
	policy_numbers_give(numbers, rule->number);
}

void
policy_record_unuse(struct policy_record *p, struct identities *ids, struct policy_numbers *numbers)
{
	for (enum policy_direction d = 0; d < N_POLICY_DIRECTIONS; d++) {
		size_t n = count_rules(p, d);

		for (size_t i = 0; i < n; i++)
			rule_fini(&p->rules[d][i], ids, numbers);
		free(p->rules[d]);
		p->rules[d] = NULL;
	}
	p->is_in_use = false;
}

static int
use_rule(struct policy_record *p, enum policy_direction d, size_t index, struct identities *ids,
	struct policy_numbers *numbers)
{
	const struct policy_rule *from = &p->object->rules[d][index];
	const struct policy_number what = {
		.ns = p->ns, .name = p->name, .direction = d, .rule = (int)index
	};
	struct rule_record *rule = &p->rules[d][index];

	rule->names = calloc(from->n_ports + 1, sizeof(struct port_name *));
	rule->traits = rule->names == NULL ? NULL : calloc(from->n_peers + 1, sizeof(struct trait *));
	if (rule->traits == NULL) {
		free(rule->names);
		return -ENOMEM;
	}
	rule->n_names = from->n_ports;
	for (size_t i = 0; i < from->n_peers; i++)
		if ((rule->traits[i] = identities_want(ids, p->ns, &from->peers[i])) == NULL)
			return -ENOMEM;
	for (size_t i = 0; i < from->n_ports; i++)
		if (d == POLICY_EGRESS && from->ports[i].name != NULL &&
			(rule->names[i] = identities_want_port(
				 ids, from->ports[i].name, from->ports[i].proto)) == NULL)
			return -ENOMEM;
	rule->number = policy_numbers_take(numbers, &what);
	return 0;
}

int
policy_record_use(struct policy_record *p, struct identities *ids, struct policy_numbers *numbers)
{
	if (p->is_in_use)
		return 0;
	p->is_in_use = true;
	for (enum policy_direction d = 0; d < N_POLICY_DIRECTIONS; d++) {
		if (!p->object->isolates[d])
			continue;
		p->rules[d] = calloc(p->object->n_rules[d] + 1, sizeof(*p->rules[d]));
		if (p->rules[d] == NULL)
			return -ENOMEM;
		for (size_t i = 0; i < p->object->n_rules[d]; i++)
			if (use_rule(p, d, i, ids, numbers) < 0)
				return -ENOMEM;
	}
	return 0;
}

static void
record_free(struct policy_record *p)
{
	if (p == NULL)
		return;
	free(p->ns);
	free(p->name);
	free(p);
}

/* --- all */

static int
insert(struct policy_records *r, size_t at, const struct network_policy_object *object)
{
	struct policy_record *p;

	if (r->n == r->room) {
		size_t room = r->room == 0 ? 64 : 2 * r->room;
		struct policy_record **grown = reallocarray(r->items, room, sizeof(struct policy_record *));

		if (grown == NULL)
			return -ENOMEM;
		r->items = grown;
		r->room = room;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	*p = (struct policy_record){ .ns = strdup(object->object.ns),
		.name = strdup(object->object.name),
		.serial = ++r->last_serial,
		.object = object,
		.isolates = { object->isolates[POLICY_INGRESS], object->isolates[POLICY_EGRESS] } };
	if (p->ns == NULL || p->name == NULL) {
		record_free(p);
		return -ENOMEM;
	}
	memmove(&r->items[at + 1], &r->items[at], (r->n - at) * sizeof(struct policy_record *));
	r->items[at] = p;
	r->n++;
	return 0;
}

static void
take_out(struct policy_records *r, size_t at)
{
	record_free(r->items[at]);
	r->n--;
	memmove(&r->items[at], &r->items[at + 1], (r->n - at) * sizeof(struct policy_record *));
}

int
policy_records_follow(struct policy_records *r, const struct store *store, struct identities *ids,
	struct policy_numbers *numbers, const char *ns, const char *name)
{
	const struct object *object = store_get(store, OBJECT_NETWORK_POLICY, ns, name);
	size_t at = lower_bound(r, ns, name);

	if (at < r->n && compare(r->items[at], ns, name) == 0) {
		policy_record_unuse(r->items[at], ids, numbers);
		take_out(r, at);
	}
	return object == NULL ? 0 : insert(r, at, (const struct network_policy_object *)object);
}

void
policy_records_clear(struct policy_records *r, struct policy_numbers *numbers)
{
	for (size_t i = 0; i < r->n; i++) {
		policy_record_unuse(r->items[i], NULL, numbers);
		record_free(r->items[i]);
	}
	free(r->items);
	*r = (struct policy_records){ .last_serial = r->last_serial };
}
