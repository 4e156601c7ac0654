/* Floods from outside the cluster: half-open connections by the hundred thousand, and acknowledgements of numbers that
 * their sender never saw. Connections whose clients were heard lose nothing, whatever their family. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/packets/names.h"
#include "tests/support/exposed.h"
#include "tests/support/pkt_build.h"
#include "tests/support/pkt_check.h"

#define CLIENTS 8 /* of each family, with connections that stand */
#define STRANGERS 8
#define PORTS \
	31250 /* of each stranger: half a million half-open connections in all, for each number of workers */
#define SERVER_SEQ 90000

#define FROM_OUTSIDE ETH("peer", "uplink")

/* Where the service's backend is: on this node, or outside, at another node's own address. */
struct target {
	uint16_t frontend_port, backend_port;
	enum fixture_port port; /* its packets come out there */
	const char *mac, *next_hop;
	const char *addrs[N_FAMILIES];
	const char *sees[N_FAMILIES]; /* whom it sees in place of clients */
};

static const struct target targets[] = {
	{ PORT_NEAR, 8080, FIXTURE_POD2, "pod2", "gw", { POD2_V4, POD2_V6 }, { INBOUND_V4, INBOUND_V6 } },
	{ PORT_BEYOND, 9000, FIXTURE_UPLINK, "peer", "uplink", { PEER_V4, PEER_V6 }, { NODE_V4, NODE_V6 } },
};

struct flood {
	struct fixture *f;
	const struct target *to;
	uint16_t wires[N_FAMILIES][CLIENTS]; /* as whom the backend knows each client */
};

static const char *const nodes[N_FAMILIES] = { [V4] = NODE_V4, [V6] = NODE_V6 };
static const char *const clients[N_FAMILIES] = { [V4] = CLIENT_V4, [V6] = CLIENT_V6 };

static struct counters
counters_of(const struct flood *x)
{
	struct counters c;

	fixture_counters(x->f, &c);
	return c;
}

static void
give(struct flood *x, enum fixture_port port, const struct layer *layers)
{
	struct frame in;

	pkt_build(&in, layers, 50000);
	assert_true(port_mem_give(&x->f->ports[port], in.bytes, in.len));
	fixture_run(x->f);
}

static struct tcp_hdr *
tcp_of(uint8_t *frame)
{
	return (struct tcp_hdr *)(frame + sizeof(struct eth_hdr) +
				  (frame[12] == 0x08 ? sizeof(struct ipv4_hdr) : sizeof(struct ipv6_hdr)));
}

/* What the backend sends to a client that it knows by a port. */
#define ANSWER(x, family, wire, ...)                                                                 \
	PKT(ETH((x)->to->mac, (x)->to->next_hop), IP((x)->to->addrs[family], (x)->to->sees[family]), \
		TCP((x)->to->backend_port, wire, __VA_ARGS__))

/* The only frame that a port has sent, checked; its source and destination ports. */
static void
take(struct flood *x, enum fixture_port port, uint16_t *sport, uint16_t *dport)
{
	struct port_mem *m = &x->f->ports[port];
	const struct tcp_hdr *tcp;

	assert_int_equal(m->n_out, 1);
	assert_null(pkt_check(m->out[0].data, m->out[0].len));
	tcp = tcp_of(m->out[0].data);
	*sport = be16_host(tcp->sport);
	*dport = be16_host(tcp->dport);
	fixture_clear(x->f);
}

static uint16_t
client_port(unsigned i)
{
	return (uint16_t)(60000 + i);
}

/* A handshake, at the end of which the client has shown that it gets our answers. */
static void
connect_client(struct flood *x, unsigned family, unsigned i)
{
	uint16_t sport, dport, client = client_port(i);

	give(x, FIXTURE_UPLINK,
		PKT(FROM_OUTSIDE, IP(clients[family], nodes[family]),
			TCP(client, x->to->frontend_port, TCP_SYN)));
	take(x, x->to->port, &x->wires[family][i], &dport);
	assert_int_equal(dport, x->to->backend_port);
	give(x, x->to->port, ANSWER(x, family, x->wires[family][i], TCP_SYN | TCP_ACK, .seq = SERVER_SEQ));
	take(x, FIXTURE_UPLINK, &sport, &dport);
	assert_int_equal(dport, client);
	give(x, FIXTURE_UPLINK,
		PKT(FROM_OUTSIDE, IP(clients[family], nodes[family]),
			TCP(client, x->to->frontend_port, TCP_ACK, .ack = SERVER_SEQ + 1)));
	take(x, x->to->port, &sport, &dport);
}

/* Something each way, between the same ports as ever. */
static void
assert_stands(struct flood *x, unsigned family, unsigned i)
{
	uint16_t sport, dport;

	give(x, FIXTURE_UPLINK,
		PKT(FROM_OUTSIDE, IP(clients[family], nodes[family]),
			TCP(client_port(i), x->to->frontend_port, TCP_ACK), DATA(10)));
	take(x, x->to->port, &sport, &dport);
	assert_int_equal(sport, x->wires[family][i]);
	give(x, x->to->port, ANSWER(x, family, sport, TCP_ACK));
	take(x, FIXTURE_UPLINK, &sport, &dport);
	assert_int_equal(sport, x->to->frontend_port);
	assert_int_equal(dport, client_port(i));
}

static void
assert_all_stand(struct flood *x)
{
	for (unsigned family = 0; family < N_FAMILIES; family++)
		for (unsigned i = 0; i < CLIENTS; i++)
			assert_stands(x, family, i);
}

/* The window takes up what the port adds, in ones' complement, so that the checksum stays right. */
static void
set_port(struct frame *frame, uint16_t port)
{
	struct tcp_hdr *tcp = tcp_of(frame->bytes);
	unsigned sum = be16_host(tcp->window) + be16_host(tcp->sport);

	tcp->sport = be16_from(port);
	tcp->window = be16_from((uint16_t)((sum + 0xffff - port) % 0xffff));
}

/* A stranger's SYN and its ACK of a number that it guessed. The backend answers every thousandth. */
static void
flood_from(struct flood *x, unsigned family, unsigned stranger)
{
	struct port_mem *uplink = &x->f->ports[FIXTURE_UPLINK], *backend = &x->f->ports[x->to->port];
	struct frame syn, ack;
	char source[IP_ADDR_STRLEN];

	snprintf(source, sizeof(source), family == V4 ? "203.0.113.%u" : "2001:db8:ffff::%u", 100 + stranger);
	pkt_build(&syn, PKT(FROM_OUTSIDE, IP(source, nodes[family]), TCP(0, x->to->frontend_port, TCP_SYN)),
		50000);
	pkt_build(&ack,
		PKT(FROM_OUTSIDE, IP(source, nodes[family]),
			TCP(0, x->to->frontend_port, TCP_ACK, .ack = 12345)),
		50000);
	for (unsigned i = 0; i < PORTS; i++) {
		set_port(&syn, (uint16_t)(1024 + i));
		set_port(&ack, (uint16_t)(1024 + i));
		assert_true(port_mem_give(uplink, syn.bytes, syn.len));
		fixture_run(x->f);
		if (i % 1000 == 0) {
			uint16_t wire, dport;

			take(x, x->to->port, &wire, &dport);
			give(x, x->to->port, ANSWER(x, family, wire, TCP_SYN | TCP_ACK, .seq = SERVER_SEQ));
		}
		assert_true(port_mem_give(uplink, ack.bytes, ack.len));
		fixture_run(x->f);
		if (backend->n_out > PORT_MEM_DEPTH / 2 || uplink->n_out != 0 || i % 1000 == 999)
			fixture_clear(x->f);
	}
	fixture_clear(x->f);
}

/* The peer's segment is the uplink's. */
static void
add_segment(struct fixture *f)
{
	static const char *const segments[] = { "192.0.2.0/24", "2001:db8::/64" };
	const struct mac_addr mac = pkt_mac("peer");
	struct ip_prefix prefix;

	for (unsigned i = 0; i < 2; i++) {
		assert_true(ip_prefix_parse(segments[i], &prefix));
		route_table_add_outside(f->routes, &prefix, ROUTE_UNDERLAY, &mac, 0);
	}
}

static void
flood(const struct target *to)
{
	for (unsigned workers = 1; workers <= FIXTURE_WORKERS_MAX; workers++) {
		struct flood x = { .f = fixture_new(workers, false), .to = to };
		struct counters c;

		exposed_services(x.f);
		add_segment(x.f);
		for (unsigned family = 0; family < N_FAMILIES; family++)
			for (unsigned i = 0; i < CLIENTS; i++)
				connect_client(&x, family, i);
		assert_int_equal(counters_of(&x).counts[COUNT_INBOUND_CONFIRMED], N_FAMILIES * CLIENTS);
		for (unsigned stranger = 0; stranger < STRANGERS; stranger++) {
			for (unsigned family = 0; family < N_FAMILIES; family++)
				flood_from(&x, family, stranger);
			assert_all_stand(&x);
		}
		c = counters_of(&x);
		assert_int_equal(c.counts[COUNT_INBOUND_CREATED], N_FAMILIES * (CLIENTS + STRANGERS * PORTS));
		assert_int_equal(c.counts[COUNT_INBOUND_CONFIRMED], N_FAMILIES * CLIENTS);
		assert_true(c.counts[COUNT_HALF_OPEN_EVICTED] > N_FAMILIES * STRANGERS * PORTS / 2);
		/* and who comes now is let in */
		connect_client(&x, V4, CLIENTS - 1);
		assert_null(fixture_audit(x.f));
		fixture_free(x.f);
	}
}

static void
a_flood_from_outside_costs_no_connection(void **state)
{
	flood(&targets[0]);
}

/* Where ports are few: half of what the node has for flows out of the cluster. */
static void
nor_one_towards_backends_outside(void **state)
{
	flood(&targets[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_from_outside_costs_no_connection),
		cmocka_unit_test(nor_one_towards_backends_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
