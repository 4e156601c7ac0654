#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/build/slots.h"
#include "control/node/client_look.h"
#include "tests/scenarios/churn_world.h"

#define SWEEP_TICKS 30

static struct moves *
moves_of(const struct churn_world *w)
{
	return service_builder_moves(w->builder);
}

bool
churn_is_moving(const struct churn_world *w)
{
	return moves_n(moves_of(w)) != 0;
}

static struct socket_seen
socket_of(const struct churn_world *w, const struct churn_flow *flow)
{
	struct socket_seen s = { .local_port = flow->port,
		.proto = churn_is_tcp(w) ? PROTO_TCP : PROTO_UDP,
		.state = w->kind == CHURN_UNCONNECTED ? SOCKET_CLOSE : SOCKET_ESTABLISHED };

	if (w->kind == CHURN_UNCONNECTED)
		return s;
	s.remote = churn_frontend_addr(flow->family);
	s.remote_port = 80;
	return s;
}

static void
list_client(struct churn_world *w, unsigned client)
{
	static struct client_look look;
	const struct endpoint *e = churn_client(w, client);

	client_look_begin(&look, moves_of(w), &w->f->tables, e, w->f->workers[e->owner]);
	for (unsigned i = 0; i < CHURN_FLOWS && w->kind != CHURN_OPAQUE; i++) {
		struct socket_seen socket = socket_of(w, &w->flows[i]);

		if (w->flows[i].is_open && w->flows[i].client == client)
			client_look_at(&socket, &look);
	}
	client_look_end(&look);
	assert_int_equal(look.n_let_go, 0);
}

static void
begin(struct churn_world *w)
{
	for (unsigned i = 0; i < w->f->n_workers; i++)
		w->f->workers[i]->unmoved = (struct unmoved){ .is_on = true };
	assert_true(moves_listing_begin(moves_of(w), w->table));
	w->is_listing = true;
	w->next_client = 0;
}

static void
end(struct churn_world *w)
{
	struct service_table *next;

	for (unsigned i = 0; i < w->f->n_workers; i++) {
		w->f->workers[i]->unmoved.is_on = false;
		moves_listing_refuse_unmoved(moves_of(w), &w->f->workers[i]->unmoved);
	}
	w->is_listing = false;
	if (moves_listing_end(moves_of(w)) == 0)
		return;
	service_builder_go_on(w->builder);
	assert_int_equal(service_builder_build(w->builder, &w->facts, w->now_ns, &next), 0);
	if (next == NULL)
		return;
	service_builder_release(w->builder, w->table);
	w->f->tables.services = w->table = next;
}

/* Whether an entry's socket still is. */
static int
ask(const struct nat_flow *x, void *arg)
{
	const struct churn_world *w = arg;

	for (unsigned i = 0; i < CHURN_FLOWS && w->kind != CHURN_OPAQUE; i++) {
		const struct churn_flow *flow = &w->flows[i];
		struct ip_addr frontend = churn_frontend_addr(flow->family);
		const struct endpoint *e = churn_client(w, flow->client);

		if (flow->is_open && flow->port == x->client_port && ip_addr_eq(&frontend, &x->frontend) &&
			ip_addr_eq(&e->addrs[flow->family], &x->client))
			return 1;
	}
	return 0;
}

static void
stay(const struct nat_flow *x, void *arg)
{
	const struct churn_world *w = arg;

	slots_touch(
		w->slots, &x->backend, x->backend_port, x->proto, &x->frontend, x->frontend_port, w->now_ns);
}

void
churn_move(struct churn_world *w)
{
	for (unsigned i = 0; i < w->f->n_workers; i++) {
		w->f->workers[i]->now_ns = w->now_ns;
		senders_expire(&w->f->workers[i]->senders, w->now_ns);
		nat_flows_expire_some(w->exceptions[i], w->now_ns);
	}
	if (w->n_ticks % SWEEP_TICKS == 0) {
		sweep_begin(&w->sweep, w->now_ns);
		while (sweep_step(&w->sweep, w->f->workers, w->f->n_workers,
			&(struct sweep_calls){ .ask = ask, .stays = stay, .arg = w }))
			;
	}
	if (w->is_listing && w->next_client < CHURN_CLIENTS)
		list_client(w, w->next_client++);
	else if (w->is_listing)
		end(w);
	else if (churn_is_moving(w))
		begin(w);
}
