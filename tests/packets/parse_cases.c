/* What is not a packet ends by its name; what is one passes, whatever its shape. */
#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"

#define DROPS(n, reason, ...)                                                                       \
	{                                                                                           \
		.name = (n), .from = FIXTURE_POD1, .in = PKT(__VA_ARGS__), .verdict = VERDICT_DROP, \
		.drop = (reason)                                                                    \
	}

/* From pod1 to pod2: what is in front of the transport header, with TTL t */
#define IP4(t, ...) IP(POD1_V4, POD2_V4, .ttl = (t), ##__VA_ARGS__)
#define IP6(t, ...) IP(POD1_V6, POD2_V6, .ttl = (t), ##__VA_ARGS__)
#define PASSES(n, in_packet, out_packet) PASSES_AFTER(n, NULL, in_packet, out_packet)
#define PASSES_AFTER(n, first, in_packet, out_packet)                                \
	{                                                                            \
		.name = (n), .from = FIXTURE_POD1, .before = first, .in = in_packet, \
		.verdict = VERDICT_FORWARD, .to = FIXTURE_POD2,                      \
		.out = { out_packet }                                                \
	}
#define PASSES4(n, ...) PASSES(n, PKT(FROM_POD1, IP4(64), __VA_ARGS__), PKT(TO_POD2, IP4(63), __VA_ARGS__))
#define PASSES6(n, ...) PASSES(n, PKT(FROM_POD1, IP6(64), __VA_ARGS__), PKT(TO_POD2, IP6(63), __VA_ARGS__))

const struct packet_case parse_cases[] = {
	PASSES4("IPv4 TCP passes", TCP(1000, 80, TCP_ACK), DATA(100)),
	PASSES6("IPv6 TCP passes", TCP(1000, 80, TCP_ACK), DATA(100)),
	PASSES4("IPv4 UDP passes", UDP(1000, 53), DATA(33)),
	PASSES6("IPv6 UDP passes", UDP(1000, 53), DATA(33)),
	PASSES4("IPv4 UDP without a checksum keeps none", UDP(1000, 53, .sum = SUM_NONE), DATA(33)),
	PASSES4("IPv4 SCTP passes", SCTP(1000, 80), DATA(16)),
	PASSES6("IPv6 SCTP passes", SCTP(1000, 80), DATA(16)),
	PASSES4("ICMP echo passes", ICMP(8, 0, .id = 7, .seq = 1), DATA(56)),
	PASSES6("ICMPv6 echo passes", ICMP(128, 0, .id = 7, .seq = 1), DATA(56)),
	PASSES4("an IPv4 packet without a transport header passes", DATA(0)),
	PASSES("an IPv4 packet of an unknown protocol passes", PKT(FROM_POD1, IP4(64, .proto = 47), DATA(3)),
		PKT(TO_POD2, IP4(63, .proto = 47), DATA(3))),
	PASSES("an IPv6 packet of an unknown protocol passes", PKT(FROM_POD1, IP6(64, .proto = 50), DATA(3)),
		PKT(TO_POD2, IP6(63, .proto = 50), DATA(3))),
	PASSES("IPv4 options are kept",
		PKT(FROM_POD1, IP4(64, .n_options = 4, .options = { 0x94, 4 }), UDP(1, 2), DATA(5)),
		PKT(TO_POD2, IP4(63, .n_options = 4, .options = { 0x94, 4 }), UDP(1, 2), DATA(5))),
	PASSES6("IPv6 extension headers are followed", EXT(PROTO_HOPOPTS, 0), EXT(PROTO_DSTOPTS, 0),
		UDP(1000, 53), DATA(9)),
	PASSES6("an authentication header is followed", EXT(PROTO_AH, 4), TCP(1000, 80, TCP_ACK)),
	PASSES6("a source route that is spent is followed", EXT(PROTO_IPV6_ROUTE, 0), UDP(1000, 53)),
	PASSES6("an IPv6 packet in one fragment passes", FRAG(0, false, .id = 9), UDP(1000, 53), DATA(9)),
	PASSES("a first IPv4 fragment passes",
		PKT(FROM_POD1, IP4(64, .more = true, .id = 5), UDP(1, 2, .len = 1000), DATA(16)),
		PKT(TO_POD2, IP4(63, .more = true, .id = 5), UDP(1, 2, .len = 1000), DATA(16))),
	PASSES_AFTER("a later IPv4 fragment passes",
		PKT(FROM_POD1, IP4(64, .more = true, .id = 5), UDP(1, 2, .len = 1000), DATA(16)),
		PKT(FROM_POD1, IP4(64, .offset = 24, .id = 5, .proto = PROTO_UDP), DATA(17)),
		PKT(TO_POD2, IP4(63, .offset = 24, .id = 5, .proto = PROTO_UDP), DATA(17))),
	PASSES6("a first IPv6 fragment passes", FRAG(0, true), UDP(1, 2, .len = 1000), DATA(16)),
	PASSES_AFTER("a later IPv6 fragment passes",
		PKT(FROM_POD1, IP6(64), FRAG(0, true), UDP(1, 2, .len = 1000), DATA(16)),
		PKT(FROM_POD1, IP6(64), FRAG(24, false, .proto = PROTO_UDP), DATA(17)),
		PKT(TO_POD2, IP6(63), FRAG(24, false, .proto = PROTO_UDP), DATA(17))),
	PASSES("Ethernet padding is left behind", PKT(FROM_POD1, IP4(64), UDP(1, 2), DATA(1), PADDING(17)),
		PKT(TO_POD2, IP4(63), UDP(1, 2), DATA(1))),
	PASSES("UDP data may be followed by other bytes",
		PKT(FROM_POD1, IP4(64), UDP(1, 2, .len = 12), DATA(9)),
		PKT(TO_POD2, IP4(63), UDP(1, 2, .len = 12), DATA(9))),

	DROPS("less than an Ethernet header", DROP_TRUNCATED, FROM_POD1, CUT(1)),
	DROPS("less than an IPv4 header", DROP_TRUNCATED, FROM_POD1, IP4(64), CUT(1)),
	DROPS("IPv4 options that are cut off", DROP_TRUNCATED, FROM_POD1,
		IP4(64, .n_options = 8, .total = 60), CUT(4)),
	DROPS("an IPv4 packet longer than its frame", DROP_TRUNCATED, FROM_POD1, IP4(64), UDP(1, 2), DATA(10),
		CUT(1)),
	DROPS("less than an IPv6 header", DROP_TRUNCATED, FROM_POD1, IP6(64), CUT(1)),
	DROPS("an IPv6 packet longer than its frame", DROP_TRUNCATED, FROM_POD1, IP6(64), UDP(1, 2), DATA(10),
		CUT(1)),
	DROPS("less than an ARP header", DROP_TRUNCATED, FROM_POD1,
		ARP(ARP_REQUEST, "pod1", POD1_V4, NULL, GATEWAY_V4), CUT(1)),
	DROPS("less than a TCP header", DROP_TRUNCATED, FROM_POD1, IP4(64, .total = 39), TCP(1, 2, TCP_ACK),
		CUT(1)),
	DROPS("TCP options that are cut off", DROP_TRUNCATED, FROM_POD1, IP6(64),
		TCP(1, 2, TCP_ACK, .data_off = 6)),
	DROPS("less than a UDP header", DROP_TRUNCATED, FROM_POD1, IP6(64, .proto = PROTO_UDP), DATA(7)),
	DROPS("UDP data that is cut off", DROP_TRUNCATED, FROM_POD1, IP4(64), UDP(1, 2, .len = 30), DATA(10)),
	DROPS("less than an SCTP header", DROP_TRUNCATED, FROM_POD1, IP4(64, .proto = PROTO_SCTP), DATA(11)),
	DROPS("less than an ICMP header", DROP_TRUNCATED, FROM_POD1, IP4(64, .proto = PROTO_ICMP), DATA(7)),
	DROPS("less than an ICMPv6 header", DROP_TRUNCATED, FROM_POD1, IP6(64, .proto = PROTO_ICMPV6),
		DATA(7)),
	DROPS("an IPv6 extension header that is cut off", DROP_TRUNCATED, FROM_POD1, IP6(64, .total = 8),
		EXT(PROTO_DSTOPTS, 1), CUT(8)),
	DROPS("less than an IPv6 extension header", DROP_TRUNCATED, FROM_POD1,
		IP6(64, .proto = PROTO_IPV6_FRAG), DATA(7)),

	DROPS("IPv4 that says it is IPv6", DROP_MALFORMED, FROM_POD1, IP4(64, .version = 6), UDP(1, 2)),
	DROPS("IPv6 that says it is IPv4", DROP_MALFORMED, FROM_POD1, IP6(64, .version = 4), UDP(1, 2)),
	DROPS("an IPv4 header shorter than one", DROP_MALFORMED, FROM_POD1, IP4(64, .ihl = 4), UDP(1, 2)),
	DROPS("an IPv4 packet shorter than its header", DROP_MALFORMED, FROM_POD1, IP4(64, .total = 19)),
	DROPS("a TCP header shorter than one", DROP_MALFORMED, FROM_POD1, IP4(64),
		TCP(1, 2, TCP_ACK, .data_off = 4)),
	DROPS("UDP shorter than its header", DROP_MALFORMED, FROM_POD1, IP4(64), UDP(1, 2, .len = 7)),
	DROPS("a fragment that ends within eight bytes", DROP_MALFORMED, FROM_POD1,
		IP4(64, .more = true, .proto = PROTO_UDP, .offset = 8), DATA(9)),
	DROPS("an IPv6 fragment that ends within eight bytes", DROP_MALFORMED, FROM_POD1, IP6(64),
		FRAG(8, true, .proto = PROTO_UDP), DATA(9)),
	DROPS("a fragment beyond 64 KiB", DROP_MALFORMED, FROM_POD1,
		IP4(64, .offset = 65528, .proto = PROTO_UDP), DATA(16)),
	DROPS("a fragment that would overwrite TCP's flags", DROP_MALFORMED, FROM_POD1,
		IP4(64, .offset = 8, .proto = PROTO_TCP), DATA(16)),
	DROPS("hop-by-hop options that do not come first", DROP_MALFORMED, FROM_POD1, IP6(64),
		EXT(PROTO_DSTOPTS, 0), EXT(PROTO_HOPOPTS, 0), UDP(1, 2)),
	DROPS("two fragment headers", DROP_MALFORMED, FROM_POD1, IP6(64), FRAG(0, true), FRAG(0, true),
		UDP(1, 2)),
	DROPS("a v4-mapped address in an IPv6 header", DROP_MALFORMED, FROM_POD1,
		IP("::ffff:10.244.1.10", POD2_V6), UDP(1, 2)),
	DROPS("ARP for another kind of hardware", DROP_MALFORMED, FROM_POD1,
		ARP(ARP_REQUEST, "pod1", POD1_V4, NULL, GATEWAY_V4, .hw_type = 6)),
	{
		.name = "a broken IPv4 header from the wire",
		.underlay = UNDERLAY_V4,
		.from = FIXTURE_UPLINK,
		.in = PKT(
			ETH("peer", "uplink"), IP(PEER_V4, NODE_V4, .sum = SUM_BAD), UDP(1, 4789), DATA(50)),
		.verdict = VERDICT_DROP,
		.drop = DROP_MALFORMED,
	},
	{
		.name = "a local sender's broken IPv4 header arrives broken",
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP4(64, .sum = SUM_BAD), UDP(1, 2), DATA(5)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_POD2,
		.out = { PKT(TO_POD2, IP4(63, .sum = SUM_BAD), UDP(1, 2), DATA(5)) },
		.has_bad_checksum = true,
	},

	DROPS("an Ethernet type that is not ours", DROP_ETHERTYPE, ETH("pod1", "gw", .type = 0x88cc),
		DATA(30)),
	DROPS("a VLAN tag from a pod", DROP_VLAN, FROM_POD1, VLAN(5), IP4(64), UDP(1, 2)),
	{
		.name = "two VLAN tags from the underlay",
		.from = FIXTURE_UPLINK,
		.in = PKT(ETH("peer", "uplink"), VLAN(5), VLAN(6), IP(PEER_V4, NODE_V4), UDP(1, 2)),
		.verdict = VERDICT_DROP,
		.drop = DROP_VLAN,
	},
	{
		.name = "a provider's VLAN tag",
		.from = FIXTURE_UPLINK,
		.in = PKT(ETH("peer", "uplink", .type = 0x88a8), VLAN(5), IP(PEER_V4, NODE_V4), UDP(1, 2)),
		.verdict = VERDICT_DROP,
		.drop = DROP_VLAN,
	},
	{
		.name = "less than a VLAN tag",
		.from = FIXTURE_UPLINK,
		.in = PKT(ETH("peer", "uplink"), VLAN(5), CUT(1)),
		.verdict = VERDICT_DROP,
		.drop = DROP_TRUNCATED,
	},
	DROPS("too many IPv6 extension headers", DROP_IPV6_EXTENSIONS, FROM_POD1, IP6(64),
		EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0),
		EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0),
		EXT(PROTO_DSTOPTS, 0), UDP(1, 2)),
	DROPS("an IPv6 source route", DROP_IPV6_EXTENSIONS, FROM_POD1, IP6(64),
		EXT(PROTO_IPV6_ROUTE, 0, .segments_left = 1), UDP(1, 2)),
};
const unsigned n_parse_cases = sizeof(parse_cases) / sizeof(parse_cases[0]);
