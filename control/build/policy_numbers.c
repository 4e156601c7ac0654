#include "control/build/policy_numbers.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/policy_table.h"

struct entry {
	enum policy_direction direction;
	int rule;
	bool is_audit;
	uint64_t former;  /* what others were counted by the number */
	const char *name; /* in text */
	char text[];      /* the namespace, then the name */
};

struct policy_numbers {
	uint32_t last;              /* the one given last */
	policy_counted_fn *counted; /* NULL: nobody knows */
	void *arg;
	struct entry *entries[POLICY_NUMBERS];
};

struct policy_numbers *
policy_numbers_new(void)
{
	return calloc(1, sizeof(struct policy_numbers));
}

void
policy_numbers_free(struct policy_numbers *n)
{
	if (n == NULL)
		return;
	for (uint32_t i = 0; i < POLICY_NUMBERS; i++)
		free(n->entries[i]);
	free(n);
}

void
policy_numbers_count_by(struct policy_numbers *n, policy_counted_fn *counted, void *arg)
{
	n->counted = counted;
	n->arg = arg;
}

static uint64_t
count(const struct policy_numbers *n, uint32_t number)
{
	return n->counted == NULL ? 0 : n->counted(number, n->arg);
}

uint64_t
policy_numbers_hits(const struct policy_numbers *n, uint32_t number)
{
	const struct entry *e = number < POLICY_NUMBERS ? n->entries[number] : NULL;

	return e == NULL ? 0 : count(n, number) - e->former;
}

static struct entry *
entry_new(const struct policy_number *what)
{
	size_t ns_size = strlen(what->ns) + 1, name_size = strlen(what->name) + 1;
	struct entry *e = malloc(sizeof(*e) + ns_size + name_size);

	if (e == NULL)
		return NULL;
	e->direction = what->direction;
	e->rule = what->rule;
	e->is_audit = what->is_audit;
	memcpy(e->text, what->ns, ns_size);
	e->name = memcpy(e->text + ns_size, what->name, name_size);
	return e;
}

uint32_t
policy_numbers_take(struct policy_numbers *n, const struct policy_number *what)
{
	for (uint32_t tries = 1; tries < POLICY_NUMBERS; tries++) {
		n->last = n->last + 1 == POLICY_NUMBERS ? 1 : n->last + 1;
		if (n->entries[n->last] != NULL)
			continue;
		n->entries[n->last] = entry_new(what);
		if (n->entries[n->last] == NULL)
			return 0;
		n->entries[n->last]->former = count(n, n->last);
		return n->last;
	}
	return 0;
}

void
policy_numbers_give(struct policy_numbers *n, uint32_t number)
{
	free(n->entries[number]);
	n->entries[number] = NULL;
}

bool
policy_numbers_find(const struct policy_numbers *n, uint32_t number, struct policy_number *out)
{
	const struct entry *e = number < POLICY_NUMBERS ? n->entries[number] : NULL;

	if (e == NULL)
		return false;
	*out = (struct policy_number){ .ns = e->text,
		.name = e->name,
		.direction = e->direction,
		.rule = e->rule,
		.is_audit = e->is_audit };
	return true;
}
