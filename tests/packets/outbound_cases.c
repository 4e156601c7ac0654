/* Out of the cluster by the node's own routes: 203.0.113.0/24 and 2001:db8:9::/64 lie behind a router, on the segment one
 * host is known, 198.51.100.0/24 is reached by another interface. */
#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"

#define OUTSIDE_V4 "203.0.113.7"
#define OUTSIDE_V6 "2001:db8:9::7"
#define NEAR_V4 "192.0.2.70"
#define NEAR_V6 "2001:db8::70"
#define TO_ROUTER ETH("uplink", "peer")

static void
add_way(struct fixture *f, const char *text, enum route_kind kind, bool is_resolved, uint8_t flags)
{
	struct mac_addr mac = is_resolved ? pkt_mac("peer") : (struct mac_addr){ 0 };
	struct ip_prefix prefix;

	if (ip_prefix_parse(text, &prefix))
		route_table_add_outside(f->routes, &prefix, kind, &mac, flags);
}

/* Pods are seen there with their own addresses. */
static void
native_outside(struct fixture *f)
{
	add_way(f, "203.0.113.0/24", ROUTE_UNDERLAY, true, ROUTE_NATIVE);
	add_way(f, "2001:db8:9::/64", ROUTE_UNDERLAY, true, ROUTE_NATIVE);
	add_way(f, "192.0.2.0/24", ROUTE_SEGMENT, false, ROUTE_NATIVE);
	add_way(f, "2001:db8::/64", ROUTE_SEGMENT, false, ROUTE_NATIVE);
	add_way(f, NEAR_V4 "/32", ROUTE_UNDERLAY, true, ROUTE_NATIVE);
	add_way(f, NEAR_V6 "/128", ROUTE_UNDERLAY, true, ROUTE_NATIVE);
	add_way(f, "198.51.100.0/24", ROUTE_ELSEWHERE, false, 0);
	add_way(f, "10.244.0.0/16", ROUTE_NOBODY, false, 0);
	add_way(f, "10.99.0.0/16", ROUTE_UNDERLAY, false, 0);
}

static void
native_outside_but_no_uplink(struct fixture *f)
{
	native_outside(f);
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		f->node.uplink_port[i] = PORTS_MAX;
}

#define DROPS(n, reason, ...)                                                                       \
	{                                                                                           \
		.name = (n), .given = native_outside, .from = FIXTURE_POD1, .in = PKT(__VA_ARGS__), \
		.verdict = VERDICT_DROP, .drop = (reason)                                           \
	}

const struct packet_case outbound_cases[] = {
	{
		.name = "native: to the gateway of the node's route, from the pod's own address",
		.given = native_outside,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, OUTSIDE_V4), TCP(1000, 80, TCP_ACK)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_UPLINK,
		.out = { PKT(TO_ROUTER, IP(POD1_V4, OUTSIDE_V4, .ttl = 63), TCP(1000, 80, TCP_ACK)) },
	},
	{
		.name = "native: the same in IPv6, with a checksum that was left to us",
		.given = native_outside,
		.from = FIXTURE_POD2,
		.in = PKT(ETH("pod2", "gw"), IP(POD2_V6, OUTSIDE_V6), UDP(1000, 53, .sum = SUM_PARTIAL),
			DATA(20)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_UPLINK,
		.out = { PKT(TO_ROUTER, IP(POD2_V6, OUTSIDE_V6, .ttl = 63), UDP(1000, 53), DATA(20)) },
	},
	{
		.name = "native: straight to a known host on the segment",
		.given = native_outside,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V6, NEAR_V6), UDP(1000, 53)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_UPLINK,
		.out = { PKT(TO_ROUTER, IP(POD1_V6, NEAR_V6, .ttl = 63), UDP(1000, 53)) },
	},
	{
		.name = "the first packet to another host on the segment has control look for it",
		.given = native_outside,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, "192.0.2.71"), UDP(1000, 53)),
		.verdict = VERDICT_DROP,
		.drop = DROP_NO_NEIGHBOUR,
		.event_value = 4,
	},
	{
		.name = "and in IPv6",
		.given = native_outside,
		.from = FIXTURE_POD2,
		.in = PKT(ETH("pod2", "gw"), IP(POD2_V6, "2001:db8::71"), UDP(1000, 53)),
		.verdict = VERDICT_DROP,
		.drop = DROP_NO_NEIGHBOUR,
		.event_value = 6,
	},
	{
		.name = "the way's MTU counts: outside it is the uplink's",
		.given = native_outside,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, OUTSIDE_V4, .df = true), UDP(1000, 53), DATA(1472)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_UPLINK,
		.out = { PKT(TO_ROUTER, IP(POD1_V4, OUTSIDE_V4, .df = true, .ttl = 63), UDP(1000, 53),
			DATA(1472)) },
	},
	DROPS("a gateway whose MAC is not known is control's business already", DROP_NO_NEIGHBOUR, FROM_POD1,
		IP(POD1_V4, "10.99.1.1"), UDP(1, 2)),
	DROPS("what the node routes by another interface stays here", DROP_OTHER_INTERFACE, FROM_POD1,
		IP(POD1_V4, "198.51.100.7"), UDP(1, 2)),
	DROPS("a pod network's address that no node has does not leave by a default route", DROP_NO_ROUTE,
		FROM_POD1, IP(POD1_V4, "10.244.77.1"), UDP(1, 2)),
	{
		.name = "without an uplink there is no way out",
		.given = native_outside_but_no_uplink,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, OUTSIDE_V4), UDP(1, 2)),
		.verdict = VERDICT_DROP,
		.drop = DROP_NO_ROUTE,
	},
	{
		.name = "another node's pods do not leave through this node",
		.underlay = UNDERLAY_V4,
		.given = native_outside,
		.from = FIXTURE_UPLINK,
		.in = PKT(OUTER_IN_V4, INNER_IN, IP(REMOTE_V4, OUTSIDE_V4), UDP(1000, 53)),
		.verdict = VERDICT_DROP,
		.drop = DROP_TUNNEL_DESTINATION,
	},
	{
		.name = "nor by another interface",
		.underlay = UNDERLAY_V4,
		.given = native_outside,
		.from = FIXTURE_UPLINK,
		.in = PKT(OUTER_IN_V4, INNER_IN, IP(REMOTE_V4, "198.51.100.7"), UDP(1000, 53)),
		.verdict = VERDICT_DROP,
		.drop = DROP_TUNNEL_DESTINATION,
	},
};
const unsigned n_outbound_cases = sizeof(outbound_cases) / sizeof(outbound_cases[0]);
