/* What policies ask of peers. */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/build/identities_internal.h"
#include "control/build/selector.h"

static int
compare_traits(const void *a, const void *b)
{
	return strcmp(((const struct trait_record *)a)->key, ((const struct trait_record *)b)->key);
}

/* --- keys: no two different traits have the same text */

static void
print_text(FILE *f, const char *text)
{
	fprintf(f, "%zu:%s", strlen(text), text);
}

static void
print_selector(FILE *f, const struct selector *s)
{
	if (s == NULL) {
		fputs("nil", f);
		return;
	}
	fprintf(f, "{%zu ", s->match_labels.n);
	for (size_t i = 0; i < s->match_labels.n; i++) {
		print_text(f, s->match_labels.items[i].key);
		print_text(f, s->match_labels.items[i].value);
	}
	for (size_t i = 0; i < s->n_expressions; i++) {
		const struct selector_expression *e = &s->expressions[i];

		fprintf(f, "(%d %zu ", e->op, e->n_values);
		print_text(f, e->key);
		for (size_t v = 0; v < e->n_values; v++)
			print_text(f, e->values[v]);
	}
}

static void
print_block(FILE *f, const struct ip_block *block)
{
	char text[IP_PREFIX_STRLEN];

	fputs(ip_prefix_format(&block->cidr, text), f);
	for (size_t i = 0; i < block->n_excepts; i++)
		fprintf(f, "-%s", ip_prefix_format(&block->excepts[i], text));
}

static char *
peer_key(const char *ns, const struct policy_peer *peer)
{
	char *key = NULL;
	size_t size;
	FILE *f = open_memstream(&key, &size);

	if (f == NULL)
		return NULL;
	if (peer->block != NULL) {
		print_block(f, peer->block);
	} else {
		fputs("pods ", f);
		if (peer->namespaces == NULL)
			print_text(f, ns);
		else
			print_selector(f, peer->namespaces);
		print_selector(f, peer->pods);
	}
	if (fclose(f) == 0)
		return key;
	free(key);
	return NULL;
}

/* --- records */

static void
record_free(struct trait_record *t)
{
	if (t == NULL)
		return;
	free(t->key);
	free(t->ns);
	selector_free(t->namespaces);
	selector_free(t->pods);
	ip_block_free(t->block);
	free(t->members);
	free(t->former);
	free(t);
}

/* Room for twice as many traits in all that are sets of them. Numbers begin anew. */
static bool
widen(struct identities *ids)
{
	unsigned n_words = ids->n_words == 0 ? 1 : 2 * ids->n_words;
	struct trait_record **traits = calloc(64 * (size_t)n_words, sizeof(struct trait_record *));

	if (traits == NULL)
		return false;
	if (ids->traits != NULL)
		memcpy(traits, ids->traits, 64 * (size_t)ids->n_words * sizeof(struct trait_record *));
	free(ids->traits);
	ids->traits = traits;
	for (size_t i = 0; i < ids->n_groups; i++) {
		uint64_t *bits = reallocarray(ids->groups[i]->bits, n_words, sizeof(*bits));

		if (bits == NULL)
			return false;
		memset(bits + ids->n_words, 0, (n_words - ids->n_words) * sizeof(*bits));
		ids->groups[i]->bits = bits;
	}
	if (!numbers_widen(&ids->numbers, ids->n_words, n_words))
		return false;
	ids->n_words = n_words;
	ids->are_blocks_new = true; /* as their bits are wider */
	return true;
}

static unsigned
free_id(const struct identities *ids)
{
	unsigned id = 0;

	while (id < 64 * ids->n_words && ids->traits[id] != NULL)
		id++;
	return id;
}

/* Takes the record over: it, or the one that is equal to it, with one reference more. NULL if out of memory. */
static struct trait *
intern(struct identities *ids, struct trait_record *made)
{
	struct trait_record **place =
		made->key == NULL ? NULL : tsearch(made, &ids->trait_index, compare_traits);
	unsigned id;

	if (place == NULL || *place != made) {
		struct trait_record *former = place == NULL ? NULL : *place;

		record_free(made);
		if (former == NULL)
			return NULL;
		former->refs++;
		return &former->trait;
	}
	id = free_id(ids);
	if (id == 64 * ids->n_words && !widen(ids)) {
		tdelete(made, &ids->trait_index, compare_traits);
		record_free(made);
		return NULL;
	}
	ids->traits[id] = made;
	ids->n_traits = id + 1 > ids->n_traits ? id + 1 : ids->n_traits;
	made->trait.id = id;
	made->refs = 1;
	made->is_new = true;
	ids->is_dirty = true;
	ids->are_blocks_new |= made->kind == TRAIT_BLOCK;
	return &made->trait;
}

struct trait *
identities_want(struct identities *ids, const char *ns, const struct policy_peer *peer)
{
	struct trait_record *t = calloc(1, sizeof(*t));
	bool ok = t != NULL;

	if (!ok)
		return NULL;
	t->kind = peer->block != NULL ? TRAIT_BLOCK : TRAIT_PODS;
	if (peer->block != NULL) {
		ok = (t->block = ip_block_copy(peer->block)) != NULL;
	} else {
		ok = (t->ns = strdup(ns)) != NULL;
		if (peer->namespaces != NULL)
			ok &= (t->namespaces = selector_copy(peer->namespaces)) != NULL;
		if (peer->pods != NULL)
			ok &= (t->pods = selector_copy(peer->pods)) != NULL;
	}
	t->key = ok ? peer_key(ns, peer) : NULL;
	return intern(ids, t);
}

void
identities_drop(struct identities *ids, struct trait *trait)
{
	struct trait_record *t = (struct trait_record *)trait; /* its first member */

	if (t == NULL || --t->refs > 0)
		return;
	for (size_t i = 0; i < ids->n_groups; i++)
		bit_clear(ids->groups[i]->bits, trait->id);
	ids->traits[trait->id] = NULL;
	ids->is_dirty = true;
	ids->are_blocks_new |= t->kind == TRAIT_BLOCK;
	tdelete(t, &ids->trait_index, compare_traits);
	record_free(t);
}

/* --- named ports */

struct port_name *
identities_want_port(struct identities *ids, const char *text, uint8_t proto)
{
	struct port_name_record *p;

	for (p = ids->port_names; p != NULL; p = p->next)
		if (p->proto == proto && strcmp(p->text, text) == 0) {
			p->refs++;
			return &p->name;
		}
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	*p = (struct port_name_record){
		.next = ids->port_names, .refs = 1, .text = strdup(text), .proto = proto, .is_new = true
	};
	if (p->text == NULL) {
		free(p);
		return NULL;
	}
	ids->port_names = p;
	ids->is_dirty = true;
	return &p->name;
}

static void
drop_numbers(struct identities *ids, struct port_name *name)
{
	for (size_t i = 0; i < name->n; i++)
		identities_drop(ids, name->numbers[i].trait);
	free(name->numbers);
}

void
identities_drop_port(struct identities *ids, struct port_name *name)
{
	struct port_name_record *p = (struct port_name_record *)name, **place; /* its first member */

	if (p == NULL || --p->refs > 0)
		return;
	for (place = &ids->port_names; *place != p; place = &(*place)->next)
		;
	*place = p->next;
	drop_numbers(ids, name);
	free(p->text);
	free(p);
}

static struct trait *
want_number(struct identities *ids, const struct port_name_record *name, uint16_t port)
{
	struct trait_record *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->kind = TRAIT_PORT;
	t->name = name;
	t->port = port;
	if (asprintf(&t->key, "port %u/%s/%u", name->proto, name->text, port) < 0)
		t->key = NULL;
	return intern(ids, t);
}

static int
compare_numbers(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - *(const uint16_t *)b;
}

/* The numbers that pods have by this name, ascending, each once. */
static size_t
collect_numbers(const struct identities *ids, const struct port_name_record *p, uint16_t *out)
{
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < ids->n_groups; i++) {
		out[n] = pod_group_port(ids->groups[i], p->text, p->proto);
		n += out[n] != 0;
	}
	qsort(out, n, sizeof(*out), compare_numbers);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || out[i] != out[kept - 1])
			out[kept++] = out[i];
	return kept;
}

static bool
are_same_numbers(const struct port_name *name, const uint16_t *ports, size_t n)
{
	if (name->n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (name->numbers[i].port != ports[i])
			return false;
	return true;
}

static int
follow_name(struct identities *ids, struct port_name_record *p, uint16_t *ports)
{
	size_t n = collect_numbers(ids, p, ports);
	struct port_name made = { .changed = ids->settled };

	if (!p->is_new && are_same_numbers(&p->name, ports, n))
		return 0;
	made.numbers = calloc(n + 1, sizeof(*made.numbers));
	if (made.numbers == NULL)
		return -ENOMEM;
	for (; made.n < n; made.n++) {
		made.numbers[made.n] =
			(struct port_number){ ports[made.n], want_number(ids, p, ports[made.n]) };
		if (made.numbers[made.n].trait == NULL) {
			drop_numbers(ids, &made);
			return -ENOMEM;
		}
	}
	drop_numbers(ids, &p->name); /* after the new ones: what stays keeps its id */
	p->name = made;
	p->is_new = false;
	return 0;
}

static int
follow_names(struct identities *ids)
{
	uint16_t *ports = ids->port_names == NULL ? NULL : calloc(ids->n_groups + 1, sizeof(*ports));
	int result = 0;

	if (ids->port_names == NULL)
		return 0;
	if (ports == NULL)
		return -ENOMEM;
	for (struct port_name_record *p = ids->port_names; result == 0 && p != NULL; p = p->next)
		if (p->is_new || ids->are_groups_new)
			result = follow_name(ids, p, ports);
	free(ports);
	return result;
}

/* --- who has them */

/* Labels of a namespace. One that no object speaks of has what the API server gives to each. */
static const struct labels *
namespace_labels(const struct identities *ids, const char *ns, struct label *item, struct labels *made)
{
	const struct namespace_object *object =
		(const struct namespace_object *)store_get(ids->store, OBJECT_NAMESPACE, "", ns);

	if (object != NULL)
		return &object->labels;
	*item = (struct label){ (char *)NAMESPACE_NAME_LABEL, (char *)ns };
	*made = (struct labels){ 1, item };
	return made;
}

static bool
has_number(const struct pod_group *g, const struct trait_record *t)
{
	for (size_t i = 0; i < g->n_ports; i++)
		if (g->ports[i].port == t->port && g->ports[i].proto == t->name->proto &&
			strcmp(g->ports[i].name, t->name->text) == 0)
			return true;
	return false;
}

static bool
has_trait(const struct pod_group *g, const struct labels *namespace_labels, const struct trait_record *t)
{
	if (t->kind == TRAIT_BLOCK)
		return false; /* a matter of the address: see networks */
	if (t->kind == TRAIT_PORT)
		return has_number(g, t);
	if (t->namespaces == NULL ? strcmp(t->ns, g->ns) != 0
				  : !selector_matches(t->namespaces, namespace_labels))
		return false;
	return t->pods == NULL || selector_matches(t->pods, &g->labels);
}

static void
evaluate_group(struct identities *ids, struct pod_group *g, bool only_new)
{
	struct label item;
	struct labels made;
	const struct labels *labels = namespace_labels(ids, g->ns, &item, &made);

	for (unsigned id = 0; id < ids->n_traits; id++) {
		const struct trait_record *t = ids->traits[id];

		if (t == NULL || (only_new && !t->is_new))
			continue;
		if (has_trait(g, labels, t))
			bit_set(g->bits, id);
		else
			bit_clear(g->bits, id);
	}
	g->is_stale = false;
}

int
traits_evaluate(struct identities *ids)
{
	bool has_new = false;
	int result = follow_names(ids);

	if (result < 0)
		return result;
	ids->are_groups_new = false;
	for (unsigned id = 0; id < ids->n_traits; id++)
		has_new |= ids->traits[id] != NULL && ids->traits[id]->is_new;
	for (size_t i = 0; i < ids->n_groups; i++)
		if (has_new || ids->groups[i]->is_stale)
			evaluate_group(ids, ids->groups[i], !ids->groups[i]->is_stale);
	return 0;
}

/* What it had becomes what it formerly had. */
static bool
clear_members(struct trait_record *t, size_t n_words)
{
	uint64_t *members = reallocarray(t->former, n_words, sizeof(*members));

	if (members == NULL)
		return false;
	t->former = t->members;
	t->members = memset(members, 0, n_words * sizeof(*members));
	return true;
}

/* Compares what both have, and looks whether the longer one has more. */
static bool
are_same_bits(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b)
{
	size_t n = n_a < n_b ? n_a : n_b;

	if (memcmp(a, b, n * sizeof(*a)) != 0)
		return false;
	for (size_t i = n; i < n_a; i++)
		if (a[i] != 0)
			return false;
	for (size_t i = n; i < n_b; i++)
		if (b[i] != 0)
			return false;
	return true;
}

int
traits_count_members(struct identities *ids)
{
	const struct numbers *numbers = &ids->numbers;
	size_t n_words = (numbers->n + 63) / 64, n_former = ids->member_words;

	for (unsigned id = 0; id < ids->n_traits; id++)
		if (ids->traits[id] != NULL && !clear_members(ids->traits[id], n_words))
			return -ENOMEM;
	for (unsigned number = 1; number < numbers->n; number++) {
		const uint64_t *bits = &numbers->bits[(size_t)number * ids->n_words];

		if (numbers->used[number] == 0)
			continue;
		for (unsigned word = 0; word < ids->n_words; word++)
			for (uint64_t left = bits[word]; left != 0; left &= left - 1)
				bit_set(ids->traits[word * 64 + (unsigned)__builtin_ctzll(left)]->members,
					number);
	}
	for (unsigned id = 0; id < ids->n_traits; id++) {
		struct trait_record *t = ids->traits[id];

		if (t == NULL)
			continue;
		if (t->is_new || !are_same_bits(t->members, n_words, t->former, n_former))
			t->trait.changed = ids->settled;
		t->trait.members = t->members;
		t->is_new = false;
	}
	ids->member_words = n_words;
	return 0;
}

void
traits_free(struct identities *ids)
{
	while (ids->port_names != NULL) {
		struct port_name_record *p = ids->port_names;

		ids->port_names = p->next;
		free(p->name.numbers);
		free(p->text);
		free(p);
	}
	for (unsigned id = 0; id < ids->n_traits; id++)
		if (ids->traits[id] != NULL) {
			tdelete(ids->traits[id], &ids->trait_index, compare_traits);
			record_free(ids->traits[id]);
		}
	free(ids->traits);
}
