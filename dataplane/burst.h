/* Packets handled together, from any of a worker's ports. */
#ifndef RINGWAY_BURST_H
#define RINGWAY_BURST_H

#include "dataplane/pkt.h"

#define BURST_MAX 64

struct trace;

struct burst {
	unsigned n;
	bool has_inbound; /* some packet is PKT_INBOUND, or of a flow from the uplink PKT_OUTBOUND: without one, the stages
			     for these have nothing to look for */
	struct trace *trace; /* explain's notes; NULL on workers */
	uint16_t
		seen; /* flags (enum pkt_flag) that some packet got from parse: what none has need not be looked for */
	struct pkt pkts[BURST_MAX];
};

#define BURST_FOREACH(b, p) for (struct pkt *p = (b)->pkts; p < (b)->pkts + (b)->n; p++)

/* The flags that some packet has. */
static inline uint16_t
burst_flags(const struct burst *b)
{
	unsigned flags = 0;

	for (const struct pkt *p = b->pkts; p < b->pkts + b->n; p++)
		flags |= p->flags;
	return (uint16_t)flags;
}

/* The only packets a stage may look at. */
#define BURST_FOREACH_UNDECIDED(b, p) \
	BURST_FOREACH (b, p)          \
		if (p->verdict == VERDICT_CONTINUE)

#endif
