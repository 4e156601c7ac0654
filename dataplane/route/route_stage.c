/* The next hop: a pod here, the host's stack, another node's tunnel end, or for what is outside of the cluster, the
 * next hop that the node itself would take on the underlay; with it the egress port and what the way takes. A packet of a
 * pod or of the host passes us as its one router, and so does what goes from outside to outside through a service; what comes
 * out of a tunnel has passed its router at the other end, and what the host's stack receives has arrived. */
#include "dataplane/net/headers.h"
#include "dataplane/net/icmp.h"
#include "dataplane/net/refuse.h"
#include "dataplane/overlay/vxlan.h"
#include "dataplane/route/neighbour_ask.h"
#include "dataplane/service/inbound.h"
#include "dataplane/stages.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

static void
to_endpoint(struct pkt *p, const struct endpoint *ep)
{
	p->out_port = ep->port;
	p->mtu = ep->mtu;
	p->vtep = FDB_NONE;
}

static void
to_pod(const struct tables *t, struct pkt *p, uint32_t index)
{
	if (!(p->flags & PKT_DECAPPED))
		p->flags |= PKT_ROUTER_HOP;
	to_endpoint(p, &t->endpoints->endpoints[index]);
}

/* An answer to a client outside: the worker that has the flow knows where it goes, and sends it out of its uplink. */
static void
to_client(const struct tables *t, struct pkt *p)
{
	if (t->node->uplink_port[0] == PORTS_MAX) {
		pkt_drop(p, DROP_NO_ROUTE);
		return;
	}
	p->flags |= p->flags & PKT_DECAPPED ? PKT_INBOUND : PKT_INBOUND | PKT_ROUTER_HOP;
	p->out_port = t->node->uplink_port[0];
	p->mtu = t->node->uplink_mtu;
	p->vtep = FDB_NONE;
}

/* Through a tunnel, a node's reserved addresses are all that others may reach of its stack. A backend outside knows a client
 * outside by the node's own address. */
static void
to_host(const struct tables *t, struct pkt *p)
{
	if (pkt_is_to_outside(p) && pkt_is_to_masquerade(p))
		to_client(t, p);
	else if ((p->flags & PKT_DECAPPED) && endpoint_host_slot(t->endpoints, &p->new_dst) < 0)
		pkt_drop(p, DROP_TUNNEL_DESTINATION);
	else if (t->endpoints->host == ENDPOINT_NONE)
		pkt_drop(p, DROP_NO_ROUTE);
	else
		to_endpoint(p, &t->endpoints->endpoints[t->endpoints->host]);
}

static void
to_vtep(const struct tables *t, const struct worker *w, struct pkt *p, uint32_t index)
{
	const struct fdb_entry *e = &t->fdb->entries[index];
	uint16_t uplink = t->node->uplink_port[w->id];

	if (p->origin == ORIGIN_UPLINK && !pkt_is_from_outside(p))
		pkt_drop(p, DROP_TUNNEL_DESTINATION);
	else if (uplink == PORTS_MAX || ip_addr_is_none(&e->vtep))
		pkt_drop(p, DROP_NO_ROUTE);
	else if (mac_is_zero(&e->next_hop))
		pkt_drop(p, DROP_NO_NEIGHBOUR);
	/* the other node takes only its peer's pod network for inner sources */
	else if (p->origin == ORIGIN_HOST && endpoint_host_slot(t->endpoints, &p->new_src) < 0)
		pkt_drop(p, DROP_SPOOFED_SOURCE);
	else {
		p->flags |= PKT_ROUTER_HOP;
		p->out_port = uplink;
		p->mtu = e->mtu;
		p->vtep = index;
		/* where encap writes: in front of what was received, so in no cache yet */
		__builtin_prefetch(p->data - VXLAN_OUTER_V4, 1);
	}
}

/* As kube-proxy in nftables mode has it: a service's other ports are refused, whatever the protocol, and addresses that
 * no service has answer nothing. */
static void
to_service(const struct tables *t, struct pkt *p)
{
	if (p->origin == ORIGIN_UPLINK)
		pkt_drop(p, DROP_TUNNEL_DESTINATION);
	else if (service_table_has_addr(t->services, &p->dst))
		pkt_refuse(p, DROP_NO_SERVICE);
	else
		pkt_drop(p, DROP_NO_SERVICE);
}

/* This node is nobody else's way out, but for what a client outside sends to a service: it goes as the node's own. */
static bool
may_go_out(const struct tables *t, const struct pkt *p)
{
	return p->origin != ORIGIN_UPLINK ||
	       (pkt_is_from_outside(p) &&
		       ip_addr_eq(&p->new_src, &t->node->masquerade[p->family == 6 ? V6 : V4]));
}

static void
to_underlay(const struct tables *t, struct worker *w, struct pkt *p, const struct route *r)
{
	uint16_t uplink = t->node->uplink_port[w->id];
	/* needs no other address on its way, or has it already */
	bool is_done = p->origin == ORIGIN_UPLINK || (r->flags & ROUTE_NATIVE);

	if (uplink == PORTS_MAX) {
		pkt_drop(p, DROP_NO_ROUTE);
	} else if (mac_is_zero(&r->next_hop)) {
		pkt_drop(p, DROP_NO_NEIGHBOUR);
		if (r->kind == ROUTE_SEGMENT)
			neighbour_ask(w, p);
	} else {
		p->flags |= is_done ? PKT_ROUTER_HOP : PKT_ROUTER_HOP | PKT_OUTBOUND;
		p->out_port = uplink;
		p->mtu = t->node->uplink_mtu;
		p->vtep = FDB_NONE;
		p->next_hop = r->next_hop;
	}
}

/* Whether a pod that sends this to the outside may answer a client which it knows by its own address, or complain about
 * what that sent. */
static bool
may_answer_client(const struct tables *t, const struct pkt *p)
{
	struct inbound_key k;

	if (p->origin != ORIGIN_POD || pkt_is_translated(p))
		return false;
	if (p->flags & PKT_ICMP_ERROR)
		return inbound_key_of(p, &k) && ip_addr_eq(&k.src, &p->src);
	if (p->proto == PROTO_TCP)
		return !translate_is_opening(p);
	return translate_is_transport(p->proto) &&
	       service_reverse(t->services, addr_hash(&p->src, p->sport, p->proto), &p->src, p->sport,
		       p->proto) != NULL;
}

/* By the node's own routes, or as an answer back to where the question came from: when it may be either, masquerade tells
 * whether it has the flow, and then the worker that would have it as an answer is asked. r: NULL when there is no route. */
static void
to_outside(const struct tables *t, struct worker *w, struct pkt *p, const struct route *r)
{
	bool has_way = r != NULL && r->kind != ROUTE_ELSEWHERE;

	if (may_answer_client(t, p)) {
		if (has_way) {
			p->flags |= r->flags & ROUTE_NATIVE ? 0 : PKT_OUTBOUND;
			p->next_hop = r->next_hop;
		}
		to_client(t, p);
	} else if (!may_go_out(t, p)) {
		pkt_drop(p, DROP_TUNNEL_DESTINATION);
	} else if (has_way) {
		to_underlay(t, w, p, r);
	} else {
		pkt_drop(p, r == NULL ? DROP_NO_ROUTE : DROP_OTHER_INTERFACE);
	}
}

/* What the underlay sent outside a tunnel and decap let pass is for the host's stack or for nobody here. */
static bool
is_astray(const struct pkt *p, const struct route *r)
{
	return p->origin == ORIGIN_UPLINK && !(p->flags & (PKT_DECAPPED | PKT_INBOUND | PKT_OUTBOUND)) &&
	       (r == NULL || (r->kind != ROUTE_HOST && r->kind != ROUTE_ENDPOINT));
}

static void
choose_way(const struct tables *t, struct worker *w, struct pkt *p)
{
	const struct route *r = route_lookup(t->routes, &p->new_dst);

	if (is_astray(p, r)) {
		pkt_drop(p, DROP_NOT_OURS);
		return;
	}
	switch (r == NULL ? ROUTE_NONE : r->kind) {
	case ROUTE_ENDPOINT:
		to_pod(t, p, r->target);
		break;
	case ROUTE_VTEP:
		to_vtep(t, w, p, r->target);
		break;
	case ROUTE_HOST:
		to_host(t, p);
		break;
	case ROUTE_INBOUND:
		to_client(t, p);
		break;
	case ROUTE_SERVICE:
		to_service(t, p);
		break;
	case ROUTE_NOBODY:
		pkt_drop(p, p->origin == ORIGIN_UPLINK ? DROP_TUNNEL_DESTINATION : DROP_NO_ROUTE);
		break;
	default:
		to_outside(t, w, p, r);
		break;
	}
}

static void
note_way(struct burst *b, const struct tables *t, const struct pkt *p)
{
	char addr[IP_ADDR_STRLEN];

	if (p->verdict == VERDICT_DROP)
		TRACE(b, "route", "no way to %s: %s", ip_addr_format(&p->new_dst, addr),
			drop_reason_label(p->drop_reason));
	else if (p->verdict == VERDICT_REPLY)
		TRACE(b, "route", "%s has no way through: the sender is told",
			ip_addr_format(&p->new_dst, addr));
	else if (p->vtep != FDB_NONE)
		TRACE(b, "route", "to the node at %s through a tunnel, which takes %u bytes",
			ip_addr_format(&t->fdb->entries[p->vtep].vtep, addr), p->mtu);
	else if (p->flags & PKT_INBOUND && !pkt_is_from_outside(p))
		TRACE(b, "route",
			"an answer to a client outside the cluster: to the worker that has the flow");
	else if (!mac_is_zero(&p->next_hop))
		TRACE(b, "route", "out of the uplink, by the node's own routes%s",
			p->flags & PKT_OUTBOUND
				? ""
				: ", with its own source: cluster.nonMasqueradeCIDRs says so");
	else
		TRACE(b, "route", "to port %u of this node, which takes %u bytes", p->out_port, p->mtu);
}

void
route_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	uint32_t seen = 0;

	BURST_FOREACH_UNDECIDED (b, p) {
		/* antispoof saw the address that the sender used; this is what translate made of it */
		if (vxlan_is_tunnel_end(t, p->proto, p->new_dport, &p->new_dst))
			pkt_drop(p, DROP_TUNNEL_FROM_POD);
		else
			choose_way(t, w, p);
		if (p->verdict == VERDICT_CONTINUE && (p->flags & PKT_ROUTER_HOP) && p->ttl <= 1) {
			if (icmp_may_answer(p))
				pkt_reply(p, REPLY_TTL);
			else
				pkt_drop(p, DROP_TTL);
		}
		seen |= p->flags | burst_way(p);
		if (b->trace != NULL)
			note_way(b, t, p);
	}
	b->seen |= seen;
}
