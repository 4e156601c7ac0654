#include "control/model/watch.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct change {
	enum object_kind kind;
	char *ns, *name; /* in the same allocation */
};

struct store_watch {
	struct store_watches *all;
	struct store_watch *next;
	unsigned kinds;
	void *changes; /* tsearch */
	size_t n;
	bool is_all; /* anything may have changed; no changes are listed */
};

static int
compare_changes(const void *a, const void *b)
{
	const struct change *x = a, *y = b;
	int order = (int)x->kind - (int)y->kind;

	if (order == 0)
		order = strcmp(x->ns, y->ns);
	return order != 0 ? order : strcmp(x->name, y->name);
}

static void
give_up(struct store_watch *w)
{
	tdestroy(w->changes, free);
	w->changes = NULL;
	w->n = 0;
	w->is_all = true;
}

struct store_watch *
store_watch_new(struct store_watches *all, unsigned kinds)
{
	struct store_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	*w = (struct store_watch){ .all = all, .next = all->first, .kinds = kinds, .is_all = true };
	all->first = w;
	return w;
}

void
store_watch_free(struct store_watch *w)
{
	struct store_watch **place;

	if (w == NULL)
		return;
	for (place = &w->all->first; *place != w; place = &(*place)->next)
		;
	*place = w->next;
	give_up(w);
	free(w);
}

static struct change *
change_new(const struct object *object)
{
	size_t ns_size = strlen(object->ns) + 1, name_size = strlen(object->name) + 1;
	struct change *c = malloc(sizeof(*c) + ns_size + name_size);

	if (c == NULL)
		return NULL;
	c->kind = object->kind;
	c->ns = memcpy(c + 1, object->ns, ns_size);
	c->name = memcpy(c->ns + ns_size, object->name, name_size);
	return c;
}

static void
note(struct store_watch *w, const struct object *object)
{
	struct change *c, **place;

	if (w->is_all || !(w->kinds & 1u << object->kind))
		return;
	c = w->n == STORE_WATCH_MAX ? NULL : change_new(object);
	place = c == NULL ? NULL : tsearch(c, &w->changes, compare_changes);
	if (place == NULL) {
		free(c);
		give_up(w);
	} else if (*place == c) {
		w->n++;
	} else {
		free(c);
	}
}

void
store_watches_note(struct store_watches *all, const struct object *object)
{
	for (struct store_watch *w = all->first; w != NULL; w = w->next)
		note(w, object);
}

bool
store_watch_is_idle(const struct store_watch *w)
{
	return !w->is_all && w->n == 0;
}

bool
store_watch_take(struct store_watch *w,
	void (*fn)(enum object_kind kind, const char *ns, const char *name, void *arg), void *arg)
{
	bool is_listed = !w->is_all;

	while (w->changes != NULL) {
		struct change *c = *(struct change **)w->changes;

		tdelete(c, &w->changes, compare_changes);
		fn(c->kind, c->ns, c->name, arg);
		free(c);
	}
	w->n = 0;
	w->is_all = false;
	return is_listed;
}
