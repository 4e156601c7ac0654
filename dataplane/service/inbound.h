/* What tells a flow from outside: whom a packet is from and whom it is for, or an ICMP error's quoted packet, which went
 * the other way. Worker threads, and control for explain. */
#ifndef RINGWAY_SERVICE_INBOUND_H
#define RINGWAY_SERVICE_INBOUND_H

#include "dataplane/net/icmp_quote.h"
#include "dataplane/pkt.h"
#include "dataplane/service/translate.h"

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

#endif
