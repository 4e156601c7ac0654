/* Too big for the way ahead: the sender is told what fits, when it asked not to be cut (DF, and always in
 * IPv6). The rest is left for segment_burst(). */
#include "dataplane/net/icmp.h"
#include "dataplane/stages.h"
#include "dataplane/trace.h"

/* No link may take less (RFC 791 section 3.2), so a smaller figure is a mistake of ours. */
#define MTU_MIN 68

/* An error towards another node needs a source that it accepts from us. */
static bool
may_answer(const struct tables *t, const struct pkt *p)
{
	if (p->flags & PKT_DECAPPED &&
		ip_addr_is_none(&t->endpoints->host_addrs[p->family == 4 ? V4 : V6][0]))
		return false;
	return icmp_may_answer(p);
}

void
mtu_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	BURST_FOREACH_UNDECIDED (b, p) {
		unsigned size = (unsigned)p->len - p->l3_off;

		if (size <= p->mtu)
			continue;
		if (!(p->flags & PKT_DONT_FRAGMENT) && p->mtu >= MTU_MIN) {
			b->seen |= BURST_CUT;
			TRACE(b, "mtu", "%u bytes will be cut to %u", size, p->mtu);
		} else if (may_answer(t, p))
			pkt_reply(p, REPLY_TOO_BIG);
		else
			pkt_drop(p, DROP_TOO_BIG);
		if (p->verdict != VERDICT_CONTINUE)
			TRACE(b, "mtu", "%u bytes do not fit into %u and may not be cut", size, p->mtu);
	}
	TRACE_PASSED(b, "mtu", (unsigned)p->len - p->l3_off <= p->mtu, "%u bytes fit into %u",
		(unsigned)p->len - p->l3_off, p->mtu);
}
