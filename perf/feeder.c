#include "perf/feeder.h"

static void
add_ports(struct feeder *f, const struct world *w)
{
	for (unsigned port = 0; port < TRAFFIC_UPLINK + w->n_workers; port++) {
		bool is_uplink = port >= TRAFFIC_UPLINK;

		if (w->tables->node->port_owner[port] != f->worker->id)
			continue;
		ring_port_init(&f->ports[port], &f->ring, (uint16_t)port,
			is_uplink ? ORIGIN_UPLINK : ORIGIN_POD, (uint8_t)f->worker->id);
		/* not worker_add_port(): bursts are filled by hand, from all ports at once */
		f->worker->ports[port] = &f->ports[port].port;
	}
}

void
feeder_init(struct feeder *f, struct world *w, unsigned worker, const struct params *p)
{
	f->worker = w->workers[worker];
	f->n_workers = w->n_workers;
	chunk_ring_init(&f->ring, w->umems[worker]);
	traffic_init(&f->traffic, w->cluster, p, &w->node, worker + 1);
	add_ports(f, w);
}

/* The next packet's flow: of a pod that this worker owns, unless it arrives from the underlay. */
static uint32_t
next_flow(struct feeder *f)
{
	for (;;) {
		uint32_t flow = traffic_pick(&f->traffic);

		if (f->n_workers == 1 || f->traffic.learned != NULL ||
			f->traffic.scenario == SCENARIO_DECAP ||
			flow % CLUSTER_PODS % f->n_workers == f->worker->id)
			return flow;
	}
}

void
feeder_add(struct feeder *f, uint32_t flow)
{
	uint8_t *inner = chunk_ring_take(&f->ring), *data;
	uint16_t len, port;

	if (inner == NULL)
		return;
	data = traffic_write(&f->traffic, flow, inner, &len, &port);
	if (port == TRAFFIC_UPLINK)
		port = (uint16_t)(port + f->worker->id);
	chunk_ring_ready(&f->ring, data, len, port, port >= TRAFFIC_UPLINK ? ORIGIN_UPLINK : ORIGIN_POD,
		f->worker->id);
}

void
feeder_fill(struct feeder *f)
{
	for (unsigned i = 0; i < BURST_MAX; i++)
		feeder_add(f, next_flow(f));
}
