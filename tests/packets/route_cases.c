/* Where packets go, how far, and what fits. */
#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"

#define DROPS(n, port, reason, ...)                                                           \
	{                                                                                     \
		.name = (n), .from = (port), .in = PKT(__VA_ARGS__), .verdict = VERDICT_DROP, \
		.drop = (reason)                                                              \
	}

static void
the_host_has_no_port(struct fixture *f)
{
	f->endpoints->host = ENDPOINT_NONE;
}

static void
pod2_takes_1280(struct fixture *f)
{
	f->endpoints->endpoints[2].mtu = 1280;
}

static void
pod2_takes_600(struct fixture *f)
{
	f->endpoints->endpoints[2].mtu = 600;
}

static void
pod2_takes_nothing(struct fixture *f)
{
	f->endpoints->endpoints[2].mtu = 60;
}

#define TOO_BIG_V4 FROM_POD1, IP(POD1_V4, POD2_V4, .df = true), UDP(1000, 53), DATA(1280)
#define TOO_BIG_V6 FROM_POD1, IP(POD1_V6, POD2_V6), UDP(1000, 53), DATA(1280)

const struct packet_case route_cases[] = {
	{
		.name = "between two pods, and back to the first one's port",
		.from = FIXTURE_POD2,
		.in = PKT(ETH("pod2", "gw"), IP(POD2_V4, POD1_V4, .df = true), TCP(80, 1000, TCP_ACK)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_POD1,
		.out = { PKT(TO_POD1, IP(POD2_V4, POD1_V4, .df = true, .ttl = 63), TCP(80, 1000, TCP_ACK)) },
	},
	{
		.name = "from a pod to this node's own address",
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, NODE_V4, .ttl = 1), TCP(1000, 10250, TCP_ACK)),
		.verdict = VERDICT_PUNT,
		.to = FIXTURE_HOST,
		.out = { PKT(TO_HOST, IP(POD1_V4, NODE_V4, .ttl = 1), TCP(1000, 10250, TCP_ACK)) },
	},
	{
		.name = "from a pod to this node's own IPv6 address",
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V6, NODE_V6, .ttl = 1), UDP(1000, 10250)),
		.verdict = VERDICT_PUNT,
		.to = FIXTURE_HOST,
		.out = { PKT(TO_HOST, IP(POD1_V6, NODE_V6, .ttl = 1), UDP(1000, 10250)) },
	},
	{
		.name = "the host answers a pod from the address that the pod used",
		.from = FIXTURE_HOST,
		.in = PKT(FROM_HOST, IP(NODE_V4, POD1_V4), TCP(10250, 1000, TCP_ACK)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_POD1,
		.out = { PKT(TO_POD1, IP(NODE_V4, POD1_V4, .ttl = 63), TCP(10250, 1000, TCP_ACK)) },
	},
	{
		.name = "from the host to a pod",
		.from = FIXTURE_HOST,
		.in = PKT(FROM_HOST, IP(HOST_V6, POD2_V6), UDP(1, 2)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_POD2,
		.out = { PKT(TO_POD2, IP(HOST_V6, POD2_V6, .ttl = 63), UDP(1, 2)) },
	},
	{
		.name = "to the host while it has no port",
		.given = the_host_has_no_port,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, HOST_V4), UDP(1, 2)),
		.verdict = VERDICT_DROP,
		.drop = DROP_NO_ROUTE,
	},
	DROPS("to nowhere", FIXTURE_POD1, DROP_NO_ROUTE, FROM_POD1, IP(POD1_V4, "198.51.100.1"), UDP(1, 2)),
	DROPS("to nowhere in IPv6", FIXTURE_POD1, DROP_NO_ROUTE, FROM_POD1, IP(POD1_V6, "2001:db8:9::1"),
		UDP(1, 2)),
	DROPS("to a pod address that nobody has", FIXTURE_POD1, DROP_NO_ROUTE, FROM_POD1,
		IP(POD1_V4, "10.244.1.99"), UDP(1, 2)),
	DROPS("to a service address that no service has", FIXTURE_POD1, DROP_NO_SERVICE, FROM_POD1,
		IP(POD1_V4, "10.96.77.77"), UDP(1, 2)),
	DROPS("to an IPv6 service address that no service has", FIXTURE_POD1, DROP_NO_SERVICE, FROM_POD1,
		IP(POD1_V6, "fd00:10:96::77"), UDP(1, 2)),
	DROPS("to a node whose MAC is not known", FIXTURE_POD1, DROP_NO_NEIGHBOUR, FROM_POD1,
		IP(POD1_V4, "10.244.4.1"), UDP(1, 2)),
	DROPS("to a node whose MAC is not known, in IPv6", FIXTURE_POD1, DROP_NO_NEIGHBOUR, FROM_POD1,
		IP(POD1_V6, "fd00:10:244:4::1"), UDP(1, 2)),

	{
		.name = "the last hop is told",
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, POD2_V4, .ttl = 1), UDP(1000, 33434), DATA(9)),
		.verdict = VERDICT_REPLY,
		.counts = COUNT_ERRORS_SENT,
		.to = FIXTURE_POD1,
		.out = { PKT(TO_POD1, IP(GATEWAY_V4, POD1_V4, .df = true, .tos = 0xc0), ICMP(11, 0),
			QUOTE(PKT(FROM_POD1, IP(POD1_V4, POD2_V4, .ttl = 1), UDP(1000, 33434), DATA(9)),
				0)) },
	},
	{
		.name = "the last hop is told in IPv6, also on the way to another node",
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V6, REMOTE_V6, .ttl = 1), UDP(1000, 33434), DATA(9)),
		.verdict = VERDICT_REPLY,
		.counts = COUNT_ERRORS_SENT,
		.to = FIXTURE_POD1,
		.out = { PKT(TO_POD1, IP(GATEWAY_V6, POD1_V6), ICMP(3, 0),
			QUOTE(PKT(FROM_POD1, IP(POD1_V6, REMOTE_V6, .ttl = 1), UDP(1000, 33434), DATA(9)),
				0)) },
	},
	DROPS("no error about an error", FIXTURE_POD1, DROP_TTL, FROM_POD1, IP(POD1_V4, POD2_V4, .ttl = 1),
		ICMP(3, 3), DATA(28)),
	DROPS("no error about an ICMPv6 error", FIXTURE_POD1, DROP_TTL, FROM_POD1,
		IP(POD1_V6, POD2_V6, .ttl = 1), ICMP(1, 4), DATA(48)),
	{
		.name = "no error about a later fragment",
		.from = FIXTURE_POD1,
		.before = PKT(
			FROM_POD1, IP(POD1_V4, POD2_V4, .more = true), UDP(1000, 53, .len = 99), DATA(16)),
		.in = PKT(FROM_POD1, IP(POD1_V4, POD2_V4, .ttl = 1, .offset = 1480, .proto = PROTO_UDP),
			DATA(28)),
		.verdict = VERDICT_DROP,
		.drop = DROP_TTL,
	},

	{
		.name = "the sender of what may not be cut is told what fits",
		.given = pod2_takes_1280,
		.from = FIXTURE_POD1,
		.in = PKT(TOO_BIG_V4),
		.verdict = VERDICT_REPLY,
		.counts = COUNT_ERRORS_SENT,
		.to = FIXTURE_POD1,
		.out = { PKT(TO_POD1, IP(GATEWAY_V4, POD1_V4, .df = true, .tos = 0xc0),
			ICMP(3, 4, .rest = 1280), QUOTE(PKT(TOO_BIG_V4), 576 - 28)) },
	},
	{
		.name = "an IPv6 sender is told what fits",
		.given = pod2_takes_1280,
		.from = FIXTURE_POD1,
		.in = PKT(TOO_BIG_V6),
		.verdict = VERDICT_REPLY,
		.counts = COUNT_ERRORS_SENT,
		.to = FIXTURE_POD1,
		.out = { PKT(TO_POD1, IP(GATEWAY_V6, POD1_V6), ICMP(2, 0, .rest = 1280),
			QUOTE(PKT(TOO_BIG_V6), 1280 - 48)) },
	},
	{
		.name = "what fits exactly passes",
		.given = pod2_takes_1280,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V6, POD2_V6), UDP(1000, 53), DATA(1232)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_POD2,
		.out = { PKT(TO_POD2, IP(POD1_V6, POD2_V6, .ttl = 63), UDP(1000, 53), DATA(1232)) },
	},
	{
		.name = "no error about an error that is too big",
		.given = pod2_takes_600,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, POD2_V4, .df = true), ICMP(3, 3), DATA(700)),
		.verdict = VERDICT_DROP,
		.drop = DROP_TOO_BIG,
	},
	{
		.name = "a link that takes less than any may is not cut for",
		.given = pod2_takes_nothing,
		.from = FIXTURE_POD1,
		.before = PKT(FROM_POD1, IP(POD1_V4, POD2_V4, .more = true), UDP(1000, 53, .len = 108)),
		.in = PKT(FROM_POD1, IP(POD1_V4, POD2_V4, .offset = 8, .proto = PROTO_UDP), DATA(100)),
		.verdict = VERDICT_DROP,
		.drop = DROP_TOO_BIG,
	},
};
const unsigned n_route_cases = sizeof(route_cases) / sizeof(route_cases[0]);
