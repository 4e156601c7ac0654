/* Flows from outside over their time, on real workers: what begins them, what confirms them, and what a flood can and cannot
 * do. Backends are asked and answer through mem ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "dataplane/net/parse.h"
#include "dataplane/service/flow_owner.h"
#include "dataplane/service/service_table_edit.h"
#include "tests/packets/names.h"
#include "tests/support/exposed.h"
#include "tests/support/pkt_build.h"

#define FLOOD 1000000
#define SECOND UINT64_C(1000000000)
#define SEQ 4000000000u
#define SYN TCP_SYN
#define SYN_ACK (TCP_SYN | TCP_ACK)
#define ACK TCP_ACK

static const struct names {
	const char *client, *node, *inbound, *pod1, *pod2, *balancer;
} families[N_FAMILIES] = {
	[V4] = { CLIENT_V4, NODE_V4, INBOUND_V4, POD1_V4, POD2_V4, BALANCER_V4 },
	[V6] = { CLIENT_V6, NODE_V6, INBOUND_V6, POD1_V6, POD2_V6, BALANCER_V6 },
};

/* Every family with one worker and with two. */
#define FOREACH_WORLD(n, n_workers)                               \
	for (unsigned n_workers = 1; n_workers <= 2; n_workers++) \
		for (const struct names *n = families; n < families + N_FAMILIES; n++)

static struct fixture *
world(unsigned n_workers)
{
	struct fixture *f = fixture_new(n_workers, false);

	exposed_services(f);
	for (unsigned i = 0; i < n_workers; i++)
		f->workers[i]->now_ns = 1000 * SECOND;
	return f;
}

static unsigned
count_inbound(const struct fixture *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->n_workers; i++)
		n += f->inbound[i]->n;
	return n;
}

static unsigned
count_half_open(const struct fixture *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->n_workers; i++)
		n += f->half_open[i]->n;
	return n;
}

/* Gives a packet to a port, and what comes out of another one as its receiver reads it; false when nothing does. */
static bool
pass(struct fixture *f, enum fixture_port from, const struct layer *layers, enum fixture_port to,
	struct pkt *got)
{
	static uint8_t bytes[FRAME_MAX];
	struct frame frame;
	bool arrived;

	pkt_build(&frame, layers, 50000);
	assert_true(port_mem_give(&f->ports[from], frame.bytes, frame.len));
	fixture_run(f);
	arrived = f->ports[to].n_out == 1;
	if (arrived) {
		memcpy(bytes, f->ports[to].out[0].data, f->ports[to].out[0].len);
		*got = (struct pkt){ .data = bytes, .len = f->ports[to].out[0].len, .origin = ORIGIN_POD };
		parse_pkt(got);
		assert_int_equal(got->verdict, VERDICT_CONTINUE);
	}
	fixture_clear(f);
	return arrived;
}

static void
assert_whole(struct fixture *f)
{
	const char *wrong = fixture_audit(f);

	if (wrong != NULL)
		fail_msg("%s", wrong);
	fixture_free(f);
}

/* The client's segment to a node port, which the backend pod2 must get, from *wire. */
static void
client_sends(
	struct fixture *f, const struct names *n, uint16_t sport, uint8_t flags, uint32_t ack, uint16_t *wire)
{
	struct pkt got;

	assert_true(pass(f, FIXTURE_UPLINK,
		PKT(ETH("peer", "uplink"), IP(n->client, n->node), TCP(sport, PORT_NEAR, flags, .ack = ack)),
		FIXTURE_POD2, &got));
	assert_int_equal(got.dport, 8080);
	*wire = got.sport;
}

/* And the backend's to the client, which the client must get from where it sent to. */
static void
backend_sends(struct fixture *f, const struct names *n, uint16_t wire, uint8_t flags, uint16_t client_port)
{
	struct ip_addr client, node;
	struct pkt got;

	assert_true(ip_addr_parse(n->client, &client) && ip_addr_parse(n->node, &node));
	assert_true(pass(f, FIXTURE_POD2,
		PKT(ETH("pod2", "gw"), IP(n->pod2, n->inbound), TCP(8080, wire, flags, .seq = SEQ)),
		FIXTURE_UPLINK, &got));
	assert_true(ip_addr_eq(&got.src, &node) && ip_addr_eq(&got.dst, &client));
	assert_int_equal(got.sport, PORT_NEAR);
	assert_int_equal(got.dport, client_port);
}

/* A connection that its client has confirmed; returns its wire port. */
static uint16_t
connect_client(struct fixture *f, const struct names *n, uint16_t sport)
{
	uint16_t wire;

	client_sends(f, n, sport, SYN, 0, &wire);
	backend_sends(f, n, wire, SYN_ACK, sport);
	client_sends(f, n, sport, ACK, SEQ + 1, &wire);
	return wire;
}

static void
a_connection_is_confirmed_by_the_number_of_the_syn_ack(void **state)
{
	FOREACH_WORLD(n, n_workers)
	{
		struct fixture *f = world(n_workers);
		uint16_t wire, again;

		client_sends(f, n, 40000, SYN, 0, &wire);
		client_sends(f, n, 40000, ACK, SEQ + 1, &again); /* before there is anything to acknowledge */
		assert_int_equal(count_inbound(f), 0);
		backend_sends(f, n, wire, SYN_ACK, 40000);
		for (uint32_t blind = 0; blind < 100; blind++)
			client_sends(f, n, 40000, ACK, SEQ + 2 + blind, &again);
		client_sends(f, n, 40000, SYN, 0, &again);
		assert_int_equal(again, wire);
		assert_int_equal(count_inbound(f), 0);
		assert_int_equal(count_half_open(f), 1);
		client_sends(f, n, 40000, ACK, SEQ + 1, &again);
		assert_int_equal(again, wire);
		assert_int_equal(count_inbound(f), 1);
		assert_int_equal(count_half_open(f), 0);
		backend_sends(f, n, wire, ACK, 40000);
		assert_whole(f);
	}
}

static void
datagrams_are_confirmed_by_an_answer_and_another_one(void **state)
{
	FOREACH_WORLD(n, n_workers)
	{
		struct fixture *f = world(n_workers);
		const struct layer *question =
			PKT(ETH("peer", "uplink"), IP(n->client, n->balancer), UDP(40000, 80), DATA(10));
		struct pkt asked, got;

		for (unsigned i = 0; i < 3; i++)
			assert_true(pass(f, FIXTURE_UPLINK, question, FIXTURE_POD2, &asked));
		assert_int_equal(count_inbound(f), 0);
		for (unsigned i = 0; i < 2; i++) {
			assert_true(pass(f, FIXTURE_POD2,
				PKT(ETH("pod2", "gw"), IP(n->pod2, n->inbound), UDP(8080, asked.sport),
					DATA(10)),
				FIXTURE_UPLINK, &got));
			assert_int_equal(got.sport, 80);
			assert_int_equal(got.dport, 40000);
			assert_int_equal(count_inbound(f), i);
			assert_true(pass(f, FIXTURE_UPLINK, question, FIXTURE_POD2, &got));
			assert_int_equal(got.sport, asked.sport);
		}
		assert_int_equal(count_half_open(f), 0);
		assert_whole(f);
	}
}

/* Many clients' ports: each comes back to where it was sent from, whoever owns it. */
static void
each_client_gets_its_own_answers(void **state)
{
	FOREACH_WORLD(n, n_workers)
	{
		struct fixture *f = world(n_workers);

		for (uint16_t port = 20000; port < 20400; port++)
			backend_sends(f, n, connect_client(f, n, port), ACK, port);
		assert_int_equal(count_inbound(f), 400);
		if (n_workers == 2)
			assert_in_range(f->inbound[0]->n, 120, 280);
		assert_whole(f);
	}
}

/* A million strangers, whose SYN+ACKs go nowhere, and who acknowledge blindly: half of them have the port of a flow that
 * stands. IPv6, whose header has no checksum to mend. */
static void
a_flood_takes_nothing_from_who_is_connected(void **state)
{
	const struct names *n = &families[V6];
	struct fixture *f = world(2);
	struct frame syn, blind;
	uint16_t wires[8], wire;
	uint64_t evicted = 0;

	for (uint16_t i = 0; i < 8; i++)
		wires[i] = connect_client(f, n, (uint16_t)(40000 + i));
	pkt_build(&syn, PKT(ETH("peer", "uplink"), IP("2001:db8:bad::", n->node), TCP(1, PORT_NEAR, SYN)), 0);
	pkt_build(&blind,
		PKT(ETH("peer", "uplink"), IP("2001:db8:bad::", n->node), TCP(1, PORT_NEAR, ACK, .ack = 1)),
		0);
	for (uint32_t i = 0; i < FLOOD; i++) {
		uint32_t stranger = i / 2;
		uint16_t sport = __builtin_bswap16((uint16_t)(40000 + i % 2 * 1000 + i % 8));

		memcpy(syn.bytes + 14 + 20, &stranger, 4);
		memcpy(syn.bytes + 14 + 40, &sport, 2);
		memcpy(blind.bytes + 14 + 20, &stranger, 4);
		memcpy(blind.bytes + 14 + 40, &sport, 2);
		assert_true(port_mem_give(&f->ports[FIXTURE_UPLINK], syn.bytes, syn.len));
		assert_true(port_mem_give(&f->ports[FIXTURE_UPLINK], blind.bytes, blind.len));
		if (i % 32 == 31) {
			fixture_run(f);
			fixture_clear(f);
		}
	}
	for (unsigned i = 0; i < 2; i++)
		evicted += f->half_open[i]->n_evicted;
	assert_in_range(evicted, FLOOD - 2 * FIXTURE_INBOUND, FLOOD);
	assert_int_equal(count_inbound(f), 8);
	for (uint16_t i = 0; i < 8; i++) {
		backend_sends(f, n, wires[i], ACK, (uint16_t)(40000 + i));
		client_sends(f, n, (uint16_t)(40000 + i), ACK, SEQ + 1, &wire);
		assert_int_equal(wire, wires[i]);
	}
	assert_whole(f);
}

/* Who knows a client's address and port can neither end its flow nor have it begin anew. */
static void
resets_and_openings_of_strangers_end_nothing(void **state)
{
	FOREACH_WORLD(n, n_workers)
	{
		struct fixture *f = world(n_workers);
		uint16_t wire = connect_client(f, n, 40000), got;

		client_sends(f, n, 40000, TCP_RST, 0, &got);
		client_sends(f, n, 40000, SYN, 0, &got);
		assert_int_equal(got, wire);
		backend_sends(f, n, wire, ACK, 40000); /* which the backend answers with where it stands */
		for (unsigned i = 0; i < f->n_workers; i++) {
			f->workers[i]->now_ns += 2 * NAT_FLOW_CLOSED_IDLE_NS;
			for (unsigned k = 0; k < FIXTURE_INBOUND; k++)
				nat_flows_expire_some(f->inbound[i], f->workers[i]->now_ns);
		}
		client_sends(f, n, 40000, ACK, SEQ + 1, &got);
		assert_int_equal(got, wire);
		assert_whole(f);
	}
}

/* A client's port is used again: the entry serves the new connection, and is not closed any more. */
static void
a_closed_connections_port_can_be_used_again(void **state)
{
	FOREACH_WORLD(n, n_workers)
	{
		struct fixture *f = world(n_workers);
		uint16_t wire = connect_client(f, n, 40000), got;

		client_sends(f, n, 40000, TCP_FIN | ACK, 0, &got);
		backend_sends(f, n, wire, TCP_FIN | ACK, 40000);
		connect_client(f, n, 40000);
		for (unsigned i = 0; i < f->n_workers; i++) {
			f->workers[i]->now_ns += 2 * NAT_FLOW_CLOSED_IDLE_NS;
			for (unsigned k = 0; k < FIXTURE_INBOUND; k++)
				nat_flows_expire_some(f->inbound[i], f->workers[i]->now_ns);
		}
		client_sends(f, n, 40000, ACK, SEQ + 1, &got);
		assert_int_equal(count_inbound(f), 1);
		assert_whole(f);
	}
}

/* pod1 serves the node port in place of pod2, which goes on with other frontends. */
static void
replace_backend(struct fixture *f, const struct names *n, uint8_t proto)
{
	struct service_table *last = f->services, *next = service_table_next(last);
	const struct frontend_shape shape = { .n_backends = 1, .n_buckets = 1 };
	struct frontend front = {
		.port = PORT_NEAR, .proto = proto, .kind = FRONTEND_NODE_PORT, .flags = FRONTEND_EXPOSED
	};
	struct backend was = { .port = 8080 };
	struct frontend_parts parts;
	uint32_t ref;

	assert_true(ip_addr_parse(n->node, &front.addr) && ip_addr_parse(n->pod2, &was.addr));
	assert_int_equal(service_table_shape(next, &front, &shape, &parts), 0);
	parts.buckets[0] = 0;
	parts.backends[0].port = 8080;
	parts.backends[0].slot = 1;
	assert_true(ip_addr_parse(n->pod1, &parts.backends[0].addr));
	assert_int_equal(service_table_replace(next, &front), 0);
	ref = service_table_ref(next, &front.addr, PORT_NEAR, proto);
	assert_int_equal(service_table_unlink(next, &was, proto, ref), 0);
	assert_int_equal(service_table_link(next, parts.backends, proto, ref), 0);
	service_table_commit(next);
	f->services = next;
	f->tables.services = next;
	service_table_free(last);
}

static void
datagrams_leave_a_backend_that_serves_others_only(void **state)
{
	FOREACH_WORLD(n, n_workers)
	{
		struct fixture *f = world(n_workers);
		const struct layer *datagram =
			PKT(ETH("peer", "uplink"), IP(n->client, n->node), UDP(40000, PORT_NEAR), DATA(10));
		uint16_t wire = connect_client(f, n, 40000);
		struct pkt got;

		assert_true(pass(f, FIXTURE_UPLINK, datagram, FIXTURE_POD2, &got));
		replace_backend(f, n, PROTO_TCP);
		replace_backend(f, n, PROTO_UDP);
		for (unsigned i = 0; i < 2; i++)
			assert_true(pass(f, FIXTURE_UPLINK, datagram, FIXTURE_POD1, &got));
		client_sends(f, n, 40000, ACK, SEQ + 1, &wire);
		assert_whole(f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_is_confirmed_by_the_number_of_the_syn_ack),
		cmocka_unit_test(datagrams_are_confirmed_by_an_answer_and_another_one),
		cmocka_unit_test(each_client_gets_its_own_answers),
		cmocka_unit_test(a_flood_takes_nothing_from_who_is_connected),
		cmocka_unit_test(resets_and_openings_of_strangers_end_nothing),
		cmocka_unit_test(a_closed_connections_port_can_be_used_again),
		cmocka_unit_test(datagrams_leave_a_backend_that_serves_others_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
