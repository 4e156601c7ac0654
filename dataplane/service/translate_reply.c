#include "dataplane/service/translate_reply.h"

#include "dataplane/service/nat_flows.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

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
find_frontends(const struct tables *t, struct worker *w, struct burst *b, struct translate_reply *c,
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
has_entry(const struct worker *w, const struct translate_reply *c)
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
restore(const struct worker *w, struct burst *b, const struct translate_reply *c)
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
find_bucket(struct translate_reply *c)
{
	const struct frontend *f = c->frontend;

	c->hash = service_flow(
		f, flow_hash(&c->client, &f->addr, c->client_port, f->port, f->proto), &c->client);
	c->bucket = service_bucket(f, c->hash);
}

bool
translate_reply_itself(
	const struct tables *t, struct worker *w, struct burst *b, struct pkt *p, unsigned slot)
{
	const struct service_table *s = t->services;
	struct translate_reply c = {
		.pkt = p, .client = p->src, .client_port = p->dport, .slot = (uint8_t)slot
	};
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
translate_reply(
	const struct tables *t, struct worker *w, struct burst *b, struct translate_reply *c, unsigned n)
{
	unsigned n_replies = 0;

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
