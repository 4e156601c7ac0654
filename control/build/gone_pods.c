#include "control/build/gone_pods.h"

#include <stdlib.h>

#include "control/model/watch.h"

/* Each pod has one place, by its digest: another one's takes it away. */
#define PLACES 8192

struct gone_pods {
	struct store *store;
	uint64_t n_lost;  /* of it, at the last update */
	bool may_be_lost; /* what is missing since then */
	struct store_watch *watch;
	void (*fn)(uint64_t pod, void *arg);
	void *arg;
	uint64_t places[PLACES];
};

uint64_t
pod_digest(const char *ns, const char *name)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	if (name[0] == '\0')
		return 0;
	for (; *ns != '\0'; ns++) /* FNV-1a */
		sum = (sum ^ (uint8_t)*ns) * UINT64_C(0x100000001b3);
	for (sum = (sum ^ '/') * UINT64_C(0x100000001b3); *name != '\0'; name++)
		sum = (sum ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	sum ^= sum >> 32;
	return sum == 0 ? 1 : sum;
}

static uint64_t *
place_of(struct gone_pods *g, uint64_t pod)
{
	return &g->places[pod % PLACES];
}

static void
note(struct gone_pods *g, const struct pod_object *object, const char *ns, const char *name)
{
	uint64_t pod = pod_digest(ns, name), *place = place_of(g, pod);

	if (object != NULL && !object->has_ended) {
		if (*place == pod)
			*place = 0;
	} else if (pod != 0 && *place != pod) {
		*place = pod;
		g->fn(pod, g->arg);
	}
}

static void
note_change(enum object_kind kind, const char *ns, const char *name, void *arg)
{
	struct gone_pods *g = arg;
	const struct object *object = store_get(g->store, kind, ns, name);

	if (object != NULL || !g->may_be_lost)
		note(g, (const struct pod_object *)object, ns, name);
}

static void
note_object(const struct object *object, void *arg)
{
	note(arg, (const struct pod_object *)object, object->ns, object->name);
}

struct gone_pods *
gone_pods_new(struct store *store)
{
	struct gone_pods *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->store = store;
	g->watch = store_watch_new(store_watches(store), 1u << OBJECT_POD);
	if (g->watch == NULL) {
		free(g);
		return NULL;
	}
	return g;
}

void
gone_pods_free(struct gone_pods *g)
{
	if (g == NULL)
		return;
	store_watch_free(g->watch);
	free(g);
}

bool
gone_pods_is_idle(const struct gone_pods *g)
{
	return store_watch_is_idle(g->watch);
}

void
gone_pods_update(struct gone_pods *g, void (*fn)(uint64_t pod, void *arg), void *arg)
{
	uint64_t n_lost = store_n_lost(g->store, OBJECT_POD);

	g->fn = fn;
	g->arg = arg;
	g->may_be_lost = n_lost != g->n_lost;
	g->n_lost = n_lost;
	if (!store_watch_take(g->watch, note_change, g)) /* which pods went unseen is not known */
		store_each(g->store, OBJECT_POD, note_object, g);
}

bool
gone_pods_has(const struct gone_pods *g, uint64_t pod)
{
	return pod != 0 && g->places[pod % PLACES] == pod;
}
