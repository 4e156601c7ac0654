/* Session affinity of clients outside over their time, on real workers: a client stays with its backend while endpoints
 * come and go, until the service's timeout has passed without a new connection, or the backend goes; whatever its ports,
 * and whichever worker its packets and their answers arrive at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "dataplane/net/parse.h"
#include "dataplane/service/affinity.h"
#include "dataplane/service/flow_owner.h"
#include "dataplane/service/service_table_edit.h"
#include "tests/packets/names.h"
#include "tests/support/exposed.h"
#include "tests/support/pkt_build.h"

#define SECOND UINT64_C(1000000000)
#define TIMEOUT_S 600
#define SEQ 4000000000u
#define BUCKETS 64
#define PODS 2
#define PORT 80

static const struct names {
	const char *node, *inbound, *balancer, *client_format;
	const char *pods[PODS];
} families[N_FAMILIES] = {
	[V4] = { NODE_V4, INBOUND_V4, BALANCER_V4, "203.0.113.%u", { POD1_V4, POD2_V4 } },
	[V6] = { NODE_V6, INBOUND_V6, BALANCER_V6, "2001:db8:ffff::%x", { POD1_V6, POD2_V6 } },
};

/* What a client outside may ask, both with and without its address kept. */
static const struct kind {
	enum frontend_kind kind;
	uint16_t flags;
} kinds[] = {
	{ FRONTEND_NODE_PORT, FRONTEND_EXPOSED | FRONTEND_AFFINITY },
	{ FRONTEND_NODE_PORT, FRONTEND_EXPOSED | FRONTEND_AFFINITY | FRONTEND_LOCAL },
	{ FRONTEND_LOAD_BALANCER, FRONTEND_EXPOSED | FRONTEND_AFFINITY },
	{ FRONTEND_LOAD_BALANCER, FRONTEND_EXPOSED | FRONTEND_AFFINITY | FRONTEND_LOCAL },
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct lab {
	const struct names *n;
	struct kind kind;
	uint8_t proto;
	struct fixture *f;
};

/* Each kind in each family, with one worker and with two, over TCP and UDP. */
static void
in_all_worlds(void (*test)(struct lab *lab))
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP };

	for (unsigned i = 0; i < N_KINDS * N_FAMILIES * 2 * 2; i++) {
		unsigned n_workers = 1 + i / 2 % 2;
		struct lab lab = {
			.n = &families[i % 2],
			.kind = kinds[i / 8],
			.proto = protos[i / 4 % 2],
			.f = fixture_new(n_workers, false),
		};
		const char *wrong;

		for (unsigned w = 0; w < n_workers; w++)
			lab.f->workers[w]->now_ns = 1000 * SECOND;
		test(&lab);
		wrong = fixture_audit(lab.f);
		if (wrong != NULL)
			fail_msg("%s", wrong);
		fixture_free(lab.f);
	}
}

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

static const char *
frontend_text(const struct lab *lab)
{
	return lab->kind.kind == FRONTEND_NODE_PORT ? lab->n->node : lab->n->balancer;
}

/* What an endpoint change makes of the service: bucket i names backend (i + turn) % n, these are pods from 'first' on. */
struct serving {
	unsigned turn, first, n;
	uint32_t generation;
};

static void
fill_parts(const struct lab *lab, const struct serving *s, const struct frontend_parts *parts)
{
	for (unsigned i = 0; i < s->n; i++)
		parts->backends[i] = (struct backend){
			.addr = addr(lab->n->pods[s->first + i]),
			.port = 8080,
			.flags = BACKEND_LOCAL | BACKEND_OUTSIDE,
			.generation = s->generation,
		};
	for (unsigned i = 0; i < BUCKETS; i++)
		parts->buckets[i] = parts->outside_buckets[i] = (uint16_t)((i + s->turn) % s->n);
	parts->extra->affinity_timeout_s = TIMEOUT_S;
	parts->extra->n_outside = s->n;
}

/* Publishes it, in place of what was there. */
static void
serve(struct lab *lab, struct serving s)
{
	struct service_table *last = lab->f->services, *next = service_table_next(last);
	const struct frontend_shape shape = {
		.n_backends = s.n,
		.n_buckets = BUCKETS,
		.n_outside_buckets = BUCKETS,
		.has_extra = true,
	};
	struct frontend front = {
		.addr = addr(frontend_text(lab)),
		.port = PORT,
		.proto = lab->proto,
		.kind = (uint8_t)lab->kind.kind,
		.flags = lab->kind.flags,
	};
	struct frontend_parts parts;
	uint32_t ref = service_table_ref(next, &front.addr, PORT, lab->proto);

	for (unsigned i = 0; ref != FRONTEND_NONE && i < service_frontend_at(next, ref)->n_backends; i++)
		assert_int_equal(service_table_unlink(
					 next, &service_frontend_at(next, ref)->backends[i], lab->proto, ref),
			0);
	assert_int_equal(service_table_shape(next, &front, &shape, &parts), 0);
	fill_parts(lab, &s, &parts);
	if (ref == FRONTEND_NONE)
		assert_int_equal(service_table_add(next, &front, &ref), 0);
	else
		assert_int_equal(service_table_replace(next, &front), 0);
	for (unsigned i = 0; i < s.n; i++)
		assert_int_equal(service_table_link(next, &parts.backends[i], lab->proto, ref), 0);
	service_table_commit(next);
	lab->f->services = next;
	lab->f->tables.services = next;
	service_table_free(last);
}

static void
pass_time(struct lab *lab, unsigned seconds)
{
	for (unsigned w = 0; w < lab->f->n_workers; w++)
		lab->f->workers[w]->now_ns += seconds * SECOND;
}

/* Gives a packet to a port; which of n ports it comes out of, as its receiver reads it. */
static unsigned
pass(struct lab *lab, enum fixture_port from, const struct layer *layers, const enum fixture_port *to,
	unsigned n, struct pkt *got)
{
	static uint8_t bytes[FRAME_MAX];
	struct frame frame;
	unsigned found = n;

	pkt_build(&frame, layers, 50000);
	assert_true(port_mem_give(&lab->f->ports[from], frame.bytes, frame.len));
	fixture_run(lab->f);
	for (unsigned i = 0; i < n; i++) {
		struct port_mem *port = &lab->f->ports[to[i]];

		if (port->n_out == 0)
			continue;
		assert_int_equal(found, n);
		assert_int_equal(port->n_out, 1);
		memcpy(bytes, port->out[0].data, port->out[0].len);
		*got = (struct pkt){ .data = bytes, .len = port->out[0].len, .origin = ORIGIN_POD };
		found = i;
	}
	assert_int_not_equal(found, n);
	parse_pkt(got);
	assert_int_equal(got->verdict, VERDICT_CONTINUE);
	fixture_clear(lab->f);
	return found;
}

/* The client's packet; which pod gets it. */
static unsigned
client_sends(
	struct lab *lab, const char *client, uint16_t sport, uint8_t flags, uint32_t ack, struct pkt *got)
{
	static const enum fixture_port pods[PODS] = { FIXTURE_POD1, FIXTURE_POD2 };
	const char *to = frontend_text(lab);

	if (lab->proto == PROTO_UDP)
		return pass(lab, FIXTURE_UPLINK,
			PKT(ETH("peer", "uplink"), IP(client, to), UDP(sport, PORT), DATA(8)), pods, PODS,
			got);
	return pass(lab, FIXTURE_UPLINK,
		PKT(ETH("peer", "uplink"), IP(client, to), TCP(sport, PORT, flags, .ack = ack)), pods, PODS,
		got);
}

/* And what that answers, which the client must get from where it asked. */
static void
pod_answers(struct lab *lab, unsigned pod, const char *client, uint16_t sport, const struct pkt *asked,
	uint8_t flags)
{
	static const enum fixture_port ports[PODS] = { FIXTURE_POD1, FIXTURE_POD2 }, uplink = FIXTURE_UPLINK;
	static const char *const macs[PODS] = { "pod1", "pod2" };
	struct ip_addr frontend = addr(frontend_text(lab)), to = addr(client);
	char seen[IP_ADDR_STRLEN];
	struct pkt got;

	ip_addr_format(&asked->src, seen);
	assert_string_equal(seen, lab->kind.flags & FRONTEND_LOCAL ? client : lab->n->inbound);
	if (lab->proto == PROTO_UDP)
		pass(lab, ports[pod],
			PKT(ETH(macs[pod], "gw"), IP(lab->n->pods[pod], seen), UDP(8080, asked->sport),
				DATA(8)),
			&uplink, 1, &got);
	else
		pass(lab, ports[pod],
			PKT(ETH(macs[pod], "gw"), IP(lab->n->pods[pod], seen),
				TCP(8080, asked->sport, flags, .seq = SEQ)),
			&uplink, 1, &got);
	assert_true(ip_addr_eq(&got.src, &frontend) && ip_addr_eq(&got.dst, &to));
	assert_int_equal(got.sport, PORT);
	assert_int_equal(got.dport, sport);
}

/* A whole new connection, or a datagram, its answer and another one; with which pod. */
static unsigned
connect_client(struct lab *lab, const char *client, uint16_t sport)
{
	struct pkt asked, again;
	unsigned pod = client_sends(lab, client, sport, TCP_SYN, 0, &asked);

	pod_answers(lab, pod, client, sport, &asked, TCP_SYN | TCP_ACK);
	assert_int_equal(client_sends(lab, client, sport, TCP_ACK, SEQ + 1, &again), pod);
	assert_int_equal(again.sport, asked.sport);
	pod_answers(lab, pod, client, sport, &asked, TCP_ACK);
	return pod;
}

static const char *
client_at(const struct lab *lab, unsigned i)
{
	static char text[IP_ADDR_STRLEN];

	snprintf(text, sizeof(text), lab->n->client_format, 1 + i);
	return text;
}

static uint64_t
count_of(const struct lab *lab, enum counter id)
{
	struct counters sum;

	fixture_counters(lab->f, &sum);
	return sum.counts[id];
}

static void
all_of_a_client_has_one_backend(struct lab *lab)
{
	const unsigned n_clients = 8, n_ports = 6;
	unsigned n_of_pod[PODS] = { 0 };

	serve(lab, (struct serving){ 0, 0, PODS, 1 });
	for (unsigned i = 0; i < n_clients; i++) {
		unsigned pod = connect_client(lab, client_at(lab, i), 40000);

		n_of_pod[pod]++;
		/* endpoints change, and every client's address means another pod now */
		serve(lab, (struct serving){ 1, 0, PODS, 1 });
		for (uint16_t port = 1; port < n_ports; port++)
			assert_int_equal(
				connect_client(lab, client_at(lab, i), (uint16_t)(40000 + port)), pod);
		serve(lab, (struct serving){ 0, 0, PODS, 1 });
	}
	assert_true(n_of_pod[0] != 0 && n_of_pod[1] != 0);
	assert_int_equal(count_of(lab, COUNT_INBOUND_CONFIRMED), n_clients * n_ports);
	if (lab->f->n_workers == 2)
		assert_true(lab->f->inbound[0]->n != 0 && lab->f->inbound[1]->n != 0);
}

static void
a_client_stays_whatever_its_ports_and_workers(void **state)
{
	in_all_worlds(all_of_a_client_has_one_backend);
}

static void
expires_and_is_renewed(struct lab *lab)
{
	unsigned pod;

	serve(lab, (struct serving){ 0, 0, PODS, 1 });
	pod = connect_client(lab, client_at(lab, 0), 40000);
	serve(lab, (struct serving){ 1, 0, PODS, 1 });
	pass_time(lab, TIMEOUT_S - 1);
	assert_int_equal(connect_client(lab, client_at(lab, 0), 40001), pod);
	pass_time(lab, TIMEOUT_S - 1); /* since the last new one */
	assert_int_equal(connect_client(lab, client_at(lab, 0), 40002), pod);
	pass_time(lab, TIMEOUT_S);
	assert_int_equal(connect_client(lab, client_at(lab, 0), 40003), 1 - pod);
}

static void
until_the_timeout_has_passed_without_a_new_connection(void **state)
{
	in_all_worlds(expires_and_is_renewed);
}

/* What goes on in a flow that stands is no new connection. */
static void
packets_renew_nothing(struct lab *lab)
{
	struct pkt asked;
	unsigned pod;

	serve(lab, (struct serving){ 0, 0, PODS, 1 });
	pod = connect_client(lab, client_at(lab, 0), 40000);
	serve(lab, (struct serving){ 1, 0, PODS, 1 });
	for (unsigned i = 0; i < TIMEOUT_S / 100; i++) {
		pass_time(lab, 100);
		assert_int_equal(client_sends(lab, client_at(lab, 0), 40000, TCP_ACK, SEQ + 1, &asked), pod);
	}
	assert_int_equal(connect_client(lab, client_at(lab, 0), 40001), 1 - pod);
	/* and it goes on where it went */
	assert_int_equal(client_sends(lab, client_at(lab, 0), 40000, TCP_ACK, SEQ + 1, &asked), pod);
}

static void
packets_of_a_connection_do_not_renew(void **state)
{
	in_all_worlds(packets_renew_nothing);
}

static void
goes_with_its_backend(struct lab *lab)
{
	unsigned pod;

	serve(lab, (struct serving){ 0, 0, PODS, 1 });
	pod = connect_client(lab, client_at(lab, 0), 40000);
	/* it serves no more: the other one has the client from now on, also when it is back */
	serve(lab, (struct serving){ 0, 1 - pod, 1, 1 });
	assert_int_equal(connect_client(lab, client_at(lab, 0), 40001), 1 - pod);
	serve(lab, (struct serving){ 0, 0, PODS, 1 });
	assert_int_equal(connect_client(lab, client_at(lab, 0), 40002), 1 - pod);
	/* other pods have the addresses: the client's own address chooses anew */
	serve(lab, (struct serving){ 0, 0, PODS, 2 });
	assert_int_equal(connect_client(lab, client_at(lab, 0), 40003), pod);
}

static void
until_the_backend_goes(void **state)
{
	in_all_worlds(goes_with_its_backend);
}

/* A question each, from a port each: no flow is ever confirmed. */
static void
asks_once_per_port(struct lab *lab)
{
	struct pkt asked;
	unsigned pod;

	serve(lab, (struct serving){ 0, 0, PODS, 1 });
	pod = client_sends(lab, client_at(lab, 0), 40000, TCP_SYN, 0, &asked);
	serve(lab, (struct serving){ 1, 0, PODS, 1 });
	for (uint16_t port = 40001; port < 40010; port++) {
		pass_time(lab, TIMEOUT_S - 1);
		assert_int_equal(client_sends(lab, client_at(lab, 0), port, TCP_SYN, 0, &asked), pod);
	}
	assert_int_equal(count_of(lab, COUNT_INBOUND_CONFIRMED), 0);
}

static void
a_client_that_is_never_confirmed_stays_while_there_is_room(void **state)
{
	in_all_worlds(asks_once_per_port);
}

/* A thousand addresses that never answer us, against tables of 64. */
static void
strangers_come(struct lab *lab)
{
	unsigned pods[4];
	struct pkt asked;

	serve(lab, (struct serving){ 0, 0, PODS, 1 });
	for (unsigned i = 0; i < 4; i++)
		pods[i] = connect_client(lab, client_at(lab, i), 40000);
	for (unsigned i = 0; i < 1000; i++) {
		char stranger[IP_ADDR_STRLEN];

		snprintf(stranger, sizeof(stranger),
			lab->n == &families[V4] ? "198.18.%u.%u" : "2001:db8:bad::%x:%x", i / 100,
			1 + i % 100);
		client_sends(lab, stranger, 40000, TCP_SYN, 0, &asked);
	}
	serve(lab, (struct serving){ 1, 0, PODS, 1 });
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(connect_client(lab, client_at(lab, i), 40001), pods[i]);
}

static void
strangers_take_nobodys_backend(void **state)
{
	in_all_worlds(strangers_come);
}

/* Without a table, or in a set that is full of others, the address chooses; and the flow is served. */
static void
the_address_chooses(struct lab *lab)
{
	unsigned pod;

	for (unsigned w = 0; w < lab->f->n_workers; w++)
		lab->f->workers[w]->inbound_affinity = NULL;
	serve(lab, (struct serving){ 0, 0, PODS, 1 });
	pod = connect_client(lab, client_at(lab, 0), 40000);
	assert_int_equal(connect_client(lab, client_at(lab, 0), 40001), pod);
	serve(lab, (struct serving){ 1, 0, PODS, 1 });
	assert_int_equal(connect_client(lab, client_at(lab, 0), 40002), 1 - pod);
}

static void
without_room_the_address_chooses(void **state)
{
	in_all_worlds(the_address_chooses);
}

/* A service gets affinity, or gives it up, under connections whose owner it would have been another worker then. */
static void
changes_under_connections(struct lab *lab)
{
	const uint16_t with = lab->kind.flags, without = with & (uint16_t)~FRONTEND_AFFINITY;
	const unsigned n_ports = 8;
	unsigned pods[8];
	struct pkt asked[8], again;

	for (unsigned begins_with = 0; begins_with < 2; begins_with++) {
		uint16_t first = (uint16_t)(begins_with ? 41000 : 40000);

		lab->kind.flags = begins_with ? with : without;
		serve(lab, (struct serving){ 0, 0, PODS, 1 });
		for (uint16_t i = 0; i < n_ports; i++) {
			uint16_t port = (uint16_t)(first + i);

			connect_client(lab, client_at(lab, 0), port);
			pods[i] = client_sends(lab, client_at(lab, 0), port, TCP_ACK, SEQ + 1, &asked[i]);
		}
		lab->kind.flags = begins_with ? without : with;
		serve(lab, (struct serving){ 0, 0, PODS, 1 });
		for (uint16_t i = 0; i < n_ports; i++) {
			uint16_t port = (uint16_t)(first + i);

			if (lab->proto == PROTO_TCP)
				assert_int_equal(
					client_sends(lab, client_at(lab, 0), port, TCP_ACK, SEQ + 1, &again),
					pods[i]);
			pod_answers(lab, pods[i], client_at(lab, 0), port, &asked[i], TCP_ACK);
		}
	}
}

static void
connections_go_on_when_a_service_gets_affinity_or_loses_it(void **state)
{
	in_all_worlds(changes_under_connections);
}

/* An error about what a pod answered, and one of a pod about what it got, find the flow as packets do. */
static void
errors_find_flows(struct lab *lab)
{
	static const enum fixture_port pods[PODS] = { FIXTURE_POD1, FIXTURE_POD2 };
	bool is_v4 = lab->n == &families[V4];
	struct pkt asked, got;

	if (lab->proto == PROTO_TCP)
		return;
	serve(lab, (struct serving){ 0, 0, PODS, 1 });
	for (uint16_t port = 40000; port < 40008; port++) {
		const char *client = client_at(lab, 0);
		unsigned pod = client_sends(lab, client, port, 0, 0, &asked);
		const struct layer *about =
			PKT(FROM_POD1, IP(frontend_text(lab), client, .ttl = 60), UDP(PORT, port), DATA(9));

		pod_answers(lab, pod, client, port, &asked, 0);
		assert_int_equal(pass(lab, FIXTURE_UPLINK,
					 PKT(ETH("peer", "uplink"), IP(client, frontend_text(lab)),
						 ICMP(is_v4 ? 3 : 1, is_v4 ? 3 : 4), QUOTE(about, 0)),
					 pods, PODS, &got),
			pod);
	}
}

static void
errors_find_a_clients_flows(void **state)
{
	in_all_worlds(errors_find_flows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_stays_whatever_its_ports_and_workers),
		cmocka_unit_test(until_the_timeout_has_passed_without_a_new_connection),
		cmocka_unit_test(packets_of_a_connection_do_not_renew),
		cmocka_unit_test(until_the_backend_goes),
		cmocka_unit_test(a_client_that_is_never_confirmed_stays_while_there_is_room),
		cmocka_unit_test(strangers_take_nobodys_backend),
		cmocka_unit_test(without_room_the_address_chooses),
		cmocka_unit_test(connections_go_on_when_a_service_gets_affinity_or_loses_it),
		cmocka_unit_test(errors_find_a_clients_flows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
