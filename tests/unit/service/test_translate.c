/* Properties of translation there and back, through the real stages: whatever a client sends comes back to it from
 * where it sent to, for every port, slot and family; and what happens over a flow's time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "dataplane/net/flow_key.h"
#include "dataplane/service/service_table_edit.h"
#include "dataplane/stages.h"
#include "tests/support/fixtures.h"

#define SECOND UINT64_C(1000000000)

static const struct names {
	const char *pod, *host, *frontend, *other, *backend, *second;
} families[N_FAMILIES] = {
	[V4] = { "10.244.1.10", "10.244.1.1", "10.96.0.10", "10.96.0.11", "10.244.2.7", "10.244.2.8" },
	[V6] = { "fd00:10:244:1::10", "fd00:10:244:1::1", "fd00:10:96::a", "fd00:10:96::b",
		"fd00:10:244:2::7", "fd00:10:244:2::8" },
};

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

/* One or two frontends, port 80, each with a backend of its own choice, in this slot. */
static struct fixture *
world(const char *frontend, const char *backend, const char *other, const char *other_backend, uint8_t proto,
	uint8_t slot)
{
	struct fixture *f = fixture_new(1, false);
	const char *const names[2][2] = { { frontend, backend }, { other, other_backend } };

	service_table_free(f->services);
	f->services = service_table_new(NULL, 2, 2);
	for (uint32_t i = 0; i < 2 && names[i][0] != NULL; i++) {
		const struct frontend_shape shape = { .n_backends = 1, .n_buckets = 1 };
		struct frontend front = { .addr = addr(names[i][0]), .port = 80, .proto = proto };
		struct frontend_parts parts;
		uint32_t ref;

		assert_int_equal(service_table_shape(f->services, &front, &shape, &parts), 0);
		assert_int_equal(service_table_add(f->services, &front, &ref), 0);
		parts.buckets[0] = 0;
		parts.backends[0] = (struct backend){ .addr = addr(names[i][1]), .port = 8080, .slot = slot };
		assert_int_equal(service_table_link(f->services, &parts.backends[0], proto, ref), 0);
	}
	service_table_commit(f->services);
	f->tables.services = f->services;
	return f;
}

/* A frontend whose one bucket moves from a backend, which leaves, to another: both in slot 2. next NULL: to nobody. */
static struct fixture *
moving_world(const char *frontend, const char *old, const char *next, uint8_t proto)
{
	struct fixture *f = fixture_new(1, false);
	const struct frontend_shape shape = { .n_backends = next != NULL,
		.n_leaving = 1,
		.n_buckets = 1,
		.n_next_buckets = next != NULL,
		.has_extra = true };
	struct frontend front = {
		.addr = addr(frontend), .port = 80, .proto = proto, .flags = FRONTEND_MOVING
	};
	struct frontend_parts parts;
	uint32_t ref, leaving = next != NULL;

	service_table_free(f->services);
	f->services = service_table_new(NULL, 1, 2);
	assert_int_equal(service_table_shape(f->services, &front, &shape, &parts), 0);
	assert_int_equal(service_table_add(f->services, &front, &ref), 0);
	parts.buckets[0] = (uint16_t)leaving;
	parts.backends[leaving] = (struct backend){ .addr = addr(old), .port = 8080, .slot = 2 };
	assert_int_equal(service_table_link(f->services, &parts.backends[leaving], proto, ref), 0);
	if (next != NULL) {
		parts.next_buckets[0] = 0;
		parts.backends[0] = (struct backend){ .addr = addr(next), .port = 8080, .slot = 2 };
		assert_int_equal(service_table_link(f->services, &parts.backends[0], proto, ref), 0);
	}
	service_table_commit(f->services);
	f->tables.services = f->services;
	return f;
}

static struct pkt *
put_packet(struct burst *b, enum origin origin, uint16_t port, const struct ip_addr *src, uint16_t sport,
	const struct ip_addr *dst, uint16_t dport, uint8_t proto, uint8_t tcp_flags)
{
	struct pkt *p = &b->pkts[0];

	memset(b, 0, sizeof(*b));
	b->n = 1;
	*p = (struct pkt){
		.origin = (uint8_t)origin,
		.in_port = port,
		.out_port = port,
		.family = ip_addr_is_v4(src) ? 4 : 6,
		.proto = proto,
		.tcp_flags = tcp_flags,
		.src = *src,
		.new_src = *src,
		.sport = sport,
		.new_sport = sport,
		.dst = *dst,
		.new_dst = *dst,
		.dport = dport,
		.new_dport = dport,
		.vtep = FDB_NONE,
		.hash = flow_hash(src, dst, sport, dport, proto),
	};
	burst_look(b);
	return p;
}

/* Sends a client's packet, into *sent as the backend gets it; false when it is dropped. */
static bool
send_to(struct fixture *f, enum fixture_port port, const char *client, uint16_t client_port,
	const char *frontend, uint8_t proto, uint8_t tcp_flags, struct pkt *sent)
{
	static struct burst b;
	struct ip_addr src = addr(client), dst = addr(frontend);
	struct pkt *p = put_packet(&b, port == FIXTURE_HOST ? ORIGIN_HOST : ORIGIN_POD, (uint16_t)port, &src,
		client_port, &dst, 80, proto, tcp_flags);

	translate_send_burst(&f->tables, f->workers[0], &b);
	*sent = *p;
	return p->verdict == VERDICT_CONTINUE;
}

/* The backend's answer to *sent, as the client gets it. */
static bool
reply_to(
	struct fixture *f, enum fixture_port port, const struct pkt *sent, uint8_t tcp_flags, struct pkt *got)
{
	static struct burst b;
	struct pkt *p = put_packet(&b, ORIGIN_UPLINK, (uint16_t)port, &sent->new_dst, sent->new_dport,
		&sent->new_src, sent->new_sport, sent->proto, tcp_flags);

	translate_receive_burst(&f->tables, f->workers[0], &b);
	*got = *p;
	return p->verdict == VERDICT_CONTINUE;
}

static void
assert_answers(const struct pkt *sent, const struct pkt *got)
{
	assert_true(ip_addr_eq(&got->new_src, &sent->dst));
	assert_true(ip_addr_eq(&got->new_dst, &sent->src));
	assert_int_equal(got->new_sport, sent->dport);
	assert_int_equal(got->new_dport, sent->sport);
}

static void
check_round_trips(const struct names *n, enum fixture_port port, uint8_t proto, uint8_t slot)
{
	const char *client = port == FIXTURE_HOST ? n->host : n->pod;
	struct fixture *f = world(n->frontend, n->backend, NULL, NULL, proto, slot);
	struct pkt sent, got;

	for (unsigned sport = 1; sport < 65536; sport++) {
		assert_true(send_to(f, port, client, (uint16_t)sport, n->frontend, proto, TCP_SYN, &sent));
		assert_true(reply_to(f, port, &sent, TCP_SYN | TCP_ACK, &got));
		assert_answers(&sent, &got);
		/* the bounded table is for few at a time */
		nat_flows_delete_client(f->exceptions[0], &sent.src);
	}
	fixture_free(f);
}

static void
what_a_client_sends_comes_back_from_where_it_sent_to(void **state)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_SCTP };

	for (unsigned family = 0; family < N_FAMILIES; family++)
		for (unsigned i = 0; i < 3; i++)
			for (uint8_t slot = 0; slot < SLOTS; slot++) {
				check_round_trips(&families[family], FIXTURE_POD1, protos[i], slot);
				check_round_trips(&families[family], FIXTURE_HOST, protos[i], slot);
			}
}

static void
a_slot_needs_no_memory(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct names *n = &families[family];
		struct fixture *f = world(n->frontend, n->backend, NULL, NULL, PROTO_TCP, 2);
		struct pkt sent, got;

		for (unsigned sport = CLIENT_PORT_FIRST; sport <= CLIENT_PORT_LAST; sport++) {
			assert_true(send_to(f, FIXTURE_POD1, n->pod, (uint16_t)sport, n->frontend, PROTO_TCP,
				TCP_ACK, &sent));
			assert_int_equal(sent.new_sport, slot_encode((uint16_t)sport, 2));
			assert_true(reply_to(f, FIXTURE_POD1, &sent, TCP_ACK, &got));
			assert_answers(&sent, &got);
		}
		assert_true(nat_flows_is_empty(f->exceptions[0]));
		fixture_free(f);
	}
}

/* A client uses one port of its own choice for two services that have the same backend. */
static void
a_port_that_is_taken_towards_the_backend_is_moved(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct names *n = &families[family];
		struct fixture *f = world(n->frontend, n->backend, n->other, n->backend, PROTO_TCP, 0);
		struct pkt first, second, got;

		assert_true(send_to(f, FIXTURE_POD1, n->pod, 5000, n->frontend, PROTO_TCP, TCP_SYN, &first));
		assert_true(send_to(f, FIXTURE_POD1, n->pod, 5000, n->other, PROTO_TCP, TCP_SYN, &second));
		assert_int_equal(first.new_sport, 5000);
		assert_in_range(second.new_sport, EXCEPTION_PORT_FIRST, EXCEPTION_PORT_LAST);
		assert_true(reply_to(f, FIXTURE_POD1, &first, TCP_ACK, &got));
		assert_answers(&first, &got);
		assert_true(reply_to(f, FIXTURE_POD1, &second, TCP_ACK, &got));
		assert_answers(&second, &got);
		fixture_free(f);
	}
}

/* A connection whose backend serves no more goes on; a new one from the same port goes to the new backend. */
static void
an_exceptional_connection_stays_with_its_backend(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct names *n = &families[family];
		struct fixture *f = world(n->frontend, n->backend, NULL, NULL, PROTO_TCP, 1);
		struct fixture *later = world(n->frontend, n->second, NULL, NULL, PROTO_TCP, 1);
		struct ip_addr was = addr(n->backend), is = addr(n->second);
		struct pkt sent, got;

		assert_true(send_to(f, FIXTURE_POD1, n->pod, 5000, n->frontend, PROTO_TCP, TCP_SYN, &sent));
		f->tables.services = later->services;
		assert_true(send_to(f, FIXTURE_POD1, n->pod, 5000, n->frontend, PROTO_TCP, TCP_ACK, &sent));
		assert_true(ip_addr_eq(&sent.new_dst, &was));
		assert_true(reply_to(f, FIXTURE_POD1, &sent, TCP_ACK, &got));
		assert_answers(&sent, &got);
		assert_true(send_to(f, FIXTURE_POD1, n->pod, 5000, n->frontend, PROTO_TCP, TCP_SYN, &sent));
		assert_true(ip_addr_eq(&sent.new_dst, &is));
		fixture_free(f);
		fixture_free(later);
	}
}

/* A pod whose kernel shows no sockets: what it has in slots gets entries that say the same, one that stands already too, as
 * long as they take at most half of what it may have. None of them gets lost for that. */
static void
what_no_kernel_shows_is_remembered(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct names *n = &families[family];
		struct fixture *f = world(n->frontend, n->backend, NULL, NULL, PROTO_TCP, 1);
		struct fixture *later = world(n->frontend, n->second, NULL, NULL, PROTO_TCP, 1);
		struct nat_flows *e = f->exceptions[0];
		struct ip_addr was = addr(n->backend);
		uint32_t half = e->quota != 0 ? e->quota / 2 : e->capacity / 2;
		struct pkt sent, got;

		f->endpoints->endpoints[f->endpoints->by_port[FIXTURE_POD1]].is_opaque = true;
		assert_in_range(half, 2, 4096);
		for (uint32_t i = 0; i < half + 10; i++) {
			uint16_t sport = (uint16_t)(CLIENT_PORT_FIRST + i);

			assert_true(send_to(f, FIXTURE_POD1, n->pod, sport, n->frontend, PROTO_TCP,
				i % 2 ? TCP_SYN : TCP_ACK, &sent));
			assert_int_equal(sent.new_sport, slot_encode(sport, 1));
			assert_true(reply_to(f, FIXTURE_POD1, &sent, TCP_ACK, &got));
			assert_answers(&sent, &got);
			assert_int_equal(e->n, i < half ? i + 1 : half);
		}
		f->tables.services = later->services;
		assert_true(send_to(
			f, FIXTURE_POD1, n->pod, CLIENT_PORT_FIRST, n->frontend, PROTO_TCP, TCP_ACK, &sent));
		assert_true(ip_addr_eq(&sent.new_dst, &was));
		assert_int_equal(sent.new_sport, slot_encode(CLIENT_PORT_FIRST, 1));
		fixture_free(f);
		fixture_free(later);
	}
}

/* The pod begins to use the port in which a connection of its own stands: that one lives on, new ones step aside. */
static void
a_port_that_becomes_the_pods_own_breaks_no_connection(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct names *n = &families[family];
		struct fixture *f = world(n->frontend, n->backend, NULL, NULL, PROTO_TCP, 2);
		struct pkt sent, got;

		assert_true(send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_TCP, TCP_SYN, &sent));
		assert_int_equal(sent.new_sport, slot_encode(40000, 2));
		roles_set(f->endpoints->endpoints[1].roles, PROTO_TCP, slot_encode(40000, 2));
		assert_true(send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_TCP, TCP_ACK, &sent));
		assert_int_equal(sent.new_sport, slot_encode(40000, 2));
		assert_true(reply_to(f, FIXTURE_POD1, &sent, TCP_ACK, &got));
		assert_answers(&sent, &got);
		fixture_free(f);
	}
}

/* A pod that floods from all its ports is heard of some of them, and later of more. */
static void
asks_are_bounded(void **state)
{
	struct role_asks asks = { 0 };
	struct ip_addr pod = addr("10.244.1.10");
	unsigned n = 0;

	for (unsigned port = 1024; port < 16384; port++)
		n += role_asks_take(&asks, &pod, PROTO_UDP, (uint16_t)port, SECOND);
	assert_int_equal(n, ROLE_ASK_BURST);
	assert_true(role_asks_take(&asks, &pod, PROTO_UDP, 16000, SECOND + 2 * ROLE_ASK_INTERVAL_NS));
}

/* A client chooses the very port that another connection of its own has on the wire, in a slot. */
static void
a_port_of_the_clients_choice_is_not_that_of_a_live_flow(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct names *n = &families[family];
		struct fixture *f = world(n->frontend, n->backend, NULL, NULL, PROTO_TCP, 2);
		struct pkt first, second, got;
		uint16_t wire = slot_encode(40000, 2);

		assert_true(send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_TCP, TCP_SYN, &first));
		assert_int_equal(first.new_sport, wire);
		assert_true(send_to(f, FIXTURE_POD1, n->pod, wire, n->frontend, PROTO_TCP, TCP_SYN, &second));
		assert_in_range(second.new_sport, EXCEPTION_PORT_FIRST, EXCEPTION_PORT_LAST);
		assert_true(reply_to(f, FIXTURE_POD1, &first, TCP_ACK, &got));
		assert_answers(&first, &got);
		assert_true(reply_to(f, FIXTURE_POD1, &second, TCP_ACK, &got));
		assert_answers(&second, &got);
		fixture_free(f);
	}
}

/* What a pod's use of a port tells about it. */
static void
what_a_pod_chooses_to_send_asks_for_its_port(void **state)
{
	static const struct {
		uint16_t port;
		uint8_t proto, tcp_flags;
		bool asks;
	} cases[] = {
		{ 8080, PROTO_TCP, TCP_SYN | TCP_ACK, true }, { 8080, PROTO_TCP, TCP_ACK, true },
		{ 8080, PROTO_TCP, TCP_SYN, true },
		{ 8080, PROTO_TCP, TCP_RST | TCP_ACK, false }, /* what a scan of closed ports makes it send */
		{ 40000, PROTO_TCP, TCP_SYN, false }, { 5353, PROTO_UDP, 0, true },
		{ 40000, PROTO_UDP, 0, false }, { 53, PROTO_UDP, 0, false }, /* in no slot's range */
	};

	for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const struct names *n = &families[i % 2];
		struct fixture *f = world(n->frontend, n->backend, NULL, NULL, PROTO_TCP, 1);
		const struct roles *roles = f->endpoints->endpoints[1].roles;
		uint8_t proto = cases[i / 2].proto;
		struct event event;
		struct pkt sent;

		/* to somebody who is no service */
		send_to(f, FIXTURE_POD1, n->pod, cases[i / 2].port, n->backend, proto, cases[i / 2].tcp_flags,
			&sent);
		assert_int_equal(fixture_event(f, &event), cases[i / 2].asks);
		/* control decides, and says so by the bit */
		assert_false(roles_has(roles, proto, cases[i / 2].port));
		if (cases[i / 2].asks) {
			struct ip_addr pod = addr(n->pod);

			assert_int_equal(event.kind, EVENT_PORT_USED);
			assert_int_equal(event.value, proto << 16 | cases[i / 2].port);
			assert_true(ip_addr_eq(&event.addr, &pod));
			/* once, for a while */
			send_to(f, FIXTURE_POD1, n->pod, cases[i / 2].port, n->backend, proto,
				cases[i / 2].tcp_flags, &sent);
			assert_false(fixture_event(f, &event));
			f->workers[0]->now_ns += ROLE_ASK_AGAIN_NS;
			send_to(f, FIXTURE_POD1, n->pod, cases[i / 2].port, n->backend, proto,
				cases[i / 2].tcp_flags, &sent);
			assert_true(fixture_event(f, &event));
			roles_learn(f->endpoints->endpoints[1].roles, proto, cases[i / 2].port);
			f->workers[0]->now_ns += ROLE_ASK_AGAIN_NS;
			send_to(f, FIXTURE_POD1, n->pod, cases[i / 2].port, n->backend, proto,
				cases[i / 2].tcp_flags, &sent);
			assert_false(fixture_event(f, &event));
		}
		fixture_free(f);
	}
}

/* A connection that stands goes on in its slot; one that opens goes to the next backend, and both are answered. */
static void
a_moving_bucket_has_two_backends(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct names *n = &families[family];
		struct fixture *f = moving_world(n->frontend, n->backend, n->second, PROTO_TCP);
		struct ip_addr was = addr(n->backend), is = addr(n->second);
		struct pkt old, opened, got;

		assert_true(send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_TCP, TCP_ACK, &old));
		assert_true(ip_addr_eq(&old.new_dst, &was));
		assert_true(
			send_to(f, FIXTURE_POD1, n->pod, 40001, n->frontend, PROTO_TCP, TCP_SYN, &opened));
		assert_true(ip_addr_eq(&opened.new_dst, &is));
		assert_int_equal(opened.new_sport, slot_encode(40001, 2));
		assert_true(reply_to(f, FIXTURE_POD1, &old, TCP_ACK, &got));
		assert_answers(&old, &got);
		assert_true(reply_to(f, FIXTURE_POD1, &opened, TCP_SYN | TCP_ACK, &got));
		assert_answers(&opened, &got);
		/* what follows stays there, and the old backend has no say in it */
		assert_true(
			send_to(f, FIXTURE_POD1, n->pod, 40001, n->frontend, PROTO_TCP, TCP_ACK, &opened));
		assert_true(ip_addr_eq(&opened.new_dst, &is));
		opened.new_dst = was;
		assert_false(reply_to(f, FIXTURE_POD1, &opened, TCP_ACK, &got));
		fixture_free(f);
	}
}

/* A pin keeps a connection, but an opening segment goes where new ones go, and takes the pin with it. */
static void
an_opening_segment_does_not_follow_a_pin(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct names *n = &families[family];
		struct fixture *f = moving_world(n->frontend, n->backend, n->second, PROTO_TCP);
		struct nat_flow pin = { .client = addr(n->pod),
			.client_port = 40000,
			.frontend = addr(n->frontend),
			.frontend_port = 80,
			.backend = addr(n->backend),
			.backend_port = 8080,
			.wire = addr(n->pod),
			.wire_port = slot_encode(40000, 2),
			.proto = PROTO_TCP };
		struct ip_addr is = addr(n->second);
		struct pkt sent;

		assert_non_null(nat_flows_add(f->exceptions[0], &pin, NULL, 0));
		assert_true(send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_TCP, TCP_ACK, &sent));
		assert_true(ip_addr_eq(&sent.new_dst, &pin.backend));
		assert_true(send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_TCP, TCP_SYN, &sent));
		assert_true(ip_addr_eq(&sent.new_dst, &is));
		fixture_free(f);
	}
}

static unsigned
notes(const struct worker *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < UNMOVED_PLACES; i++)
		n += (unsigned)__builtin_popcountll(w->unmoved.parts[i]);
	return n;
}

/* Clients that nobody else has, each with as much as it may have, until n entries are left. */
static void
fill_exceptions(struct nat_flows *e, uint32_t left)
{
	struct nat_flow flow = { .frontend_port = 81, .backend_port = 81, .proto = PROTO_TCP };

	flow.frontend = addr("10.96.0.99");
	flow.backend = addr("10.244.2.99");
	flow.client = flow.wire = addr("10.244.1.100");
	while (e->n + left < e->capacity) {
		flow.client_port = flow.wire_port = (uint16_t)(30000 + e->n);
		flow.client.b[15] = flow.wire.b[15] = (uint8_t)(100 + e->n / FIXTURE_EXCEPTIONS_QUOTA);
		assert_non_null(nat_flows_add(e, &flow, NULL, 0));
	}
}

/* When nobody finds room for an entry a connection opens where it was, and control hears of the bucket if it is listing
 * sockets, however many clients open however many. */
static void
a_move_waits_for_room(void **state)
{
	const struct names *n = &families[V4];
	struct fixture *f = moving_world(n->frontend, n->backend, n->second, PROTO_TCP);
	struct ip_addr was = addr(n->backend);
	struct worker *w = f->workers[0];
	struct pkt sent;

	fill_exceptions(f->exceptions[0], 0);
	assert_true(send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_TCP, TCP_SYN, &sent));
	assert_true(ip_addr_eq(&sent.new_dst, &was));
	assert_int_equal(notes(w), 0);
	w->unmoved.is_on = true;
	for (uint16_t i = 0; i < 2000; i++) {
		assert_true(send_to(f, FIXTURE_POD1, n->pod, (uint16_t)(40000 + i), n->frontend, PROTO_TCP,
			TCP_SYN, &sent));
		assert_true(ip_addr_eq(&sent.new_dst, &was));
	}
	assert_int_equal(notes(w), UNMOVED_PARTS);
	fixture_free(f);
}

/* A pod that has as many entries as it may have keeps no bucket: it opens nothing there until the move is through, while its
 * neighbour does. */
static void
no_move_waits_for_a_pod_over_its_quota(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct names *n = &families[family];
		struct fixture *f = moving_world(n->frontend, n->backend, n->second, PROTO_TCP);
		const char *neighbour = family == V4 ? "10.244.1.11" : "fd00:10:244:1::11";
		struct ip_addr is = addr(n->second);
		struct worker *w = f->workers[0];
		struct pkt sent;

		w->unmoved.is_on = true;
		for (uint16_t i = 0; i < FIXTURE_EXCEPTIONS_QUOTA; i++)
			assert_true(send_to(f, FIXTURE_POD1, n->pod, (uint16_t)(41000 + i), n->frontend,
				PROTO_TCP, TCP_SYN, &sent));
		assert_false(send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_TCP, TCP_SYN, &sent));
		assert_int_equal(sent.drop_reason, DROP_EXCEPTIONS_FULL);
		assert_int_equal(notes(w), 0);
		assert_true(
			send_to(f, FIXTURE_POD2, neighbour, 40000, n->frontend, PROTO_TCP, TCP_SYN, &sent));
		assert_true(ip_addr_eq(&sent.new_dst, &is));
		/* also when the table is full: others open where they did, it does not open */
		fill_exceptions(f->exceptions[0], 0);
		assert_false(send_to(f, FIXTURE_POD1, n->pod, 40001, n->frontend, PROTO_TCP, TCP_SYN, &sent));
		assert_int_equal(notes(w), 0);
		assert_true(
			send_to(f, FIXTURE_POD2, neighbour, 40001, n->frontend, PROTO_TCP, TCP_SYN, &sent));
		assert_int_equal(notes(w), 1);
		/* what it has goes on */
		assert_true(send_to(f, FIXTURE_POD1, n->pod, 39999, n->frontend, PROTO_TCP, TCP_ACK, &sent));
		fixture_free(f);
	}
}

/* The last backend leaves: what stands goes on, what opens is refused. */
static void
a_bucket_may_move_to_nobody(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct names *n = &families[family];
		struct fixture *f = moving_world(n->frontend, n->backend, NULL, PROTO_TCP);
		struct pkt sent, got;

		assert_true(send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_TCP, TCP_ACK, &sent));
		assert_true(reply_to(f, FIXTURE_POD1, &sent, TCP_ACK, &got));
		assert_answers(&sent, &got);
		assert_false(send_to(f, FIXTURE_POD1, n->pod, 40001, n->frontend, PROTO_TCP, TCP_SYN, &got));
		fixture_free(f);
	}
}

/* Datagrams follow the old bucket until it flips; a pin of theirs lasts as long as its backend serves, or its socket is
 * connected. */
static void
datagrams_do_not_wait_for_a_backend_that_left(void **state)
{
	for (unsigned i = 0; i < 2 * N_FAMILIES; i++) {
		const struct names *n = &families[i / 2];
		struct fixture *f = moving_world(n->frontend, n->backend, n->second, PROTO_UDP);
		struct fixture *later = world(n->frontend, n->second, NULL, NULL, PROTO_UDP, 2);
		struct nat_flow pin = { .client = addr(n->pod),
			.client_port = 40000,
			.frontend = addr(n->frontend),
			.frontend_port = 80,
			.backend = addr(n->backend),
			.backend_port = 8080,
			.wire = addr(n->pod),
			.wire_port = slot_encode(40000, 2),
			.proto = PROTO_UDP };
		struct ip_addr is = addr(n->second);
		bool is_connected = i % 2;
		struct nat_flow *x;
		struct pkt sent;

		assert_true(send_to(f, FIXTURE_POD1, n->pod, 40001, n->frontend, PROTO_UDP, 0, &sent));
		assert_true(ip_addr_eq(&sent.new_dst, &pin.backend));
		x = nat_flows_add(f->exceptions[0], &pin, NULL, 0);
		assert_non_null(x);
		x->flags |= is_connected ? NAT_FLOW_CONNECTED : 0;
		f->tables.services = later->services;
		assert_true(send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_UDP, 0, &sent));
		assert_true(ip_addr_eq(&sent.new_dst, is_connected ? &pin.backend : &is));
		fixture_free(f);
		fixture_free(later);
	}
}

/* In a bucket that moves they would change their backend twice. */
static void
datagrams_that_begin_anew_go_where_their_bucket_will_be(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct names *n = &families[family];
		struct fixture *f = moving_world(n->frontend, n->backend, n->second, PROTO_UDP);
		struct nat_flow pin = { .client = addr(n->pod),
			.client_port = 40000,
			.frontend = addr(n->frontend),
			.frontend_port = 80,
			.backend = addr(n->other), /* serves no more */
			.backend_port = 8080,
			.wire = addr(n->pod),
			.wire_port = slot_encode(40000, 2),
			.proto = PROTO_UDP };
		struct ip_addr is = addr(n->second);
		struct pkt sent, got;

		assert_non_null(nat_flows_add(f->exceptions[0], &pin, NULL, 0));
		for (unsigned i = 0; i < 2; i++) {
			assert_true(
				send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_UDP, 0, &sent));
			assert_true(ip_addr_eq(&sent.new_dst, &is));
			assert_true(reply_to(f, FIXTURE_POD1, &sent, 0, &got));
			assert_answers(&sent, &got);
		}
		fixture_free(f);
	}
}

/* A connected socket's datagrams stay with a backend that left as long as that answers: a dead one would have them for as
 * long as the socket lives, since nothing tells its owner. */
static void
connected_datagrams_leave_a_backend_that_is_silent(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct names *n = &families[family];
		struct fixture *f = moving_world(n->frontend, n->backend, n->second, PROTO_UDP);
		struct fixture *later = world(n->frontend, n->second, NULL, NULL, PROTO_UDP, 2);
		struct nat_flow pin = { .client = addr(n->pod),
			.client_port = 40000,
			.frontend = addr(n->frontend),
			.frontend_port = 80,
			.backend = addr(n->backend),
			.backend_port = 8080,
			.wire = addr(n->pod),
			.wire_port = slot_encode(40000, 2),
			.proto = PROTO_UDP };
		struct ip_addr second = addr(n->second);
		uint64_t *now_ns = &f->workers[0]->now_ns;
		struct nat_flow *x = nat_flows_add(f->exceptions[0], &pin, NULL, *now_ns);
		struct pkt sent;

		assert_non_null(x);
		x->flags |= NAT_FLOW_CONNECTED;
		f->tables.services = later->services;
		*now_ns += 1000 * NAT_FLOW_ANSWER_NS; /* quiet is not dead */
		for (unsigned i = 0; i < 4; i++) {
			assert_true(
				send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_UDP, 0, &sent));
			assert_true(ip_addr_eq(&sent.new_dst, &pin.backend));
			*now_ns += NAT_FLOW_ANSWER_NS / 2;
			nat_flow_seen(x, false, 0, *now_ns);
			*now_ns += NAT_FLOW_ANSWER_NS;
		}
		assert_true(send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_UDP, 0, &sent));
		assert_true(ip_addr_eq(&sent.new_dst, &pin.backend));
		*now_ns += NAT_FLOW_ANSWER_NS;
		assert_true(send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_UDP, 0, &sent));
		assert_true(ip_addr_eq(&sent.new_dst, &second));
		assert_true(nat_flows_is_empty(f->exceptions[0]));
		fixture_free(f);
		fixture_free(later);
	}
}

/* That another frontend has the backend still is of no use to this one's clients. */
static void
datagrams_leave_a_backend_that_serves_others_only(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct names *n = &families[family];
		struct fixture *f = world(n->frontend, n->backend, NULL, NULL, PROTO_UDP, 0);
		struct fixture *later = world(n->frontend, n->second, n->other, n->backend, PROTO_UDP, 0);
		struct ip_addr was = addr(n->backend), is = addr(n->second);
		struct pkt sent;

		assert_true(send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_UDP, 0, &sent));
		assert_true(ip_addr_eq(&sent.new_dst, &was));
		f->tables.services = later->services;
		assert_true(send_to(f, FIXTURE_POD1, n->pod, 40000, n->frontend, PROTO_UDP, 0, &sent));
		assert_true(ip_addr_eq(&sent.new_dst, &is));
		fixture_free(f);
		fixture_free(later);
	}
}

/* Explain looks, and leaves no trace of it. */
static void
a_dry_run_changes_nothing(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		const struct names *n = &families[family];
		struct fixture *f = world(n->frontend, n->backend, NULL, NULL, PROTO_TCP, 1);
		struct ip_addr src = addr(n->pod), dst = addr(n->frontend);
		static struct burst b;
		struct pkt *p =
			put_packet(&b, ORIGIN_POD, FIXTURE_POD1, &src, 5000, &dst, 80, PROTO_TCP, TCP_SYN);

		p->flags |= PKT_DRY_RUN;
		translate_send_burst(&f->tables, f->workers[0], &b);
		assert_int_equal(p->new_dport, 8080);
		assert_int_equal(p->new_sport, 5000);
		assert_true(nat_flows_is_empty(f->exceptions[0]));
		assert_false(roles_has(f->endpoints->endpoints[1].roles, PROTO_TCP, 5000));
		fixture_free(f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_client_sends_comes_back_from_where_it_sent_to),
		cmocka_unit_test(a_slot_needs_no_memory),
		cmocka_unit_test(a_port_that_is_taken_towards_the_backend_is_moved),
		cmocka_unit_test(an_exceptional_connection_stays_with_its_backend),
		cmocka_unit_test(what_no_kernel_shows_is_remembered),
		cmocka_unit_test(a_port_that_becomes_the_pods_own_breaks_no_connection),
		cmocka_unit_test(what_a_pod_chooses_to_send_asks_for_its_port),
		cmocka_unit_test(asks_are_bounded),
		cmocka_unit_test(a_port_of_the_clients_choice_is_not_that_of_a_live_flow),
		cmocka_unit_test(a_moving_bucket_has_two_backends),
		cmocka_unit_test(an_opening_segment_does_not_follow_a_pin),
		cmocka_unit_test(a_move_waits_for_room),
		cmocka_unit_test(no_move_waits_for_a_pod_over_its_quota),
		cmocka_unit_test(a_bucket_may_move_to_nobody),
		cmocka_unit_test(datagrams_do_not_wait_for_a_backend_that_left),
		cmocka_unit_test(datagrams_that_begin_anew_go_where_their_bucket_will_be),
		cmocka_unit_test(connected_datagrams_leave_a_backend_that_is_silent),
		cmocka_unit_test(datagrams_leave_a_backend_that_serves_others_only),
		cmocka_unit_test(a_dry_run_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
