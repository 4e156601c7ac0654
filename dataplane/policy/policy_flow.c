#include "dataplane/policy/policy_flow.h"

#include "dataplane/net/icmp_quote.h"

static void
take_quote(struct policy_flow *f, const struct icmp_quote *q, const struct ip_addr *remote,
	uint16_t remote_port, uint16_t local_port)
{
	f->peer = f->remote = remote;
	f->remote_port = translate_is_transport(q->proto) ? remote_port : 0;
	f->local_port = local_port;
	f->proto = q->proto;
	f->kind = q->proto == PROTO_TCP ? POLICY_TCP : POLICY_DATAGRAM;
	f->is_error = true;
}

/* About what arrived here. Translated: about a reply of a service, and translate has made sure that the quote is of the
 * packet which this would answer. Otherwise it must be for the quoted sender, or the quote could be anybody's while the
 * error goes elsewhere. */
bool
policy_error_leaving(struct policy_flow *f, const struct pkt *p, struct ip_addr *addr)
{
	struct icmp_quote q;

	if (!icmp_quote_read_any(p, &q))
		return false;
	if (pkt_is_translated(p)) {
		*addr = p->new_dst;
		take_quote(f, &q, addr, p->new_dport, p->sport);
		return true;
	}
	if (!ip_addr_eq(&q.src, &p->dst) || !ip_addr_eq(&q.dst, &p->src))
		return false;
	*addr = q.src;
	/* an echo has one number */
	take_quote(f, &q, addr, q.sport, translate_is_transport(q.proto) ? q.dport : q.sport);
	return true;
}

/* About what the pod sent, by whoever on the way. */
bool
policy_error_arriving(struct policy_flow *f, const struct pkt *p, struct ip_addr *addr)
{
	struct icmp_quote q;

	if (!icmp_quote_read_any(p, &q))
		return false;
	*addr = q.dst;
	if (pkt_is_translated(p)) {
		take_quote(f, &q, addr, q.dport, p->new_dport);
		if (pkt_is_from_outside(p)) {
			f->remote = &p->new_src;
			f->remote_port = p->new_sport;
		}
		return true;
	}
	if (!ip_addr_eq(&q.src, &p->dst))
		return false;
	take_quote(f, &q, addr, q.dport, q.sport);
	return true;
}
