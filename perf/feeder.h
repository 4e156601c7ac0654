/* What keeps a worker busy in a benchmark: ports over one ring of chunks, and a scenario's packets in them. One thread. */
#ifndef RINGWAY_PERF_FEEDER_H
#define RINGWAY_PERF_FEEDER_H

#include "perf/ring_port.h"
#include "perf/traffic.h"
#include "perf/world.h"

struct feeder {
	struct worker *worker;
	unsigned n_workers;
	struct chunk_ring ring;
	struct ring_port ports[PORTS_MAX];
	struct traffic traffic;
};

/* Feeds the world's worker of this number, which gets its ports; does not poll them. */
void feeder_init(struct feeder *f, struct world *w, unsigned worker, const struct params *p);

/* Has a packet of this flow lie ready to be received. */
void feeder_add(struct feeder *f, uint32_t flow);

/* Fills a burst with flows that are this worker's. */
void feeder_fill(struct feeder *f);

#endif
