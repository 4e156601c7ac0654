#include "control/model/store.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "control/model/watch.h"

/* A red-black tree per kind (tsearch), ordered by namespace and name. */
struct store {
	struct {
		void *root;
		size_t count;
		uint64_t generation;
		uint64_t n_lost;
	} kinds[N_OBJECT_KINDS];
	struct store_watches watches;
};

static int
object_compare(const void *a, const void *b)
{
	const struct object *x = a, *y = b;
	int by_ns = strcmp(x->ns, y->ns);

	return by_ns != 0 ? by_ns : strcmp(x->name, y->name);
}

static void
free_tree_object(void *object)
{
	object_free(object);
}

struct store *
store_new(void)
{
	return calloc(1, sizeof(struct store));
}

void
store_free(struct store *s)
{
	if (s == NULL)
		return;
	for (int k = 0; k < N_OBJECT_KINDS; k++)
		tdestroy(s->kinds[k].root, free_tree_object);
	free(s);
}

int
store_put(struct store *s, struct object *object)
{
	struct object **place = tsearch(object, &s->kinds[object->kind].root, object_compare);

	if (place == NULL) {
		object_free(object);
		return -ENOMEM;
	}
	if (*place == object) {
		s->kinds[object->kind].count++;
	} else {
		object_free(*place);
		*place = object;
	}
	s->kinds[object->kind].generation++;
	store_watches_note(&s->watches, object);
	return 0;
}

static struct object **
find(const struct store *s, enum object_kind kind, const char *ns, const char *name)
{
	const struct object key = { .ns = (char *)ns, .name = (char *)name };

	return tfind(&key, &s->kinds[kind].root, object_compare);
}

bool
store_remove(struct store *s, enum object_kind kind, const char *ns, const char *name)
{
	struct object **place = find(s, kind, ns, name);
	struct object *object;

	if (place == NULL)
		return false;
	object = *place;
	tdelete(object, &s->kinds[kind].root, object_compare);
	store_watches_note(&s->watches, object);
	object_free(object);
	s->kinds[kind].count--;
	s->kinds[kind].generation++;
	return true;
}

bool
store_lose(struct store *s, enum object_kind kind, const char *ns, const char *name)
{
	bool was_there = store_remove(s, kind, ns, name);

	s->kinds[kind].n_lost += was_there;
	return was_there;
}

uint64_t
store_n_lost(const struct store *s, enum object_kind kind)
{
	return s->kinds[kind].n_lost;
}

const struct object *
store_get(const struct store *s, enum object_kind kind, const char *ns, const char *name)
{
	struct object **place = find(s, kind, ns, name);

	return place == NULL ? NULL : *place;
}

struct walk {
	void (*fn)(const struct object *object, void *arg);
	void *arg;
};

static void
walk_node(const void *node, VISIT visit, void *closure)
{
	struct walk *w = closure;

	if (visit == postorder || visit == leaf)
		w->fn(*(struct object *const *)node, w->arg);
}

void
store_each(const struct store *s, enum object_kind kind, void (*fn)(const struct object *object, void *arg),
	void *arg)
{
	struct walk w = { fn, arg };

	twalk_r(s->kinds[kind].root, walk_node, &w);
}

size_t
store_count(const struct store *s, enum object_kind kind)
{
	return s->kinds[kind].count;
}

uint64_t
store_generation(const struct store *s, enum object_kind kind)
{
	return s->kinds[kind].generation;
}

struct store_watches *
store_watches(struct store *s)
{
	return &s->watches;
}
