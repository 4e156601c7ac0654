/* The made-up cluster as the objects that its API server would hold. Control thread. */
#ifndef RINGWAY_PERF_WORLD_STORE_H
#define RINGWAY_PERF_WORLD_STORE_H

#include "control/model/store.h"
#include "perf/cluster.h"

/* Name of this node's Node object. */
#define WORLD_NODE "node-0"

/* Nodes, Services and EndpointSlices. NULL if out of memory. */
struct store *world_store_new(const struct cluster *c);

/* The first slice of a service, in which this endpoint (or, UINT32_MAX, none) is not ready; for store_put(). */
struct object *world_store_slice(const struct cluster *c, uint32_t service, uint32_t unready);

#endif
