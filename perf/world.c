#include "perf/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/io/umem.h"
#include "perf/ring_port.h"
#include "perf/world_tables.h"

static bool
make_worker(struct world *w, unsigned id)
{
	struct worker_config config = {
		.id = id, .cpu = -1, .snapshot = w->snapshot, .crossing = w->crossing
	};

	config.flows.exceptions = world_tables_exceptions(w->built, id);
	if (umem_new(&w->umems[id], (uint16_t)id, (uint8_t)id, CHUNKS + CHUNKS_RESERVED, CHUNK_SIZE, -1) < 0)
		return false;
	w->workers[id] = worker_new(&config);
	return w->workers[id] != NULL;
}

static bool
make_all(struct world *w)
{
	uint16_t ports[CLUSTER_PODS];
	uint64_t grace;

	for (unsigned i = 0; i < CLUSTER_PODS; i++)
		ports[i] = (uint16_t)i;

	w->built = world_tables_new(w->cluster, w->n_workers, ports);
	if (w->built == NULL)
		return false;
	w->tables = world_tables_get(w->built);
	w->node = (struct traffic_node){
		.gateway_mac = w->tables->node->gateway_mac,
		.uplink_mac = w->tables->node->uplink_mac,
		.vxlan_port = w->tables->node->vxlan_port,
		.vni = w->tables->node->vni,
	};
	w->snapshot = snapshot_new(w->n_workers);
	w->crossing = crossing_new(w->n_workers);
	if (w->snapshot == NULL || w->crossing == NULL)
		return false;
	for (unsigned i = 0; i < w->n_workers; i++)
		if (!make_worker(w, i))
			return false;
	snapshot_publish(w->snapshot, w->tables, &grace);
	return true;
}

struct world *
world_new(const struct cluster *c, unsigned n_workers)
{
	struct world *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->cluster = c;
	w->n_workers = n_workers;
	if (make_all(w))
		return w;
	fprintf(stderr, "cannot build a node of this size\n");
	world_free(w);
	return NULL;
}

void
world_free(struct world *w)
{
	if (w == NULL)
		return;
	for (unsigned i = 0; i < w->n_workers; i++) {
		worker_free(w->workers[i]);
		umem_free(w->umems[i]);
	}
	crossing_free(w->crossing);
	snapshot_free(w->snapshot);
	world_tables_free(w->built);
	free(w);
}
