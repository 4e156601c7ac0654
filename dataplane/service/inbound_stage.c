/* Clients outside the cluster (DESIGN section 5.5): what they send to an exposed frontend goes to a backend, and its
 * answers go back to them. Both happen on the worker that owns the flow (flow_owner.h), which has an entry for it.
 *
 * A flow begins half-open: with an opening segment or a datagram, from anybody, under any address. It becomes an inbound
 * flow when its client has shown that it hears us (inbound_proof.h). So a flood of strangers evicts strangers, and an acknowledgement sent blindly gains
 * nothing. Nor does a client gain much that begins flows without end and confirms them: so many of one client may be inbound
 * flows, and what it has besides stays half-open, where it gives way to others.
 *
 * Backends know the client by this node's reserved address, so that they answer to this node; where the frontend keeps the
 * client's address (externalTrafficPolicy Local, hostPort), its backends are pods of this node, whose answers pass here
 * anyway. Backends outside, such as another node's own address, know it as they know pods: by the node's own address and a
 * port of a block (port_blocks.h). */
#include "dataplane/net/headers.h"
#include "dataplane/service/affinity.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/service/inbound.h"
#include "dataplane/service/inbound_proof.h"
#include "dataplane/service/port_blocks.h"
#include "dataplane/stages.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

/* Ports under which backends see clients, of the reserved address. */
#define WIRE_PORT_FIRST 1024
#define WIRE_PORT_LAST 65535

/* The backend for a new flow: as every node would choose, with affinity by the client's address alone. NULL: none
 * serves. */
static const struct backend *
choose_backend(const struct frontend *f, const struct pkt *p)
{
	uint32_t hash = service_flow(f, p->hash, &p->src);

	if (f->flags & FRONTEND_LOCAL)
		return f->extra->n_outside == 0
			       ? NULL
			       : service_backend(f, f->extra->outside_buckets[hash & f->extra->outside_mask]);
	if (f->n_backends == 0)
		return NULL;
	/* flows that stand have entries, so new ones need not wait for a move to be through */
	if (f->flags & FRONTEND_MOVING)
		return service_backend(f, f->extra->next_buckets[hash & f->extra->next_mask]);
	return service_backend(f, *service_bucket(f, hash));
}

/* A new flow goes where its client went before. */
static const struct backend *
keep_affinity(struct worker *w, struct burst *b, const struct frontend *f, const struct pkt *p,
	const struct backend *chosen)
{
	const struct backend *kept = affinity_keep(w->inbound_affinity, &p->src, f, chosen, true, w->now_ns);

	if (b->trace != NULL)
		affinity_trace(w->inbound_affinity, b, "inbound", &p->src, f, kept, w->now_ns);
	return kept;
}

/* Notes where a flow of the client's goes that begins, or is confirmed. */
static void
note_affinity(struct worker *w, const struct frontend *f, const struct nat_flow *x, bool is_confirmed)
{
	const struct backend backend = {
		.addr = x->backend,
		.port = x->backend_port,
		.generation = x->generation,
	};

	if ((f->flags & FRONTEND_AFFINITY) && w->inbound_affinity != NULL)
		affinity_note(w->inbound_affinity, &x->client, f, &backend, is_confirmed, w->now_ns);
}

/* As whom the backend shall see the client: none when this node has no address for that. This node's own stack would
 * answer a client's address by itself, so it is not shown one; nor is who is outside, whose answers would not come here. */
static void
choose_wire(const struct tables *t, const struct frontend *f, const struct pkt *p, struct nat_flow *flow)
{
	const struct route *r = route_lookup(t->routes, &flow->backend);
	enum family_index family = translate_family(p);
	bool keeps_address = (f->flags & FRONTEND_LOCAL) || f->kind == FRONTEND_HOST_PORT;

	flow->wire_port = 0; /* another address has any port that is free there */
	if (route_is_outside(r)) {
		flow->wire = t->node->masquerade[family];
		flow->has_block = true;
	} else if (keeps_address && r->kind == ROUTE_ENDPOINT) {
		flow->wire = p->src;
		flow->wire_port = p->sport;
	} else {
		flow->wire = t->endpoints->inbound_addrs[family];
	}
}

/* Ends the closed flow that has the port which this one keeps: a client may use its port again, for another frontend of
 * the same backend. False if there is none. */
static bool
give_way(struct worker *w, const struct nat_flow *flow)
{
	struct nat_flows *const tables[] = { w->inbound, w->half_open };

	for (unsigned i = 0; i < 2; i++) {
		struct nat_flow *x = nat_flows_find_reverse(tables[i], &flow->backend, flow->backend_port,
			&flow->client, flow->client_port, flow->proto);

		if (x != NULL && (x->flags & NAT_FLOW_CLOSED)) {
			nat_flows_remove(tables[i], x);
			return true;
		}
	}
	return false;
}

/* Towards a backend outside; NULL when no port is left. */
static struct nat_flow *
add_outside(const struct tables *t, struct worker *w, struct nat_flow *flow)
{
	flow->wire_port = port_blocks_choose_shared(w->port_blocks, &t->node->masquerade_ports, flow);
	return flow->wire_port == 0 ? NULL : nat_flows_add(w->half_open, flow, NULL, w->now_ns);
}

/* Towards a backend in the cluster. */
static struct nat_flow *
add_inside(const struct tables *t, struct worker *w, const struct pkt *p, struct nat_flow *flow)
{
	/* its port stays with it: by both, answers find the flow's owner */
	bool keeps_address = ip_addr_eq(&flow->wire, &p->src);
	const struct nat_ports ports = {
		.first = keeps_address ? 0 : WIRE_PORT_FIRST,
		.last = keeps_address ? 0 : WIRE_PORT_LAST,
		.worker = (uint8_t)w->id,
		.n_workers = t->node->n_workers,
		.also = w->inbound,
	};
	struct nat_flow *x = nat_flows_add(w->half_open, flow, &ports, w->now_ns);

	if (x == NULL && keeps_address && give_way(w, flow))
		x = nat_flows_add(w->half_open, flow, &ports, w->now_ns);
	return x;
}

/* A half-open flow; NULL when there is no room. */
static struct nat_flow *
add_flow(const struct tables *t, struct worker *w, const struct pkt *p, struct nat_flow *flow)
{
	uint64_t n_evicted = w->half_open->n_evicted;
	struct nat_flow *x = flow->has_block ? add_outside(t, w, flow) : add_inside(t, w, p, flow);

	counter_add(&w->counters.counts[COUNT_HALF_OPEN_EVICTED], w->half_open->n_evicted - n_evicted);
	if (x != NULL)
		count(&w->counters, COUNT_INBOUND_CREATED);
	return x;
}

static void
apply(struct worker *w, struct pkt *p, const struct nat_flow *x)
{
	p->new_src = x->wire;
	p->new_sport = x->wire_port;
	p->new_dst = x->backend;
	p->new_dport = x->backend_port;
	count(&w->counters, COUNT_INBOUND_FORWARD);
}

/* A new flow, or why there is none. */
static void
begin(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p, const struct frontend *f)
{
	const struct backend *backend = choose_backend(f, p);
	struct nat_flow flow = {
		.client = p->src,
		.client_port = p->sport,
		.frontend = p->dst,
		.frontend_port = p->dport,
		.proto = p->proto,
		.return_mac = ((const struct eth_hdr *)p->data)->src,
	};
	const struct nat_flow *x = &flow;
	char addr[IP_ADDR_STRLEN];

	if (!inbound_is_beginning(p)) {
		if (crossing_ask_other(t, w, p)) {
			TRACE(b, "inbound", "not a flow that this worker knows");
			return;
		}
		pkt_drop(p, DROP_NO_FLOW);
	} else if (!service_admits(f, &p->src)) {
		pkt_drop(p, DROP_SOURCE_RANGE);
	} else if (backend == NULL) {
		translate_refuse(p, f);
	} else {
		if (f->flags & FRONTEND_AFFINITY)
			backend = keep_affinity(w, b, f, p, backend);
		flow.backend = backend->addr;
		flow.backend_port = backend->port;
		flow.generation = backend->generation;
		flow.pod = backend->pod;
		choose_wire(t, f, p, &flow);
		if (ip_addr_is_none(&flow.wire))
			x = NULL;
		else if (!(p->flags & PKT_DRY_RUN))
			x = w->half_open == NULL ? NULL : add_flow(t, w, p, &flow);
		if (x == NULL)
			pkt_drop(p, DROP_INBOUND_FULL);
		else if (!(p->flags & PKT_DRY_RUN))
			note_affinity(w, f, x, false);
	}
	if (p->verdict != VERDICT_CONTINUE) {
		TRACE(b, "inbound", "from outside, to service %u: %s", f->service,
			p->verdict == VERDICT_REPLY ? "nobody serves it" : drop_reason_help(p->drop_reason));
		return;
	}
	apply(w, p, x);
	TRACE(b, "inbound", "from outside, to service %u: backend %s port %u, which sees %s", f->service,
		ip_addr_format(&p->new_dst, addr), p->new_dport,
		ip_addr_eq(&p->new_src, &p->src) ? "the client's address"
						 : "this node's for flows from outside");
}

/* decap has found it in these tables */
static const struct frontend *
frontend_of(const struct service_table *s, const struct pkt *p)
{
	return service_frontend(s, addr_hash(&p->dst, p->dport, p->proto), &p->dst, p->dport, p->proto);
}

/* Whether a flow that begins anew on an entry's ports goes on where that went: a new connection or a datagram does not go
 * to a backend that serves the frontend no more. But an entry that its ends have not closed is not given up for an opening
 * segment, which anybody can send. */
static bool
still_stands(const struct service_table *s, const struct pkt *p, const struct nat_flow *x, bool is_confirmed)
{
	const struct frontend *f;

	if (p->proto == PROTO_TCP &&
		(!translate_is_opening(p) || (is_confirmed && !(x->flags & NAT_FLOW_CLOSED))))
		return true;
	f = frontend_of(s, p);
	/* with affinity, the client may have got another one since */
	if ((x->flags & NAT_FLOW_CLOSED) && (f->flags & FRONTEND_AFFINITY))
		return false;
	return service_has_backend(s, f, &x->backend, x->backend_port);
}

static struct nat_flow *
find_forward(struct nat_flows *e, const struct inbound_key *k)
{
	if (nat_flows_is_empty(e))
		return NULL;
	return nat_flows_find_forward(e, &k->src, k->sport, &k->dst, k->dport, k->proto);
}

/* How many inbound flows this one's client may have: of the table half, of ports, which are fewer and where a proxy in front
 * of the cluster may be the only client, three quarters. */
static uint32_t
bound_for(const struct tables *t, struct worker *w, const struct nat_flow *x)
{
	uint32_t bound = w->inbound->quota, n_ports;

	if (x->proto != PROTO_TCP)
		bound /= 2;
	if (!x->has_block)
		return bound;
	n_ports = port_blocks_n_shared(w->port_blocks, &t->node->masquerade_ports);
	n_ports -= n_ports / 4;
	return n_ports < bound ? n_ports : bound;
}

/* A stranger's second datagram confirms a flow as well as a client's, where the backend answers. So these have half of the
 * room, and leave the other to connections. */
static bool
has_room_for(const struct tables *t, struct worker *w, const struct nat_flow *x)
{
	if (w->inbound == NULL || (x->proto != PROTO_TCP && nat_flows_is_half_full(w->inbound)))
		return false;
	if (w->inbound->quota == 0 || nat_flows_count_of(w->inbound, &x->client) < bound_for(t, w, x))
		return true;
	nat_flows_refuse(w->inbound, &x->client, w->now_ns);
	count(&w->counters, COUNT_INBOUND_OVER);
	return false;
}

/* Where the flow's client goes from now on, as far as the service still has it so. */
static void
keep_with_backend(const struct service_table *s, struct worker *w, const struct nat_flow *x)
{
	const struct frontend *f = service_frontend(s, addr_hash(&x->frontend, x->frontend_port, x->proto),
		&x->frontend, x->frontend_port, x->proto);

	if (f != NULL && service_has_backend(s, f, &x->backend, x->backend_port))
		note_affinity(w, f, x, true);
}

/* From half-open to inbound; false when that has no room. */
static bool
confirm(const struct tables *t, struct worker *w, const struct pkt *p, struct nat_flow **x)
{
	struct nat_flow *moved =
		has_room_for(t, w, *x) ? nat_flows_move(w->inbound, w->half_open, *x, w->now_ns) : *x;

	if (moved == *x)
		return false;
	inbound_note_start(p, moved);
	*x = moved;
	keep_with_backend(t->services, w, moved);
	count(&w->counters, COUNT_INBOUND_CONFIRMED);
	return true;
}

/* Goes on with a flow that has an entry; false when it has none. */
static bool
go_on(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p, const struct inbound_key *k)
{
	struct nat_flows *table = w->inbound;
	struct nat_flow *x = find_forward(table, k);
	char addr[IP_ADDR_STRLEN];

	if (x == NULL) {
		table = w->half_open;
		x = find_forward(table, k);
	}
	if (x == NULL)
		return false;
	if (!still_stands(t->services, p, x, table == w->inbound)) {
		if (!(p->flags & PKT_DRY_RUN))
			nat_flows_remove(table, x);
		return false;
	}
	apply(w, p, x);
	TRACE(b, "inbound", "a flow from outside, %s: to backend %s port %u",
		table == w->inbound ? "which its client confirmed" : "not confirmed yet",
		ip_addr_format(&x->backend, addr), x->backend_port);
	if (p->flags & PKT_DRY_RUN)
		return true;
	if (table == w->half_open) {
		inbound_note_question(p, x);
		if (inbound_is_confirmed(p, x) && confirm(t, w, p, &x))
			table = w->inbound;
	}
	/* the way back may change under a connection */
	if (inbound_is_clients_own(p, x, table == w->inbound))
		x->return_mac = ((const struct eth_hdr *)p->data)->src;
	if (!translate_is_opening(p))
		nat_flow_seen(x, true, inbound_believed_flags(p, x, table == w->inbound), w->now_ns);
	return true;
}

/* An error stands for the answer to what it quotes, whose ports it has from now on. */
static void
take_ports(struct worker *w, struct pkt *p, const struct inbound_key *k)
{
	p->sport = k->sport;
	p->dport = k->dport;
	count(&w->counters, COUNT_ERRORS_TRANSLATED);
}

/* From a client or from anybody on the way there, about an answer: to the backend. Where that knows the client by our
 * reserved address, it knows nobody on the way, either. */
static void
translate_error(
	const struct tables *t, struct worker *w, struct burst *b, struct pkt *p, const struct inbound_key *k)
{
	const struct nat_flow *x = find_forward(w->inbound, k);

	if (x == NULL)
		x = find_forward(w->half_open, k);
	if (x == NULL) {
		if (!crossing_ask_other(t, w, p))
			pkt_drop(p, DROP_NO_FLOW);
		TRACE(b, "inbound", "an ICMP error about a flow from outside that is not known");
		return;
	}
	take_ports(w, p, k);
	apply(w, p, x);
	if (ip_addr_eq(&x->wire, &x->client) && !ip_addr_eq(&p->src, &x->client))
		p->flags |= PKT_KEEP_SOURCE;
	TRACE(b, "inbound", "an ICMP error about an answer to a client outside: to the backend");
}

void
inbound_send_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	if (!(b->seen & PKT_INBOUND))
		return;
	BURST_FOREACH_UNDECIDED (b, p) {
		struct inbound_key k;

		if (!pkt_is_from_outside(p) || !inbound_key_of(p, &k))
			continue;
		if (translate_is_stuck(p)) {
			pkt_drop(p, DROP_FRAGMENT);
			continue;
		}
		/* parse leaves it out, as of tunnels nobody asks */
		p->hash = flow_hash(&k.src, &k.dst, k.sport, k.dport, k.proto);
		if (p->flags & PKT_ICMP_ERROR) {
			translate_error(t, w, b, p, &k);
			continue;
		}
		if (go_on(t, w, b, p, &k))
			continue;
		begin(t, w, b, p, frontend_of(t->services, p));
	}
}

/* What a client may send at most in one packet follows from the SYN+ACK: it shall fit a tunnel to the backend, too. */
static uint16_t
mtu_both_ways(const struct tables *t, const struct pkt *p)
{
	const struct route *r = p->flags & PKT_DECAPPED ? route_lookup(t->routes, &p->src) : NULL;
	uint16_t mtu = r != NULL && r->kind == ROUTE_VTEP ? t->fdb->entries[r->target].mtu : p->mtu;

	return mtu < p->mtu ? mtu : p->mtu;
}

/* In a half-open flow, which a backend's acknowledgement of a cookie confirms. */
static void
note_answer(const struct tables *t, struct worker *w, const struct pkt *p, struct nat_flow **x)
{
	inbound_note_answer(p, *x);
	if (p->proto == PROTO_SCTP && inbound_is_confirmed(p, *x))
		confirm(t, w, p, x);
}

static void
restore(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p)
{
	struct inbound_key k;
	bool has_key = inbound_key_of(p, &k) && (p->origin != ORIGIN_POD || ip_addr_eq(&k.src, &p->src));
	struct nat_flow *x = has_key ? inbound_find_reverse(w->inbound, &k) : NULL;
	bool is_half_open = x == NULL;
	char addr[IP_ADDR_STRLEN];

	if (has_key && is_half_open)
		x = inbound_find_reverse(w->half_open, &k);
	if (has_key && x == NULL && crossing_ask_other(t, w, p)) {
		TRACE(b, "inbound", "not an answer in a flow that this worker knows");
		return;
	}
	p->flags &= (uint16_t)~PKT_INBOUND;
	/* a pod that goes out with its own address has said all by now */
	if (x == NULL && !mac_is_zero(&p->next_hop) && !(p->flags & PKT_OUTBOUND))
		return;
	if (x == NULL) {
		pkt_drop(p, DROP_NO_FLOW);
		TRACE(b, "inbound", "an answer to a client outside, of which no flow is known");
		return;
	}
	if (translate_is_stuck(p)) {
		pkt_drop(p, DROP_FRAGMENT);
		return;
	}
	if (p->flags & PKT_ICMP_ERROR)
		take_ports(w, p, &k);
	else if (!(p->flags & PKT_DRY_RUN)) {
		if (is_half_open)
			note_answer(t, w, p, &x);
		else
			inbound_note_progress(p, x);
		nat_flow_seen(x, false, p->tcp_flags, w->now_ns);
	}
	if (p->proto == PROTO_TCP && (p->tcp_flags & TCP_SYN)) {
		p->mtu = mtu_both_ways(t, p);
		b->seen |= BURST_CUT;
	}
	p->new_src = x->frontend;
	p->new_sport = x->frontend_port;
	p->new_dst = x->client;
	p->new_dport = x->client_port;
	p->next_hop = x->return_mac;
	p->flags &= (uint16_t)~PKT_OUTBOUND;
	p->out_port = t->node->uplink_port[w->id];
	count(&w->counters, COUNT_INBOUND_REPLY);
	TRACE(b, "inbound", "an answer to a client outside: from frontend %s port %u",
		ip_addr_format(&x->frontend, addr), x->frontend_port);
}

void
inbound_receive_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	if (!(b->seen & PKT_INBOUND))
		return;
	BURST_FOREACH_UNDECIDED (b, p) {
		if (!pkt_is_to_outside(p))
			continue;
		restore(t, w, b, p);
		if (p->verdict == VERDICT_CONTINUE && crossing_target(t, p) != w->id)
			crossing_hand_over(w, crossing_target(t, p), p);
	}
}
