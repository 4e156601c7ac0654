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
#define FROM_POD2 ETH("pod2", "gw")

struct flood {
	struct fixture *f;
	uint16_t wires[N_FAMILIES][CLIENTS]; /* as whom pod2 knows each client */
};

static const char *const nodes[N_FAMILIES] = { [V4] = NODE_V4, [V6] = NODE_V6 };
static const char *const pods[N_FAMILIES] = { [V4] = POD2_V4, [V6] = POD2_V6 };
static const char *const clients[N_FAMILIES] = { [V4] = CLIENT_V4, [V6] = CLIENT_V6 };
static const char *const inbound[N_FAMILIES] = { [V4] = INBOUND_V4, [V6] = INBOUND_V6 };

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
		PKT(FROM_OUTSIDE, IP(clients[family], nodes[family]), TCP(client, PORT_NEAR, TCP_SYN)));
	take(x, FIXTURE_POD2, &x->wires[family][i], &dport);
	assert_int_equal(dport, 8080);
	give(x, FIXTURE_POD2,
		PKT(FROM_POD2, IP(pods[family], inbound[family]),
			TCP(8080, x->wires[family][i], TCP_SYN | TCP_ACK, .seq = SERVER_SEQ)));
	take(x, FIXTURE_UPLINK, &sport, &dport);
	assert_int_equal(dport, client);
	give(x, FIXTURE_UPLINK,
		PKT(FROM_OUTSIDE, IP(clients[family], nodes[family]),
			TCP(client, PORT_NEAR, TCP_ACK, .ack = SERVER_SEQ + 1)));
	take(x, FIXTURE_POD2, &sport, &dport);
}

/* Something each way, between the same ports as ever. */
static void
assert_stands(struct flood *x, unsigned family, unsigned i)
{
	uint16_t sport, dport;

	give(x, FIXTURE_UPLINK,
		PKT(FROM_OUTSIDE, IP(clients[family], nodes[family]), TCP(client_port(i), PORT_NEAR, TCP_ACK),
			DATA(10)));
	take(x, FIXTURE_POD2, &sport, &dport);
	assert_int_equal(sport, x->wires[family][i]);
	give(x, FIXTURE_POD2,
		PKT(FROM_POD2, IP(pods[family], inbound[family]), TCP(8080, sport, TCP_ACK), DATA(10)));
	take(x, FIXTURE_UPLINK, &sport, &dport);
	assert_int_equal(sport, PORT_NEAR);
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
	struct port_mem *uplink = &x->f->ports[FIXTURE_UPLINK], *pod = &x->f->ports[FIXTURE_POD2];
	struct frame syn, ack;
	char source[IP_ADDR_STRLEN];

	snprintf(source, sizeof(source), family == V4 ? "203.0.113.%u" : "2001:db8:ffff::%u", 100 + stranger);
	pkt_build(&syn, PKT(FROM_OUTSIDE, IP(source, nodes[family]), TCP(0, PORT_NEAR, TCP_SYN)), 50000);
	pkt_build(&ack,
		PKT(FROM_OUTSIDE, IP(source, nodes[family]), TCP(0, PORT_NEAR, TCP_ACK, .ack = 12345)),
		50000);
	for (unsigned i = 0; i < PORTS; i++) {
		set_port(&syn, (uint16_t)(1024 + i));
		set_port(&ack, (uint16_t)(1024 + i));
		assert_true(port_mem_give(uplink, syn.bytes, syn.len));
		fixture_run(x->f);
		if (i % 1000 == 0) {
			uint16_t wire, dport;

			take(x, FIXTURE_POD2, &wire, &dport);
			give(x, FIXTURE_POD2,
				PKT(FROM_POD2, IP(pods[family], inbound[family]),
					TCP(8080, wire, TCP_SYN | TCP_ACK, .seq = SERVER_SEQ)));
		}
		assert_true(port_mem_give(uplink, ack.bytes, ack.len));
		fixture_run(x->f);
		if (pod->n_out > PORT_MEM_DEPTH / 2 || uplink->n_out != 0 || i % 1000 == 999)
			fixture_clear(x->f);
	}
	fixture_clear(x->f);
}

static void
a_flood_from_outside_costs_no_connection(void **state)
{
	for (unsigned workers = 1; workers <= FIXTURE_WORKERS_MAX; workers++) {
		struct flood x = { .f = fixture_new(workers, false) };
		struct counters c;

		exposed_services(x.f);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_from_outside_costs_no_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
