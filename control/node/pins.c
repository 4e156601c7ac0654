#include "control/node/pins.h"

#include "dataplane/service/hairpin.h"
#include "dataplane/worker.h"

/* As whom the backend sees a client: the slot shows in the port, or in the address of the host and of a pod that
 * reaches itself. 0 when it does not fit. */
static unsigned
wire_of(const struct tables *t, const struct endpoint *client, const struct backend *b, struct nat_flow *flow)
{
	enum family_index family = ip_addr_is_v4(&flow->client) ? V4 : V6;

	if (client->is_host) {
		if (!ip_addr_eq(&flow->client, &t->endpoints->host_addrs[family][0]))
			return 0;
		flow->wire = t->endpoints->host_addrs[family][b->slot];
		flow->wire_port = flow->client_port;
	} else if (ip_addr_eq(&b->addr, &flow->client)) {
		flow->wire = hairpin_addr(family == V4, b->slot);
		flow->wire_port = flow->client_port;
	} else {
		if (!slot_is_client_port(flow->client_port))
			return 0;
		flow->wire = flow->client;
		flow->wire_port = slot_encode(flow->client_port, b->slot);
	}
	return b->slot;
}

unsigned
pins_flow(const struct tables *t, const struct endpoint *client, const struct socket_seen *socket,
	const struct frontend *frontend, struct nat_flow *flow)
{
	enum family_index family = ip_addr_is_v4(&frontend->addr) ? V4 : V6;
	const struct ip_addr *own = &client->addrs[family];
	const struct backend *b;
	uint32_t hash;

	if (ip_addr_is_none(own) || (!ip_addr_is_none(&socket->local) && !ip_addr_eq(&socket->local, own)))
		return 0;
	if (!service_has_buckets(frontend))
		return 0;
	hash = flow_hash(own, &frontend->addr, socket->local_port, frontend->port, frontend->proto);
	b = service_backend(frontend, *service_bucket(frontend, service_flow(frontend, hash, own)));
	*flow = (struct nat_flow){
		.client = *own,
		.client_port = socket->local_port,
		.frontend = frontend->addr,
		.frontend_port = frontend->port,
		.backend = b->addr,
		.backend_port = b->port,
		.proto = frontend->proto,
		.flags = frontend->proto == PROTO_TCP ? NAT_FLOW_SOCKET : 0,
		.generation = b->generation,
		.pod = b->pod,
	};
	return b->slot == 0 ? 0 : wire_of(t, client, b, flow);
}

struct each {
	uint8_t proto;
	void (*fn)(const struct frontend *frontend, void *arg);
	void *arg;
};

static void
match_proto(const struct frontend *f, void *arg)
{
	const struct each *each = arg;

	if (f->proto == each->proto)
		each->fn(f, each->arg);
}

void
pins_each_frontend(const struct tables *t, const struct socket_seen *socket,
	void (*fn)(const struct frontend *frontend, void *arg), void *arg)
{
	struct each each = { socket->proto, fn, arg };
	const struct frontend *f;

	if (ip_addr_is_none(&socket->remote)) {
		service_table_each(t->services, match_proto, &each);
		return;
	}
	f = service_frontend(t->services, addr_hash(&socket->remote, socket->remote_port, socket->proto),
		&socket->remote, socket->remote_port, socket->proto);
	if (f != NULL)
		fn(f, arg);
}

/* On the worker. False: there is no room. */
static bool
put_one(struct worker *w, struct pins *p, const struct nat_flow *flow)
{
	struct nat_flow *x;

	if (w->exceptions == NULL)
		return false;
	if (nat_flows_find_forward(w->exceptions, &flow->client, flow->client_port, &flow->frontend,
		    flow->frontend_port, flow->proto) != NULL)
		return true;
	x = nat_flows_add(w->exceptions, flow, NULL, w->now_ns);
	if (x == NULL)
		return false;
	x->flags |= flow->flags;
	p->n_added++;
	return true;
}

static void
put(struct worker *w, void *arg)
{
	struct pins *p = arg;

	for (unsigned i = 0; i < p->n; i++) {
		if (put_one(w, p, &p->flows[i]))
			continue;
		p->is_refused |= UINT64_C(1) << i;
		if (w->exceptions != NULL && nat_flows_is_own_fault(w->exceptions, &p->flows[i]))
			p->is_own_fault |= UINT64_C(1) << i;
	}
}

void
pins_flush(struct pins *p)
{
	p->is_refused = p->is_own_fault = 0;
	if (p->n != 0)
		worker_call(p->worker, put, p);
	for (unsigned i = 0; i < p->n; i++) {
		if (!(p->is_refused >> i & 1))
			continue;
		p->n_refused++;
		if (p->refused != NULL)
			p->refused(&p->flows[i], p->is_own_fault >> i & 1, p->arg);
	}
	p->n = 0;
}

void
pins_add(struct pins *p, const struct nat_flow *flow)
{
	if (p->n == PINS_AT_ONCE)
		pins_flush(p);
	p->flows[p->n++] = *flow;
}
