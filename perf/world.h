/* A node in memory: the cluster's objects built into tables by control's own builders, a snapshot that
 * holds them, workers, packet memory. Control's part is played by the thread that makes it. */
#ifndef RINGWAY_PERF_WORLD_H
#define RINGWAY_PERF_WORLD_H

#include "dataplane/worker.h"
#include "perf/cluster.h"
#include "perf/traffic.h"

struct world {
	const struct cluster *cluster;
	unsigned n_workers;
	struct traffic_node node; /* what the traffic needs to know of the tables */
	struct snapshot *snapshot;
	struct crossing *crossing;
	const struct tables *tables;
	struct worker *workers[WORKERS_MAX];
	struct umem *umems[WORKERS_MAX];
	struct world_tables *built; /* what owns the tables */
};

/* Builds the node for a cluster, which must outlive it. Pod n has port n and belongs to worker n modulo
 * n_workers. NULL on failure, with a message on standard error. */
struct world *world_new(const struct cluster *c, unsigned n_workers);
void world_free(struct world *w);

#endif
