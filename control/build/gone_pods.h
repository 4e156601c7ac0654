/* Pods that were there and are no more: what the store had and has not, or has as ended. A pod that was never seen may live,
 * and so may those that went while others went out of sight (store_lose()).
 * Of pods that are long gone some are forgotten, since memory is fixed; they then may live, too. Control thread only. */
#ifndef RINGWAY_BUILD_GONE_PODS_H
#define RINGWAY_BUILD_GONE_PODS_H

#include "control/model/store.h"

struct gone_pods;

/* A pod's name in short, never 0; 0 for an empty name. */
uint64_t pod_digest(const char *ns, const char *name);

/* The store outlives it. NULL if out of memory. */
struct gone_pods *gone_pods_new(struct store *store);
void gone_pods_free(struct gone_pods *g); /* NULL is fine */

/* Whether the store has no news of pods. */
bool gone_pods_is_idle(const struct gone_pods *g);

/* Looks at the news and calls fn for each pod that is gone since the last time. */
void gone_pods_update(struct gone_pods *g, void (*fn)(uint64_t pod, void *arg), void *arg);

/* As of the last update; false for 0. */
bool gone_pods_has(const struct gone_pods *g, uint64_t pod);

#endif
