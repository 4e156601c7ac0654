/* Fragments but the first carry no ports. They are given those of their first (net/fragments.h), so that every stage
 * after this one treats all parts of a datagram alike; one that comes before its first waits. Done where the fragments of
 * a datagram meet: on the worker that received them from their sender or, as they are, from the underlay (and once more
 * on the owner of the flow, if they are steered there); for what another node sent, whose fragments may arrive by several
 * queues, on the receiver's. An answer to a client outside has its flow's owner for a receiver, which only the ports tell,
 * so what a tunnel brought of that gets them where it came out, and does not wait. */
#include "dataplane/net/fragments.h"
#include "dataplane/stages.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

static void
settle(struct worker *w, struct burst *b, struct pkt *p, bool may_wait)
{
	bool is_dry_run = (p->flags & PKT_DRY_RUN) != 0;

	if (!(p->flags & PKT_LATER_FRAGMENT)) {
		if (!is_dry_run)
			fragments_note(w->fragments, p, w->now_ns);
	} else if (fragments_complete(w->fragments, p, w->now_ns)) {
		TRACE(b, "fragments", "a later fragment: its first one had port %u to port %u", p->sport,
			p->dport);
	} else if (may_wait && !is_dry_run && fragments_hold(w->fragments, p, w->now_ns)) {
		p->verdict = VERDICT_HELD;
		count(&w->counters, COUNT_FRAGMENTS_HELD);
	} else {
		pkt_drop(p, DROP_FRAGMENT);
		TRACE(b, "fragments", "a later fragment of a datagram whose first one was not seen");
	}
}

static bool
has_fragments(const struct burst *b)
{
	return __builtin_expect((b->seen & PKT_FRAGMENT) != 0, 0);
}

void
fragments_underlay_burst(struct worker *w, struct burst *b)
{
	if (!has_fragments(b))
		return;
	BURST_FOREACH_UNDECIDED (b, p)
		if ((p->flags & PKT_FRAGMENT) && p->origin == ORIGIN_UPLINK)
			settle(w, b, p, true);
}

void
fragments_send_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	if (!has_fragments(b))
		return;
	BURST_FOREACH_UNDECIDED (b, p) {
		if (!(p->flags & PKT_FRAGMENT))
			continue;
		if (p->origin != ORIGIN_UPLINK)
			settle(w, b, p, true);
		else if ((p->flags & PKT_DECAPPED) && endpoint_is_inbound_addr(t->endpoints, &p->dst))
			settle(w, b, p, false);
	}
}

void
fragments_receive_burst(struct worker *w, struct burst *b)
{
	if (!has_fragments(b))
		return;
	BURST_FOREACH_UNDECIDED (b, p)
		if ((p->flags & (PKT_FRAGMENT | PKT_DECAPPED | PKT_INBOUND)) == (PKT_FRAGMENT | PKT_DECAPPED))
			settle(w, b, p, true);
}
