/* Which policies select which pods of this node. */
#include <errno.h>
#include <stdlib.h>

#include "control/build/policy_build_internal.h"
#include "control/build/selector.h"

static void
local_fini(struct local *l)
{
	free((char *)l->pod.ns);
	free((char *)l->pod.name);
	free(l->policies);
}

void
locals_free(struct policy_builder *b)
{
	for (size_t i = 0; i < b->n_locals; i++)
		local_fini(&b->locals[i]);
	free(b->locals);
	b->locals = NULL;
	b->n_locals = 0;
}

static bool
is_same(const struct local_pod *a, const struct local_pod *b)
{
	return a->port == b->port && a->uid == b->uid && ip_addr_eq(&a->addrs[V4], &b->addrs[V4]) &&
	       ip_addr_eq(&a->addrs[V6], &b->addrs[V6]) && strcmp(a->ns, b->ns) == 0 &&
	       strcmp(a->name, b->name) == 0;
}

static bool
are_same(const struct policy_builder *b, const struct build_facts *facts)
{
	if (b->n_locals != facts->n_pods)
		return false;
	for (size_t i = 0; i < facts->n_pods; i++)
		if (!is_same(&b->locals[i].pod, &facts->pods[i]))
			return false;
	return true;
}

/* What was known of this pod moves to its new place. */
static bool
move_former(struct policy_builder *b, const struct local_pod *pod, struct local *to)
{
	for (size_t i = 0; i < b->n_locals; i++)
		if (b->locals[i].pod.ns != NULL && is_same(&b->locals[i].pod, pod)) {
			*to = b->locals[i];
			b->locals[i] = (struct local){ 0 };
			return true;
		}
	return false;
}

int
locals_follow(struct policy_builder *b, const struct build_facts *facts, bool *are_new)
{
	struct local *locals;

	*are_new = !are_same(b, facts);
	if (!*are_new)
		return 0;
	locals = calloc(facts->n_pods + 1, sizeof(*locals));
	if (locals == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < facts->n_pods; i++) {
		if (move_former(b, &facts->pods[i], &locals[i]))
			continue;
		locals[i] = (struct local){ .pod = facts->pods[i], .is_dirty = true };
		locals[i].pod.ns = strdup(facts->pods[i].ns);
		locals[i].pod.name = strdup(facts->pods[i].name);
	}
	for (size_t i = 0; i < b->n_locals; i++)
		if (b->locals[i].pod.ns != NULL)
			local_fini(&b->locals[i]);
	free(b->locals);
	b->locals = locals;
	b->n_locals = facts->n_pods;
	for (size_t i = 0; i < facts->n_pods; i++)
		if (locals[i].pod.ns == NULL || locals[i].pod.name == NULL)
			return -ENOMEM;
	return 0;
}

/* Its policies may be no more, so nothing looks at them from here on. */
static void
make_dirty(struct local *l)
{
	l->is_dirty = true;
	l->n = 0;
}

void
locals_pod_changed(struct policy_builder *b, const char *ns, const char *name)
{
	for (size_t i = 0; i < b->n_locals; i++)
		if (strcmp(b->locals[i].pod.ns, ns) == 0 && strcmp(b->locals[i].pod.name, name) == 0)
			make_dirty(&b->locals[i]);
}

void
locals_policy_changed(struct policy_builder *b, const char *ns)
{
	for (size_t i = 0; i < b->n_locals; i++)
		if (*ns == '\0' || strcmp(b->locals[i].pod.ns, ns) == 0)
			make_dirty(&b->locals[i]);
}

struct unread_search {
	struct local *local;
	const struct pod_group *group; /* NULL: not known */
};

static void
match_unread(const struct object *object, void *arg)
{
	const struct unread_policy_object *unread = (const struct unread_policy_object *)object;
	const struct selector *s = &unread->pods;
	struct unread_search *search = arg;
	struct local *l = search->local;

	if (l->unread[0] != '\0' || (*object->ns != '\0' && strcmp(object->ns, l->pod.ns) != 0))
		return;
	if (selector_is_empty(s) ||
		(search->group != NULL && selector_matches(s, pod_group_labels(search->group))))
		unread_policy_describe(unread, l->unread, sizeof(l->unread));
	else if (search->group == NULL)
		l->is_undecided = true;
}

static int
select_for(struct policy_builder *b, struct local *l)
{
	const struct pod_group *group = identities_group(b->ids, &l->pod);
	size_t first = policy_records_first(&b->records, l->pod.ns), end = first;

	while (end < b->records.n && strcmp(b->records.items[end]->ns, l->pod.ns) == 0)
		end++;
	free(l->policies);
	l->n = 0;
	l->is_undecided = false;
	l->policies = calloc(end - first + 1, sizeof(struct policy_record *));
	if (l->policies == NULL)
		return -ENOMEM;
	for (size_t i = first; i < end; i++) {
		const struct selector *s = &b->records.items[i]->object->pods;

		if (selector_is_empty(s) || (group != NULL && selector_matches(s, pod_group_labels(group))))
			l->policies[l->n++] = b->records.items[i];
		else if (group == NULL)
			l->is_undecided = true;
	}
	l->unread[0] = '\0';
	store_each(b->store, OBJECT_UNREAD_POLICY, match_unread,
		&(struct unread_search){ .local = l, .group = group });
	l->is_dirty = false;
	return 0;
}

int
locals_select(struct policy_builder *b)
{
	for (size_t i = 0; i < b->n_locals; i++) {
		struct local *l = &b->locals[i];

		if (l->is_dirty && select_for(b, l) < 0)
			return -ENOMEM;
		l->is_audit = policy_builder_is_audit(b, l->pod.ns);
	}
	for (size_t i = 0; i < b->records.n; i++)
		b->records.items[i]->n_users = 0;
	for (size_t i = 0; i < b->n_locals; i++)
		for (size_t k = 0; k < b->locals[i].n; k++)
			b->locals[i].policies[k]->n_users++;
	for (size_t i = 0; i < b->records.n; i++) {
		struct policy_record *p = b->records.items[i];

		if (p->n_users == 0)
			policy_record_unuse(p, b->ids, b->numbers);
		else if (policy_record_use(p, b->ids, b->numbers) < 0)
			return -ENOMEM;
	}
	return 0;
}
