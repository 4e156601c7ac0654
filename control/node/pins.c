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
	if (frontend->n_backends == 0)
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
	};
	return b->slot == 0 ? 0 : wire_of(t, client, b, flow);
}

struct proto_search {
	uint8_t proto;
	void (*fn)(const struct frontend *frontend, void *arg);
	void *arg;
};

static void
tell_if_of_proto(const struct frontend *frontend, void *arg)
{
	const struct proto_search *s = arg;

	if (frontend->proto == s->proto)
		s->fn(frontend, s->arg);
}

void
pins_each_frontend(const struct tables *t, const struct socket_seen *socket,
	void (*fn)(const struct frontend *frontend, void *arg), void *arg)
{
	const struct service_table *s = t->services;
	const struct frontend *f;

	if (!ip_addr_is_none(&socket->remote)) {
		f = service_frontend(s, addr_hash(&socket->remote, socket->remote_port, socket->proto),
			&socket->remote, socket->remote_port, socket->proto);
		if (f != NULL)
			fn(f, arg);
		return;
	}
	service_table_each(s, tell_if_of_proto, &(struct proto_search){ socket->proto, fn, arg });
}

/* On the worker. */
static void
put(struct worker *w, void *arg)
{
	struct pins *p = arg;

	for (unsigned i = 0; i < p->n; i++) {
		const struct nat_flow *x = &p->flows[i];

		if (w->exceptions != NULL && nat_flows_find_forward(w->exceptions, &x->client, x->client_port,
						     &x->frontend, x->frontend_port, x->proto) != NULL)
			continue;
		if (w->exceptions == NULL || nat_flows_add(w->exceptions, x, NULL, w->now_ns) == NULL)
			p->n_refused++;
		else
			p->n_added++;
	}
}

void
pins_flush(struct pins *p)
{
	if (p->n != 0)
		worker_call(p->worker, put, p);
	p->n = 0;
}

void
pins_add(struct pins *p, const struct nat_flow *flow)
{
	if (p->n == PINS_AT_ONCE)
		pins_flush(p);
	p->flows[p->n++] = *flow;
}
