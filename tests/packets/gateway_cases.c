/* The pods' link: one neighbour, which answers, and nobody else. And who may send what. */
#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"

#define DROPS(n, port, reason, ...)                                                           \
	{                                                                                     \
		.name = (n), .from = (port), .in = PKT(__VA_ARGS__), .verdict = VERDICT_DROP, \
		.drop = (reason)                                                              \
	}
#define REPLIES(n, port, in_packet, out_packet)                                                       \
	{                                                                                             \
		.name = (n), .from = (port), .in = in_packet, .verdict = VERDICT_REPLY, .to = (port), \
		.out = { out_packet }                                                                 \
	}

#define SOLICIT(target) ICMP(135, 0), ADDR(target)
#define ADVERTISE(target) ICMP(136, 0, .rest = 0xe0000000), ADDR(target), MAC_OPTION(2, "gw")

static void
a_pod_has_gone(struct fixture *f)
{
	f->endpoints->by_port[FIXTURE_POD1] = ENDPOINT_NONE;
}

static void
pod1_has_no_ipv6(struct fixture *f)
{
	memset(&f->endpoints->endpoints[1].addrs[V6], 0, sizeof(struct ip_addr));
}

const struct packet_case gateway_cases[] = {
	REPLIES("a pod learns the gateway's MAC", FIXTURE_POD1,
		PKT(ETH("pod1", "*"), ARP(ARP_REQUEST, "pod1", POD1_V4, NULL, GATEWAY_V4)),
		PKT(TO_POD1, ARP(ARP_REPLY, "gw", GATEWAY_V4, "pod1", POD1_V4))),
	REPLIES("the gateway's ARP answer carries no padding", FIXTURE_POD1,
		PKT(ETH("pod1", "*"), ARP(ARP_REQUEST, "pod1", POD1_V4, NULL, GATEWAY_V4), PADDING(18)),
		PKT(TO_POD1, ARP(ARP_REPLY, "gw", GATEWAY_V4, "pod1", POD1_V4))),
	REPLIES("the host learns the gateway's MAC", FIXTURE_HOST,
		PKT(ETH("host", "*"), ARP(ARP_REQUEST, "host", NODE_V4, NULL, GATEWAY_V4)),
		PKT(TO_HOST, ARP(ARP_REPLY, "gw", GATEWAY_V4, "host", NODE_V4))),
	DROPS("ARP for others is not answered", FIXTURE_POD1, DROP_NEIGHBOUR, ETH("pod1", "*"),
		ARP(ARP_REQUEST, "pod1", POD1_V4, NULL, POD2_V4)),
	DROPS("ARP replies are not wanted", FIXTURE_POD1, DROP_NEIGHBOUR, FROM_POD1,
		ARP(ARP_REPLY, "pod1", POD1_V4, "gw", GATEWAY_V4)),
	DROPS("ARP from another's address is not answered", FIXTURE_POD1, DROP_SPOOFED_SOURCE,
		ETH("pod1", "*"), ARP(ARP_REQUEST, "pod1", POD2_V4, NULL, GATEWAY_V4)),

	REPLIES("a pod learns the gateway's MAC by neighbour discovery", FIXTURE_POD1,
		PKT(ETH("pod1", "*"), IP("fe80::7", "ff02::1:ff00:1", .ttl = 255), SOLICIT(GATEWAY_V6),
			MAC_OPTION(1, "pod1")),
		PKT(TO_POD1, IP(GATEWAY_V6, "fe80::7", .ttl = 255), ADVERTISE(GATEWAY_V6))),
	REPLIES("a solicitation from a pod's global address is answered", FIXTURE_POD1,
		PKT(FROM_POD1, IP(POD1_V6, GATEWAY_V6, .ttl = 255), SOLICIT(GATEWAY_V6)),
		PKT(TO_POD1, IP(GATEWAY_V6, POD1_V6, .ttl = 255), ADVERTISE(GATEWAY_V6))),
	REPLIES("the host learns the gateway's MAC by neighbour discovery", FIXTURE_HOST,
		PKT(ETH("host", "*"), IP("fe80::8", "ff02::1:ff00:1", .ttl = 255), SOLICIT(GATEWAY_V6)),
		PKT(TO_HOST, IP(GATEWAY_V6, "fe80::8", .ttl = 255), ADVERTISE(GATEWAY_V6))),
	DROPS("a solicitation that a router has passed on", FIXTURE_POD1, DROP_NEIGHBOUR, ETH("pod1", "*"),
		IP("fe80::7", "ff02::1:ff00:1", .ttl = 254), SOLICIT(GATEWAY_V6)),
	DROPS("a solicitation for another", FIXTURE_POD1, DROP_NEIGHBOUR, ETH("pod1", "*"),
		IP("fe80::7", "ff02::1:ff00:99", .ttl = 255), SOLICIT("fe80::99")),
	DROPS("duplicate address detection finds nobody", FIXTURE_POD1, DROP_NEIGHBOUR, ETH("pod1", "*"),
		IP("::", "ff02::1:ff00:7", .ttl = 255), SOLICIT("fe80::7")),
	DROPS("a solicitation without its target", FIXTURE_POD1, DROP_NEIGHBOUR, ETH("pod1", "*"),
		IP("fe80::7", "ff02::1:ff00:1", .ttl = 255), ICMP(135, 0)),
	DROPS("router solicitations are not answered", FIXTURE_POD1, DROP_NEIGHBOUR,
		ETH("pod1", "all-routers"), IP("fe80::7", "ff02::2", .ttl = 255), ICMP(133, 0)),
	DROPS("advertisements are not believed", FIXTURE_POD1, DROP_NEIGHBOUR, FROM_POD1,
		IP("fe80::7", "fe80::1", .ttl = 255), ICMP(136, 0), ADDR("fe80::7")),
	DROPS("multicast listener reports end here", FIXTURE_POD1, DROP_MULTICAST, ETH("pod1", "all-routers"),
		IP("fe80::7", "ff02::16", .ttl = 1), EXT(PROTO_HOPOPTS, 0), ICMP(143, 0), DATA(20)),

	REPLIES("the gateway answers echo requests", FIXTURE_POD1,
		PKT(FROM_POD1, IP(POD1_V4, GATEWAY_V4, .ttl = 3), ICMP(8, 0, .id = 77, .seq = 2), DATA(56)),
		PKT(TO_POD1, IP(GATEWAY_V4, POD1_V4), ICMP(0, 0, .id = 77, .seq = 2), DATA(56))),
	REPLIES("the gateway answers ICMPv6 echo requests", FIXTURE_POD1,
		PKT(FROM_POD1, IP(POD1_V6, GATEWAY_V6, .ttl = 3), ICMP(128, 0, .id = 77, .seq = 2), DATA(57)),
		PKT(TO_POD1, IP(GATEWAY_V6, POD1_V6), ICMP(129, 0, .id = 77, .seq = 2), DATA(57))),
	REPLIES("the gateway answers echo requests from link-local addresses", FIXTURE_POD1,
		PKT(FROM_POD1, IP("fe80::7", GATEWAY_V6), ICMP(128, 0, .id = 77, .seq = 2), DATA(56)),
		PKT(TO_POD1, IP(GATEWAY_V6, "fe80::7"), ICMP(129, 0, .id = 77, .seq = 2), DATA(56))),
	REPLIES("the gateway serves nothing, and says so", FIXTURE_POD1,
		PKT(FROM_POD1, IP(POD1_V4, GATEWAY_V4), TCP(1000, 80, TCP_SYN)),
		PKT(TO_POD1, IP(GATEWAY_V4, POD1_V4, .df = true, .tos = 0xc0), ICMP(3, 3),
			QUOTE(PKT(FROM_POD1, IP(POD1_V4, GATEWAY_V4), TCP(1000, 80, TCP_SYN)), 0))),
	REPLIES("the gateway serves nothing over IPv6 either", FIXTURE_POD1,
		PKT(FROM_POD1, IP(POD1_V6, GATEWAY_V6), UDP(1000, 80), DATA(5)),
		PKT(TO_POD1, IP(GATEWAY_V6, POD1_V6), ICMP(1, 4),
			QUOTE(PKT(FROM_POD1, IP(POD1_V6, GATEWAY_V6), UDP(1000, 80), DATA(5)), 0))),
	DROPS("errors to the gateway are not answered", FIXTURE_POD1, DROP_LINK_LOCAL, FROM_POD1,
		IP(POD1_V4, GATEWAY_V4), ICMP(3, 3), DATA(28)),
	DROPS("there is nobody else on the link", FIXTURE_POD1, DROP_LINK_LOCAL, FROM_POD1,
		IP(POD1_V4, "169.254.169.254"), TCP(1000, 80, TCP_SYN)),
	DROPS("there is nobody else on the IPv6 link", FIXTURE_POD1, DROP_LINK_LOCAL, FROM_POD1,
		IP("fe80::7", "fe80::9"), UDP(1, 2)),
	DROPS("IPv4 multicast does not leave a pod", FIXTURE_POD1, DROP_MULTICAST, ETH("pod1", "*"),
		IP(POD1_V4, "224.0.0.251"), UDP(5353, 5353)),
	DROPS("IPv6 multicast does not leave a pod", FIXTURE_POD1, DROP_MULTICAST, ETH("pod1", "*"),
		IP(POD1_V6, "ff02::fb"), UDP(5353, 5353)),
	DROPS("IPv4 broadcast does not leave a pod", FIXTURE_POD1, DROP_MULTICAST, ETH("pod1", "*"),
		IP(POD1_V4, "255.255.255.255"), UDP(68, 67)),
	DROPS("nor does what is broadcast on the link alone", FIXTURE_POD1, DROP_MULTICAST, ETH("pod1", "*"),
		IP(POD1_V4, POD2_V4), UDP(1, 2)),

	DROPS("a pod cannot send from another's address", FIXTURE_POD1, DROP_SPOOFED_SOURCE, FROM_POD1,
		IP(POD2_V4, REMOTE_V4), UDP(1, 2)),
	DROPS("a pod cannot send from another's IPv6 address", FIXTURE_POD1, DROP_SPOOFED_SOURCE, FROM_POD1,
		IP(POD2_V6, REMOTE_V6), UDP(1, 2)),
	DROPS("a pod cannot send from the node's address", FIXTURE_POD1, DROP_SPOOFED_SOURCE, FROM_POD1,
		IP(NODE_V4, POD2_V4), UDP(1, 2)),
	DROPS("a link-local source stays on the link", FIXTURE_POD1, DROP_SPOOFED_SOURCE, FROM_POD1,
		IP("fe80::7", POD2_V6), UDP(1, 2)),
	DROPS("the unspecified source stays on the link", FIXTURE_POD1, DROP_SPOOFED_SOURCE, FROM_POD1,
		IP("::", POD2_V6), UDP(1, 2)),
	{
		.name = "the unspecified source is not the address of a pod that has none",
		.given = pod1_has_no_ipv6,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP("::", POD2_V6), UDP(1, 2)),
		.verdict = VERDICT_DROP,
		.drop = DROP_SPOOFED_SOURCE,
	},
	DROPS("the host cannot send from a pod's address", FIXTURE_HOST, DROP_SPOOFED_SOURCE, FROM_HOST,
		IP(POD1_V4, POD2_V4), UDP(1, 2)),
	DROPS("the host's own addresses stay on this node", FIXTURE_HOST, DROP_SPOOFED_SOURCE, FROM_HOST,
		IP(NODE_V4, REMOTE_V4), UDP(1, 2)),
	DROPS("the host's own IPv6 addresses stay on this node", FIXTURE_HOST, DROP_SPOOFED_SOURCE, FROM_HOST,
		IP(NODE_V6, REMOTE_V6), UDP(1, 2)),
	{
		.name = "a port without a pod",
		.given = a_pod_has_gone,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, POD2_V4), UDP(1, 2)),
		.verdict = VERDICT_DROP,
		.drop = DROP_PORT_GONE,
	},
	{
		.name = "a pod cannot send into a tunnel (IPv4)",
		.underlay = UNDERLAY_V4,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, PEER_V4), UDP(50000, 4789), VXLAN(1), INNER_IN),
		.verdict = VERDICT_DROP,
		.drop = DROP_TUNNEL_FROM_POD,
	},
	{
		.name = "a pod cannot send into a tunnel (IPv6)",
		.underlay = UNDERLAY_V6,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V6, PEER_V6), UDP(50000, 4789), VXLAN(1), INNER_IN),
		.verdict = VERDICT_DROP,
		.drop = DROP_TUNNEL_FROM_POD,
	},
	DROPS("a pod cannot reach this node's tunnel end", FIXTURE_POD1, DROP_TUNNEL_FROM_POD, FROM_POD1,
		IP(POD1_V4, NODE_V4), UDP(50000, 4789), VXLAN(1), INNER_IN),
};
const unsigned n_gateway_cases = sizeof(gateway_cases) / sizeof(gateway_cases[0]);
