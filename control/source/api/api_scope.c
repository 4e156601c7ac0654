#include "control/source/api/api_scope.h"

#include <stdlib.h>
#include <string.h>

#include "control/model/network_policy.h"
#include "control/model/store.h"

enum api_scope_step
api_scope_look(struct api_scope *s, bool needs_all, uint64_t now_ns, uint64_t grace_ns)
{
	if (needs_all) {
		s->unneeded_ns = 0;
		if (s->is_wide)
			return API_SCOPE_STAY;
		s->is_wide = true;
		return API_SCOPE_WIDEN;
	}
	if (!s->is_wide)
		return API_SCOPE_STAY;
	if (s->unneeded_ns == 0)
		s->unneeded_ns = now_ns;
	if (now_ns - s->unneeded_ns < grace_ns)
		return API_SCOPE_STAY;
	*s = (struct api_scope){ .is_wide = false };
	return API_SCOPE_NARROW;
}

/* Namespaces with such a policy, in order and each once: the store's order. */
struct question {
	const char *node;
	size_t n, room;
	const char **namespaces;
	bool is_yes;
};

static bool
has_pod_peers(const struct network_policy_object *policy)
{
	for (unsigned d = 0; d < 2; d++)
		for (size_t i = 0; i < policy->n_rules[d]; i++)
			for (size_t j = 0; j < policy->rules[d][i].n_peers; j++)
				if (policy->rules[d][i].peers[j].block == NULL)
					return true;
	return false;
}

static void
note_policy(const struct object *object, void *arg)
{
	struct question *q = arg;

	if (!has_pod_peers((const struct network_policy_object *)object) ||
		(q->n != 0 && strcmp(q->namespaces[q->n - 1], object->ns) == 0))
		return;
	if (q->n == q->room) {
		size_t room = q->room == 0 ? 64 : 2 * q->room;
		const char **more = reallocarray(q->namespaces, room, sizeof(*more));

		if (more == NULL) { /* to know too many pods is safe */
			q->is_yes = true;
			return;
		}
		q->namespaces = more;
		q->room = room;
	}
	q->namespaces[q->n++] = object->ns;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
ask_pod(const struct object *object, void *arg)
{
	struct question *q = arg;

	if (!q->is_yes && strcmp(((const struct pod_object *)object)->node, q->node) == 0)
		q->is_yes =
			bsearch(&object->ns, q->namespaces, q->n, sizeof(*q->namespaces), compare) != NULL;
}

bool
api_scope_needs_all(const struct store *store, const char *node)
{
	struct question q = { .node = node };

	store_each(store, OBJECT_NETWORK_POLICY, note_policy, &q);
	if (q.n != 0)
		store_each(store, OBJECT_POD, ask_pod, &q);
	free(q.namespaces);
	return q.is_yes;
}
