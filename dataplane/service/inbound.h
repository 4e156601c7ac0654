/* What tells a flow from outside: whom a packet is from and whom it is for, or an ICMP error's quoted packet, which went
 * the other way. Worker threads, and control for explain. */
#ifndef RINGWAY_SERVICE_INBOUND_H
#define RINGWAY_SERVICE_INBOUND_H

#include "dataplane/net/icmp_quote.h"
#include "dataplane/pkt.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/service/translate.h"
#include "dataplane/worker.h"

/* The ends of a packet that somebody sent, or of the answer to what its error quotes. */
struct inbound_key {
	struct ip_addr src, dst;
	uint16_t sport, dport;
	uint8_t proto;
};

/* False when the packet has no ports, nor quotes any. */
static inline bool
inbound_key_of(const struct pkt *p, struct inbound_key *k)
{
	struct icmp_quote q;

	if (__builtin_expect(!(p->flags & PKT_ICMP_ERROR), 1)) {
		*k = (struct inbound_key){ p->src, p->dst, p->sport, p->dport, p->proto };
		return translate_is_transport(p->proto);
	}
	if (!icmp_quote_read(p, &q) || !ip_addr_eq(&q.src, &p->dst))
		return false;
	*k = (struct inbound_key){ q.dst, q.src, q.dport, q.sport, q.proto };
	return true;
}

/* The flow that a packet answers, among confirmed or half-open ones; NULL: none. */
static inline struct nat_flow *
inbound_find_reverse(struct nat_flows *e, const struct inbound_key *k)
{
	if (nat_flows_is_empty(e))
		return NULL;
	return nat_flows_find_reverse(e, &k->src, k->sport, &k->dst, k->dport, k->proto);
}

/* Whether it answers a client outside, on the worker that would have the flow. */
static inline bool
inbound_is_answer(const struct worker *w, const struct pkt *p)
{
	struct inbound_key k;

	return inbound_key_of(p, &k) && (inbound_find_reverse(w->inbound, &k) != NULL ||
						inbound_find_reverse(w->half_open, &k) != NULL);
}

#endif
