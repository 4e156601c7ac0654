/* Into tunnels, out of them, and what does not belong in them. */
#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"

#define INNER_V4(t, ...) IP(POD1_V4, REMOTE_V4, .ttl = (t), ##__VA_ARGS__)
#define INNER_V6(t, ...) IP(POD1_V6, REMOTE_V6, .ttl = (t), ##__VA_ARGS__)
#define BACK_V4(...) IP(REMOTE_V4, POD1_V4, ##__VA_ARGS__)
#define BACK_V6(...) IP(REMOTE_V6, POD1_V6, ##__VA_ARGS__)

/* From the uplink, on an IPv4 underlay */
#define DROPS(n, reason, ...)                                                                         \
	{                                                                                             \
		.name = (n), .underlay = UNDERLAY_V4, .from = FIXTURE_UPLINK, .in = PKT(__VA_ARGS__), \
		.verdict = VERDICT_DROP, .drop = (reason)                                             \
	}
#define DROPS6(n, reason, ...)                                                                        \
	{                                                                                             \
		.name = (n), .underlay = UNDERLAY_V6, .from = FIXTURE_UPLINK, .in = PKT(__VA_ARGS__), \
		.verdict = VERDICT_DROP, .drop = (reason)                                             \
	}

/* What we sent, as an underlay router quotes it */
#define OURS_V4                                                                 \
	ETH("uplink", "peer"), IP(NODE_V4, PEER_V4, .df = true, .total = 1500), \
		UDP(60000, 4789, .sum = SUM_NONE)
#define OURS_V6 ETH("uplink", "peer"), IP(NODE_V6, PEER_V6, .total = 1460), UDP(60000, 4789)
#define ROUTER_V4 ETH("peer", "uplink"), IP("192.0.2.254", NODE_V4)
#define ROUTER_V6 ETH("peer", "uplink"), IP("2001:db8::fe", NODE_V6)

static void
pod1_takes_1280(struct fixture *f)
{
	f->endpoints->endpoints[1].mtu = 1280;
}

static void
no_uplink(struct fixture *f)
{
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		f->node.uplink_port[i] = PORTS_MAX;
}

static void
the_host_has_no_address(struct fixture *f)
{
	pod1_takes_1280(f);
	memset(f->endpoints->host_addrs, 0, sizeof(f->endpoints->host_addrs));
}

const struct packet_case overlay_cases[] = {
	{
		.name = "to another node over IPv4",
		.underlay = UNDERLAY_V4,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, INNER_V4(64), TCP(1000, 80, TCP_ACK), DATA(10)),
		.verdict = VERDICT_FORWARD,
		.counts = COUNT_ENCAPSULATED,
		.to = FIXTURE_UPLINK,
		.out = { PKT(OUTER_OUT_V4, INNER_OUT, INNER_V4(63), TCP(1000, 80, TCP_ACK), DATA(10)) },
	},
	{
		.name = "IPv6 to another node over IPv4",
		.underlay = UNDERLAY_V4,
		.from = FIXTURE_POD2,
		.in = PKT(ETH("pod2", "gw"), IP(POD2_V6, REMOTE_V6), UDP(1000, 53), DATA(11)),
		.verdict = VERDICT_FORWARD,
		.counts = COUNT_ENCAPSULATED,
		.to = FIXTURE_UPLINK,
		.out = { PKT(OUTER_OUT_V4, INNER_OUT, IP(POD2_V6, REMOTE_V6, .ttl = 63), UDP(1000, 53),
			DATA(11)) },
	},
	{
		.name = "to another node over IPv6",
		.underlay = UNDERLAY_V6,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, INNER_V4(64), UDP(1000, 53, .sum = SUM_NONE), DATA(11)),
		.verdict = VERDICT_FORWARD,
		.counts = COUNT_ENCAPSULATED,
		.to = FIXTURE_UPLINK,
		.out = { PKT(
			OUTER_OUT_V6, INNER_OUT, INNER_V4(63), UDP(1000, 53, .sum = SUM_NONE), DATA(11)) },
	},
	{
		.name = "IPv6 from the host to another node over IPv6",
		.underlay = UNDERLAY_V6,
		.from = FIXTURE_HOST,
		.in = PKT(FROM_HOST, IP(HOST_V6, REMOTE_V6), TCP(1000, 80, TCP_ACK)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_UPLINK,
		.out = { PKT(
			OUTER_OUT_V6, INNER_OUT, IP(HOST_V6, REMOTE_V6, .ttl = 63), TCP(1000, 80, TCP_ACK)) },
	},
	{
		.name = "congestion marks are copied outwards",
		.underlay = UNDERLAY_V4,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, INNER_V4(64, .tos = 0xb9), UDP(1, 2)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_UPLINK,
		.out = { PKT(ETH("uplink", "peer"), IP(NODE_V4, PEER_V4, .df = true, .tos = 1),
			UDP(0, 4789, .sum = SUM_NONE), VXLAN(1), INNER_OUT, INNER_V4(63, .tos = 0xb9),
			UDP(1, 2)) },
	},
	{
		.name = "congestion marks are copied outwards over IPv6",
		.underlay = UNDERLAY_V6,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, INNER_V6(64, .tos = 0xba), UDP(1, 2)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_UPLINK,
		.out = { PKT(ETH("uplink", "peer"), IP(NODE_V6, PEER_V6, .tos = 2), UDP(0, 4789), VXLAN(1),
			INNER_OUT, INNER_V6(63, .tos = 0xba), UDP(1, 2)) },
	},
	{
		.name = "to another node without an uplink",
		.given = no_uplink,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, INNER_V6(64), UDP(1, 2)),
		.verdict = VERDICT_DROP,
		.drop = DROP_NO_ROUTE,
	},

	{
		.name = "from another node over IPv4",
		.underlay = UNDERLAY_V4,
		.from = FIXTURE_UPLINK,
		.in = PKT(OUTER_IN_V4, INNER_IN, BACK_V4(.ttl = 1), TCP(80, 1000, TCP_ACK), DATA(10)),
		.verdict = VERDICT_FORWARD,
		.counts = COUNT_DECAPSULATED,
		.to = FIXTURE_POD1,
		.out = { PKT(TO_POD1, BACK_V4(.ttl = 1), TCP(80, 1000, TCP_ACK), DATA(10)) },
	},
	{
		.name = "IPv6 from another node over IPv4, behind a VLAN tag",
		.underlay = UNDERLAY_V4,
		.from = FIXTURE_UPLINK,
		.in = PKT(ETH("peer", "uplink"), VLAN(7), IP(PEER_V4, NODE_V4), UDP(50000, 4789), VXLAN(1),
			INNER_IN, IP(REMOTE_V6, POD2_V6), UDP(53, 1000), DATA(11)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_POD2,
		.out = { PKT(TO_POD2, IP(REMOTE_V6, POD2_V6), UDP(53, 1000), DATA(11)) },
	},
	{
		.name = "from another node over IPv6 to the host",
		.underlay = UNDERLAY_V6,
		.from = FIXTURE_UPLINK,
		.in = PKT(OUTER_IN_V6, INNER_IN, IP(REMOTE_V6, HOST_V6), TCP(80, 1000, TCP_ACK)),
		.verdict = VERDICT_PUNT,
		.to = FIXTURE_HOST,
		.out = { PKT(TO_HOST, IP(REMOTE_V6, HOST_V6), TCP(80, 1000, TCP_ACK)) },
	},
	{
		.name = "an outer checksum of zero is accepted over IPv6",
		.underlay = UNDERLAY_V6,
		.from = FIXTURE_UPLINK,
		.in = PKT(ETH("peer", "uplink"), IP(PEER_V6, NODE_V6), UDP(50000, 4789, .sum = SUM_NONE),
			VXLAN(1), INNER_IN, BACK_V6(), UDP(53, 1000), PADDING(9)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_POD1,
		.out = { PKT(TO_POD1, BACK_V6(), UDP(53, 1000)) },
	},
	{
		.name = "congestion met in the underlay is passed on",
		.underlay = UNDERLAY_V4,
		.from = FIXTURE_UPLINK,
		.in = PKT(ETH("peer", "uplink"), IP(PEER_V4, NODE_V4, .tos = 3), UDP(50000, 4789), VXLAN(1),
			INNER_IN, BACK_V4(.tos = 2), UDP(53, 1000)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_POD1,
		.out = { PKT(TO_POD1, BACK_V4(.tos = 3), UDP(53, 1000)) },
	},
	{
		.name = "congestion met in an IPv6 underlay is passed on",
		.underlay = UNDERLAY_V6,
		.from = FIXTURE_UPLINK,
		.in = PKT(ETH("peer", "uplink"), IP(PEER_V6, NODE_V6, .tos = 3), UDP(50000, 4789), VXLAN(1),
			INNER_IN, BACK_V6(.tos = 1), UDP(53, 1000)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_POD1,
		.out = { PKT(TO_POD1, BACK_V6(.tos = 3), UDP(53, 1000)) },
	},
	DROPS("congestion that the sender cannot be told of", DROP_ECN, ETH("peer", "uplink"),
		IP(PEER_V4, NODE_V4, .tos = 3), UDP(50000, 4789), VXLAN(1), INNER_IN, BACK_V4(),
		UDP(53, 1000)),
	DROPS6("congestion that an IPv6 sender cannot be told of", DROP_ECN, ETH("peer", "uplink"),
		IP(PEER_V6, NODE_V6, .tos = 3), UDP(50000, 4789), VXLAN(1), INNER_IN, BACK_V6(),
		UDP(53, 1000)),

	{
		.name = "a remote sender is told what fits, through the tunnel and from this node's address",
		.underlay = UNDERLAY_V4,
		.given = pod1_takes_1280,
		.from = FIXTURE_UPLINK,
		.in = PKT(OUTER_IN_V4, INNER_IN, BACK_V6(), UDP(53, 1000), DATA(1300)),
		.verdict = VERDICT_REPLY,
		.counts = COUNT_ERRORS_SENT,
		.to = FIXTURE_UPLINK,
		.out = { PKT(OUTER_OUT_V4, INNER_OUT, IP(HOST_V6, REMOTE_V6), ICMP(2, 0, .rest = 1280),
			QUOTE(PKT(INNER_IN, BACK_V6(), UDP(53, 1000), DATA(1300)), 1232)) },
	},
	{
		.name = "a remote sender is told what fits over IPv6",
		.underlay = UNDERLAY_V6,
		.given = pod1_takes_1280,
		.from = FIXTURE_UPLINK,
		.in = PKT(OUTER_IN_V6, INNER_IN, BACK_V4(.df = true), UDP(53, 1000), DATA(1300)),
		.verdict = VERDICT_REPLY,
		.counts = COUNT_ERRORS_SENT,
		.to = FIXTURE_UPLINK,
		.out = { PKT(OUTER_OUT_V6, INNER_OUT, IP(HOST_V4, REMOTE_V4, .df = true, .tos = 0xc0),
			ICMP(3, 4, .rest = 1280),
			QUOTE(PKT(INNER_IN, BACK_V4(.df = true), UDP(53, 1000), DATA(1300)), 548)) },
	},
	{
		.name = "a remote sender is not told by a node without an address of its own",
		.underlay = UNDERLAY_V4,
		.given = the_host_has_no_address,
		.from = FIXTURE_UPLINK,
		.in = PKT(OUTER_IN_V4, INNER_IN, BACK_V6(), UDP(53, 1000), DATA(1300)),
		.verdict = VERDICT_DROP,
		.drop = DROP_TOO_BIG,
	},

	DROPS("what is no tunnel packet", DROP_NOT_OURS, ETH("peer", "uplink"), IP(PEER_V4, NODE_V4),
		UDP(1, 53)),
	DROPS6("what is no tunnel packet in IPv6", DROP_NOT_OURS, ETH("peer", "uplink"), IP(PEER_V6, NODE_V6),
		TCP(1, 22, TCP_SYN)),
	DROPS("a tunnel packet for another node", DROP_NOT_OURS, ETH("peer", "uplink"),
		IP(PEER_V4, "192.0.2.9"), UDP(50000, 4789), VXLAN(1), INNER_IN, BACK_V4(), UDP(1, 2)),
	DROPS("a tunnel packet in pieces", DROP_NOT_OURS, ETH("peer", "uplink"),
		IP(PEER_V4, NODE_V4, .more = true), UDP(50000, 4789), VXLAN(1), INNER_IN, BACK_V4(),
		UDP(1, 2), DATA(6)),
	DROPS("ARP from the underlay", DROP_NOT_OURS, ETH("peer", "*"),
		ARP(ARP_REQUEST, "peer", PEER_V4, NULL, NODE_V4)),
	DROPS("a tunnel packet too short for an inner frame", DROP_TRUNCATED, ETH("peer", "uplink"),
		IP(PEER_V4, NODE_V4), UDP(50000, 4789), VXLAN(1), DATA(13)),
	DROPS("a tunnel packet from a stranger", DROP_UNKNOWN_VTEP, ETH("peer", "uplink"),
		IP("192.0.2.77", NODE_V4), UDP(50000, 4789), VXLAN(1), INNER_IN, BACK_V4(), UDP(1, 2)),
	DROPS6("a tunnel packet from a stranger over IPv6", DROP_UNKNOWN_VTEP, ETH("peer", "uplink"),
		IP("2001:db8::77", NODE_V6), UDP(50000, 4789), VXLAN(1), INNER_IN, BACK_V6(), UDP(1, 2)),
	DROPS("another network's number", DROP_WRONG_VNI, ETH("peer", "uplink"), IP(PEER_V4, NODE_V4),
		UDP(50000, 4789), VXLAN(2), INNER_IN, BACK_V4(), UDP(1, 2)),
	DROPS("a tunnel packet without a number", DROP_WRONG_VNI, ETH("peer", "uplink"), IP(PEER_V4, NODE_V4),
		UDP(50000, 4789), VXLAN(1, .flags = 1), INNER_IN, BACK_V4(), UDP(1, 2)),
	DROPS("reserved bits in front of the number", DROP_WRONG_VNI, ETH("peer", "uplink"),
		IP(PEER_V4, NODE_V4), UDP(50000, 4789), VXLAN(1, .flags = 0x08000001), INNER_IN, BACK_V4(),
		UDP(1, 2)),
	DROPS("reserved bits behind the number", DROP_WRONG_VNI, ETH("peer", "uplink"), IP(PEER_V4, NODE_V4),
		UDP(50000, 4789), VXLAN(1, .reserved = 1), INNER_IN, BACK_V4(), UDP(1, 2)),
	DROPS("an inner frame for another node", DROP_WRONG_INNER_MAC, OUTER_IN_V4,
		ETH("peer-tunnel", "peer-tunnel"), BACK_V4(), UDP(1, 2)),
	DROPS("an inner broadcast", DROP_WRONG_INNER_MAC, OUTER_IN_V4, ETH("peer-tunnel", "*"),
		ARP(ARP_REQUEST, "peer-tunnel", REMOTE_V4, NULL, POD1_V4)),
	DROPS("inner ARP", DROP_NEIGHBOUR, OUTER_IN_V4, INNER_IN,
		ARP(ARP_REQUEST, "peer-tunnel", REMOTE_V4, NULL, POD1_V4)),
	DROPS("an inner VLAN tag", DROP_VLAN, OUTER_IN_V4, INNER_IN, VLAN(7), BACK_V4(), UDP(1, 2)),
	DROPS("an inner packet that is cut off", DROP_TRUNCATED, OUTER_IN_V4, INNER_IN, BACK_V4(.total = 60),
		UDP(1, 2)),
	DROPS("a broken inner IPv4 header", DROP_MALFORMED, OUTER_IN_V4, INNER_IN, BACK_V4(.sum = SUM_BAD),
		UDP(1, 2)),
	DROPS("an inner source of another node", DROP_TUNNEL_SOURCE, OUTER_IN_V4, INNER_IN,
		IP("10.244.3.1", POD1_V4), UDP(1, 2)),
	DROPS6("an inner IPv6 source of another node", DROP_TUNNEL_SOURCE, OUTER_IN_V6, INNER_IN,
		IP("fd00:10:244:3::1", POD1_V6), UDP(1, 2)),
	DROPS("an inner source of this node", DROP_TUNNEL_SOURCE, OUTER_IN_V4, INNER_IN, IP(POD2_V4, POD1_V4),
		UDP(1, 2)),
	DROPS("an inner source of nobody", DROP_TUNNEL_SOURCE, OUTER_IN_V4, INNER_IN,
		IP("198.51.100.1", POD1_V4), UDP(1, 2)),
	DROPS("an inner destination on another node", DROP_TUNNEL_DESTINATION, OUTER_IN_V4, INNER_IN,
		IP(REMOTE_V4, "10.244.3.1"), UDP(1, 2)),
	DROPS6("an inner destination on another node, in IPv6", DROP_TUNNEL_DESTINATION, OUTER_IN_V6,
		INNER_IN, IP(REMOTE_V6, "fd00:10:244:3::1"), UDP(1, 2)),
	DROPS("an inner destination that nobody has", DROP_TUNNEL_DESTINATION, OUTER_IN_V4, INNER_IN,
		IP(REMOTE_V4, "10.244.1.99"), UDP(1, 2)),
	DROPS("an inner service address", DROP_TUNNEL_DESTINATION, OUTER_IN_V4, INNER_IN,
		IP(REMOTE_V4, "10.96.0.10"), UDP(1, 2)),
	DROPS("this node's own address through a tunnel", DROP_TUNNEL_DESTINATION, OUTER_IN_V4, INNER_IN,
		IP(REMOTE_V4, NODE_V4), TCP(1, 22, TCP_SYN)),
	DROPS("a tunnel in a tunnel", DROP_TUNNEL_FROM_POD, OUTER_IN_V4, INNER_IN, IP(REMOTE_V4, HOST_V4),
		UDP(50000, 4789), DATA(30)),

	{
		.name = "an underlay router tells what the way to a node takes",
		.underlay = UNDERLAY_V4,
		.from = FIXTURE_UPLINK,
		.in = PKT(ROUTER_V4, ICMP(3, 4, .rest = 1400), QUOTE(PKT(OURS_V4), 28)),
		.verdict = VERDICT_PUNT,
		.to = FIXTURE_HOST,
		.out = { PKT(ETH("gw", "host"), IP("192.0.2.254", NODE_V4), ICMP(3, 4, .rest = 1400),
			QUOTE(PKT(OURS_V4), 28)) },
		.event_value = 1350,
	},
	{
		.name = "an IPv6 underlay router tells what the way to a node takes, behind a VLAN tag",
		.underlay = UNDERLAY_V6,
		.from = FIXTURE_UPLINK,
		.in = PKT(ETH("peer", "uplink"), VLAN(7), IP("2001:db8::fe", NODE_V6),
			ICMP(2, 0, .rest = 1400), QUOTE(PKT(OURS_V6), 48)),
		.verdict = VERDICT_PUNT,
		.to = FIXTURE_HOST,
		.out = { PKT(ETH("gw", "host"), IP("2001:db8::fe", NODE_V6), ICMP(2, 0, .rest = 1400),
			QUOTE(PKT(OURS_V6), 48)) },
		.event_value = 1330,
	},
	DROPS("an error from a pod's address outside the tunnel", DROP_SPOOFED_SOURCE, ETH("peer", "uplink"),
		IP(REMOTE_V4, NODE_V4), ICMP(3, 4, .rest = 1400), QUOTE(PKT(OURS_V4), 28)),
	DROPS("an error from a service address", DROP_SPOOFED_SOURCE, ETH("peer", "uplink"),
		IP("10.96.0.10", NODE_V4), ICMP(3, 1), QUOTE(PKT(OURS_V4), 28)),
	DROPS6("an error from this node's reserved address", DROP_SPOOFED_SOURCE, ETH("peer", "uplink"),
		IP(HOST_V6, NODE_V6), ICMP(2, 0, .rest = 1400), QUOTE(PKT(OURS_V6), 48)),
	DROPS6("an error from this node's own address", DROP_SPOOFED_SOURCE, ETH("peer", "uplink"),
		IP(NODE_V6, NODE_V6), ICMP(2, 0, .rest = 1400), QUOTE(PKT(OURS_V6), 48)),
#define PUNTS_UNBELIEVED(n, rest_value, sum_value, quoted)                                                   \
	{                                                                                                    \
		.name = (n), .underlay = UNDERLAY_V4, .from = FIXTURE_UPLINK,                                \
		.in = PKT(                                                                                   \
			ROUTER_V4, ICMP(3, 4, .rest = (rest_value), .sum = (sum_value)), QUOTE(quoted, 28)), \
		.verdict = VERDICT_PUNT, .to = FIXTURE_HOST,                                                 \
		.out = { PKT(TO_HOST, IP("192.0.2.254", NODE_V4),                                            \
			ICMP(3, 4, .rest = (rest_value), .sum = (sum_value)), QUOTE(quoted, 28)) },          \
		.has_bad_checksum = (sum_value) == SUM_BAD                                                   \
	}
	PUNTS_UNBELIEVED("an MTU that no link has is not believed", 500, SUM_VALID, PKT(OURS_V4)),
	PUNTS_UNBELIEVED("an MTU above the known one is no news", 1500, SUM_VALID, PKT(OURS_V4)),
	PUNTS_UNBELIEVED("an error with a wrong checksum is not believed", 1400, SUM_BAD, PKT(OURS_V4)),
	PUNTS_UNBELIEVED("an error that quotes another's packet is not believed", 1400, SUM_VALID,
		PKT(ETH("uplink", "peer"), IP("192.0.2.9", PEER_V4), UDP(60000, 4789))),
	PUNTS_UNBELIEVED("an error that quotes a packet to no node is not believed", 1400, SUM_VALID,
		PKT(ETH("uplink", "peer"), IP(NODE_V4, "192.0.2.9"), UDP(60000, 4789))),
	PUNTS_UNBELIEVED("an error that quotes no tunnel packet is the host's", 1400, SUM_VALID,
		PKT(ETH("uplink", "peer"), IP(NODE_V4, PEER_V4), UDP(60000, 53))),
	PUNTS_UNBELIEVED("an error that quotes a source port we never use is not believed", 1400, SUM_VALID,
		PKT(ETH("uplink", "peer"), IP(NODE_V4, PEER_V4), UDP(1024, 4789))),
};
const unsigned n_overlay_cases = sizeof(overlay_cases) / sizeof(overlay_cases[0]);
