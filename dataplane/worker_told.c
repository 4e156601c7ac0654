#include "dataplane/worker_told.h"

#include "dataplane/dns/dns_told.h"
#include "dataplane/pipeline.h"

/* For so long an answer of the resolver waits for a port that takes nothing: who asked would wait for seconds, and ask again. */
#define LATE_NS UINT64_C(100000000)

static void
drop_told(struct worker *w, const struct pkt *p, enum drop_reason why)
{
	worker_recycle(w, p->umem, p->data);
	count(&w->counters, why == DROP_TX_FULL    ? COUNT_DNS_LOST_LATE
			    : why == DROP_NO_FRAME ? COUNT_DNS_LOST_NO_FRAME
						   : COUNT_DNS_LOST_GONE);
}

/* Sends an answer of the resolver. False: its port takes nothing at the moment, and it may be tried again. */
static bool
send_told(struct worker *w, struct pkt *p, bool is_last_try)
{
	if (p->verdict == VERDICT_REPLY)
		worker_send(w, p);
	if (p->verdict == VERDICT_REPLY)
		return true;
	if (p->drop_reason == DROP_TX_FULL && !is_last_try) {
		p->verdict = VERDICT_REPLY;
		return false;
	}
	drop_told(w, p, (enum drop_reason)p->drop_reason);
	return true;
}

static void
keep_late(struct worker *w, unsigned i, const struct pkt *p, uint64_t until_ns)
{
	w->late.pkts[i] = *p;
	w->late_until_ns[i] = until_ns;
}

static void
send_late(struct worker *w, const struct tables *t)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->late.n; i++) {
		struct pkt *p = &w->late.pkts[i];

		if (!dns_told_is_for(t, p))
			drop_told(w, p, DROP_PORT_GONE);
		else if (!send_told(w, p, w->now_ns >= w->late_until_ns[i]))
			keep_late(w, n++, p, w->late_until_ns[i]);
	}
	w->late.n = n;
}

unsigned
worker_tell(struct worker *w, const struct tables *t)
{
	struct burst *b = &w->arrivals;
	unsigned n;

	send_late(w, t);
	n = dns_told_burst(t, w, b, BURST_MAX - w->late.n);
	if (b->n != 0)
		pipeline_receive_half(w, t, b);
	BURST_FOREACH (b, p)
		if (!send_told(w, p, false))
			keep_late(w, w->late.n++, p, w->now_ns + LATE_NS);
	b->n = 0;
	return n;
}
