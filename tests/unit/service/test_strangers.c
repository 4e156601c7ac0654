/* What strangers, who send to exposed frontends under any address but hear no answer, cannot do to the flows of others, packet
 * by packet through real workers. test_inbound.c has the rules for flows themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <stdlib.h>

#include "dataplane/net/parse.h"
#include "dataplane/service/flow_owner.h"
#include "tests/packets/names.h"
#include "tests/support/exposed.h"
#include "tests/support/pkt_build.h"

#define SECOND UINT64_C(1000000000)
#define SERVER_SEQ 5000
#define CLIENT_SEQ 7000

static const struct names {
	const char *client, *node, *pod;
} families[N_FAMILIES] = {
	[V4] = { CLIENT_V4, NODE_V4, POD2_V4 },
	[V6] = { CLIENT_V6, NODE_V6, POD2_V6 },
};

/* Every test runs in both families, with one worker and with two. */
#define FOREACH_WORLD(f, n)                                                              \
	for (unsigned world = 0; world < 4; world++)                                     \
		for (const struct names *n = &families[world & 1]; n != NULL; n = NULL)  \
			for (struct fixture *f = world_new(1 + (world >> 1)); f != NULL; \
				fixture_free(f), f = NULL)

static struct fixture *
world_new(unsigned n_workers)
{
	struct fixture *f = fixture_new(n_workers, false);

	exposed_services(f);
	return f;
}

/* What leaves by port 'to' after this came in, parsed; without a protocol when nothing does. */
static struct pkt
pass(struct fixture *f, enum fixture_port from, const struct layer *layers, enum fixture_port to)
{
	struct pkt out = { .origin = ORIGIN_POD };
	struct frame in;

	pkt_build(&in, layers, 50000);
	assert_true(port_mem_give(&f->ports[from], in.bytes, in.len));
	fixture_run(f);
	if (f->ports[to].n_out != 0) {
		out.data = f->ports[to].out[0].data;
		out.len = f->ports[to].out[0].len;
		parse_pkt(&out);
	}
	fixture_clear(f);
	assert_null(fixture_audit(f));
	return out;
}

#define FROM_CLIENT(n, ...) PKT(ETH("peer", "uplink"), IP((n)->client, (n)->node), __VA_ARGS__)
#define FROM_POD(n, client, ...) PKT(ETH("pod2", "gw"), IP((n)->pod, client), __VA_ARGS__)

/* As whom the pod sees the client, as text. */
static const char *
seen_as(const struct pkt *p)
{
	static char text[IP_ADDR_STRLEN];

	return ip_addr_format(&p->src, text);
}

static uint32_t
n_entries(struct nat_flows *const flows[FIXTURE_WORKERS_MAX])
{
	return flows[0]->n + (flows[1] == NULL ? 0 : flows[1]->n);
}

/* The client's opening segment and the pod's answer; what the pod saw. */
static struct pkt
begin(struct fixture *f, const struct names *n, uint16_t client_port, uint16_t port)
{
	struct pkt seen = pass(f, FIXTURE_UPLINK,
		FROM_CLIENT(n, TCP(client_port, port, TCP_SYN, .seq = CLIENT_SEQ)), FIXTURE_POD2);

	assert_int_equal(seen.proto, PROTO_TCP);
	assert_int_equal(pass(f, FIXTURE_POD2,
				 FROM_POD(n, seen_as(&seen),
					 TCP(8080, seen.sport, TCP_SYN | TCP_ACK, .seq = SERVER_SEQ,
						 .ack = CLIENT_SEQ + 1)),
				 FIXTURE_UPLINK)
				 .dport,
		client_port);
	return seen;
}

static void
acknowledge(struct fixture *f, const struct names *n, uint16_t client_port, uint16_t port, uint32_t ack)
{
	pass(f, FIXTURE_UPLINK,
		FROM_CLIENT(n, TCP(client_port, port, TCP_ACK, .seq = CLIENT_SEQ + 1, .ack = ack)),
		FIXTURE_POD2);
}

static void
a_backend_that_sees_its_client_never_sees_two_of_its_flows_as_one(void **state)
{
	FOREACH_WORLD(f, n)
	{
		struct pkt seen;

		begin(f, n, 40000, PORT_LOCAL);
		acknowledge(f, n, 40000, PORT_LOCAL, SERVER_SEQ + 1);
		assert_int_equal(n_entries(f->inbound), 1);
		seen = pass(
			f, FIXTURE_UPLINK, FROM_CLIENT(n, TCP(40000, PORT_LOCAL_TOO, TCP_SYN)), FIXTURE_POD2);
		assert_int_equal(seen.proto, 0);
		/* from another port, it is another flow */
		begin(f, n, 40002, PORT_LOCAL_TOO);
		/* and once the first one is closed, its port may be used again */
		pass(f, FIXTURE_UPLINK,
			FROM_CLIENT(n, TCP(40000, PORT_LOCAL, TCP_RST, .seq = CLIENT_SEQ + 1)), FIXTURE_POD2);
		begin(f, n, 40000, PORT_LOCAL_TOO);
	}
}

/* Datagrams under false addresses to a service that answers: two of each address confirm a flow. */
static void
strangers_datagrams_leave_room_for_connections(void **state)
{
	FOREACH_WORLD(f, n)
	{
		for (unsigned i = 0; i < 3 * FIXTURE_INBOUND; i++) {
			uint16_t port = (uint16_t)(1024 + i);
			const struct layer *datagram = FROM_CLIENT(n, UDP(port, PORT_NEAR), DATA(8));
			struct pkt seen = pass(f, FIXTURE_UPLINK, datagram, FIXTURE_POD2);

			assert_int_equal(seen.proto, PROTO_UDP);
			pass(f, FIXTURE_POD2, FROM_POD(n, seen_as(&seen), UDP(8080, seen.sport), DATA(8)),
				FIXTURE_UPLINK);
			pass(f, FIXTURE_UPLINK, datagram, FIXTURE_POD2);
		}
		assert_in_range(n_entries(f->inbound), 1, f->n_workers * FIXTURE_INBOUND - 1);
		for (uint16_t port = 40000; port < 40010; port++) {
			uint32_t before = n_entries(f->inbound);

			begin(f, n, port, PORT_NEAR);
			acknowledge(f, n, port, PORT_NEAR, SERVER_SEQ + 1);
			assert_int_equal(n_entries(f->inbound), before + 1);
		}
	}
}

static void
quiet_for(struct fixture *f, uint64_t ns)
{
	for (unsigned i = 0; i < f->n_workers; i++) {
		f->workers[i]->now_ns += ns;
		for (unsigned k = 0; k < FIXTURE_INBOUND; k++)
			nat_flows_expire_some(f->inbound[i], f->workers[i]->now_ns);
	}
}

static void
a_strangers_reset_does_not_end_a_quiet_connection(void **state)
{
	FOREACH_WORLD(f, n)
	{
		begin(f, n, 40000, PORT_NEAR);
		acknowledge(f, n, 40000, PORT_NEAR, SERVER_SEQ + 1);
		for (unsigned i = 1; i < 16; i++)
			pass(f, FIXTURE_UPLINK,
				FROM_CLIENT(n, TCP(40000, PORT_NEAR, TCP_RST,
						       .seq = CLIENT_SEQ + i * (UINT32_C(1) << 28))),
				FIXTURE_POD2);
		quiet_for(f, 3600 * SECOND);
		assert_int_equal(n_entries(f->inbound), 1);
		/* the client's own has the next number, or one a little ahead of what we saw acknowledged */
		pass(f, FIXTURE_UPLINK,
			FROM_CLIENT(n, TCP(40000, PORT_NEAR, TCP_RST, .seq = CLIENT_SEQ + 1000)),
			FIXTURE_POD2);
		quiet_for(f, 3600 * SECOND);
		assert_int_equal(n_entries(f->inbound), 0);
	}
}

#define OTHER_V4 "203.0.113.250"
#define OTHER_V6 "2001:db8:ffff:1::7"

/* A client that is really there, and completes what it begins. */
static void
one_client_leaves_room_for_others(void **state)
{
	FOREACH_WORLD(f, n)
	{
		bool v4 = n == &families[V4];
		struct names other = *n, sibling = *n;
		uint32_t most = f->n_workers * FIXTURE_INBOUND / 2;
		struct counters c;
		struct ip_addr named;
		uint64_t when_ns;

		other.client = v4 ? OTHER_V4 : OTHER_V6;
		sibling.client = v4 ? n->client : "2001:db8:ffff::1234"; /* of the same /64 */
		begin(f, &other, 50000, PORT_NEAR);
		acknowledge(f, &other, 50000, PORT_NEAR, SERVER_SEQ + 1);
		for (unsigned i = 0; i < 3 * FIXTURE_INBOUND; i++) {
			const struct names *who = i % 2 == 0 ? n : &sibling;

			begin(f, who, (uint16_t)(1024 + i), PORT_NEAR);
			acknowledge(f, who, (uint16_t)(1024 + i), PORT_NEAR, SERVER_SEQ + 1);
		}
		assert_int_equal(n_entries(f->inbound), most + 1);
		fixture_counters(f, &c);
		assert_int_equal(c.counts[COUNT_INBOUND_OVER], 3 * FIXTURE_INBOUND - most);
		assert_true(nat_flows_refused(f->inbound[0], &named, &when_ns));
		assert_true(ip_addr_is_v4(&named) == v4 && (v4 || named.w[1] == 0));
		/* what it has besides goes on, while nobody needs the room */
		assert_int_equal(pass(f, FIXTURE_UPLINK,
					 FROM_CLIENT(&sibling,
						 TCP(1024 + 3 * FIXTURE_INBOUND - 1, PORT_NEAR, TCP_ACK)),
					 FIXTURE_POD2)
					 .proto,
			PROTO_TCP);
		/* others stand, and others come */
		assert_int_equal(pass(f, FIXTURE_UPLINK, FROM_CLIENT(&other, TCP(50000, PORT_NEAR, TCP_ACK)),
					 FIXTURE_POD2)
					 .proto,
			PROTO_TCP);
		for (uint16_t port = 40000; port < 40010; port++) {
			uint32_t before = n_entries(f->inbound);

			begin(f, &other, port, PORT_NEAR);
			acknowledge(f, &other, port, PORT_NEAR, SERVER_SEQ + 1);
			assert_int_equal(n_entries(f->inbound), before + 1);
		}
	}
}

/* The backend is another node's own address, which answers; the client acknowledges that. */
static void
connect_beyond(struct fixture *f, const struct names *n, uint16_t client_port)
{
	const char *peer = strchr(n->node, ':') != NULL ? PEER_V6 : PEER_V4;
	struct pkt seen = pass(f, FIXTURE_UPLINK,
		FROM_CLIENT(n, TCP(client_port, PORT_BEYOND, TCP_SYN, .seq = CLIENT_SEQ)), FIXTURE_UPLINK);

	assert_int_equal(seen.dport, 9000);
	pass(f, FIXTURE_UPLINK,
		PKT(ETH("peer", "uplink"), IP(peer, n->node),
			TCP(9000, seen.sport, TCP_SYN | TCP_ACK, .seq = SERVER_SEQ, .ack = CLIENT_SEQ + 1)),
		FIXTURE_UPLINK);
	pass(f, FIXTURE_UPLINK,
		FROM_CLIENT(n,
			TCP(client_port, PORT_BEYOND, TCP_ACK, .seq = CLIENT_SEQ + 1, .ack = SERVER_SEQ + 1)),
		FIXTURE_UPLINK);
}

/* Towards a backend outside there are 128 ports for clients outside, of which one may have three quarters. */
static void
one_client_leaves_ports_for_others(void **state)
{
	static const char *const segments[] = { "192.0.2.0/24", "2001:db8::/64" };
	const struct mac_addr mac = pkt_mac("peer");

	FOREACH_WORLD(f, n)
	{
		struct names other = *n;
		struct ip_prefix prefix;

		for (unsigned i = 0; i < 2; i++) {
			assert_true(ip_prefix_parse(segments[i], &prefix));
			route_table_add_outside(f->routes, &prefix, ROUTE_UNDERLAY, &mac, 0);
		}
		other.client = n == &families[V4] ? OTHER_V4 : OTHER_V6;
		for (uint16_t i = 0; i < 600; i++)
			connect_beyond(f, n, (uint16_t)(1024 + i));
		assert_int_equal(n_entries(f->inbound), 96);
		for (uint16_t i = 0; i < 10; i++)
			connect_beyond(f, &other, (uint16_t)(40000 + i));
		assert_int_equal(n_entries(f->inbound), 106);
	}
}

#define CHUNK(type) RAW(type, 0, 0, 4)
#define INIT 1
#define INIT_ACK 2
#define COOKIE_ECHO 10
#define COOKIE_ACK 11
#define DATA_CHUNK 0
#define TAG 0xcafe0001u

/* The client's packet and the backend's answer to it (0xff: none). */
static void
associate(struct fixture *f, const struct names *n, uint16_t client_port, uint8_t chunk, uint8_t answer)
{
	struct pkt seen = pass(f, FIXTURE_UPLINK,
		FROM_CLIENT(n, SCTP(client_port, PORT_NEAR, .tag = TAG), CHUNK(chunk)), FIXTURE_POD2);

	assert_int_equal(seen.proto, PROTO_SCTP);
	if (answer != 0xff)
		assert_int_equal(pass(f, FIXTURE_POD2,
					 FROM_POD(n, seen_as(&seen), SCTP(8080, seen.sport), CHUNK(answer)),
					 FIXTURE_UPLINK)
					 .dport,
			client_port);
}

static void
an_association_is_confirmed_by_its_cookie(void **state)
{
	FOREACH_WORLD(f, n)
	{
		/* whatever strangers send that never saw a cookie, no backend acknowledges one */
		for (unsigned i = 0; i < FIXTURE_INBOUND; i++) {
			uint16_t port = (uint16_t)(1024 + i);

			associate(f, n, port, INIT, INIT_ACK);
			associate(f, n, port, i % 2 == 0 ? DATA_CHUNK : COOKIE_ECHO, 0xff);
			associate(f, n, port, i % 2 == 0 ? COOKIE_ACK : INIT, INIT_ACK);
		}
		assert_int_equal(n_entries(f->inbound), 0);
		for (uint16_t port = 40000; port < 40010; port++) {
			associate(f, n, port, INIT, INIT_ACK);
			associate(f, n, port, COOKIE_ECHO, COOKIE_ACK);
		}
		assert_int_equal(n_entries(f->inbound), 10);
	}
}

/* The next hop of what a backend answers to a client. */
static struct mac_addr
way_back(struct fixture *f, const struct names *n, const struct pkt *seen, const struct layer *l4)
{
	struct pkt out = pass(f, FIXTURE_POD2,
		PKT(ETH("pod2", "gw"), IP(n->pod, seen_as(seen)), l4[0], { LAYER_END }), FIXTURE_UPLINK);
	struct mac_addr dst;

	assert_non_null(out.data);
	memcpy(&dst, out.data, sizeof(dst));
	return dst;
}

#define BY(mac, n, ...) PKT(ETH(mac, "uplink"), IP((n)->client, (n)->node), __VA_ARGS__)
#define ASSERT_WAY(f, n, seen, mac, ...)                                                           \
	do {                                                                                       \
		struct mac_addr got = way_back(f, n, seen, PKT(__VA_ARGS__)), want = pkt_mac(mac); \
		assert_memory_equal(&got, &want, sizeof(got));                                     \
	} while (0)
#define ANSWER TCP(8080, seen.sport, TCP_ACK, .ack = CLIENT_SEQ + 1)

static void
only_a_connections_own_packets_show_another_way_back(void **state)
{
	FOREACH_WORLD(f, n)
	{
		struct pkt seen = begin(f, n, 40000, PORT_NEAR);

		/* half-open: a stranger's acknowledgement, by another way */
		pass(f, FIXTURE_UPLINK, BY("other", n, TCP(40000, PORT_NEAR, TCP_ACK, .ack = 1)),
			FIXTURE_POD2);
		ASSERT_WAY(f, n, &seen, "peer", ANSWER);
		acknowledge(f, n, 40000, PORT_NEAR, SERVER_SEQ + 1);
		/* confirmed: numbers that the client does not have now, opening segments, and what has no number */
		for (unsigned i = 1; i < 16; i++)
			pass(f, FIXTURE_UPLINK,
				BY("other", n,
					TCP(40000, PORT_NEAR, TCP_ACK,
						.seq = CLIENT_SEQ + i * (UINT32_C(1) << 28))),
				FIXTURE_POD2);
		pass(f, FIXTURE_UPLINK, BY("other", n, TCP(40000, PORT_NEAR, TCP_SYN, .seq = CLIENT_SEQ + 1)),
			FIXTURE_POD2);
		ASSERT_WAY(f, n, &seen, "peer", ANSWER);
		/* the client's own: what comes next, and whether we are still there */
		pass(f, FIXTURE_UPLINK,
			BY("other", n, TCP(40000, PORT_NEAR, TCP_ACK, .seq = CLIENT_SEQ + 1001), DATA(10)),
			FIXTURE_POD2);
		ASSERT_WAY(f, n, &seen, "other", ANSWER);
		pass(f, FIXTURE_UPLINK, BY("peer", n, TCP(40000, PORT_NEAR, TCP_ACK, .seq = CLIENT_SEQ)),
			FIXTURE_POD2);
		ASSERT_WAY(f, n, &seen, "peer", ANSWER);
	}
}

static void
only_an_associations_own_packets_do(void **state)
{
	FOREACH_WORLD(f, n)
	{
		struct pkt seen;

		associate(f, n, 40000, INIT, INIT_ACK);
		seen = pass(f, FIXTURE_UPLINK,
			BY("other", n, SCTP(40000, PORT_NEAR, .tag = 7), CHUNK(DATA_CHUNK)), FIXTURE_POD2);
		ASSERT_WAY(f, n, &seen, "peer", SCTP(8080, seen.sport));
		associate(f, n, 40000, COOKIE_ECHO, COOKIE_ACK);
		assert_int_equal(n_entries(f->inbound), 1);
		pass(f, FIXTURE_UPLINK, BY("other", n, SCTP(40000, PORT_NEAR, .tag = 7), CHUNK(DATA_CHUNK)),
			FIXTURE_POD2);
		ASSERT_WAY(f, n, &seen, "peer", SCTP(8080, seen.sport));
		pass(f, FIXTURE_UPLINK, BY("other", n, SCTP(40000, PORT_NEAR, .tag = TAG), CHUNK(DATA_CHUNK)),
			FIXTURE_POD2);
		ASSERT_WAY(f, n, &seen, "other", SCTP(8080, seen.sport));
	}
}

/* They have nothing to tell them from a stranger's. */
static void
any_datagram_of_a_client_does(void **state)
{
	FOREACH_WORLD(f, n)
	{
		struct pkt seen = pass(f, FIXTURE_UPLINK, BY("peer", n, UDP(40000, PORT_NEAR)), FIXTURE_POD2);

		ASSERT_WAY(f, n, &seen, "peer", UDP(8080, seen.sport));
		pass(f, FIXTURE_UPLINK, BY("other", n, UDP(40000, PORT_NEAR)), FIXTURE_POD2);
		ASSERT_WAY(f, n, &seen, "other", UDP(8080, seen.sport));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_backend_that_sees_its_client_never_sees_two_of_its_flows_as_one),
		cmocka_unit_test(strangers_datagrams_leave_room_for_connections),
		cmocka_unit_test(one_client_leaves_room_for_others),
		cmocka_unit_test(one_client_leaves_ports_for_others),
		cmocka_unit_test(an_association_is_confirmed_by_its_cookie),
		cmocka_unit_test(only_a_connections_own_packets_show_another_way_back),
		cmocka_unit_test(only_an_associations_own_packets_do),
		cmocka_unit_test(any_datagram_of_a_client_does),
		cmocka_unit_test(a_strangers_reset_does_not_end_a_quiet_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
