/* Asking for the MAC address of a host on the uplink's segment. Worker threads. */
#ifndef RINGWAY_ROUTE_NEIGHBOUR_ASK_H
#define RINGWAY_ROUTE_NEIGHBOUR_ASK_H

#include "dataplane/worker.h"

/* How often a sender may ask for a neighbour, on the long run and at once: a scan of the segment costs control no more than
 * this, and who begins with a few hosts, or with one in both families, has them all found. */
#define NEIGHBOUR_ASK_INTERVAL_NS UINT64_C(20000000)
#define NEIGHBOUR_ASK_BURST 8

/* Has control find the host that the packet goes to; the packet at hand is lost, its sender's next one arrives. Control
 * leaves alone what is not on the segment. */
static inline void
neighbour_ask(struct worker *w, const struct pkt *p)
{
	const struct event event = { .kind = EVENT_NEIGHBOUR, .value = p->family, .addr = p->new_dst };
	uint64_t *spent_until_ns = &w->asked_until_ns[p->in_port % NEIGHBOUR_ASKERS];
	uint64_t from = *spent_until_ns > w->now_ns ? *spent_until_ns : w->now_ns;

	if ((p->flags & PKT_DRY_RUN) ||
		from - w->now_ns > (NEIGHBOUR_ASK_BURST - 1) * NEIGHBOUR_ASK_INTERVAL_NS)
		return;
	*spent_until_ns = from + NEIGHBOUR_ASK_INTERVAL_NS;
	events_put(w->events, &event);
}

#endif
