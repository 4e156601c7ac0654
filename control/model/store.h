/* Desired state: the cluster's objects (object.h), and what changed since the last build. Objects are immutable once put: a
 * change is a new object under the same key. Control thread only (or a benchmark's). The store owns what is put into it. */
#ifndef RINGWAY_MODEL_STORE_H
#define RINGWAY_MODEL_STORE_H

#include "control/model/object.h"

struct store;

struct store *store_new(void);
void store_free(struct store *s);

/* Puts an object in place of the one with its kind, namespace and name, and takes it over. 0 or -ENOMEM (the
 * object is freed then). */
int store_put(struct store *s, struct object *object);

/* Removes an object; false when there is none. */
bool store_remove(struct store *s, enum object_kind kind, const char *ns, const char *name);

/* The same for one that is out of sight: nothing says that it is gone. How often that happened to objects of a kind tells who
 * takes a missing object for one that is gone. */
bool store_lose(struct store *s, enum object_kind kind, const char *ns, const char *name);
uint64_t store_n_lost(const struct store *s, enum object_kind kind);

/* NULL when there is none. Valid until the next change of that key. */
const struct object *store_get(
	const struct store *s, enum object_kind kind, const char *ns, const char *name);

/* Calls fn for each object of a kind, ordered by namespace and name. */
void store_each(const struct store *s, enum object_kind kind,
	void (*fn)(const struct object *object, void *arg), void *arg);

size_t store_count(const struct store *s, enum object_kind kind);

/* Grows by one with every change of an object of this kind: builders compare it with the
 * one they built from. */
uint64_t store_generation(const struct store *s, enum object_kind kind);

/* Who is told of changes: a consumer adds its watch here (watch.h). */
struct store_watches;
struct store_watches *store_watches(struct store *s);

#endif
