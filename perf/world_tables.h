/* The made-up cluster's objects and this node's pods, built into tables by control's builders. Control
 * thread. */
#ifndef RINGWAY_PERF_WORLD_TABLES_H
#define RINGWAY_PERF_WORLD_TABLES_H

#include "dataplane/tables.h"
#include "perf/cluster.h"

struct nat_flows;
struct world_tables;

/* ports: id of each pod's port; those of the workers' uplinks follow at TRAFFIC_UPLINK. NULL on failure,
 * with a message on standard error where the builders have one. */
struct world_tables *world_tables_new(const struct cluster *c, unsigned n_workers, const uint16_t *ports);
void world_tables_free(struct world_tables *t);

const struct tables *world_tables_get(const struct world_tables *t);

/* Of one worker. */
struct nat_flows *world_tables_exceptions(const struct world_tables *t, unsigned worker);

#endif
