#include "dataplane/service/translate_forward.h"

#include "dataplane/service/affinity.h"
#include "dataplane/service/hairpin.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/service/translate_reply.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

struct tally {
	unsigned forward, hairpin, created;
};

/* A port outside the client range, used to send from, is to be the pod's own. Not by a reset: the pod's stack sends
 * those from any port that a stranger cares to try. Control notes it (roles.h), once it has seen to the connections
 * that live in the slot; until then this packet and its like go where they would go anyway, and only an answer from
 * a backend which may be in that very slot can be taken for a service's reply, or be dropped as one that does not fit. */
static void
learn(struct worker *w, const struct pkt *p, const struct roles *roles)
{
	struct event event;

	if (p->flags & (PKT_DRY_RUN | PKT_LATER_FRAGMENT))
		return;
	if (p->proto != PROTO_UDP && (p->proto != PROTO_TCP || (p->tcp_flags & TCP_RST)))
		return;
	if (roles_has(roles, p->proto, p->sport) || !role_matters(p->sport))
		return;
	if (!role_asks_take(&w->role_asks, &p->src, p->proto, p->sport, w->now_ns))
		return;
	event = (struct event){
		.kind = EVENT_PORT_USED, .addr = p->src, .value = (uint32_t)p->proto << 16 | p->sport
	};
	events_put(w->events, &event);
}

/* False of nearly all packets, before any call. */
static inline bool
may_be_news(const struct pkt *p, const struct roles *roles)
{
	return roles != NULL && !slot_is_client_port(p->sport);
}

/* What is for no service, as far as its ports tell. */
static void
pass(const struct tables *t, struct worker *w, struct burst *b, const struct translate_forward *c,
	struct tally *tally)
{
	struct pkt *p = c->pkt;
	int slot;

	if (may_be_news(p, c->roles))
		learn(w, p, c->roles);
	slot = hairpin_slot(&p->dst);
	if (slot < 0 || p->origin != ORIGIN_POD || translate_is_opening(p))
		return;
	tally->hairpin += translate_reply_itself(t, w, b, p, (unsigned)slot);
}

/* Finds the frontends and leaves only the packets that have one. */
static unsigned
find_frontends(const struct tables *t, struct worker *w, struct burst *b, struct translate_forward *c,
	unsigned n, struct tally *tally)
{
	const struct service_table *s = t->services;
	unsigned n_found = 0;

	for (unsigned i = 0; i < n; i++) {
		struct pkt *p = c[i].pkt;
		const struct frontend *f = service_frontend(s, c[i].hash, &p->dst, p->dport, p->proto);

		if (f == NULL) {
			pass(t, w, b, &c[i], tally);
			continue;
		}
		if (n_found != i)
			c[n_found] = c[i];
		c[n_found].hash = service_flow(f, p->hash, &p->src);
		c[n_found].frontend = f;
		c[n_found].bucket = service_bucket(f, c[n_found].hash);
		__builtin_prefetch(c[n_found].bucket);
		n_found++;
	}
	return n_found;
}

/* The host's slots are its addresses; it may also have sent from one of the node's own, which none remembers. */
static bool
fits_host(const struct tables *t, struct pkt *p, unsigned slot)
{
	const struct ip_addr *host = t->endpoints->host_addrs[translate_family(p)];
	bool fits = slot != 0 && ip_addr_eq(&p->src, &host[0]);

	if (!ip_addr_is_none(&host[0]))
		p->new_src = host[fits ? slot : 0];
	return fits;
}

/* A pod's slots are in its port. */
static bool
fits_pod(const struct translate_forward *c, struct pkt *p, unsigned slot)
{
	uint16_t port = slot_encode(p->sport, slot);
	bool fits;

	if (slot == 0 || p->proto == PROTO_SCTP || !slot_is_client_port(p->sport))
		return false;
	fits = c->roles == NULL || !roles_has(c->roles, p->proto, port);
	/* a connection that stands keeps the port that its backend knows, though the pod has since begun to
	 * use it, too */
	if (fits || (p->proto == PROTO_TCP && !(p->tcp_flags & TCP_SYN)))
		p->new_sport = port;
	return fits;
}

/* Notes where the packet goes, and as whom. False if the slot (0: none) does not say it all, so that the flow must be an
 * exception. */
static bool
choose(const struct tables *t, const struct translate_forward *c, const struct backend *backend,
	unsigned slot)
{
	struct pkt *p = c->pkt;

	p->new_dst = backend->addr;
	p->new_dport = backend->port;
	if (p->origin == ORIGIN_HOST)
		return fits_host(t, p, slot);
	if (!ip_addr_eq(&backend->addr, &p->src))
		return fits_pod(c, p, slot);
	p->flags |= PKT_HAIRPIN;
	p->new_src = hairpin_addr(p->family == 4, slot);
	return slot != 0;
}

static void
tally_forward(const struct pkt *p, struct tally *tally)
{
	if (p->flags & PKT_HAIRPIN)
		tally->hairpin++;
	else
		tally->forward++;
}

static void
apply_exception(struct pkt *p, const struct nat_flow *x, struct tally *tally)
{
	p->new_src = x->wire;
	p->new_sport = x->wire_port;
	p->new_dst = x->backend;
	p->new_dport = x->backend_port;
	if (hairpin_slot(&x->wire) >= 0)
		p->flags |= PKT_HAIRPIN;
	tally_forward(p, tally);
}

static void
trace_exception(struct burst *b, const struct nat_flow *x, const char *what)
{
	char backend[IP_ADDR_STRLEN], wire[IP_ADDR_STRLEN];

	TRACE(b, "translate", "%s: backend %s port %u, seen there as %s port %u", what,
		ip_addr_format(&x->backend, backend), x->backend_port, ip_addr_format(&x->wire, wire),
		x->wire_port);
}

/* Whether the entry's backend serves this frontend still, and does not only leave it. */
static bool
serves(const struct service_table *s, const struct frontend *f, const struct nat_flow *x)
{
	const struct frontend_extra *extra = f->extra;

	for (uint32_t i = 0; (f->flags & FRONTEND_MOVING) && i < extra->n_leaving; i++) {
		const struct backend *b = &f->backends[f->n_backends + extra->n_outside_only + i];

		if (b->port == x->backend_port && ip_addr_eq(&b->addr, &x->backend))
			return false;
	}
	return service_has_backend(s, f, &x->backend, x->backend_port);
}

/* Whether an entry's flow goes on where it went. A connection does, and so do the datagrams of a connected socket, unless
 * their backend serves no more and is silent. A new connection goes where new ones go, and other datagrams do not wait for a backend that serves no more. */
static bool
still_stands(const struct service_table *s, const struct translate_forward *c, const struct nat_flow *x,
	uint64_t now_ns)
{
	const struct pkt *p = c->pkt;
	const struct backend *b;

	if (p->proto == PROTO_TCP && !translate_is_opening(p))
		return true;
	if (p->proto != PROTO_TCP)
		return ((x->flags & NAT_FLOW_CONNECTED) && !nat_flow_is_unanswered(x, now_ns)) ||
		       serves(s, c->frontend, x);
	if (x->flags & NAT_FLOW_CLOSED)
		return false;
	if (c->frontend->flags & FRONTEND_AFFINITY)
		return serves(s, c->frontend, x);
	b = service_choice(c->frontend, c->hash);
	return b != NULL && b->port == x->backend_port && ip_addr_eq(&b->addr, &x->backend);
}

/* Continues a flow that has an entry; false when it has none. *begins: it had one that it does not follow any more, so it
 * begins anew. */
static bool
continue_exception(const struct tables *t, struct worker *w, struct burst *b,
	const struct translate_forward *c, struct tally *tally, bool *begins)
{
	struct pkt *p = c->pkt;
	struct nat_flow *x;

	x = nat_flows_find_forward(w->exceptions, &p->src, p->sport, &p->dst, p->dport, p->proto);
	if (x == NULL)
		return false;
	if (!still_stands(t->services, c, x, w->now_ns)) {
		*begins = true;
		if (!(p->flags & PKT_DRY_RUN))
			nat_flows_remove(w->exceptions, x);
		return false;
	}
	if (!(p->flags & PKT_DRY_RUN))
		nat_flow_seen(x, true, p->tcp_flags, w->now_ns);
	apply_exception(p, x, tally);
	if (b->trace != NULL)
		trace_exception(b, x,
			x->flags & NAT_FLOW_CONNECTED
				? "a connected socket's flow, pinned to its backend"
				: "a flow with an entry of its own, pinned to its backend");
	return true;
}

struct port_user {
	const struct roles *roles;
	uint8_t proto;
};

static bool
is_not_pods_own(const void *arg, uint16_t port)
{
	const struct port_user *user = arg;

	return user->roles == NULL || !roles_has(user->roles, user->proto, port);
}

/* Whether a flow in a slot may have this port on the wire, towards the backend: the client's own choice of a port is
 * news to us, and what it has in the slot of that port is in no table. */
static bool
may_be_in_slot(const struct tables *t, const struct translate_forward *c, const struct nat_flow *flow)
{
	const struct service_table *s = t->services;
	const struct frontend *f;
	const struct backend *b;
	const struct reverse *r;
	uint16_t client_port;
	uint32_t hash = addr_hash(&flow->backend, flow->backend_port, flow->proto);
	int slot = slot_decode(flow->wire_port, &client_port);

	if (slot <= 0 || c->roles == NULL || roles_has(c->roles, flow->proto, flow->wire_port))
		return false;
	r = service_reverse(s, hash, &flow->backend, flow->backend_port, flow->proto);
	if (r == NULL || r->frontend[slot - 1] == FRONTEND_NONE)
		return false;
	f = service_frontend_at(s, r->frontend[slot - 1]);
	if (!service_has_buckets(f))
		return false;
	hash = flow_hash(&flow->client, &f->addr, client_port, f->port, f->proto);
	b = service_backend(f, *service_bucket(f, service_flow(f, hash, &flow->client)));
	return b->port == flow->backend_port && ip_addr_eq(&b->addr, &flow->backend);
}

static bool
is_this_node(const struct tables *t, const struct ip_addr *a)
{
	const struct route *r = route_lookup(t->routes, a);

	return r != NULL && r->kind == ROUTE_HOST;
}

/* The entry that says of this packet's flow what was decided. */
static struct nat_flow
flow_of(const struct pkt *p, const struct backend *backend)
{
	return (struct nat_flow){
		.client = p->src,
		.client_port = p->sport,
		.frontend = p->dst,
		.frontend_port = p->dport,
		.backend = p->new_dst,
		.backend_port = p->new_dport,
		.wire = p->new_src,
		.wire_port = p->new_sport,
		.proto = p->proto,
		.generation = backend->generation,
		.pod = backend->pod,
	};
}

static void
begin_exception(const struct tables *t, struct worker *w, struct burst *b, const struct translate_forward *c,
	const struct backend *backend, struct tally *tally)
{
	struct pkt *p = c->pkt;
	struct port_user user = { p->proto == PROTO_SCTP ? NULL : c->roles, p->proto };
	struct nat_ports ports = NAT_PORTS_EXCEPTIONS;
	struct nat_flow flow = flow_of(p, backend);
	const struct nat_flow *x = &flow;
	struct nat_flow *begun;

	if (p->origin == ORIGIN_HOST && p->proto != PROTO_SCTP && is_this_node(t, &flow.backend)) {
		/* the stack takes no packet from an address of its own; the reserved ones, the first aside, are not */
		flow.wire = t->endpoints->host_addrs[translate_family(p)][1];
		flow.wire_port = 0;
	}
	if (p->proto != PROTO_SCTP && (p->proto == PROTO_UDP || translate_is_opening(p)) &&
		may_be_in_slot(t, c, &flow))
		flow.wire_port = 0; /* any other */
	if (w->exceptions == NULL) {
		x = NULL;
	} else if (p->flags & PKT_DRY_RUN) {
		if (!nat_flows_has_room(w->exceptions, &p->src))
			x = NULL;
	} else {
		/* an association's ports stay: both ends have them in their state cookies */
		ports.is_usable = is_not_pods_own;
		ports.arg = &user;
		begun = nat_flows_add(
			w->exceptions, &flow, p->proto != PROTO_SCTP ? &ports : NULL, w->now_ns);
		if (begun != NULL)
			nat_flow_seen(begun, true, p->tcp_flags, w->now_ns);
		tally->created += begun != NULL;
		x = begun;
	}
	if (x == NULL) {
		pkt_drop(p, DROP_EXCEPTIONS_FULL);
		TRACE(b, "translate",
			"this flow needs an entry of its own, and there is no room for another");
		return;
	}
	apply_exception(p, x, tally);
	if (b->trace != NULL)
		trace_exception(b, x, "this flow gets an entry of its own");
}

static void
trace_forward(struct burst *b, const struct translate_forward *c, unsigned slot)
{
	const struct frontend *f = c->frontend;
	const struct pkt *p = c->pkt;
	char frontend[IP_ADDR_STRLEN], backend[IP_ADDR_STRLEN], wire[IP_ADDR_STRLEN];

	TRACE(b, "translate",
		"%s port %u is service %u: bucket %u of %u, backend %s port %u, slot %u, seen there as %s "
		"port %u",
		ip_addr_format(&f->addr, frontend), f->port, f->service, c->hash & f->bucket_mask,
		f->bucket_mask + 1, ip_addr_format(&p->new_dst, backend), p->new_dport, slot,
		ip_addr_format(&p->new_src, wire), p->new_sport);
}

/* Where a frontend in a move sends this packet, and why. */
static void
trace_move(struct burst *b, const struct translate_forward *c, uint16_t chosen)
{
	const struct frontend *f = c->frontend;
	uint16_t next = service_next_bucket(f, c->hash);
	const struct backend *old = service_backend(f, *c->bucket);
	const char *what;
	char from[IP_ADDR_STRLEN], to[IP_ADDR_STRLEN] = "nobody";

	if (next == *c->bucket) {
		TRACE(b, "translate", "backends of this frontend change, but not that of this flow's bucket");
		return;
	}
	if (next != BUCKET_NONE)
		ip_addr_format(&service_backend(f, next)->addr, to);
	if (chosen == next)
		what = translate_is_opening(c->pkt) ? "a connection that opens goes there already"
						    : "datagrams that begin anew go there already";
	else if (!translate_is_opening(c->pkt))
		what = "what is open stays until an entry pins it";
	else
		what = "there is no room for the entry that would take it there";
	TRACE(b, "translate", "this flow's bucket moves from %s to %s: %s", ip_addr_format(&old->addr, from),
		to, what);
}

/* A new flow goes where its client went before. When that is not where its bucket goes, no slot says so. */
static const struct backend *
keep_affinity(struct worker *w, struct burst *b, const struct translate_forward *c,
	const struct backend *chosen, unsigned *slot)
{
	const struct pkt *p = c->pkt;
	const struct backend *kept;

	if (p->proto == PROTO_TCP && !translate_is_opening(p))
		return chosen;
	kept = affinity_keep(w->affinity, &p->src, c->frontend, chosen, false, w->now_ns);
	if (kept != chosen)
		*slot = 0;
	if (b->trace != NULL)
		affinity_trace(w->affinity, b, "translate", &p->src, c->frontend, kept, w->now_ns);
	if (w->affinity != NULL && !(p->flags & PKT_DRY_RUN))
		affinity_note(w->affinity, &p->src, c->frontend, kept, true, w->now_ns);
	return kept;
}

/* Whether a connection that opens in a moving bucket has to have an entry. Where nobody finds room for one it need not, but
 * control hears of it. A client that has used up its own part does without the connection: there is nothing to keep its
 * bucket for, which is others' too. */
static bool
must_have_entry(struct worker *w, const struct translate_forward *c)
{
	const struct frontend *f = c->frontend;
	const struct pkt *p = c->pkt;

	if (w->exceptions != NULL && (nat_flows_has_room(w->exceptions, &p->src) ||
					     nat_flows_is_over_quota(w->exceptions, &p->src)))
		return true;
	if (!(p->flags & PKT_DRY_RUN))
		unmoved_note(&w->unmoved, &f->addr, f->port, f->proto, c->hash);
	return false;
}

/* The bucket's content for this packet; BUCKET_NONE: nobody serves. While a bucket moves, what begins does so where it will be,
 * each with an entry that says so: connections, and datagrams whose entry's backend serves no more. Without room for one they
 * begin where it was. */
static uint16_t
look_into_bucket(struct worker *w, const struct translate_forward *c, bool begins, bool *needs_entry)
{
	const struct frontend *f = c->frontend;
	uint16_t next;

	*needs_entry = false;
	if (!service_has_buckets(f))
		return BUCKET_NONE;
	if (!(f->flags & FRONTEND_MOVING) || !(begins || translate_is_opening(c->pkt)))
		return *c->bucket;
	next = service_next_bucket(f, c->hash);
	if (next == BUCKET_NONE || next == *c->bucket)
		return next;
	*needs_entry = must_have_entry(w, c);
	return *needs_entry ? next : *c->bucket;
}

/* Of a connection in a slot, whose client's kernel will not show it when its bucket moves: an entry that says what the slot
 * says. Half of what a client may have is for that; the rest is for those that cannot do without. */
static void
remember(struct worker *w, struct burst *b, const struct pkt *p, const struct backend *backend,
	struct tally *tally)
{
	struct nat_flow flow, *x;

	if (p->proto != PROTO_TCP || (p->tcp_flags & TCP_RST) || w->exceptions == NULL ||
		!nat_flows_has_room_to_spare(w->exceptions, &p->src))
		return;
	TRACE(b, "translate", "an entry remembers it, since the sender's kernel does not show its sockets");
	if (p->flags & PKT_DRY_RUN)
		return;
	flow = flow_of(p, backend);
	x = nat_flows_add(w->exceptions, &flow, NULL, w->now_ns);
	if (x == NULL)
		return;
	nat_flow_seen(x, true, p->tcp_flags, w->now_ns);
	tally->created++;
}

/* Nobody remembers the flow. */
static void
go_in_slot(struct worker *w, const struct pkt *p, struct tally *tally)
{
	tally_forward(p, tally);
	if (p->proto == PROTO_UDP && !(p->flags & PKT_DRY_RUN))
		senders_note(&w->senders, p->hash);
}

/* As kube-proxy has it, loadBalancerSourceRanges hold for what begins inside, too: for a pod by its own address, for the node
 * by any that it has. What stands goes on when they change. */
static bool
is_admitted(const struct translate_forward *c)
{
	const struct frontend *f = c->frontend;
	const struct pkt *p = c->pkt;

	if (p->proto == PROTO_TCP && !translate_is_opening(p))
		return true;
	return (p->origin == ORIGIN_HOST && (f->flags & FRONTEND_ADMITS_NODE)) || service_admits(f, &p->src);
}

/* A node's process has had a connection with a load balancer, at this very address, since before the stack was to bring here
 * what is for it (control/node/own_ways.h). It is not the service's, and goes on as it went. */
static bool
goes_on_outside(const struct tables *t, struct burst *b, const struct translate_forward *c)
{
	const struct frontend *f = c->frontend;

	if ((f->kind != FRONTEND_LOAD_BALANCER && f->kind != FRONTEND_EXTERNAL_IP) ||
		!translate_may_be_older(t, c->pkt))
		return false;
	TRACE(b, "translate",
		"an address and port of service %u, but no connection of its: one from before goes on as it "
		"is",
		f->service);
	return true;
}

static void
forward(const struct tables *t, struct worker *w, struct burst *b, const struct translate_forward *c,
	struct tally *tally)
{
	struct pkt *p = c->pkt;
	const struct backend *backend;
	bool fits, needs_entry, begins = false;
	uint16_t bucket;
	unsigned slot;

	if (may_be_news(p, c->roles))
		learn(w, p, c->roles);
	if (translate_is_stuck(p)) {
		pkt_drop(p, DROP_FRAGMENT);
		return;
	}
	if (nat_flows_may_have(w->exceptions, true, p->hash) &&
		continue_exception(t, w, b, c, tally, &begins))
		return;
	if (__builtin_expect((c->frontend->flags & FRONTEND_SOURCE_RANGES) != 0, 0) && !is_admitted(c)) {
		pkt_drop(p, DROP_SOURCE_RANGE);
		TRACE(b, "translate", "service %u: the sender is in none of its loadBalancerSourceRanges",
			c->frontend->service);
		return;
	}
	/* what stands in a slot is from a reserved address */
	if (__builtin_expect(p->origin == ORIGIN_HOST, 0) && goes_on_outside(t, b, c))
		return;
	bucket = look_into_bucket(w, c, begins, &needs_entry);
	if (bucket == BUCKET_NONE) {
		translate_refuse(p, c->frontend);
		TRACE(b, "translate", "service %u has no ready backend", c->frontend->service);
		return;
	}
	backend = service_backend(c->frontend, bucket);
	slot = backend->slot;
	if (__builtin_expect((c->frontend->flags & FRONTEND_AFFINITY) != 0, 0))
		backend = keep_affinity(w, b, c, backend, &slot);
	fits = choose(t, c, backend, slot);
	if (b->trace != NULL) {
		if (c->frontend->flags & FRONTEND_MOVING)
			trace_move(b, c, bucket);
		trace_forward(b, c, slot);
	}
	if (!fits || needs_entry) {
		begin_exception(t, w, b, c, backend, tally);
		return;
	}
	if (__builtin_expect(c->is_opaque, 0))
		remember(w, b, p, backend, tally);
	go_in_slot(w, p, tally);
}

void
translate_forward(
	const struct tables *t, struct worker *w, struct burst *b, struct translate_forward *c, unsigned n)
{
	struct tally tally = { 0 };

	n = find_frontends(t, w, b, c, n, &tally);
	for (unsigned i = 0; i < n; i++)
		if (service_has_buckets(c[i].frontend))
			__builtin_prefetch(service_backend(c[i].frontend, *c[i].bucket));
	for (unsigned i = 0; i < n; i++)
		forward(t, w, b, &c[i], &tally);
	counter_add(&w->counters.counts[COUNT_SERVICE_FORWARD], tally.forward);
	counter_add(&w->counters.counts[COUNT_SERVICE_HAIRPIN], tally.hairpin);
	counter_add(&w->counters.counts[COUNT_EXCEPTION_CREATED], tally.created);
}
