#include "control/source/files_claims.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "control/model/store.h"
#include "control/source/manifest.h"

struct claim {
	enum object_kind kind;
	char *ns, *name;
	struct file_claims *owner;
	uint64_t hash;
	uint64_t read; /* number of the last reading that found it */
};

static int
claim_compare(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = (int)x->kind - (int)y->kind;

	if (order == 0)
		order = strcmp(x->ns, y->ns);
	return order != 0 ? order : strcmp(x->name, y->name);
}

static void
claim_free(void *arg)
{
	struct claim *e = arg;

	if (e == NULL)
		return;
	free(e->ns);
	free(e->name);
	free(e);
}

static struct claim *
claim_new(const struct object *object)
{
	struct claim *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	*e = (struct claim){ .kind = object->kind, .ns = strdup(object->ns), .name = strdup(object->name) };
	if (e->ns == NULL || e->name == NULL) {
		claim_free(e);
		return NULL;
	}
	return e;
}

static void
drop_claim(struct claims *all, struct claim *e)
{
	store_remove(all->store, e->kind, e->ns, e->name);
	tdelete(e, &all->tree, claim_compare);
	claim_free(e);
	all->has_changed = true;
}

/* The same object stands on another line now. Nothing is built from that, so it is no change of the object. */
static void
move_origin(struct store *store, struct object *fresh)
{
	struct object *stored = (struct object *)store_get(store, fresh->kind, fresh->ns, fresh->name);
	char *origin;

	if (stored == NULL)
		return;
	origin = stored->origin;
	stored->origin = fresh->origin;
	fresh->origin = origin;
}

/* Puts one object of a reading into the store; the manifest loses it. */
static void
take_item(struct claims *all, struct file_claims *f, struct manifest *m, struct manifest_item *item,
	struct claim **claims)
{
	struct object *object = item->object;
	struct claim *fresh = claim_new(object);
	struct claim **place = fresh == NULL ? NULL : tsearch(fresh, &all->tree, claim_compare);
	struct claim *e = place == NULL ? NULL : *place;
	const struct object *stored;

	if (e == NULL) {
		claim_free(fresh);
		manifest_add_error(m, "%s: out of memory", f->name);
		return;
	}
	if (e != fresh)
		claim_free(fresh);
	else
		e->owner = f;
	if (e->owner != f || e->read == all->n_readings) {
		stored = store_get(all->store, e->kind, e->ns, e->name);
		manifest_add_error(m,
			"%s: %s %s%s%s is given at %s already, which stays in force; remove one of them",
			object->origin, object_kind_name(e->kind), e->ns, *e->ns == '\0' ? "" : "/", e->name,
			stored == NULL || stored->origin == NULL ? e->owner->name : stored->origin);
		f->has_conflict = true;
		return;
	}
	claims[f->n++] = e;
	e->read = all->n_readings;
	if (e != fresh && e->hash == item->hash) {
		move_origin(all->store, object);
		return;
	}
	e->hash = item->hash;
	item->object = NULL;
	if (store_put(all->store, object) < 0)
		manifest_add_error(m, "%s: out of memory", f->name);
	all->has_changed = true;
}

bool
claims_apply(struct claims *all, struct file_claims *f, struct manifest *m)
{
	struct claim **old = f->claims;
	size_t n_old = f->n;
	struct claim **claims = calloc(m->n_items + 1, sizeof(*claims));
	bool has_dropped = false;

	if (claims == NULL) {
		manifest_add_error(m, "%s: out of memory", f->name);
		return false;
	}
	all->n_readings++;
	f->has_conflict = false;
	f->claims = claims;
	f->n = 0;
	for (size_t i = 0; i < m->n_items; i++)
		take_item(all, f, m, &m->items[i], claims);
	for (size_t i = 0; i < n_old; i++)
		if (old[i]->read != all->n_readings) {
			drop_claim(all, old[i]);
			has_dropped = true;
		}
	free(old);
	return has_dropped;
}

void
file_claims_fini(struct file_claims *f)
{
	for (size_t i = 0; i < f->n; i++)
		claim_free(f->claims[i]);
	free(f->claims);
}

static void
keep_claim(void *claim)
{
}

void
claims_fini(struct claims *all)
{
	tdestroy(all->tree, keep_claim);
}
