#include "control/build/policy_build.h"

#include <errno.h>
#include <stdlib.h>

#include "control/build/policy_build_internal.h"

#define WATCHED                                                                        \
	(1u << OBJECT_NETWORK_POLICY | 1u << OBJECT_UNREAD_POLICY | 1u << OBJECT_POD | \
		1u << OBJECT_NAMESPACE | 1u << OBJECT_NODE)

struct shared_identities {
	unsigned refs; /* versions that have it; one more while it is the builder's */
	struct identity_table *table;
};

struct policy_version {
	struct shared_identities *identities;
	size_t n_compiled;
	struct compiled **compiled; /* all that its pods have, some more than once */
	struct policy_table *table;
	struct policy_version *next; /* of those that were not released */
};

static void
identities_release(struct shared_identities *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	identity_table_free(s->table);
	free(s);
}

/* Takes the table over. */
static int
set_identities(struct policy_builder *b, struct identity_table *table)
{
	struct shared_identities *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		identity_table_free(table);
		return -ENOMEM;
	}
	*s = (struct shared_identities){ .refs = 1, .table = table };
	identities_release(b->identities);
	b->identities = s;
	return 0;
}

/* --- following the store */

/* Forgets what is known of the store, but nothing that is in force. */
static void
start_over(struct policy_builder *b)
{
	sets_free(b);
	locals_free(b);
	policy_records_clear(&b->records, b->numbers);
	identities_free(b->ids);
	b->ids = NULL;
	b->is_started = false;
	b->is_full = false;
}

struct following {
	struct policy_builder *b;
	int result;
};

static void
follow(enum object_kind kind, const char *ns, const char *name, void *arg)
{
	struct following *f = arg;
	struct policy_builder *b = f->b;
	int result = 0;

	switch (kind) {
	case OBJECT_NETWORK_POLICY:
		locals_policy_changed(b, ns);
		result = policy_records_follow(&b->records, b->store, b->ids, b->numbers, ns, name);
		break;
	case OBJECT_UNREAD_POLICY:
		locals_policy_changed(b, ns);
		break;
	case OBJECT_POD:
		locals_pod_changed(b, ns, name);
		result = identities_pod_changed(b->ids, ns, name);
		break;
	case OBJECT_NAMESPACE:
		identities_namespace_changed(b->ids, name);
		break;
	default:
		identities_nodes_changed(b->ids);
		break;
	}
	if (result < 0)
		f->result = result;
}

static void
ignore(enum object_kind kind, const char *ns, const char *name, void *arg)
{
}

static void
follow_policy(const struct object *object, void *arg)
{
	follow(OBJECT_NETWORK_POLICY, object->ns, object->name, arg);
}

static int
follow_store(struct policy_builder *b)
{
	struct following f = { .b = b };

	if (b->is_started && store_watch_take(b->watch, follow, &f))
		return f.result;
	start_over(b);
	store_watch_take(b->watch, ignore, NULL); /* all of it is looked at now */
	b->ids = identities_new(b->store);
	if (b->ids == NULL)
		return -ENOMEM;
	store_each(b->store, OBJECT_NETWORK_POLICY, follow_policy, &f);
	b->is_started = f.result == 0;
	return f.result;
}

/* --- making a version */

static bool
is_closed(const struct policy_builder *b, const struct local *l)
{
	for (enum policy_direction d = 0; d < N_POLICY_DIRECTIONS; d++)
		if (l->sets[d] != NULL && l->sets[d]->compiled == NULL)
			return true;
	return l->is_undecided || l->unread[0] != '\0' || (b->is_full && l->n != 0);
}

static bool
is_isolated(const struct policy_builder *b, const struct local *l)
{
	return l->sets[POLICY_INGRESS] != NULL || l->sets[POLICY_EGRESS] != NULL || is_closed(b, l);
}

static struct policy_state *
state_of(const struct build_facts *facts, uint16_t port)
{
	for (size_t i = 0; i < facts->n_endpoints; i++)
		if (facts->endpoints[i].port == port)
			return facts->endpoints[i].policy_state;
	return NULL;
}

static void
version_free(struct policy_version *v)
{
	for (size_t i = 0; i < v->n_compiled; i++)
		compiled_release(v->compiled[i]);
	identities_release(v->identities);
	free(v->compiled);
	free(v->table);
	free(v);
}

static void
fill_pod(struct policy_builder *b, struct policy_version *v, const struct local *l,
	const struct build_facts *facts)
{
	struct pod_policy *pod = &v->table->pods[v->table->n];

	*pod = (struct pod_policy){
		.state = state_of(facts, l->pod.port), .is_closed = is_closed(b, l), .is_audit = l->is_audit
	};
	/* a closed one has no rules, as some that are known could let something pass */
	for (enum policy_direction d = 0; d < N_POLICY_DIRECTIONS && !pod->is_closed; d++)
		if (l->sets[d] != NULL && l->sets[d]->compiled != NULL) {
			struct compiled *c = l->sets[d]->compiled;

			pod->rules[d] = c->table;
			c->refs++;
			v->compiled[v->n_compiled++] = c;
		}
	v->table->by_port[l->pod.port] = v->table->n++;
}

static struct policy_version *
version_new(struct policy_builder *b, const struct build_facts *facts, size_t n)
{
	struct policy_version *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->table = calloc(1, sizeof(*v->table) + n * sizeof(v->table->pods[0]));
	v->compiled = calloc(N_POLICY_DIRECTIONS * n + 1, sizeof(struct compiled *));
	if (v->table == NULL || v->compiled == NULL) {
		version_free(v);
		return NULL;
	}
	for (unsigned i = 0; i < PORTS_MAX; i++)
		v->table->by_port[i] = ENDPOINT_NONE;
	v->identities = b->identities;
	v->identities->refs++;
	v->table->identities = b->identities->table;
	for (size_t i = 0; i < b->n_locals; i++)
		if (is_isolated(b, &b->locals[i]))
			fill_pod(b, v, &b->locals[i], facts);
	return v;
}

/* Whether workers would not see a difference. */
static bool
is_same(const struct policy_version *a, const struct policy_version *b)
{
	return a->table->identities == b->table->identities && a->table->n == b->table->n &&
	       memcmp(a->table->by_port, b->table->by_port, sizeof(a->table->by_port)) == 0 &&
	       memcmp(a->table->pods, b->table->pods, a->table->n * sizeof(a->table->pods[0])) == 0;
}

static const struct policy_version *
version_of(const struct policy_builder *b, const struct policy_table *t)
{
	const struct policy_version *v = b->versions;

	while (v != NULL && v->table != t)
		v = v->next;
	return v;
}

static int
make_version(struct policy_builder *b, const struct build_facts *facts, const struct policy_table *last,
	const struct policy_table **out)
{
	struct policy_version *v;
	size_t n = 0;

	*out = NULL;
	for (size_t i = 0; i < b->n_locals; i++)
		n += is_isolated(b, &b->locals[i]);
	if (n == 0)
		return 0;
	v = version_new(b, facts, n);
	if (v == NULL)
		return -ENOMEM;
	if (last != NULL && is_same(v, version_of(b, last))) {
		version_free(v);
		*out = last;
		return 0;
	}
	v->next = b->versions;
	b->versions = v;
	*out = v->table;
	return 0;
}

/* --- building */

static int
settle(struct policy_builder *b, bool are_new)
{
	struct local_pod *pods = calloc(b->n_locals + 1, sizeof(*pods));
	struct identity_table *table;
	int result;

	if (pods == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < b->n_locals; i++)
		pods[i] = b->locals[i].pod;
	result = identities_settle(b->ids, pods, b->n_locals, are_new, &table);
	free(pods);
	if (result == 0 && table != NULL)
		result = set_identities(b, table);
	return result;
}

/* There are more kinds of peers than numbers: whoever is isolated is closed, and the next build looks at all again. */
static int
close_all(struct policy_builder *b)
{
	struct identity_table *table = identity_table_new(0);

	b->is_full = true;
	b->is_started = false;
	for (size_t i = 0; i < b->n_locals; i++)
		memset(b->locals[i].sets, 0, sizeof(b->locals[i].sets));
	return table == NULL ? -ENOMEM : set_identities(b, table);
}

static int
build(struct policy_builder *b, const struct build_facts *facts)
{
	bool are_new;
	int result = follow_store(b);

	if (result == 0)
		result = locals_follow(b, facts, &are_new);
	if (result == 0)
		result = locals_select(b);
	if (result == 0)
		result = settle(b, are_new);
	if (result == -E2BIG)
		return close_all(b);
	return result == 0 ? sets_compile(b) : result;
}

/* Without policies, now and in what was built, nothing else is of interest. */
static bool
is_of_no_concern(const struct policy_builder *b)
{
	return store_count(b->store, OBJECT_NETWORK_POLICY) == 0 &&
	       store_count(b->store, OBJECT_UNREAD_POLICY) == 0 && b->versions == NULL;
}

int
policy_builder_build(struct policy_builder *b, const struct build_facts *facts,
	const struct policy_table *last, const struct policy_table **out)
{
	int result;

	*out = NULL;
	if (is_of_no_concern(b)) {
		start_over(b);
		return 0;
	}
	b->mode = facts->policy_mode;
	result = build(b, facts);
	if (result == 0)
		result = make_version(b, facts, last, out);
	if (result < 0)
		start_over(b);
	return result;
}

bool
policy_builder_is_idle(const struct policy_builder *b)
{
	return is_of_no_concern(b) || (b->is_started && store_watch_is_idle(b->watch));
}

void
policy_builder_release(struct policy_builder *b, const struct policy_table *t)
{
	struct policy_version **place = &b->versions, *v;

	if (t == NULL)
		return;
	while ((*place)->table != t)
		place = &(*place)->next;
	v = *place;
	*place = v->next;
	version_free(v);
}

/* --- life, and questions */

struct policy_builder *
policy_builder_new(struct store *store)
{
	struct policy_builder *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->store = store;
	b->watch = store_watch_new(store_watches(store), WATCHED);
	b->numbers = policy_numbers_new();
	if (b->watch == NULL || b->numbers == NULL) {
		policy_builder_free(b);
		return NULL;
	}
	return b;
}

void
policy_builder_free(struct policy_builder *b)
{
	if (b == NULL)
		return;
	start_over(b);
	identities_release(b->identities);
	store_watch_free(b->watch);
	policy_numbers_free(b->numbers);
	free(b);
}

bool
policy_builder_number(const struct policy_builder *b, uint32_t number, struct policy_number *out)
{
	return policy_numbers_find(b->numbers, number, out);
}

bool
policy_builder_is_audit(const struct policy_builder *b, const char *ns)
{
	const struct namespace_object *o =
		(const struct namespace_object *)store_get(b->store, OBJECT_NAMESPACE, "", ns);

	return (o != NULL && o->has_policy_mode ? o->policy_mode : b->mode) == POLICY_MODE_AUDIT;
}

static const struct local *
local_of(const struct policy_builder *b, uint16_t port)
{
	for (size_t i = 0; i < b->n_locals; i++)
		if (b->locals[i].pod.port == port)
			return &b->locals[i];
	return NULL;
}

void
policy_builder_each_isolating(const struct policy_builder *b, uint16_t port, enum policy_direction direction,
	void (*fn)(const char *ns, const char *name, void *arg), void *arg)
{
	const struct local *l = local_of(b, port);

	for (size_t i = 0; l != NULL && i < l->n; i++)
		if (l->policies[i]->isolates[direction])
			fn(l->policies[i]->ns, l->policies[i]->name, arg);
}

const char *
policy_builder_closed(const struct policy_builder *b, uint16_t port)
{
	const struct local *l = local_of(b, port);

	if (l == NULL || !is_closed(b, l))
		return NULL;
	if (l->unread[0] != '\0')
		return l->unread;
	if (l->is_undecided)
		return "its Pod object is not known, or of a former pod of this name, and policies of its "
		       "namespace select by labels";
	return b->is_full ? "policies tell more than 65,535 kinds of peers apart"
			  : "its policies have more than 65,535 rules";
}

/* Networks are somebody, whoever has an address in them. */
static bool
has_no_peer(const struct policy_builder *b, const struct rule_record *rule)
{
	size_t n_words = (identities_n(b->ids) + 63) / 64;

	for (size_t i = 0; rule->traits[i] != NULL; i++)
		for (size_t word = 0; word < n_words; word++)
			if (rule->traits[i]->members[word] != 0)
				return false;
	return rule->traits[0] != NULL;
}

static size_t
tell_rules(const struct policy_builder *b, const struct policy_record *p, struct rule_told *out)
{
	size_t n = 0;

	for (enum policy_direction d = 0; d < N_POLICY_DIRECTIONS; d++)
		for (size_t i = 0; p->rules[d] != NULL && p->rules[d][i].traits != NULL; i++, n++)
			if (out != NULL)
				out[n] = (struct rule_told){ .direction = d,
					.index = i,
					.number = p->rules[d][i].number,
					.has_no_peer = has_no_peer(b, &p->rules[d][i]) };
	return n;
}

bool
policy_builder_each(
	const struct policy_builder *b, void (*fn)(const struct policy_told *policy, void *arg), void *arg)
{
	for (size_t i = 0; b->is_started && i < b->records.n; i++) {
		const struct policy_record *p = b->records.items[i];
		struct policy_told told = { .ns = p->ns,
			.name = p->name,
			.isolates = { p->isolates[POLICY_INGRESS], p->isolates[POLICY_EGRESS] },
			.n_pods = p->n_users,
			.n_rules = tell_rules(b, p, NULL) };

		told.rules = calloc(told.n_rules + 1, sizeof(*told.rules));
		if (told.rules == NULL)
			return false;
		tell_rules(b, p, told.rules);
		fn(&told, arg);
		free(told.rules);
	}
	return true;
}
