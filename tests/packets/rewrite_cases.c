/* Checksums, segment sizes and pieces. Translation itself has its own table. */
#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"

#define IP4(t, ...) IP(POD1_V4, POD2_V4, .ttl = (t), ##__VA_ARGS__)
#define IP6(t, ...) IP(POD1_V6, POD2_V6, .ttl = (t), ##__VA_ARGS__)
#define COMPLETES(n, in_packet, out_packet)                                                     \
	{                                                                                       \
		.name = (n), .from = FIXTURE_POD1, .in = in_packet, .verdict = VERDICT_FORWARD, \
		.counts = COUNT_CHECKSUM_COMPLETED, .to = FIXTURE_POD2,                         \
		.out = { out_packet }                                                           \
	}
#define CLAMPS(n, in_packet, out_packet)                                                      \
	{                                                                                     \
		.name = (n), .given = pod2_takes_1300, .from = FIXTURE_POD1, .in = in_packet, \
		.verdict = VERDICT_FORWARD, .counts = COUNT_MSS_CLAMPED, .to = FIXTURE_POD2,  \
		.out = { out_packet }                                                         \
	}

static void
pod2_takes_1300(struct fixture *f)
{
	f->endpoints->endpoints[2].mtu = 1300;
}

static void
pod2_takes_576(struct fixture *f)
{
	f->endpoints->endpoints[2].mtu = 576;
}

static void
the_way_takes_600(struct fixture *f)
{
	f->fdb->entries[FIXTURE_PEER].mtu = 600;
}

/* 1,008 bytes behind an IP header of 20: 552 and 456 for an MTU of 576 */
#define LARGE(...) FROM_POD1, IP(POD1_V4, POD2_V4, .id = 77, ##__VA_ARGS__), UDP(1000, 53), DATA(1000)
#define LARGE_PIECE(l, from, n, ...) \
	IP(POD1_V4, POD2_V4, .ttl = 63, .id = 77, .proto = PROTO_UDP, ##__VA_ARGS__), SLICE(PKT(l), from, n)
#define LARGE_REMOTE FROM_POD1, IP(POD1_V4, REMOTE_V4, .id = 77), UDP(1000, 53), DATA(1000)
#define LARGE_REMOTE_PIECE(from, n, ...)                                                \
	IP(POD1_V4, REMOTE_V4, .ttl = 63, .id = 77, .proto = PROTO_UDP, ##__VA_ARGS__), \
		SLICE(PKT(LARGE_REMOTE), from, n)

/* A router alert, which goes into every piece, and a record of the route, which does not */
#define OPTIONS .n_options = 8, .options = { 0x94, 4, 0, 0, 7, 3, 4, 0 }
#define OPTIONS_LATER .n_options = 8, .options = { 0x94, 4, 0, 0, 1, 1, 1, 0 }

/* The middle of a datagram, as its sender cut it */
#define MIDDLE \
	FROM_POD1, IP(POD1_V4, POD2_V4, .id = 9, .offset = 1480, .more = true, .proto = PROTO_UDP), DATA(800)
#define BEGIN FROM_POD1, IP(POD1_V4, POD2_V4, .id = 9, .more = true), UDP(1000, 53, .len = 3000), DATA(1400)
#define MIDDLE_PIECE(from, n, at)                                                                   \
	IP(POD1_V4, POD2_V4, .ttl = 63, .id = 9, .offset = (at), .more = true, .proto = PROTO_UDP), \
		SLICE(PKT(MIDDLE), from, n)

const struct packet_case rewrite_cases[] = {
	COMPLETES("a partial TCP checksum is completed",
		PKT(FROM_POD1, IP4(64), TCP(1, 2, TCP_ACK, .sum = SUM_PARTIAL), DATA(99)),
		PKT(TO_POD2, IP4(63), TCP(1, 2, TCP_ACK), DATA(99))),
	COMPLETES("a partial TCP checksum is completed in IPv6",
		PKT(FROM_POD1, IP6(64), TCP(1, 2, TCP_ACK, .sum = SUM_PARTIAL), DATA(99)),
		PKT(TO_POD2, IP6(63), TCP(1, 2, TCP_ACK), DATA(99))),
	COMPLETES("a partial UDP checksum is completed",
		PKT(FROM_POD1, IP4(64), UDP(1, 2, .sum = SUM_PARTIAL), DATA(100)),
		PKT(TO_POD2, IP4(63), UDP(1, 2), DATA(100))),
	COMPLETES("a partial UDP checksum is completed in IPv6",
		PKT(FROM_POD1, IP6(64), UDP(1, 2, .sum = SUM_PARTIAL), DATA(100)),
		PKT(TO_POD2, IP6(63), UDP(1, 2), DATA(100))),
	COMPLETES("a missing SCTP checksum is computed",
		PKT(FROM_POD1, IP4(64), SCTP(1, 2, .sum = SUM_NONE), DATA(16)),
		PKT(TO_POD2, IP4(63), SCTP(1, 2), DATA(16))),
	COMPLETES("a missing SCTP checksum is computed in IPv6",
		PKT(FROM_POD1, IP6(64), SCTP(1, 2, .sum = SUM_NONE), DATA(16)),
		PKT(TO_POD2, IP6(63), SCTP(1, 2), DATA(16))),
	{
		.name = "a partial checksum is completed before the tunnel",
		.underlay = UNDERLAY_V6,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V6, REMOTE_V6), UDP(1, 2, .sum = SUM_PARTIAL), DATA(100)),
		.verdict = VERDICT_FORWARD,
		.counts = COUNT_CHECKSUM_COMPLETED,
		.to = FIXTURE_UPLINK,
		.out = { PKT(
			OUTER_OUT_V6, INNER_OUT, IP(POD1_V6, REMOTE_V6, .ttl = 63), UDP(1, 2), DATA(100)) },
	},
	{
		.name = "a wrong checksum is not mended",
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP4(64), TCP(1, 2, TCP_ACK, .sum = SUM_BAD)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_POD2,
		.out = { PKT(TO_POD2, IP4(63), TCP(1, 2, TCP_ACK, .sum = SUM_BAD)) },
		.has_bad_checksum = true,
	},

	CLAMPS("a handshake's segment size fits the way",
		PKT(FROM_POD1, IP4(64), TCP(1, 2, TCP_SYN, .mss = 1460)),
		PKT(TO_POD2, IP4(63), TCP(1, 2, TCP_SYN, .mss = 1260))),
	CLAMPS("a handshake's segment size fits the way in IPv6",
		PKT(FROM_POD1, IP6(64), TCP(1, 2, TCP_SYN | TCP_ACK, .mss = 1460)),
		PKT(TO_POD2, IP6(63), TCP(1, 2, TCP_SYN | TCP_ACK, .mss = 1240))),
	CLAMPS("a segment size at an odd place fits the way, too",
		PKT(FROM_POD1, IP4(64), TCP(1, 2, TCP_SYN, .mss = 1460, .nops = 1)),
		PKT(TO_POD2, IP4(63), TCP(1, 2, TCP_SYN, .mss = 1260, .nops = 1))),
	CLAMPS("a segment size fits the way when the checksum is partial",
		PKT(FROM_POD1, IP6(64), TCP(1, 2, TCP_SYN, .mss = 1460, .nops = 3, .sum = SUM_PARTIAL)),
		PKT(TO_POD2, IP6(63), TCP(1, 2, TCP_SYN, .mss = 1240, .nops = 3))),
	{
		.name = "a segment size that fits is kept",
		.given = pod2_takes_1300,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP4(64), TCP(1, 2, TCP_SYN, .mss = 1260)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_POD2,
		.out = { PKT(TO_POD2, IP4(63), TCP(1, 2, TCP_SYN, .mss = 1260)) },
	},
	{
		.name = "broken TCP options are left alone",
		.given = pod2_takes_1300,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP4(64), TCP(1, 2, TCP_SYN, .data_off = 7),
			RAW(3, 0, 2, 4, 0xff, 0xff, 0, 0)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_POD2,
		.out = { PKT(TO_POD2, IP4(63), TCP(1, 2, TCP_SYN, .data_off = 7),
			RAW(3, 0, 2, 4, 0xff, 0xff, 0, 0)) },
	},

	{
		.name = "what may be cut is cut",
		.given = pod2_takes_576,
		.from = FIXTURE_POD1,
		.in = PKT(LARGE()),
		.verdict = VERDICT_FORWARD,
		.counts = COUNT_FRAGMENTED,
		.to = FIXTURE_POD2,
		.out = { PKT(TO_POD2, LARGE_PIECE(LARGE(), 20, 552, .more = true)),
			PKT(TO_POD2, LARGE_PIECE(LARGE(), 572, 456, .offset = 552)) },
	},
	{
		.name = "options that concern every piece go into every piece",
		.given = pod2_takes_576,
		.from = FIXTURE_POD1,
		.in = PKT(LARGE(OPTIONS)),
		.verdict = VERDICT_FORWARD,
		.counts = COUNT_FRAGMENTS_SENT,
		.to = FIXTURE_POD2,
		.out = { PKT(TO_POD2, LARGE_PIECE(LARGE(OPTIONS), 28, 544, .more = true, OPTIONS)),
			PKT(TO_POD2, LARGE_PIECE(LARGE(OPTIONS), 572, 464, .offset = 544, OPTIONS_LATER)) },
	},
	{
		.name = "pieces are cut again, and stay where they belong",
		.given = pod2_takes_576,
		.from = FIXTURE_POD1,
		.before = PKT(BEGIN),
		.in = PKT(MIDDLE),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_POD2,
		.out = { PKT(TO_POD2, MIDDLE_PIECE(20, 552, 1480)),
			PKT(TO_POD2, MIDDLE_PIECE(572, 248, 2032)) },
	},
	{
		.name = "pieces for another node are cut before the tunnel",
		.underlay = UNDERLAY_V4,
		.given = the_way_takes_600,
		.from = FIXTURE_POD1,
		.in = PKT(LARGE_REMOTE),
		.verdict = VERDICT_FORWARD,
		.counts = COUNT_FRAGMENTED,
		.to = FIXTURE_UPLINK,
		.out = { PKT(OUTER_OUT_V4, INNER_OUT, LARGE_REMOTE_PIECE(20, 576, .more = true)),
			PKT(OUTER_OUT_V4, INNER_OUT, LARGE_REMOTE_PIECE(596, 432, .offset = 576)) },
	},
	{
		.name = "pieces for another node are cut before an IPv6 tunnel",
		.underlay = UNDERLAY_V6,
		.given = the_way_takes_600,
		.from = FIXTURE_POD1,
		.in = PKT(LARGE_REMOTE),
		.verdict = VERDICT_FORWARD,
		.counts = COUNT_FRAGMENTED,
		.to = FIXTURE_UPLINK,
		.out = { PKT(OUTER_OUT_V6, INNER_OUT, LARGE_REMOTE_PIECE(20, 576, .more = true)),
			PKT(OUTER_OUT_V6, INNER_OUT, LARGE_REMOTE_PIECE(596, 432, .offset = 576)) },
	},
};
const unsigned n_rewrite_cases = sizeof(rewrite_cases) / sizeof(rewrite_cases[0]);
