/* The made-up cluster's objects and this node's pods, built into tables by control's builders. Control
 * thread. */
#ifndef RINGWAY_PERF_WORLD_TABLES_H
#define RINGWAY_PERF_WORLD_TABLES_H

#include "dataplane/tables.h"
#include "perf/cluster.h"

struct nat_flows;
struct store;
struct world_tables;

/* ports: id of each pod's port; those of the workers' uplinks follow at TRAFFIC_UPLINK. NULL on failure,
 * with a message on standard error where the builders have one. */
struct world_tables *world_tables_new(const struct cluster *c, unsigned n_workers, const uint16_t *ports);
void world_tables_free(struct world_tables *t);

/* The newest; where there are policies the first, the only one that has them. */
const struct tables *world_tables_get(const struct world_tables *t);

/* Builds what changed in the store since; NULL on failure, with a message. The versions before the newest are the caller's, to
 * be released when no worker uses them. */
const struct tables *world_tables_build(struct world_tables *t);
void world_tables_release(struct world_tables *t, const struct tables *tables);

struct store *world_tables_store(struct world_tables *t);

/* How long the first build took, and the memory of the service tables that were not released. */
uint64_t world_tables_first_build_ns(const struct world_tables *t);
size_t world_tables_service_bytes(const struct world_tables *t);

/* Of one worker. */
struct nat_flows *world_tables_exceptions(const struct world_tables *t, unsigned worker);

#endif
