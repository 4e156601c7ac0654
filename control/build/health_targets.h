/* Which services have a health check port on each node, and what this node's should answer: how a load balancer finds the
 * nodes to which it may send traffic of a service with externalTrafficPolicy Local. Pure. */
#ifndef RINGWAY_BUILD_HEALTH_TARGETS_H
#define RINGWAY_BUILD_HEALTH_TARGETS_H

#include "control/model/store.h"

struct health_target {
	const struct service_object *service;
	uint16_t port;
	uint32_t
		n_local; /* ready endpoints on this node; of a dual-stack service, those of the family that has more */
};

/* All of them, ordered by namespace and name. 0, or -ENOMEM with nothing to free; *out is the caller's to free, the
 * services stay the store's. */
int health_targets(const struct store *store, const char *node, struct health_target **out, size_t *n);

#endif
