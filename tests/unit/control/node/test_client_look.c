/* Which of a client's sockets are pinned while buckets move: connections always, and of the sockets that are connected to nobody
 * those that have sent to the frontend. Real tables and worker, made-up sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/node/client_look.h"
#include "dataplane/service/service_table_edit.h"
#include "dataplane/stages.h"
#include "tests/support/fixtures.h"

#define N_FRONTENDS 100 /* far more than a client may have entries */
#define POD "10.244.1.10"

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

static struct ip_addr
frontend_addr(unsigned i)
{
	struct ip_addr a = addr("10.96.1.0");

	a.b[15] = (uint8_t)i;
	return a;
}

/* One bucket, which moves from one backend that serves to another. */
static void
add_frontend(struct service_table *t, unsigned i, uint8_t proto)
{
	const struct frontend_shape shape = {
		.n_backends = 2, .n_buckets = 1, .n_next_buckets = 1, .has_extra = true
	};
	struct frontend f = {
		.addr = frontend_addr(i), .port = 53, .proto = proto, .flags = FRONTEND_MOVING
	};
	struct frontend_parts parts;
	uint32_t ref;

	assert_int_equal(service_table_shape(t, &f, &shape, &parts), 0);
	assert_int_equal(service_table_add(t, &f, &ref), 0);
	parts.buckets[0] = 0;
	parts.next_buckets[0] = 1;
	for (unsigned k = 0; k < 2; k++) {
		parts.backends[k] = (struct backend){
			.addr = addr("10.244.2.0"), .port = (uint16_t)(1000 + 2 * i + k), .slot = 2
		};
		parts.backends[k].addr.b[15] = (uint8_t)(10 + k);
		assert_int_equal(service_table_link(t, &parts.backends[k], proto, ref), 0);
	}
}

struct world {
	struct fixture *f;
	struct moves *moves;
};

static void
begin_move(const struct frontend *f, void *arg)
{
	assert_non_null(moves_begin(arg, f, 1, 0));
}

static struct world
world_new(uint8_t proto)
{
	struct world w = { .f = fixture_new(1, false), .moves = moves_new() };

	service_table_free(w.f->services);
	w.f->services = service_table_new(NULL, N_FRONTENDS, 2 * N_FRONTENDS);
	for (unsigned i = 0; i < N_FRONTENDS; i++)
		add_frontend(w.f->services, i, proto);
	service_table_commit(w.f->services);
	w.f->tables.services = w.f->services;
	service_table_each(w.f->services, begin_move, w.moves);
	senders_expire(&w.f->workers[0]->senders, 1); /* what was before the start is forgotten */
	senders_expire(&w.f->workers[0]->senders, 1 + SENDERS_EPOCH_NS);
	return w;
}

static void
world_free(struct world *w)
{
	moves_free(w->moves);
	fixture_free(w->f);
}

static void
send_datagram(struct world *w, uint16_t port, unsigned frontend)
{
	static struct burst b;
	struct ip_addr src = addr(POD), dst = frontend_addr(frontend);

	b.n = 1;
	b.pkts[0] = (struct pkt){ .origin = ORIGIN_POD,
		.in_port = FIXTURE_POD1,
		.family = 4,
		.proto = PROTO_UDP,
		.src = src,
		.new_src = src,
		.sport = port,
		.dst = dst,
		.dport = 53,
		.vtep = FDB_NONE,
		.hash = flow_hash(&src, &dst, port, 53, PROTO_UDP) };
	burst_look(&b);
	translate_send_burst(&w->f->tables, w->f->workers[0], &b);
	assert_int_equal(b.pkts[0].verdict, VERDICT_CONTINUE);
}

/* How many entries the client has when these sockets were seen. */
static uint32_t
look(struct world *w, const struct socket_seen *sockets, unsigned n)
{
	static struct client_look look;

	assert_true(moves_listing_begin(w->moves, w->f->services));
	client_look_begin(&look, w->moves, &w->f->tables,
		endpoint_of_port(w->f->tables.endpoints, FIXTURE_POD1), w->f->workers[0]);
	for (unsigned i = 0; i < n; i++)
		client_look_at(&sockets[i], &look);
	client_look_end(&look);
	assert_int_equal(look.n_sockets, n);
	return w->f->exceptions[0]->n;
}

static const struct nat_flow *
pin_of(struct world *w, uint16_t port, unsigned frontend, uint8_t proto)
{
	struct ip_addr client = addr(POD), f = frontend_addr(frontend);

	return nat_flows_find_forward(w->f->exceptions[0], &client, port, &f, 53, proto);
}

static void
connections_are_pinned_to_where_they_are(void **state)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP };

	for (unsigned i = 0; i < 2; i++) {
		struct world w = world_new(protos[i]);
		const struct socket_seen socket = { .local = addr(POD),
			.local_port = 40000,
			.remote = frontend_addr(3),
			.remote_port = 53,
			.proto = protos[i],
			.state = SOCKET_ESTABLISHED };
		const struct nat_flow *x;

		assert_int_equal(look(&w, &socket, 1), 1);
		x = pin_of(&w, 40000, 3, protos[i]);
		assert_non_null(x);
		assert_int_equal(x->backend.b[15], 10);
		assert_int_equal(x->flags, protos[i] == PROTO_UDP ? NAT_FLOW_CONNECTED : NAT_FLOW_SOCKET);
		world_free(&w);
	}
}

static void
a_socket_that_is_connected_to_nobody_is_pinned_where_it_sends(void **state)
{
	static const struct socket_seen sockets[] = {
		{ .local_port = 40000, .proto = PROTO_UDP, .state = SOCKET_CLOSE },
		{ .local_port = 40001, .proto = PROTO_UDP, .state = SOCKET_CLOSE },
	};
	struct world w = world_new(PROTO_UDP);

	assert_int_equal(look(&w, sockets, 2), 0);
	send_datagram(&w, 40000, 7);
	assert_int_equal(look(&w, sockets, 2), 1);
	assert_non_null(pin_of(&w, 40000, 7, PROTO_UDP));
	world_free(&w);
}

static void
who_was_quiet_goes_with_the_bucket(void **state)
{
	static const struct socket_seen socket = {
		.local_port = 40000, .proto = PROTO_UDP, .state = SOCKET_CLOSE
	};
	struct world w = world_new(PROTO_UDP);
	struct senders *sent = &w.f->workers[0]->senders;
	struct ip_addr src = addr(POD), dst = frontend_addr(7);
	uint32_t hash = flow_hash(&src, &dst, 40000, 53, PROTO_UDP);
	uint64_t now = sent->ends_ns - 1;

	send_datagram(&w, 40000, 7);
	senders_expire(sent, now);
	senders_expire(sent, now + SENDERS_EPOCH_NS);
	assert_true(senders_has(sent, hash));
	senders_expire(sent, now + 2 * SENDERS_EPOCH_NS);
	assert_false(senders_has(sent, hash));
	assert_int_equal(look(&w, &socket, 1), 0);
	world_free(&w);
}

/* After a start nobody knows who sent before. */
static void
what_is_not_known_counts_as_sent(void **state)
{
	struct senders sent = { 0 };

	senders_init(&sent);
	senders_expire(&sent, 5);
	assert_true(senders_has(&sent, 4711));
	senders_expire(&sent, 4 + SENDERS_EPOCH_NS);
	assert_true(senders_has(&sent, 4711));
	senders_expire(&sent, 5 + SENDERS_EPOCH_NS);
	assert_false(senders_has(&sent, 4711));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_are_pinned_to_where_they_are),
		cmocka_unit_test(a_socket_that_is_connected_to_nobody_is_pinned_where_it_sends),
		cmocka_unit_test(who_was_quiet_goes_with_the_bucket),
		cmocka_unit_test(what_is_not_known_counts_as_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
