/* The pods' side of the link: each pod, and the host's stack, sees one neighbour, the gateway, and a link on
 * which there is nobody else. So this stage has the last word on all that is addressed to the link: questions
 * about the gateway's MAC and echo requests to it are answered, everything else ends here. Addresses by which
 * a pod reaches itself through a service (service/hairpin.h) are translate's, and that of DNS on the node has its own stage. */
#include "dataplane/net/headers.h"
#include "dataplane/net/icmp.h"
#include "dataplane/net/neighbour.h"
#include "dataplane/service/hairpin.h"
#include "dataplane/stages.h"
#include "dataplane/trace.h"

static void
settle_arp(const struct tables *t, struct pkt *p)
{
	if (p->tcp_flags == ARP_REQUEST && ip_addr_eq(&p->dst, &t->node->gateway[V4]))
		pkt_reply(p, REPLY_ARP);
	else
		pkt_drop(p, DROP_NEIGHBOUR);
}

static void
settle_neighbour_discovery(const struct tables *t, struct pkt *p)
{
	struct ip_addr target;

	if (neighbour_solicited(p, &target) && ip_addr_eq(&target, &t->node->gateway[V6]))
		pkt_reply(p, REPLY_NEIGHBOUR);
	else
		pkt_drop(p, DROP_NEIGHBOUR);
}

static bool
is_echo_request(const struct pkt *p)
{
	if (p->flags & PKT_FRAGMENT)
		return false;
	return p->family == 4 ? p->proto == PROTO_ICMP && p->tcp_flags == ICMP_ECHO_REQUEST
			      : p->proto == PROTO_ICMPV6 && p->tcp_flags == ICMPV6_ECHO_REQUEST;
}

static void
settle_gateway(struct pkt *p)
{
	if (is_echo_request(p))
		pkt_reply(p, REPLY_ECHO);
	else if ((p->proto == PROTO_UDP || p->proto == PROTO_TCP) && icmp_may_answer(p))
		pkt_reply(p, REPLY_UNREACHABLE);
	else
		pkt_drop(p, DROP_LINK_LOCAL);
}

static bool
is_broadcast(const struct ip_addr *a)
{
	return ip_addr_is_v4(a) && ip_addr_to_v4(a).raw == UINT32_MAX;
}

static bool
is_link_local(const struct ip_addr *a)
{
	return ip_addr_is_v4(a) ? a->b[12] == 169 && a->b[13] == 254 : ip_addr_is_v6_link_local(a);
}

/* The address at which DNS answers on the node, or what else the DNS service has there. */
static bool
is_for_dns(const struct tables *t, const struct pkt *p)
{
	if (t->dns == NULL || (p->flags & PKT_FRAGMENT) || !dns_table_asks(t->dns, &p->dst, p->dport))
		return false;
	return p->proto == PROTO_UDP || service_frontend(t->services, addr_hash(&p->dst, p->dport, p->proto),
						&p->dst, p->dport, p->proto) != NULL;
}

static void
settle_link(const struct tables *t, struct pkt *p)
{
	if (ip_addr_is_multicast(&p->dst) || is_broadcast(&p->dst) || (p->data[0] & 1) != 0) {
		pkt_drop(p, DROP_MULTICAST);
	} else if (ip_addr_eq(&p->dst, &t->node->gateway[p->family == 4 ? V4 : V6])) {
		settle_gateway(p);
	} else if (is_link_local(&p->dst)) {
		if (hairpin_slot(&p->dst) < 0 && !is_for_dns(t, p))
			pkt_drop(p, DROP_LINK_LOCAL);
	}
}

void
gateway_burst(const struct tables *t, struct burst *b)
{
	if (!(b->seen & PKT_TO_LINK))
		return;
	BURST_FOREACH_UNDECIDED (b, p) {
		if (!(p->flags & PKT_TO_LINK) || p->origin == ORIGIN_UPLINK)
			continue;
		if (p->family == 0)
			settle_arp(t, p);
		else if (p->proto == PROTO_ICMPV6 && p->family == 6 && p->tcp_flags >= ICMPV6_ND_FIRST &&
			 p->tcp_flags <= ICMPV6_ND_LAST)
			settle_neighbour_discovery(t, p);
		else
			settle_link(t, p);
		if (p->verdict == VERDICT_REPLY)
			TRACE(b, "gateway", "answered by the gateway");
		else if (p->verdict == VERDICT_DROP)
			TRACE(b, "gateway", "%s", drop_reason_help(p->drop_reason));
	}
}
