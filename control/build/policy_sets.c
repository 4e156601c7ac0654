/* Tables, one for all pods that the same policies isolate in a direction. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/build/policy_build_internal.h"

void
compiled_release(struct compiled *c)
{
	if (c == NULL || --c->refs > 0)
		return;
	rule_table_free(c->table);
	free(c);
}

static void
set_free(struct policy_builder *b, struct policy_set *set)
{
	policy_numbers_give(b->numbers, set->number);
	compiled_release(set->compiled);
	free(set->serials);
	free(set->named);
	free(set);
}

void
sets_free(struct policy_builder *b)
{
	while (b->sets != NULL) {
		struct policy_set *set = b->sets;

		b->sets = set->next;
		set_free(b, set);
	}
}

/* --- finding them */

/* Scratch, of one pod. */
struct wanted {
	struct policy_sources sources;
	bool is_audit;
	struct policy_record **policies;
	uint64_t *serials;
	uint16_t *named;
	size_t n_named;
};

static void
wanted_fini(struct wanted *w)
{
	free(w->policies);
	free(w->serials);
	free(w->named);
}

static int
want(const struct policy_builder *b, const struct local *l, enum policy_direction d, struct wanted *w)
{
	size_t n = 0;

	*w = (struct wanted){ .is_audit = l->is_audit };
	w->policies = calloc(l->n + 1, sizeof(struct policy_record *));
	w->serials = calloc(l->n + 1, sizeof(*w->serials));
	if (w->policies == NULL || w->serials == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++)
		if (l->policies[i]->object->isolates[d]) {
			w->serials[n] = l->policies[i]->serial;
			w->policies[n++] = l->policies[i];
		}
	if (d == POLICY_INGRESS)
		w->n_named = policy_named_ports(w->policies, n, NULL, NULL);
	w->named = calloc(w->n_named + 1, sizeof(*w->named));
	if (w->named == NULL)
		return -ENOMEM;
	if (w->n_named != 0)
		policy_named_ports(w->policies, n, identities_group(b->ids, &l->pod), w->named);
	w->sources =
		(struct policy_sources){ .direction = d, .n = n, .policies = w->policies, .named = w->named };
	return 0;
}

static uint32_t
hash_of(const struct wanted *w)
{
	uint64_t hash = (uint64_t)w->sources.direction << 1 | w->is_audit;

	for (size_t i = 0; i < w->sources.n; i++)
		hash = (hash ^ w->serials[i]) * 0x9e3779b97f4a7c15;
	for (size_t i = 0; i < w->n_named; i++)
		hash = (hash ^ w->named[i]) * 0x9e3779b97f4a7c15;
	return (uint32_t)(hash >> 32);
}

static bool
is_set_for(const struct policy_set *set, const struct wanted *w, uint32_t hash)
{
	return set->hash == hash && set->direction == w->sources.direction && set->is_audit == w->is_audit &&
	       set->n == w->sources.n && set->n_named == w->n_named &&
	       memcmp(set->serials, w->serials, set->n * sizeof(*set->serials)) == 0 &&
	       memcmp(set->named, w->named, set->n_named * sizeof(*set->named)) == 0;
}

/* "shop/a, shop/b" */
static char *
name_of(const struct wanted *w)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	for (size_t i = 0; i < w->sources.n; i++)
		fprintf(f, "%s%s/%s", i == 0 ? "" : ", ", w->policies[i]->ns, w->policies[i]->name);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

/* Takes the wanted's arrays over. */
static struct policy_set *
set_new(struct policy_builder *b, struct wanted *w, uint32_t hash)
{
	struct policy_set *set = calloc(1, sizeof(*set));
	char *name = name_of(w);
	struct policy_number what = {
		.ns = "", .name = name, .direction = w->sources.direction, .rule = -1, .is_audit = w->is_audit
	};

	if (set == NULL || name == NULL) {
		free(set);
		free(name);
		return NULL;
	}
	*set = (struct policy_set){ .next = b->sets,
		.hash = hash,
		.direction = w->sources.direction,
		.is_audit = w->is_audit,
		.n = w->sources.n,
		.n_named = w->n_named,
		.serials = w->serials,
		.named = w->named,
		.number = policy_numbers_take(b->numbers, &what) };
	w->serials = NULL;
	w->named = NULL;
	b->sets = set;
	free(name);
	return set;
}

/* --- filling them */

static int
fill(struct policy_builder *b, struct policy_set *set, const struct policy_sources *sources)
{
	struct compiled *made;
	int result;

	if ((set->compiled != NULL || set->is_too_large) &&
		policy_sources_changed(sources) <= set->compiled_at)
		return 0;
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		return -ENOMEM;
	result = policy_compile(sources, b->ids, &made->table);
	if (result < 0) {
		free(made);
		if (result != -E2BIG)
			return -ENOMEM;
		made = NULL;
	} else {
		made->refs = 1;
		made->table->denied = set->number;
	}
	compiled_release(set->compiled);
	set->compiled = made;
	set->is_too_large = made == NULL;
	set->compiled_at = identities_settled(b->ids);
	return 0;
}

static int
give_set(struct policy_builder *b, struct local *l, enum policy_direction d)
{
	struct wanted w;
	int result = want(b, l, d, &w);

	l->sets[d] = NULL;
	if (result == 0 && w.sources.n != 0) {
		uint32_t hash = hash_of(&w);
		struct policy_set *set = b->sets;

		while (set != NULL && !is_set_for(set, &w, hash))
			set = set->next;
		if (set == NULL)
			set = set_new(b, &w, hash);
		if (set == NULL) {
			result = -ENOMEM;
		} else {
			result = set->is_used ? 0 : fill(b, set, &w.sources);
			set->is_used = true;
			l->sets[d] = set;
		}
	}
	wanted_fini(&w);
	return result;
}

static void
drop_unused(struct policy_builder *b)
{
	struct policy_set **place = &b->sets;

	while (*place != NULL) {
		struct policy_set *set = *place;

		if (set->is_used) {
			place = &set->next;
			continue;
		}
		*place = set->next;
		set_free(b, set);
	}
}

int
sets_compile(struct policy_builder *b)
{
	for (struct policy_set *set = b->sets; set != NULL; set = set->next)
		set->is_used = false;
	for (size_t i = 0; i < b->n_locals; i++)
		for (enum policy_direction d = 0; d < N_POLICY_DIRECTIONS; d++)
			if (give_set(b, &b->locals[i], d) < 0)
				return -ENOMEM;
	drop_unused(b);
	return 0;
}
