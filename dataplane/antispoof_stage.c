/* Is the sender who it says it is. A pod has the addresses that IPAM gave it and no others. The host's stack
 * sends from the address reserved for it; it also answers, from the node's own addresses, what pods sent to
 * those, and route sees to it that such answers stay on this node.
 *
 * IPv6's link scope is let through towards the link only, where the gateway stage has the last word. What came
 * through a tunnel was judged by decap. */
#include "dataplane/overlay/vxlan.h"
#include "dataplane/stages.h"
#include "dataplane/trace.h"

static bool
is_link_scope(const struct ip_addr *a)
{
	return ip_addr_is_v6_link_local(a) || ip_addr_is_multicast(a);
}

/* For whatever is not simply the endpoint's own address. */
static bool
may_send_from(const struct tables *t, const struct endpoint *ep, const struct pkt *p)
{
	const struct route *r;

	if (p->family == 6 && (ip_addr_is_v6_link_local(&p->src) || ip_addr_is_none(&p->src)))
		return is_link_scope(&p->dst);
	/* an ARP question may come from nobody (RFC 5227), and the host's from any of its addresses */
	if (p->family == 0 && (ep->is_host || ip_addr_to_v4(&p->src).raw == 0))
		return true;
	if (!ep->is_host)
		return false;
	r = route_lookup(t->routes, &p->src);
	/* the slots are ours to give: what comes from one was sent by a stranger, and passed on by the stack */
	return r != NULL && r->kind == ROUTE_HOST && endpoint_host_slot(t->endpoints, &p->src) <= 0;
}

/* A family that an endpoint lacks has no address, which is IPv6's unspecified one on the wire, too. */
static bool
is_own(const struct endpoint *ep, const struct pkt *p)
{
	return ip_addr_eq(&ep->addrs[p->family == 6 ? V6 : V4], &p->src) && !ip_addr_is_none(&p->src);
}

static void
judge(const struct tables *t, struct burst *b, struct pkt *p)
{
	const struct endpoint *ep = endpoint_of_port(t->endpoints, p->in_port);

	if (ep == NULL) {
		pkt_drop(p, DROP_PORT_GONE);
	} else if (!is_own(ep, p) && !may_send_from(t, ep, p)) {
		pkt_drop(p, DROP_SPOOFED_SOURCE);
		TRACE(b, "antispoof", "the source is not one of the sender's addresses");
	} else if (vxlan_is_tunnel_end(t, p->proto, p->dport, &p->dst)) {
		pkt_drop(p, DROP_TUNNEL_FROM_POD);
		TRACE(b, "antispoof", "the destination is a node's tunnel port");
	}
}

void
antispoof_burst(const struct tables *t, struct burst *b)
{
	if (!(b->seen & BURST_LOCAL))
		return;
	BURST_FOREACH_UNDECIDED (b, p)
		if (p->origin != ORIGIN_UPLINK)
			judge(t, b, p);
	TRACE_PASSED(b, "antispoof", p->origin != ORIGIN_UPLINK, "the source is the sender's own");
}
