/* Masquerade (DESIGN section 5.5): what leaves the cluster goes as the node's own, since nobody outside knows the way to a
 * pod. A flow has an entry in the table of its sender's worker, with a port from a block of its sender's (port_blocks.h), or
 * an identifier where it is an echo. When a service chose the backend, the entry remembers the frontend as well, and the
 * answer is translated back in one step.
 *
 * Answers arrive on any queue and are steered to the worker that gave the port out. What fits no flow of a pod may be for a
 * client outside, whose backend is outside, too (inbound_stage.c). What fits none at all is not ours to judge: it goes on to the
 * host's stack, which may have a socket there. */
#include "dataplane/net/icmp_quote.h"
#include "dataplane/route/neighbour_ask.h"
#include "dataplane/service/inbound.h"
#include "dataplane/service/port_blocks.h"
#include "dataplane/service/translate.h"
#include "dataplane/stages.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

static bool
is_echo_request(const struct pkt *p)
{
	if (p->family == 4)
		return p->proto == PROTO_ICMP && p->tcp_flags == ICMP_ECHO_REQUEST;
	return p->proto == PROTO_ICMPV6 && p->tcp_flags == ICMPV6_ECHO_REQUEST;
}

static bool
can_be_masqueraded(const struct pkt *p)
{
	return translate_is_transport(p->proto) || is_echo_request(p);
}

/* The entry that the packet goes on with, if there is one. An established connection stays with its backend; what begins
 * anew follows the present choice. */
static struct nat_flow *
find_flow(struct worker *w, struct pkt *p)
{
	struct nat_flow *x = nat_flows_is_empty(w->outbound) ? NULL
							     : nat_flows_find_forward(w->outbound, &p->src,
								       p->sport, &p->dst, p->dport, p->proto);
	bool is_standing = p->proto == PROTO_TCP && !translate_is_opening(p);

	if (x == NULL || is_standing)
		return x;
	if (!(x->flags & NAT_FLOW_CLOSED) && ip_addr_eq(&x->backend, &p->new_dst) &&
		(p->new_dport == x->backend_port || is_echo_request(p)))
		return x;
	if (!(p->flags & PKT_DRY_RUN))
		nat_flows_remove(w->outbound, x);
	return NULL;
}

/* The sender has used up its share. */
static enum drop_reason
refuse(struct worker *w, const struct pkt *p)
{
	if (!(p->flags & PKT_DRY_RUN))
		nat_flows_refuse(w->outbound, &p->src, w->now_ns);
	return DROP_MASQUERADE_QUOTA;
}

/* A flow of its own, or the reason why there is none. */
static enum drop_reason
begin_flow(const struct tables *t, struct worker *w, const struct pkt *p, struct nat_flow *flow,
	struct nat_flow **out)
{
	bool is_quota;

	*flow = (struct nat_flow){
		.client = p->src,
		.client_port = p->sport,
		.frontend = p->dst,
		.frontend_port = p->dport,
		.backend = p->new_dst,
		.backend_port = is_echo_request(p) ? 0 : p->new_dport,
		.wire = t->node->masquerade[translate_family(p)],
		.has_block = true,
		.proto = p->proto,
	};
	if (w->outbound == NULL || ip_addr_is_none(&flow->wire))
		return DROP_MASQUERADE_FULL;
	if (nat_flows_is_over_quota(w->outbound, &p->src))
		return refuse(w, p);
	if (nat_flows_is_full(w->outbound))
		return DROP_MASQUERADE_FULL;
	flow->wire_port = port_blocks_choose(w->port_blocks, &t->node->masquerade_ports, flow, &is_quota);
	if (flow->wire_port == 0)
		return is_quota ? refuse(w, p) : DROP_MASQUERADE_FULL;
	if (is_echo_request(p))
		flow->backend_port = flow->wire_port;
	*out = flow;
	if (p->flags & PKT_DRY_RUN)
		return DROP_NONE;
	port_blocks_take(w->port_blocks, flow);
	*out = nat_flows_add(w->outbound, flow, NULL, w->now_ns);
	if (*out == NULL)
		return DROP_MASQUERADE_FULL;
	count(&w->counters, COUNT_MASQUERADE_CREATED);
	return DROP_NONE;
}

/* A standing connection whose backend is no longer the one that was chosen just now goes the way to its own. */
static bool
follow_backend(const struct tables *t, struct pkt *p, const struct nat_flow *x)
{
	const struct route *r;

	if (ip_addr_eq(&x->backend, &p->new_dst))
		return true;
	r = route_lookup(t->routes, &x->backend);
	p->new_dst = x->backend;
	if (r == NULL || r->kind != ROUTE_UNDERLAY || mac_is_zero(&r->next_hop))
		return false;
	p->next_hop = r->next_hop;
	return true;
}

/* A flow that stands, whose next hop is not known any more, or not yet again since a restart. */
static void
lose(struct worker *w, struct pkt *p)
{
	pkt_drop(p, DROP_NO_NEIGHBOUR);
	neighbour_ask(w, p);
}

static void
apply(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p, struct nat_flow *x)
{
	char wire[IP_ADDR_STRLEN];

	if (!follow_backend(t, p, x) || mac_is_zero(&p->next_hop)) {
		lose(w, p);
		return;
	}
	if (!(p->flags & PKT_DRY_RUN))
		nat_flow_seen(x, true, p->tcp_flags, w->now_ns);
	p->flags &= (uint16_t)~PKT_INBOUND;
	p->out_port = t->node->uplink_port[w->id];
	p->new_src = x->wire;
	p->new_sport = x->wire_port;
	if (!is_echo_request(p))
		p->new_dport = x->backend_port;
	count(&w->counters, COUNT_MASQUERADED);
	if (b->trace != NULL)
		TRACE(b, "masquerade", "leaves the cluster as %s port %u", ip_addr_format(&x->wire, wire),
			x->wire_port);
}

/* An error that a pod sends about what came to it from outside: its quote is translated as the pod's own answer would be
 * (see pkt.h). Nobody outside sends pods an echo that is masqueraded. */
static void
masquerade_error(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p)
{
	const struct nat_flow *x = NULL;
	struct icmp_quote q;

	if (icmp_quote_read(p, &q) && ip_addr_eq(&q.dst, &p->src) && !nat_flows_is_empty(w->outbound))
		x = nat_flows_find_forward(w->outbound, &q.dst, q.dport, &q.src, q.sport, q.proto);
	if (x == NULL && pkt_is_to_outside(p))
		return; /* it may be about a flow of a client outside */
	if (x == NULL) {
		pkt_drop(p, DROP_MASQUERADE_PROTOCOL);
		return;
	}
	if (mac_is_zero(&p->next_hop)) {
		lose(w, p);
		return;
	}
	p->flags &= (uint16_t)~PKT_INBOUND;
	p->out_port = t->node->uplink_port[w->id];
	p->sport = q.dport;
	p->dport = q.sport;
	p->new_src = x->wire;
	p->new_sport = x->wire_port;
	p->new_dst = x->backend;
	p->new_dport = x->backend_port;
	count(&w->counters, COUNT_ERRORS_TRANSLATED);
	TRACE(b, "masquerade", "an ICMP error about a masqueraded flow");
}

/* A connection of the node's own, under its own address, from before the stack brought it here: it needs no other address,
 * and its answers pass to the stack. */
static void
leave_as_is(const struct tables *t, const struct worker *w, struct burst *b, struct pkt *p)
{
	p->flags &= (uint16_t)~PKT_OUTBOUND;
	p->out_port = t->node->uplink_port[w->id];
	TRACE(b, "masquerade", "a connection of the node itself that is none of ours: it leaves as it is");
}

static void
masquerade(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p)
{
	enum drop_reason reason = DROP_NONE;
	struct nat_flow flow, *x;

	if (translate_is_stuck(p)) {
		pkt_drop(p, DROP_FRAGMENT);
		return;
	}
	if (p->flags & PKT_ICMP_ERROR) {
		masquerade_error(t, w, b, p);
		return;
	}
	if (!can_be_masqueraded(p)) {
		pkt_drop(p, DROP_MASQUERADE_PROTOCOL);
		return;
	}
	x = find_flow(w, p);
	if (x == NULL && pkt_is_to_outside(p))
		return; /* it may answer a client outside: the worker that would have that flow tells */
	if (x == NULL && translate_may_be_older(t, p)) {
		leave_as_is(t, w, b, p);
		return;
	}
	if (x == NULL && p->proto == PROTO_TCP && !translate_is_opening(p))
		reason = DROP_NO_FLOW;
	else if (x == NULL)
		reason = begin_flow(t, w, p, &flow, &x);
	if (reason != DROP_NONE) {
		pkt_drop(p, reason);
		TRACE(b, "masquerade", "%s", drop_reason_help(reason));
		return;
	}
	if (x == &flow)
		TRACE(b, "masquerade",
			"a flow begins: it gets a port of a block that only this sender has, %u to %u",
			flow.wire_port / FLOW_OWNER_BLOCK * FLOW_OWNER_BLOCK,
			flow.wire_port / FLOW_OWNER_BLOCK * FLOW_OWNER_BLOCK + FLOW_OWNER_BLOCK - 1);
	apply(t, w, b, p, x);
}

void
masquerade_send_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	if (!(b->seen & PKT_OUTBOUND))
		return;
	BURST_FOREACH_UNDECIDED (b, p)
		if ((p->flags & PKT_OUTBOUND) && p->origin != ORIGIN_UPLINK)
			masquerade(t, w, b, p);
}

/* No flow of a pod has this port. */
static void
pass_on(const struct tables *t, const struct worker *w, struct burst *b, struct pkt *p)
{
	if (service_table_has_addr(t->services, &p->src)) {
		pkt_drop(p, DROP_SPOOFED_SOURCE);
		TRACE(b, "masquerade", "from a service's address, which nobody has asked");
	} else if (inbound_is_answer(w, p)) {
		p->flags |= PKT_INBOUND;
		b->seen |= PKT_INBOUND;
		TRACE(b, "masquerade", "by a backend outside to a client outside");
	} else {
		p->flags &= (uint16_t)~PKT_OUTBOUND;
		TRACE(b, "masquerade", "no flow of a pod has this port: to the host's stack");
	}
}

/* An answer from outside, on the worker that gave its port out. */
static void
restore(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p)
{
	struct nat_flow *x = nat_flows_is_empty(w->outbound) ? NULL
							     : nat_flows_find_reverse(w->outbound, &p->src,
								       p->sport, &p->dst, p->dport, p->proto);

	if (x == NULL) {
		pass_on(t, w, b, p);
		return;
	}
	if (translate_is_stuck(p)) {
		pkt_drop(p, DROP_FRAGMENT);
		return;
	}
	if (!(p->flags & PKT_DRY_RUN))
		nat_flow_seen(x, false, p->tcp_flags, w->now_ns);
	p->new_src = x->frontend;
	p->new_dst = x->client;
	p->new_dport = x->client_port;
	if (translate_is_transport(p->proto))
		p->new_sport = x->frontend_port;
	count(&w->counters, COUNT_MASQUERADE_REPLY);
	TRACE(b, "masquerade", "an answer to a masqueraded flow");
}

/* An error about what a pod sent, an echo too, from whoever on the way. */
static void
restore_error(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p)
{
	const struct nat_flow *x = NULL;
	struct icmp_quote q;

	if (icmp_quote_read_flow(p, &q) && !nat_flows_is_empty(w->outbound))
		x = nat_flows_find_reverse(w->outbound, &q.dst, q.dport, &q.src, q.sport, q.proto);
	if (x == NULL) {
		pass_on(t, w, b, p);
		return;
	}
	p->sport = q.dport;
	p->dport = q.sport;
	p->new_src = x->frontend;
	p->new_sport = x->frontend_port;
	p->new_dst = x->client;
	p->new_dport = x->client_port;
	if (!ip_addr_eq(&p->src, &q.dst))
		p->flags |= PKT_KEEP_SOURCE;
	count(&w->counters, COUNT_ERRORS_TRANSLATED);
	TRACE(b, "masquerade", "an ICMP error about a masqueraded flow");
}

void
masquerade_receive_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	if (!(b->seen & PKT_OUTBOUND))
		return;
	BURST_FOREACH_UNDECIDED (b, p) {
		if (!pkt_is_to_masquerade(p))
			continue;
		if (p->flags & PKT_ICMP_ERROR)
			restore_error(t, w, b, p);
		else
			restore(t, w, b, p);
	}
}
