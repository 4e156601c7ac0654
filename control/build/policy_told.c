/* What is counted, of policies and of whom they isolate. */
#include <stdio.h>
#include <stdlib.h>

#include "control/build/policy_build_internal.h"

void
policy_builder_count_by(struct policy_builder *b, policy_counted_fn *counted, void *arg)
{
	policy_numbers_count_by(b->numbers, counted, arg);
}

uint64_t
policy_builder_hits(const struct policy_builder *b, uint32_t number)
{
	return policy_numbers_hits(b->numbers, number);
}

bool
policy_builder_pod(const struct policy_builder *b, uint16_t port, const char **ns, const char **name)
{
	for (size_t i = 0; i < b->n_locals; i++)
		if (b->locals[i].pod.port == port) {
			*ns = b->locals[i].pod.ns;
			*name = b->locals[i].pod.name;
			return true;
		}
	return false;
}

static char *
names_of(const struct local *l, enum policy_direction d)
{
	char *text = NULL;
	size_t size, n = 0;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	for (size_t i = 0; i < l->n; i++)
		if (l->policies[i]->isolates[d])
			fprintf(f, "%s%s/%s", n++ == 0 ? "" : ", ", l->policies[i]->ns, l->policies[i]->name);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static bool
tell_set(const struct policy_builder *b, const struct policy_set *set, uint16_t *ports,
	void (*fn)(const struct policy_set_told *set, void *arg), void *arg)
{
	struct policy_set_told told = {
		.direction = set->direction, .is_audit = set->is_audit, .number = set->number, .ports = ports
	};
	char *names = NULL;

	for (size_t i = 0; i < b->n_locals; i++)
		if (b->locals[i].sets[set->direction] == set) {
			if (names == NULL)
				names = names_of(&b->locals[i], set->direction);
			ports[told.n_pods++] = b->locals[i].pod.port;
		}
	told.policies = names;
	if (names != NULL)
		fn(&told, arg);
	free(names);
	return names != NULL || told.n_pods == 0;
}

bool
policy_builder_each_set(
	const struct policy_builder *b, void (*fn)(const struct policy_set_told *set, void *arg), void *arg)
{
	uint16_t *ports = calloc(b->n_locals + 1, sizeof(*ports));
	bool ok = ports != NULL;

	for (const struct policy_set *set = b->sets; ok && set != NULL; set = set->next)
		ok = tell_set(b, set, ports, fn, arg);
	free(ports);
	return ok;
}
