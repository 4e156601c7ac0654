/* Packets handled together, from any of a worker's ports, and a summary of them: most bursts have nothing at all for most
 * stages, which find that out by one test of 'seen' and not by a look at each packet.
 *
 * A bit of 'seen' that is clear is a promise: no undecided packet of the burst has what it stands for. One that is set is a
 * hint, which may be true of no packet: of one that is settled by now, or has lost the flag since. So stages only add bits,
 * and whoever gives a packet one of the properties below adds its bit:
 *
 *   parse, decap        all flags that parse finds, and where packets are from
 *   decap               PKT_DECAPPED, and PKT_INBOUND and PKT_OUTBOUND of what is from outside
 *   masquerade_receive  PKT_INBOUND of what answers clients outside
 *   route               PKT_INBOUND and PKT_OUTBOUND of what goes there, BURST_TUNNEL or BURST_PORT
 *   mtu                 BURST_CUT
 *   inbound_receive     BURST_CUT, since it may lower the MTU of the way
 *   rewrite             BURST_TUNNEL of replies
 *
 * Flags that other stages give have no bit to rely on. A burst that begins in the middle of the journey, of packets that
 * crossed or waited, gets its summary from burst_look(). */
#ifndef RINGWAY_BURST_H
#define RINGWAY_BURST_H

#include "dataplane/overlay/fdb_table.h"
#include "dataplane/pkt.h"

#define BURST_MAX 64

struct trace;

/* What packets may have in common besides their flags (enum pkt_flag, the lower half of 'seen'). */
enum burst_fact {
	BURST_POD = 1 << 16, /* origin: see burst_origin() */
	BURST_HOST = 1 << 17,
	BURST_UPLINK = 1 << 18,
	BURST_TUNNEL = 1 << 19, /* goes into a tunnel: pkt.vtep */
	BURST_PORT = 1 << 20,   /* goes to a port without one */
	BURST_CUT = 1 << 21,    /* larger than the way ahead takes, and not an error to the sender */

	BURST_LOCAL = BURST_POD | BURST_HOST,
};

struct burst {
	unsigned n;
	uint32_t seen;       /* see above */
	struct trace *trace; /* explain's notes; NULL on workers */
	struct pkt pkts[BURST_MAX];
};

/* The burst must not grow or shrink meanwhile. */
#define BURST_FOREACH(b, p) for (struct pkt *p = (b)->pkts, *p##_end = p + (b)->n; p < p##_end; p++)

/* The only packets a stage may look at. */
#define BURST_FOREACH_UNDECIDED(b, p) \
	BURST_FOREACH (b, p)          \
		if (p->verdict == VERDICT_CONTINUE)

/* The bit of where a packet is from. */
static inline uint32_t
burst_origin(const struct pkt *p)
{
	return (uint32_t)BURST_POD << p->origin;
}

/* The bit of where a packet goes. */
static inline uint32_t
burst_way(const struct pkt *p)
{
	return p->vtep == FDB_NONE ? BURST_PORT : BURST_TUNNEL;
}

/* Makes the summary from the descriptors. */
static inline void
burst_look(struct burst *b)
{
	b->seen = 0;
	BURST_FOREACH (b, p)
		b->seen |= p->flags | burst_origin(p) | burst_way(p) | BURST_CUT;
}

#endif
