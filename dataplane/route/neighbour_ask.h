/* Asking for the MAC address of a host on the uplink's segment. Worker threads. */
#ifndef RINGWAY_ROUTE_NEIGHBOUR_ASK_H
#define RINGWAY_ROUTE_NEIGHBOUR_ASK_H

#include "dataplane/worker.h"

/* How often a sender may ask for a neighbour: a scan of the segment costs control no more than this. */
#define NEIGHBOUR_ASK_INTERVAL_NS UINT64_C(20000000)

/* Has control find the host that the packet goes to; the packet at hand is lost, its sender's next one arrives. Control
 * leaves alone what is not on the segment. */
static inline void
neighbour_ask(struct worker *w, const struct pkt *p)
{
	const struct event event = { .kind = EVENT_NEIGHBOUR, .value = p->family, .addr = p->new_dst };
	uint64_t *ask_after_ns = &w->ask_after_ns[p->in_port % NEIGHBOUR_ASKERS];

	if ((p->flags & PKT_DRY_RUN) || w->now_ns < *ask_after_ns)
		return;
	*ask_after_ns = w->now_ns + NEIGHBOUR_ASK_INTERVAL_NS;
	events_put(w->events, &event);
}

#endif
