/* What changed in the store since a consumer last asked, by key: a key that changed often is told once. Bounded: when too
 * much changed to be listed, or memory is short, the consumer is told that anything may have, and looks at all.
 * Control thread only. */
#ifndef RINGWAY_MODEL_WATCH_H
#define RINGWAY_MODEL_WATCH_H

#include "control/model/object.h"

/* Keys that are listed at most. */
#define STORE_WATCH_MAX 8192

struct store_watch;

/* A store's watches. */
struct store_watches {
	struct store_watch *first;
};

/* all: of the store to watch (store_watches()), which must outlive it. kinds: of objects, a bit (1 << enum object_kind) each. At
 * first anything may have changed. NULL if out of memory. */
struct store_watch *store_watch_new(struct store_watches *all, unsigned kinds);
void store_watch_free(struct store_watch *w);

/* Whether nothing has changed. */
bool store_watch_is_idle(const struct store_watch *w);

/* Calls fn for each key that changed (put or removed: the store tells), in no order, and forgets it. False, without any call, when
 * anything may have changed. fn may not change the store. */
bool store_watch_take(struct store_watch *w,
	void (*fn)(enum object_kind kind, const char *ns, const char *name, void *arg), void *arg);

/* For the store: this object was put, or is about to be removed. */
void store_watches_note(struct store_watches *all, const struct object *object);

#endif
