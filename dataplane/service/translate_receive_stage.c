/* A backend's reply back to its frontend, on the worker that owns the client's port. The slot in the client's
 * port, or in which of the host's addresses it came to, names the frontend; asking the forward choice again
 * proves that this backend was chosen, so no sibling of it can inject. */
#include "dataplane/service/nat_flows.h"
#include "dataplane/service/roles.h"
#include "dataplane/service/translate.h"
#include "dataplane/service/translate_error.h"
#include "dataplane/stages.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

/* A packet that may be a reply, and what is known so far. */
struct candidate {
	struct pkt *pkt;
	const struct roles *roles; /* of the receiver; NULL for the host */
	struct ip_addr client;
	uint16_t client_port;
	uint8_t slot;  /* 0: only an exception can tell */
	uint32_t hash; /* of the backend, then of the client's flow */
	const struct frontend *frontend;
	const uint16_t *bucket;
};

/* Whether a packet may be a reply to a client of this node at all. What the send half translated is on its way
 * to a backend. */
static bool
may_be_reply(const struct pkt *p)
{
	return translate_is_transport(p->proto) && !(p->flags & PKT_HAIRPIN) && !translate_is_opening(p) &&
	       ip_addr_eq(&p->dst, &p->new_dst);
}

/* Reads the slot that the packet's destination would mean. */
static void
decode(const struct tables *t, const struct endpoint *receiver, struct candidate *c)
{
	const struct pkt *p = c->pkt;
	int slot = 0;

	c->roles = receiver->roles;
	c->client = p->dst;
	c->client_port = p->dport;
	if (receiver->is_host) {
		slot = endpoint_host_slot(t->endpoints, &p->dst);
		if (slot > 0)
			c->client = t->endpoints->host_addrs[translate_family(p)][0];
	} else if (p->proto != PROTO_SCTP) {
		slot = slot_decode(p->dport, &c->client_port);
	}
	c->slot = slot > 0 ? (uint8_t)slot : 0;
}

/* Picks the packets that may be replies. */
static unsigned
pick(const struct tables *t, struct worker *w, struct burst *b, struct candidate c[BURST_MAX])
{
	const struct service_table *s = t->services;
	bool has_exceptions = !nat_flows_is_empty(w->exceptions);
	unsigned n = 0;

	BURST_FOREACH_UNDECIDED (b, p) {
		const struct endpoint *receiver = endpoint_of_port(t->endpoints, p->out_port);

		if (receiver == NULL)
			continue;
		if (!may_be_reply(p)) {
			if (p->flags & PKT_ICMP_ERROR)
				translate_error_receive(t, w, b, p);
			continue;
		}
		c[n].pkt = p;
		decode(t, receiver, &c[n]);
		if (c[n].slot != 0) {
			c[n].hash = addr_hash(&p->src, p->sport, p->proto);
			service_prefetch_reverse(s, c[n].hash);
			if (c[n].roles != NULL)
				__builtin_prefetch(roles_line(c[n].roles, p->proto));
		} else if (!has_exceptions) {
			continue;
		}
		n++;
	}
	return n;
}

/* Restores the flow of an exception, in the descriptor or by dropping; false when there is none. */
static bool
restore_exception(struct worker *w, struct burst *b, struct pkt *p)
{
	char frontend[IP_ADDR_STRLEN];
	struct nat_flow *x;

	x = nat_flows_find_reverse(w->exceptions, &p->src, p->sport, &p->dst, p->dport, p->proto);
	if (x == NULL)
		return false;
	if (translate_is_stuck(p)) {
		pkt_drop(p, DROP_FRAGMENT);
		return true;
	}
	if (!(p->flags & PKT_DRY_RUN))
		nat_flow_seen(x, false, p->tcp_flags, w->now_ns);
	p->new_src = x->frontend;
	p->new_sport = x->frontend_port;
	p->new_dst = x->client;
	p->new_dport = x->client_port;
	TRACE(b, "translate", "a reply in an exceptional flow: from frontend %s port %u",
		ip_addr_format(&x->frontend, frontend), x->frontend_port);
	return true;
}

/* Finds the frontends that the slots mean, and leaves only the packets that have one. */
static unsigned
find_frontends(const struct tables *t, struct worker *w, struct burst *b, struct candidate c[BURST_MAX],
	unsigned n, unsigned *n_replies)
{
	const struct service_table *s = t->services;
	unsigned n_found = 0;

	for (unsigned i = 0; i < n; i++) {
		struct pkt *p = c[i].pkt;
		const struct reverse *r;

		if (nat_flows_may_have(w->exceptions, false, p->hash) && restore_exception(w, b, p)) {
			*n_replies += p->verdict == VERDICT_CONTINUE;
			continue;
		}
		if (c[i].slot == 0)
			continue;
		if (c[i].roles != NULL && roles_has(c[i].roles, p->proto, p->dport)) {
			TRACE(b, "translate", "port %u is the pod's own: not a reply to a service", p->dport);
			continue;
		}
		r = service_reverse(s, c[i].hash, &p->src, p->sport, p->proto);
		if (r == NULL || r->frontend[c[i].slot - 1] == FRONTEND_NONE)
			continue;
		if (n_found != i)
			c[n_found] = c[i];
		c[n_found].frontend = service_frontend_at(s, r->frontend[c[i].slot - 1]);
		__builtin_prefetch(c[n_found].frontend);
		n_found++;
	}
	return n_found;
}

static void
trace_reply(struct burst *b, const struct pkt *p, const struct frontend *f, uint32_t flow, unsigned slot)
{
	char frontend[IP_ADDR_STRLEN];

	TRACE(b, "translate",
		"a reply in slot %u, from the backend in bucket %u of service %u: frontend %s port %u, "
		"client port %u",
		slot, flow & f->bucket_mask, f->service, ip_addr_format(&f->addr, frontend), f->port,
		p->new_dport);
}

/* Whether the client's flow has an entry; then what the bucket names is somebody else. */
static bool
has_entry(const struct worker *w, const struct candidate *c)
{
	const struct frontend *f = c->frontend;

	/* with affinity the hash is the client's */
	return !nat_flows_is_empty(w->exceptions) &&
	       ((f->flags & FRONTEND_AFFINITY) || nat_flows_may_have(w->exceptions, true, c->hash)) &&
	       nat_flows_find_forward(
		       w->exceptions, &c->client, c->client_port, &f->addr, f->port, f->proto) != NULL;
}

/* Believes the reply if the flow's bucket names its sender, and drops it otherwise. Returns whether it did. */
static bool
restore(const struct worker *w, struct burst *b, const struct candidate *c)
{
	struct pkt *p = c->pkt;
	const struct frontend *f = c->frontend;

	if (!service_has_buckets(f) || !translate_is_choice(service_backend(f, *c->bucket), p, c->slot) ||
		has_entry(w, c)) {
		pkt_drop(p, DROP_SLOT_MISMATCH);
		TRACE(b, "translate",
			"slot %u of this sender is service %u, but bucket %u of that names another backend",
			c->slot, f->service, c->hash & f->bucket_mask);
		return false;
	}
	if (translate_is_stuck(p)) {
		pkt_drop(p, DROP_FRAGMENT);
		return false;
	}
	p->new_src = f->addr;
	p->new_sport = f->port;
	p->new_dst = c->client;
	p->new_dport = c->client_port;
	if (b->trace != NULL)
		trace_reply(b, p, f, c->hash, c->slot);
	return true;
}

static void
find_bucket(struct candidate *c)
{
	const struct frontend *f = c->frontend;

	c->hash = service_flow(
		f, flow_hash(&c->client, &f->addr, c->client_port, f->port, f->proto), &c->client);
	c->bucket = service_bucket(f, c->hash);
}

bool
translate_answer_itself(
	const struct tables *t, struct worker *w, struct burst *b, struct pkt *p, unsigned slot)
{
	const struct service_table *s = t->services;
	struct candidate c = { .pkt = p, .client = p->src, .client_port = p->dport, .slot = (uint8_t)slot };
	const struct reverse *r;

	p->flags |= PKT_HAIRPIN;
	if (nat_flows_may_have(w->exceptions, false, p->hash) && restore_exception(w, b, p))
		return p->verdict == VERDICT_CONTINUE;
	r = service_reverse(s, addr_hash(&p->src, p->sport, p->proto), &p->src, p->sport, p->proto);
	if (slot == 0 || r == NULL || r->frontend[slot - 1] == FRONTEND_NONE) {
		pkt_drop(p, DROP_SLOT_MISMATCH);
		TRACE(b, "translate",
			"an answer to the pod itself, but it is no service's backend on this port");
		return false;
	}
	c.frontend = service_frontend_at(s, r->frontend[slot - 1]);
	find_bucket(&c);
	return restore(w, b, &c);
}

void
translate_receive_burst(const struct tables *t, struct worker *w, struct burst *b)
{
	struct candidate c[BURST_MAX];
	unsigned n_replies = 0, n;

	if (!(b->seen & BURST_PORT)) /* a client here is at a port */
		return;
	n = pick(t, w, b, c);
	if (n == 0)
		return;
	n = find_frontends(t, w, b, c, n, &n_replies);
	for (unsigned i = 0; i < n; i++) {
		find_bucket(&c[i]);
		__builtin_prefetch(c[i].bucket);
	}
	for (unsigned i = 0; i < n; i++)
		if (service_has_buckets(c[i].frontend))
			__builtin_prefetch(service_backend(c[i].frontend, *c[i].bucket));
	for (unsigned i = 0; i < n; i++)
		n_replies += restore(w, b, &c[i]);
	counter_add(&w->counters.counts[COUNT_SERVICE_REPLY], n_replies);
}
