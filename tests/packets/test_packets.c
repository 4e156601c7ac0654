/* Runs every table of packets; then what needs more than one packet: rings that are full, frames that run out,
 * whole bursts. At the end, each reason for a drop must have occurred. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/io/port.h"
#include "dataplane/net/fragments.h"
#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"
#include "tests/support/pkt_check.h"
#include "tests/support/services.h"

#define TEST_TABLE(name)                                               \
	static void test_##name(void **state)                          \
	{                                                              \
		assert_int_equal(packet_cases_run(name, n_##name), 0); \
	}
PACKET_TABLES(TEST_TABLE)

static const struct layer *const pod1_to_pod2 =
	PKT(FROM_POD1, IP(POD1_V4, POD2_V4), UDP(1000, 53), DATA(1000));

static void
give(struct fixture *f, enum fixture_port port, const struct layer *layers)
{
	struct frame in;

	pkt_build(&in, layers, 50000);
	assert_true(port_mem_give(&f->ports[port], in.bytes, in.len));
}

static struct counters
counters_of(const struct fixture *f)
{
	struct counters c;

	fixture_counters(f, &c);
	return c;
}

static void
finish(struct fixture *f)
{
	fixture_clear(f);
	assert_null(fixture_audit(f));
	packet_cases_note(f);
	fixture_free(f);
}

/* A receiver that takes n packets and no more. */
static void
leave_room_for(struct fixture *f, enum fixture_port port, unsigned n)
{
	f->ports[port].n_out = PORT_MEM_DEPTH - n;
	for (unsigned i = 0; i < f->ports[port].n_out; i++)
		f->ports[port].out[i].data = NULL;
}

static void
forget_filled_room(struct fixture *f, enum fixture_port port)
{
	struct port_mem *m = &f->ports[port];
	unsigned kept = 0;

	for (unsigned i = 0; i < m->n_out; i++)
		if (m->out[i].data != NULL)
			m->out[kept++] = m->out[i];
	m->n_out = kept;
}

static void
a_full_transmit_ring_drops(void **state)
{
	for (unsigned workers = 1; workers <= 2; workers++) {
		struct fixture *f = fixture_new(workers, false);

		leave_room_for(f, FIXTURE_POD2, 3);
		for (unsigned i = 0; i < 5; i++)
			give(f, FIXTURE_POD1, pod1_to_pod2);
		fixture_run(f);
		assert_int_equal(counters_of(f).verdicts[VERDICT_FORWARD], 3);
		assert_int_equal(counters_of(f).drops[DROP_TX_FULL], 2);
		forget_filled_room(f, FIXTURE_POD2);
		finish(f);
	}
}

/* The packet stands for its pieces: if one of them finds no place, it counts as dropped. */
static void
a_datagram_in_pieces_is_sent_or_dropped_as_one(void **state)
{
	for (unsigned room = 0; room <= 2; room++) {
		struct fixture *f = fixture_new(1 + room % 2, false);

		f->endpoints->endpoints[2].mtu = 576;
		leave_room_for(f, FIXTURE_POD2, room);
		give(f, FIXTURE_POD1, pod1_to_pod2);
		fixture_run(f);
		assert_int_equal(counters_of(f).verdicts[VERDICT_FORWARD], room == 2);
		assert_int_equal(counters_of(f).drops[DROP_TX_FULL], room != 2);
		forget_filled_room(f, FIXTURE_POD2);
		finish(f);
	}
}

/* Frames that the receiver's shard lacks: for pieces, and for what comes from another shard. */
static void
a_shard_without_free_frames_drops(void **state)
{
	struct fixture *f = fixture_new(2, false);
	struct umem *umem = f->umems[1];
	uint32_t n_free = umem->n_free;

	umem->n_free = 0;
	give(f, FIXTURE_POD1, pod1_to_pod2);
	fixture_run(f);
	assert_int_equal(counters_of(f).drops[DROP_NO_FRAME], 1);
	umem->n_free = n_free;
	finish(f);
}

static void
a_burst_of_large_packets_is_cut_as_far_as_pieces_go(void **state)
{
	struct fixture *f = fixture_new(1, false);
	struct counters c;

	f->endpoints->endpoints[2].mtu = 296; /* four pieces each, three of which are copies */
	for (unsigned i = 0; i < BURST_MAX; i++)
		give(f, FIXTURE_POD1, pod1_to_pod2);
	fixture_run(f);
	c = counters_of(f);
	assert_int_equal(c.verdicts[VERDICT_FORWARD], BURST_MAX / 3);
	assert_int_equal(c.drops[DROP_NO_FRAME], BURST_MAX - BURST_MAX / 3);
	assert_int_equal(f->ports[FIXTURE_POD2].n_out, BURST_MAX / 3 * 4);
	for (unsigned i = 0; i < f->ports[FIXTURE_POD2].n_out; i++)
		assert_null(pkt_check(f->ports[FIXTURE_POD2].out[i].data, f->ports[FIXTURE_POD2].out[i].len));
	finish(f);
}

static void
a_worker_that_does_not_keep_up_is_spared(void **state)
{
	struct fixture *f = fixture_new(2, false);
	unsigned given = 0;

	/* pod2's worker does not run; its lane takes what fits, and the shard's frames bound each go */
	while (counters_of(f).drops[DROP_CROSSING_FULL] == 0 && given < 8 * CROSSING_DEPTH) {
		unsigned n = f->umems[0]->n_free < BURST_MAX ? f->umems[0]->n_free : BURST_MAX;

		if (n == 0)
			break;
		for (unsigned i = 0; i < n; i++)
			give(f, FIXTURE_POD1, pod1_to_pod2);
		given += n;
		worker_round(f->workers[0], &f->tables);
	}
	assert_in_range(counters_of(f).drops[DROP_CROSSING_FULL], 1, BURST_MAX);
	fixture_run(f);
	assert_int_equal(counters_of(f).counts[COUNT_RECEIVED], given);
	finish(f);
}

static unsigned
rx_nothing(struct port *port, struct pkt *pkts, unsigned max)
{
	return 0;
}

/* A round with as many ports as a node has, all of whose packets cross to a worker that is done with them at once. */
static struct fixture *busy;
static unsigned (*busy_rx)(struct port *port, struct pkt *pkts, unsigned max);

static unsigned
rx_while_the_other_works(struct port *port, struct pkt *pkts, unsigned max)
{
	worker_round(busy->workers[1], &busy->tables);
	port_mem_clear(&busy->ports[FIXTURE_POD2]);
	while (busy->ports[FIXTURE_POD1].n_in < max && busy->umems[0]->n_free != 0)
		give(busy, FIXTURE_POD1, pod1_to_pod2);
	return busy_rx(port, pkts, max);
}

static void
frames_come_home_during_a_long_round(void **state)
{
	struct fixture *f = busy = fixture_new(2, false);
	struct worker *w = f->workers[0];
	struct port *port = &f->ports[FIXTURE_POD1].port;
	struct port_ops ops = *port->ops;

	busy_rx = ops.rx;
	ops.rx = rx_while_the_other_works;
	port->ops = &ops;
	while (w->n_active < 2 * FIXTURE_FRAMES / BURST_MAX)
		w->active[w->n_active++] = FIXTURE_POD1;
	worker_round(w, &f->tables);
	assert_int_equal(counters_of(f).counts[COUNT_RECEIVED] / BURST_MAX, w->n_active - 1);
	ops.rx = rx_nothing;
	fixture_run(f);
	finish(f);
}

/* RFC 4443 section 2.4(f): errors are limited, each kind by itself, and come back with time. */
static void
a_flood_is_not_answered_by_a_flood_of_errors(void **state)
{
	const struct layer *const expires[] = {
		PKT(FROM_POD1, IP(POD1_V4, POD2_V4, .ttl = 1), UDP(1000, 53)),
		PKT(FROM_POD1, IP(POD1_V6, POD2_V6, .ttl = 1), UDP(1000, 53)),
	};
	struct fixture *f = fixture_new(2, false);
	struct counters c;

	f->workers[0]->now_ns = UINT64_C(1000000000);
	f->endpoints->endpoints[2].mtu = 1280;
	for (unsigned i = 0; i < ERROR_BURST + 7; i++) {
		give(f, FIXTURE_POD1, expires[i % 2]);
		fixture_run(f);
		fixture_clear(f);
	}
	c = counters_of(f);
	assert_int_equal(c.verdicts[VERDICT_REPLY], ERROR_BURST);
	assert_int_equal(c.counts[COUNT_ERRORS_SENT], ERROR_BURST);
	assert_int_equal(c.drops[DROP_ERROR_LIMIT], 7);

	give(f, FIXTURE_POD1, PKT(FROM_POD1, IP(POD1_V6, POD2_V6), UDP(1000, 53), DATA(1300)));
	fixture_run(f);
	assert_int_equal(counters_of(f).verdicts[VERDICT_REPLY], ERROR_BURST + 1);
	f->workers[0]->now_ns += ERROR_INTERVAL_NS;
	for (unsigned i = 0; i < 2; i++)
		give(f, FIXTURE_POD1, expires[i]);
	fixture_run(f);
	assert_int_equal(counters_of(f).verdicts[VERDICT_REPLY], ERROR_BURST + 2);
	finish(f);
}

/* AF_XDP hands over the pieces of a frame that fills several buffers as a packet that is dropped already. */
static unsigned
rx_multi_buffer(struct port *port, struct pkt *pkts, unsigned max)
{
	struct port_mem *m = (struct port_mem *)port;

	if (m->n_in == 0 || max == 0)
		return 0;
	pkts[0].data = m->in[0].data;
	pkts[0].len = m->in[0].len;
	pkts[0].umem = port->umem;
	pkt_drop(&pkts[0], DROP_MULTI_BUFFER);
	m->n_in = 0;
	return 1;
}

static void
an_echo_that_goes_on_is_one_flow(void **state)
{
	for (unsigned workers = 1; workers <= 2; workers++) {
		struct fixture *f = fixture_new(workers, false);
		struct mac_addr mac = pkt_mac("peer");
		struct ip_prefix outside;

		assert_true(ip_prefix_parse("203.0.113.0/24", &outside));
		route_table_add_outside(f->routes, &outside, ROUTE_UNDERLAY, &mac, 0);
		for (uint16_t i = 0; i < 3; i++) {
			give(f, FIXTURE_POD1, PKT(FROM_POD1, IP(POD1_V4, "203.0.113.7"), ICMP(8, 0, 7, i)));
			fixture_run(f);
		}
		assert_int_equal(counters_of(f).counts[COUNT_MASQUERADED], 3);
		assert_int_equal(counters_of(f).counts[COUNT_MASQUERADE_CREATED], 1);
		finish(f);
	}
}

static void
what_io_has_dropped_stays_dropped(void **state)
{
	struct fixture *f = fixture_new(1, false);
	struct port *port = &f->ports[FIXTURE_POD1].port;
	struct port_ops ops = *port->ops;

	ops.rx = rx_multi_buffer;
	port->ops = &ops;
	give(f, FIXTURE_POD1, pod1_to_pod2);
	fixture_run(f);
	assert_int_equal(counters_of(f).drops[DROP_MULTI_BUFFER], 1);
	finish(f);
}

/* Datagrams in two parts, to a service and from another node: { first, last }. */
static const struct layer *const in_parts[][2] = {
	{ PKT(FROM_POD1, IP(POD1_V4, WEB_V4, .id = 5, .more = true), UDP(40000, 80, .len = 72), DATA(24)),
		PKT(FROM_POD1, IP(POD1_V4, WEB_V4, .id = 5, .offset = 32, .proto = PROTO_UDP), DATA(40)) },
	{ PKT(FROM_POD1, IP(POD1_V6, WEB_V6), FRAG(0, true), UDP(40000, 80, .len = 72), DATA(24)),
		PKT(FROM_POD1, IP(POD1_V6, WEB_V6), FRAG(32, false, .proto = PROTO_UDP), DATA(40)) },
	{ PKT(OUTER_IN_V4, INNER_IN, IP(REMOTE_V4, POD2_V4, .id = 5, .more = true), UDP(1, 2, .len = 72),
		  DATA(24)),
		PKT(OUTER_IN_V4, INNER_IN, IP(REMOTE_V4, POD2_V4, .id = 5, .offset = 32, .proto = PROTO_UDP),
			DATA(40)) },
};

#define FROM_TUNNEL 2

static void
give_part(struct fixture *f, unsigned datagram, bool is_last)
{
	give(f, datagram == FROM_TUNNEL ? FIXTURE_UPLINK : FIXTURE_POD1, in_parts[datagram][is_last]);
}

static void
a_part_that_comes_before_the_first_waits_for_it(void **state)
{
	for (unsigned variant = 0; variant < 6; variant++) {
		struct fixture *f = fixture_new(1 + variant % 2, false);
		struct port_mem *to = &f->ports[FIXTURE_POD2];
		struct counters c;

		some_services(f);
		give_part(f, variant / 2, true);
		fixture_run(f);
		c = counters_of(f);
		assert_int_equal(c.counts[COUNT_FRAGMENTS_HELD], 1);
		assert_int_equal(c.verdicts[VERDICT_FORWARD] + c.verdicts[VERDICT_DROP], 0);
		assert_null(fixture_audit(f));
		give_part(f, variant / 2, false);
		fixture_run(f);
		assert_int_equal(counters_of(f).verdicts[VERDICT_FORWARD], 2);
		assert_int_equal(to->n_out, 2);
		/* the same receiver, in the right order */
		assert_memory_equal(to->out[0].data, to->out[1].data, 14);
		assert_true(to->out[0].len < to->out[1].len);
		finish(f);
	}
}

static void
a_part_does_not_wait_for_long(void **state)
{
	for (unsigned variant = 0; variant < 6; variant++) {
		struct fixture *f = fixture_new(1 + variant % 2, false);

		some_services(f);
		give_part(f, variant / 2, true);
		for (unsigned later = 0; later < 2; later++) {
			fixture_run(f);
			assert_int_equal(counters_of(f).drops[DROP_FRAGMENT], 0);
			for (unsigned i = 0; i < f->n_workers; i++)
				f->workers[i]->now_ns += FRAGMENT_WAIT_NS / 2;
		}
		fixture_run(f);
		assert_int_equal(counters_of(f).drops[DROP_FRAGMENT], 1);
		finish(f);
	}
}

/* Its identification may be another datagram's by then. */
static void
a_datagram_is_forgotten_in_time(void **state)
{
	struct fixture *f = fixture_new(1, false);

	some_services(f);
	give_part(f, 0, false);
	fixture_run(f);
	f->workers[0]->now_ns += FRAGMENT_NS;
	give_part(f, 0, true);
	fixture_run(f);
	assert_int_equal(counters_of(f).counts[COUNT_FRAGMENTS_HELD], 1);
	finish(f);
}

static void
who_floods_with_fragments_harms_his_own(void **state)
{
	const struct layer *const neighbours[] = {
		PKT(ETH("pod2", "gw"), IP(POD2_V4, REMOTE_V4, .id = 5, .more = true), UDP(1, 2, .len = 64),
			DATA(24)),
		PKT(ETH("pod2", "gw"), IP(POD2_V4, REMOTE_V4, .id = 5, .offset = 32, .proto = PROTO_UDP),
			DATA(32)),
	};
	struct fixture *f = fixture_new(1, false);

	give(f, FIXTURE_POD2, neighbours[0]);
	for (unsigned id = 0; id < 4 * FRAGMENT_ENTRIES; id++) {
		give(f, FIXTURE_POD1,
			PKT(FROM_POD1, IP(POD1_V4, REMOTE_V4, .id = (uint16_t)id, .more = true),
				UDP(1, 2, .len = 64), DATA(24)));
		if (id % BURST_MAX == 0) {
			fixture_run(f);
			fixture_clear(f);
		}
	}
	for (unsigned i = 0; i < FRAGMENT_WAITING; i++)
		give(f, FIXTURE_POD1,
			PKT(FROM_POD1,
				IP(POD1_V4, POD2_V4, .id = (uint16_t)i, .offset = 32, .proto = PROTO_UDP),
				DATA(32)));
	fixture_run(f);
	assert_int_equal(counters_of(f).counts[COUNT_FRAGMENTS_HELD], FRAGMENT_WAITING_SHARE);
	assert_int_equal(counters_of(f).drops[DROP_FRAGMENT], FRAGMENT_WAITING - FRAGMENT_WAITING_SHARE);
	fixture_clear(f);
	give(f, FIXTURE_POD2, neighbours[1]);
	fixture_run(f);
	assert_int_equal(f->ports[FIXTURE_UPLINK].n_out, 1);
	finish(f);
}

/* One of everything in one burst, from all ports: stages must not confuse neighbours. */
static void
a_mixed_burst_is_settled_packet_by_packet(void **state)
{
	for (unsigned variant = 0; variant < 4; variant++) {
		struct fixture *f = fixture_new(1 + variant % 2, variant / 2 != 0);
		struct counters c;

		for (unsigned i = 0; i < 12; i++) {
			give(f, FIXTURE_POD1, pod1_to_pod2);
			give(f, FIXTURE_POD1, PKT(FROM_POD1, IP(POD2_V4, POD1_V4), UDP(1, 2)));
			give(f, FIXTURE_POD2,
				PKT(ETH("pod2", "gw"), IP(POD2_V6, REMOTE_V6), TCP(1, 2, TCP_ACK)));
			give(f, FIXTURE_HOST, PKT(FROM_HOST, IP(HOST_V4, GATEWAY_V4), ICMP(8, 0, .id = 1)));
			give(f, FIXTURE_POD2, PKT(ETH("pod2", "gw"), IP(POD2_V4, HOST_V4), UDP(1, 2)));
		}
		fixture_run(f);
		c = counters_of(f);
		assert_int_equal(c.verdicts[VERDICT_FORWARD], 24);
		assert_int_equal(c.verdicts[VERDICT_REPLY], 12);
		assert_int_equal(c.verdicts[VERDICT_PUNT], 12);
		assert_int_equal(c.drops[DROP_SPOOFED_SOURCE], 12);
		finish(f);
	}
}

static void
every_reason_has_a_case(void **state)
{
	for (unsigned reason = DROP_NONE + 1; reason < N_DROP_REASONS; reason++) {
		if (packet_cases_produced(reason))
			continue;
		fail_msg("no packet case is dropped as %s", drop_reason_label(reason));
	}
}

#define TEST_TABLE_ENTRY(name) cmocka_unit_test(test_##name),

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PACKET_TABLES(TEST_TABLE_ENTRY) cmocka_unit_test(a_full_transmit_ring_drops),
		cmocka_unit_test(a_datagram_in_pieces_is_sent_or_dropped_as_one),
		cmocka_unit_test(a_shard_without_free_frames_drops),
		cmocka_unit_test(a_burst_of_large_packets_is_cut_as_far_as_pieces_go),
		cmocka_unit_test(a_worker_that_does_not_keep_up_is_spared),
		cmocka_unit_test(frames_come_home_during_a_long_round),
		cmocka_unit_test(a_flood_is_not_answered_by_a_flood_of_errors),
		cmocka_unit_test(an_echo_that_goes_on_is_one_flow),
		cmocka_unit_test(what_io_has_dropped_stays_dropped),
		cmocka_unit_test(a_part_that_comes_before_the_first_waits_for_it),
		cmocka_unit_test(a_part_does_not_wait_for_long),
		cmocka_unit_test(a_datagram_is_forgotten_in_time),
		cmocka_unit_test(who_floods_with_fragments_harms_his_own),
		cmocka_unit_test(a_mixed_burst_is_settled_packet_by_packet),
		cmocka_unit_test(every_reason_has_a_case), /* last */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
