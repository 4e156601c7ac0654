#include "control/build/policy_since.h"

#include <stdlib.h>

#include "control/model/watch.h"

struct entry {
	char *ns, *name;
	uint64_t version; /* 0: its text is newer than the tables in force */
};

struct policy_since {
	struct store *store;
	struct store_watch *watch;
	size_t n, room, n_pending;
	struct entry *entries; /* by namespace and name */
};

struct policy_since *
policy_since_new(struct store *store)
{
	struct policy_since *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->store = store;
	s->watch = store_watch_new(store_watches(store), 1u << OBJECT_NETWORK_POLICY);
	if (s->watch != NULL)
		return s;
	free(s);
	return NULL;
}

static void
forget_all(struct policy_since *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->entries[i].ns);
		free(s->entries[i].name);
	}
	s->n = s->n_pending = 0;
}

void
policy_since_free(struct policy_since *s)
{
	if (s == NULL)
		return;
	forget_all(s);
	free(s->entries);
	store_watch_free(s->watch);
	free(s);
}

/* The first that is not less. */
static size_t
lower_bound(const struct policy_since *s, const char *ns, const char *name)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct entry *e = &s->entries[middle];
		int order = strcmp(e->ns, ns);

		if (order < 0 || (order == 0 && strcmp(e->name, name) < 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
is_at(const struct policy_since *s, size_t at, const char *ns, const char *name)
{
	return at < s->n && strcmp(s->entries[at].ns, ns) == 0 && strcmp(s->entries[at].name, name) == 0;
}

/* Out of memory, one is not known, and told as pending. */
static void
insert(struct policy_since *s, size_t at, const char *ns, const char *name)
{
	struct entry made = { strdup(ns), strdup(name), 0 };

	if (s->n == s->room) {
		size_t room = s->room == 0 ? 64 : 2 * s->room;
		struct entry *grown = reallocarray(s->entries, room, sizeof(*grown));

		if (grown != NULL) {
			s->entries = grown;
			s->room = room;
		}
	}
	if (made.ns == NULL || made.name == NULL || s->n == s->room) {
		free(made.ns);
		free(made.name);
		return;
	}
	memmove(&s->entries[at + 1], &s->entries[at], (s->n - at) * sizeof(made));
	s->entries[at] = made;
	s->n++;
	s->n_pending++;
}

static void
take_out(struct policy_since *s, size_t at)
{
	s->n_pending -= s->entries[at].version == 0;
	free(s->entries[at].ns);
	free(s->entries[at].name);
	s->n--;
	memmove(&s->entries[at], &s->entries[at + 1], (s->n - at) * sizeof(s->entries[0]));
}

static void
note(enum object_kind kind, const char *ns, const char *name, void *arg)
{
	struct policy_since *s = arg;
	size_t at = lower_bound(s, ns, name);
	bool is_there = store_get(s->store, kind, ns, name) != NULL;

	if (!is_at(s, at, ns, name)) {
		if (is_there)
			insert(s, at, ns, name);
	} else if (!is_there) {
		take_out(s, at);
	} else {
		s->n_pending += s->entries[at].version != 0;
		s->entries[at].version = 0;
	}
}

static void
note_object(const struct object *object, void *arg)
{
	note(object->kind, object->ns, object->name, arg);
}

static void
follow(struct policy_since *s)
{
	if (store_watch_take(s->watch, note, s))
		return;
	forget_all(s);
	store_each(s->store, OBJECT_NETWORK_POLICY, note_object, s);
}

void
policy_since_published(struct policy_since *s, uint64_t version)
{
	follow(s);
	for (size_t i = 0; s->n_pending != 0 && i < s->n; i++)
		if (s->entries[i].version == 0)
			s->entries[i].version = version;
	s->n_pending = 0;
}

uint64_t
policy_since_version(struct policy_since *s, const char *ns, const char *name)
{
	size_t at;

	follow(s);
	at = lower_bound(s, ns, name);
	return is_at(s, at, ns, name) ? s->entries[at].version : 0;
}
