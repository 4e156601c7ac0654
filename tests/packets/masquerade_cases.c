/* Masquerade: out of the cluster as the node itself, and back. 203.0.113.0/24 and 2001:db8:9::/64 lie behind a router.
 * Ports of flows are 20032-20287; of these, only PORT is free for pod1, and HOST_PORT for the host. Each rule once per
 * family: F is V4 or V6. */
#include <stdlib.h>

#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"
#include "tests/support/exposed.h"
#include "tests/support/services.h"

#define OUTSIDE_V4 "203.0.113.7"
#define OUTSIDE_V6 "2001:db8:9::7"
#define ROUTER_V4 "192.0.2.254"
#define ROUTER_V6 "2001:db8::fe"
#define TO_ROUTER ETH("uplink", "peer")
#define FROM_ROUTER ETH("peer", "uplink")

#define PORT 20100 /* of the first worker, also where there are two */
#define HOST_PORT 20050
#define SERVER_PORT 20200 /* of the first worker; nobody's */

#define HOST_SLOT1_V4 "10.244.1.2"
#define HOST_SLOT1_V6 "fd00:10:244:1::2"
#define HERE_PORT_V4 16820 /* what its hash makes of port 40000 */
#define HERE_PORT_V6 17029

#define ECHO_V4 8
#define ECHO_V6 128
#define ECHO_REPLY_V4 0
#define ECHO_REPLY_V6 129
#define CLOSED_V4 ICMP(3, 3)
#define CLOSED_V6 ICMP(1, 4)
#define EXPIRED_V4 ICMP(11, 0)
#define EXPIRED_V6 ICMP(3, 0)
#define SHORT_V4 28
#define SHORT_V6 48
#define SYN TCP_SYN
#define ACK TCP_ACK

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	if (!ip_addr_parse(text, &a))
		abort();
	return a;
}

static void
add_way(struct fixture *f, const char *text, uint8_t flags)
{
	struct mac_addr mac = pkt_mac("peer");
	struct ip_prefix prefix;

	if (!ip_prefix_parse(text, &prefix))
		abort();
	route_table_add_outside(f->routes, &prefix, ROUTE_UNDERLAY, &mac, flags);
}

static void
free_only(struct fixture *f, uint16_t port, uint16_t other)
{
	memset(&f->node.masquerade_ports, 0, sizeof(f->node.masquerade_ports));
	f->node.masquerade_ports.bits[port / 64] |= UINT64_C(1) << port % 64;
	f->node.masquerade_ports.bits[other / 64] |= UINT64_C(1) << other % 64;
}

static void
outside(struct fixture *f)
{
	some_services(f);
	add_way(f, "203.0.113.0/24", 0);
	add_way(f, "2001:db8:9::/64", 0);
	add_way(f, "192.0.2.0/24", 0);
	add_way(f, "2001:db8::/64", 0);
	free_only(f, PORT, f->n_workers == 1 ? PORT : HOST_PORT);
}

static void
outside_for_the_host(struct fixture *f)
{
	outside(f);
	free_only(f, HOST_PORT, HOST_PORT);
}

static void
outside_without_ports(struct fixture *f)
{
	outside(f);
	memset(&f->node.masquerade_ports, 0, sizeof(f->node.masquerade_ports));
}

static void
outside_without_an_address(struct fixture *f)
{
	outside(f);
	memset(f->node.masquerade, 0, sizeof(f->node.masquerade));
}

static void
add_flow(struct fixture *f, const char *client, uint16_t client_port, const char *frontend,
	uint16_t frontend_port, const char *backend, uint16_t backend_port, uint16_t port, uint8_t proto)
{
	struct nat_flow x = {
		.client = addr(client),
		.client_port = client_port,
		.frontend = addr(frontend),
		.frontend_port = frontend_port,
		.backend = addr(backend),
		.backend_port = backend_port,
		.wire_port = port,
		.has_block = true,
		.proto = proto,
	};

	x.wire = f->node.masquerade[ip_addr_is_v4(&x.client) ? V4 : V6];
	if (nat_flows_add(f->outbound[0], &x, NULL, 0) == NULL)
		abort();
	f->port_blocks[0]->owner[port / FLOW_OWNER_BLOCK] = x.client;
}

/* Of pod1: two connections, the second to a service's backend outside, datagrams and an echo. */
#define SOME_FLOWS(F, icmp)                                                                     \
	static void some_flows_##F(struct fixture *f)                                           \
	{                                                                                       \
		outside(f);                                                                     \
		add_flow(f, POD1_##F, 1000, OUTSIDE_##F, 80, OUTSIDE_##F, 80, PORT, PROTO_TCP); \
		add_flow(f, POD1_##F, 1001, WEB_##F, 80, OUTSIDE_##F, 8080, PORT, PROTO_TCP);   \
		add_flow(f, POD1_##F, 1000, OUTSIDE_##F, 53, OUTSIDE_##F, 53, PORT, PROTO_UDP); \
		add_flow(f, POD1_##F, 7, OUTSIDE_##F, 7, OUTSIDE_##F, PORT, PORT, icmp);        \
	}
SOME_FLOWS(V4, PROTO_ICMP)
SOME_FLOWS(V6, PROTO_ICMPV6)

/* Nothing is known yet of the segment's hosts, as after a restart. */
#define FORGOTTEN(F, prefix_text)                                                     \
	static void forgotten_##F(struct fixture *f)                                  \
	{                                                                             \
		const struct mac_addr none = { 0 };                                   \
		struct ip_prefix prefix;                                              \
                                                                                      \
		some_flows_##F(f);                                                    \
		if (!ip_prefix_parse(prefix_text, &prefix))                           \
			abort();                                                      \
		route_table_add_outside(f->routes, &prefix, ROUTE_SEGMENT, &none, 0); \
	}
FORGOTTEN(V4, "203.0.113.0/24")
FORGOTTEN(V6, "2001:db8:9::/64")

static void
pod1_has_used_its_flows(struct fixture *f)
{
	outside(f);
	for (uint16_t i = 0; i < FIXTURE_OUTBOUND_QUOTA; i++)
		add_flow(f, POD1_V4, (uint16_t)(3000 + i), OUTSIDE_V4, (uint16_t)(1 + i), OUTSIDE_V4,
			(uint16_t)(1 + i), SERVER_PORT, PROTO_UDP);
}

/* Both of its blocks, towards one destination. */
static void
pod1_has_used_its_ports(struct fixture *f)
{
	outside(f);
	f->node.masquerade_ports = f->node.masquerade_claim;
	for (uint16_t i = 0; i < 64; i++) {
		add_flow(f, POD1_V4, (uint16_t)(3000 + i), OUTSIDE_V4, 53, OUTSIDE_V4, 53,
			(uint16_t)(20096 + i), PROTO_UDP);
		add_flow(f, POD1_V4, (uint16_t)(4000 + i), OUTSIDE_V4, 53, OUTSIDE_V4, 53,
			(uint16_t)(20224 + i), PROTO_UDP);
	}
}

static void
others_have_used_all_ports(struct fixture *f)
{
	pod1_has_used_its_ports(f);
	for (unsigned i = 0; i < PORT_BLOCKS; i++)
		if (!ip_addr_is_none(&f->port_blocks[0]->owner[i]))
			f->port_blocks[0]->owner[i] = addr(POD2_V4);
	for (uint16_t i = 0; i < 2; i++) /* where there is one worker, the other blocks, too */
		add_flow(f, POD2_V4, (uint16_t)(3000 + i), OUTSIDE_V4, 54, OUTSIDE_V4, 54,
			(uint16_t)(20032 + 128 * i), PROTO_UDP);
}

static void
native(struct fixture *f)
{
	outside(f);
	add_way(f, "203.0.113.0/24", ROUTE_NATIVE);
	add_way(f, "2001:db8:9::/64", ROUTE_NATIVE);
}

/* Of pod1, from a port that no slot has, to a service's backend there. */
#define NATIVE_FLOW(F)                                                    \
	static void native_flow_##F(struct fixture *f)                    \
	{                                                                 \
		const struct nat_flow x = {                               \
			.client = addr(POD1_##F),                         \
			.client_port = 1000,                              \
			.frontend = addr(OUT_##F),                        \
			.frontend_port = 80,                              \
			.backend = addr(OUTSIDE_##F),                     \
			.backend_port = 8080,                             \
			.wire = addr(POD1_##F),                           \
			.wire_port = 1000,                                \
			.proto = PROTO_TCP,                               \
		};                                                        \
                                                                          \
		native(f);                                                \
		if (nat_flows_add(f->exceptions[0], &x, NULL, 0) == NULL) \
			abort();                                          \
	}
NATIVE_FLOW(V4)
NATIVE_FLOW(V6)

#define RULE(n, setup, port_in, packet, port_out, ...)                                                    \
	{                                                                                                 \
		.name = (n), .given = (setup), .from = (port_in), .in = packet,                           \
		.verdict = (port_out) == FIXTURE_HOST ? VERDICT_PUNT : VERDICT_FORWARD, .to = (port_out), \
		.out = { __VA_ARGS__ }                                                                    \
	}
#define DROPS(n, setup, port_in, reason, ...)                                             \
	{                                                                                 \
		.name = (n), .given = (setup), .from = (port_in), .in = PKT(__VA_ARGS__), \
		.verdict = VERDICT_DROP, .drop = (reason)                                 \
	}

#define FAMILY_V4 4
#define FAMILY_V6 6
#define ASKS(n, F, ...)                                                                                \
	{                                                                                              \
		.name = (n), .given = forgotten_##F, .from = FIXTURE_POD1,                             \
		.in = PKT(FROM_POD1, __VA_ARGS__), .verdict = VERDICT_DROP, .drop = DROP_NO_NEIGHBOUR, \
		.event_value = FAMILY_##F                                                              \
	}

/* The machine that has a load balancer's address has other ports, too. */
#define A_BALANCER(F)                                                                             \
	static void a_balancer_##F(struct fixture *f)                                             \
	{                                                                                         \
		outside(f);                                                                       \
		exposed_services(f);                                                              \
		add_way(f, "198.51.100.0/24", 0);                                                 \
		add_way(f, "2001:db8:aaaa::/64", 0);                                              \
		add_flow(f, POD1_##F, 1000, BALANCER_##F, 22, BALANCER_##F, 22, PORT, PROTO_TCP); \
	}
A_BALANCER(V4)
A_BALANCER(V6)
#define BALANCER_CASES(F)                                                                                    \
	RULE("a load balancer answers at a port that is not the service's " #F, a_balancer_##F,              \
		FIXTURE_UPLINK, PKT(FROM_ROUTER, IP(BALANCER_##F, NODE_##F), TCP(22, PORT, ACK)),            \
		FIXTURE_POD1, PKT(TO_POD1, IP(BALANCER_##F, POD1_##F, .ttl = 63), TCP(22, 1000, ACK))),      \
		RULE("a connection that the node had with it before a service did goes on as it is " #F,     \
			a_balancer_##F, FIXTURE_HOST,                                                        \
			PKT(FROM_HOST, IP(NODE_##F, BALANCER_##F), TCP(50000, 80, ACK)), FIXTURE_UPLINK,     \
			PKT(TO_ROUTER, IP(NODE_##F, BALANCER_##F, .ttl = 63), TCP(50000, 80, ACK))),         \
		RULE("also at a port that no service has " #F, a_balancer_##F, FIXTURE_HOST,                 \
			PKT(FROM_HOST, IP(NODE_##F, BALANCER_##F), TCP(50000, 22, ACK)), FIXTURE_UPLINK,     \
			PKT(TO_ROUTER, IP(NODE_##F, BALANCER_##F, .ttl = 63), TCP(50000, 22, ACK))),         \
		DROPS("the stack had none from an address that it has of us " #F, a_balancer_##F,            \
			FIXTURE_HOST, DROP_NO_FLOW, FROM_HOST, IP(HOST_##F, BALANCER_##F),                   \
			TCP(50000, 22, ACK)),                                                                \
		DROPS("one that opens is the service's " #F, a_balancer_##F, FIXTURE_HOST,                   \
			DROP_SOURCE_RANGE, FROM_HOST, IP(NODE_##F, BALANCER_##F), TCP(50000, 80, SYN)),      \
		DROPS("but only who has asked it " #F, a_balancer_##F, FIXTURE_UPLINK, DROP_SPOOFED_SOURCE,  \
			FROM_ROUTER, IP(BALANCER_##F, NODE_##F), TCP(23, PORT, ACK)),                        \
		DROPS("nor is it heard about what nobody sent " #F, a_balancer_##F, FIXTURE_UPLINK,          \
			DROP_SPOOFED_SOURCE, FROM_ROUTER, IP(BALANCER_##F, NODE_##F), CLOSED_##F,            \
			QUOTE(PKT(TO_ROUTER, IP(NODE_##F, BALANCER_##F, .ttl = 63), UDP(PORT, 23), DATA(9)), \
				0))

#define MASQUERADE_CASES(F)                                                                                  \
	RULE("a connection begins as the node's own " #F, outside, FIXTURE_POD1,                             \
		PKT(FROM_POD1, IP(POD1_##F, OUTSIDE_##F), TCP(1000, 80, SYN, .mss = 1000)), FIXTURE_UPLINK,  \
		PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 63), TCP(PORT, 80, SYN, .mss = 1000))),      \
		RULE("a datagram whose checksum was left to us " #F, outside, FIXTURE_POD1,                  \
			PKT(FROM_POD1, IP(POD1_##F, OUTSIDE_##F), UDP(1000, 53, .sum = SUM_PARTIAL),         \
				DATA(9)),                                                                    \
			FIXTURE_UPLINK,                                                                      \
			PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 63), UDP(PORT, 53), DATA(9))),       \
		RULE("to a service's backend outside " #F, outside, FIXTURE_POD1,                            \
			PKT(FROM_POD1, IP(POD1_##F, OUT_##F), TCP(40000, 80, SYN, .mss = 1000)),             \
			FIXTURE_UPLINK,                                                                      \
			PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 63),                                 \
				TCP(PORT, 8080, SYN, .mss = 1000))),                                         \
		RULE("of the host to one on this node: not from an address that its stack has " #F, outside, \
			FIXTURE_HOST,                                                                        \
			PKT(FROM_HOST, IP(HOST_##F, HERE_##F), TCP(40000, 80, SYN, .mss = 1000)),            \
			FIXTURE_HOST,                                                                        \
			PKT(TO_HOST, IP(HOST_SLOT1_##F, NODE_##F),                                           \
				TCP(HERE_PORT_##F, 8080, SYN, .mss = 1000))),                                \
		RULE("an association " #F, outside, FIXTURE_POD1,                                            \
			PKT(FROM_POD1, IP(POD1_##F, OUTSIDE_##F), SCTP(1000, 80), DATA(16)), FIXTURE_UPLINK, \
			PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 63), SCTP(PORT, 80), DATA(16))),     \
		RULE("an echo gets an identifier of the node's " #F, outside, FIXTURE_POD1,                  \
			PKT(FROM_POD1, IP(POD1_##F, OUTSIDE_##F), ICMP(ECHO_##F, 0, 7, 1), DATA(20)),        \
			FIXTURE_UPLINK,                                                                      \
			PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 63), ICMP(ECHO_##F, 0, PORT, 1),     \
				DATA(20))),                                                                  \
		RULE("a node process that comes in by its reserved address " #F, outside_for_the_host,       \
			FIXTURE_HOST, PKT(FROM_HOST, IP(HOST_##F, OUTSIDE_##F), UDP(1000, 53)),              \
			FIXTURE_UPLINK,                                                                      \
			PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 63), UDP(HOST_PORT, 53))),           \
		RULE("a port serves several destinations at once " #F, some_flows_##F, FIXTURE_POD1,         \
			PKT(FROM_POD1, IP(POD1_##F, OUTSIDE_##F), UDP(1000, 123)), FIXTURE_UPLINK,           \
			PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 63), UDP(PORT, 123))),               \
		RULE("a standing connection goes on " #F, some_flows_##F, FIXTURE_POD1,                      \
			PKT(FROM_POD1, IP(POD1_##F, OUTSIDE_##F), TCP(1000, 80, ACK), DATA(5)),              \
			FIXTURE_UPLINK,                                                                      \
			PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 63), TCP(PORT, 80, ACK), DATA(5))),  \
		RULE("a standing echo goes on " #F, some_flows_##F, FIXTURE_POD1,                            \
			PKT(FROM_POD1, IP(POD1_##F, OUTSIDE_##F), ICMP(ECHO_##F, 0, 7, 2)), FIXTURE_UPLINK,  \
			PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 63), ICMP(ECHO_##F, 0, PORT, 2))),   \
		RULE("the answer reaches the pod " #F, some_flows_##F, FIXTURE_UPLINK,                       \
			PKT(FROM_ROUTER, IP(OUTSIDE_##F, NODE_##F), TCP(80, PORT, ACK), DATA(5)),            \
			FIXTURE_POD1,                                                                        \
			PKT(TO_POD1, IP(OUTSIDE_##F, POD1_##F, .ttl = 63), TCP(80, 1000, ACK), DATA(5))),    \
		RULE("of a service's backend it comes from the service " #F, some_flows_##F, FIXTURE_UPLINK, \
			PKT(FROM_ROUTER, IP(OUTSIDE_##F, NODE_##F), TCP(8080, PORT, ACK)), FIXTURE_POD1,     \
			PKT(TO_POD1, IP(WEB_##F, POD1_##F, .ttl = 63), TCP(80, 1001, ACK))),                 \
		RULE("an echo's answer has the identifier back " #F, some_flows_##F, FIXTURE_UPLINK,         \
			PKT(FROM_ROUTER, IP(OUTSIDE_##F, NODE_##F), ICMP(ECHO_REPLY_##F, 0, PORT, 1),        \
				DATA(20)),                                                                   \
			FIXTURE_POD1,                                                                        \
			PKT(TO_POD1, IP(OUTSIDE_##F, POD1_##F, .ttl = 63), ICMP(ECHO_REPLY_##F, 0, 7, 1),    \
				DATA(20))),                                                                  \
		RULE("what answers no flow is for the host's stack to judge " #F, some_flows_##F,            \
			FIXTURE_UPLINK, PKT(FROM_ROUTER, IP(OUTSIDE_##F, NODE_##F), TCP(81, PORT, ACK)),     \
			FIXTURE_HOST, PKT(TO_HOST, IP(OUTSIDE_##F, NODE_##F), TCP(81, PORT, ACK))),          \
		RULE("so is an echo's answer " #F, some_flows_##F, FIXTURE_UPLINK,                           \
			PKT(FROM_ROUTER, IP(OUTSIDE_##F, NODE_##F), ICMP(ECHO_REPLY_##F, 0, 20101, 1),       \
				DATA(20)),                                                                   \
			FIXTURE_HOST,                                                                        \
			PKT(TO_HOST, IP(OUTSIDE_##F, NODE_##F), ICMP(ECHO_REPLY_##F, 0, 20101, 1),           \
				DATA(20))),                                                                  \
		RULE("an error from the way is about the pod's own packet " #F, some_flows_##F,              \
			FIXTURE_UPLINK,                                                                      \
			PKT(FROM_ROUTER, IP(ROUTER_##F, NODE_##F), CLOSED_##F,                               \
				QUOTE(PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 63), UDP(PORT, 53),    \
					      DATA(9)),                                                      \
					SHORT_##F)),                                                         \
			FIXTURE_POD1,                                                                        \
			PKT(TO_POD1, IP(ROUTER_##F, POD1_##F, .ttl = 63), CLOSED_##F,                        \
				QUOTE(PKT(FROM_POD1, IP(POD1_##F, OUTSIDE_##F, .ttl = 63), UDP(1000, 53),    \
					      DATA(9)),                                                      \
					SHORT_##F))),                                                        \
		RULE("also about its echo " #F, some_flows_##F, FIXTURE_UPLINK,                              \
			PKT(FROM_ROUTER, IP(ROUTER_##F, NODE_##F), EXPIRED_##F,                              \
				QUOTE(PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 1),                    \
					      ICMP(ECHO_##F, 0, PORT, 1), DATA(20)),                         \
					0)),                                                                 \
			FIXTURE_POD1,                                                                        \
			PKT(TO_POD1, IP(ROUTER_##F, POD1_##F, .ttl = 63), EXPIRED_##F,                       \
				QUOTE(PKT(FROM_POD1, IP(POD1_##F, OUTSIDE_##F, .ttl = 1),                    \
					      ICMP(ECHO_##F, 0, 7, 1), DATA(20)),                            \
					0))),                                                                \
		RULE("of which hardly more than the identifier is quoted " #F, some_flows_##F,               \
			FIXTURE_UPLINK,                                                                      \
			PKT(FROM_ROUTER, IP(OUTSIDE_##F, NODE_##F), CLOSED_##F,                              \
				QUOTE(PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 63),                   \
					      ICMP(ECHO_##F, 0, PORT, 1), DATA(20)),                         \
					SHORT_##F)),                                                         \
			FIXTURE_POD1,                                                                        \
			PKT(TO_POD1, IP(OUTSIDE_##F, POD1_##F, .ttl = 63), CLOSED_##F,                       \
				QUOTE(PKT(FROM_POD1, IP(POD1_##F, OUTSIDE_##F, .ttl = 63),                   \
					      ICMP(ECHO_##F, 0, 7, 1), DATA(20)),                            \
					SHORT_##F))),                                                        \
		RULE("one about an echo of the node itself is the host's " #F, some_flows_##F,               \
			FIXTURE_UPLINK,                                                                      \
			PKT(FROM_ROUTER, IP(ROUTER_##F, NODE_##F), EXPIRED_##F,                              \
				QUOTE(PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 1),                    \
					      ICMP(ECHO_##F, 0, 20101, 1), DATA(20)),                        \
					0)),                                                                 \
			FIXTURE_HOST,                                                                        \
			PKT(TO_HOST, IP(ROUTER_##F, NODE_##F), EXPIRED_##F,                                  \
				QUOTE(PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 1),                    \
					      ICMP(ECHO_##F, 0, 20101, 1), DATA(20)),                        \
					0))),                                                                \
		RULE("an error about no flow is for the host's stack " #F, some_flows_##F, FIXTURE_UPLINK,   \
			PKT(FROM_ROUTER, IP(ROUTER_##F, NODE_##F), CLOSED_##F,                               \
				QUOTE(PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 63), UDP(PORT, 54),    \
					      DATA(9)),                                                      \
					SHORT_##F)),                                                         \
			FIXTURE_HOST,                                                                        \
			PKT(TO_HOST, IP(ROUTER_##F, NODE_##F), CLOSED_##F,                                   \
				QUOTE(PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 63), UDP(PORT, 54),    \
					      DATA(9)),                                                      \
					SHORT_##F))),                                                        \
		RULE("a pod's error is about the packet as its sender sent it " #F, some_flows_##F,          \
			FIXTURE_POD1,                                                                        \
			PKT(FROM_POD1, IP(POD1_##F, OUTSIDE_##F), CLOSED_##F,                                \
				QUOTE(PKT(TO_POD1, IP(OUTSIDE_##F, POD1_##F, .ttl = 63), UDP(53, 1000),      \
					      DATA(9)),                                                      \
					SHORT_##F)),                                                         \
			FIXTURE_UPLINK,                                                                      \
			PKT(TO_ROUTER, IP(NODE_##F, OUTSIDE_##F, .ttl = 63), CLOSED_##F,                     \
				QUOTE(PKT(FROM_ROUTER, IP(OUTSIDE_##F, NODE_##F, .ttl = 63), UDP(53, PORT),  \
					      DATA(9)),                                                      \
					SHORT_##F))),                                                        \
		RULE("native: a network that knows pods reaches them " #F, native, FIXTURE_UPLINK,           \
			PKT(FROM_ROUTER, IP(OUTSIDE_##F, POD1_##F), TCP(1000, 80, SYN, .mss = 1000)),        \
			FIXTURE_POD1,                                                                        \
			PKT(TO_POD1, IP(OUTSIDE_##F, POD1_##F, .ttl = 63),                                   \
				TCP(1000, 80, SYN, .mss = 1000))),                                           \
		RULE("and answers as a service, to a flow with an entry " #F, native_flow_##F,               \
			FIXTURE_UPLINK, PKT(FROM_ROUTER, IP(OUTSIDE_##F, POD1_##F), TCP(8080, 1000, ACK)),   \
			FIXTURE_POD1, PKT(TO_POD1, IP(OUT_##F, POD1_##F, .ttl = 63), TCP(80, 1000, ACK))),   \
		RULE("and in a slot " #F, native, FIXTURE_UPLINK,                                            \
			PKT(FROM_ROUTER, IP(OUTSIDE_##F, POD1_##F), TCP(8080, 40000 ^ 1 << 14, ACK)),        \
			FIXTURE_POD1, PKT(TO_POD1, IP(OUT_##F, POD1_##F, .ttl = 63), TCP(80, 40000, ACK))),  \
		RULE("and in one of the host's " #F, native, FIXTURE_UPLINK,                                 \
			PKT(FROM_ROUTER, IP(OUTSIDE_##F, HOST_SLOT1_##F), TCP(8080, 40000, ACK)),            \
			FIXTURE_HOST, PKT(TO_HOST, IP(OUT_##F, HOST_##F), TCP(80, 40000, ACK))),             \
		DROPS("but not at the host's addresses, if it is another network " #F, outside,              \
			FIXTURE_UPLINK, DROP_NOT_OURS, FROM_ROUTER, IP(OUTSIDE_##F, HOST_SLOT1_##F),         \
			TCP(8080, 40000, ACK)),                                                              \
		DROPS("others do not " #F, outside, FIXTURE_UPLINK, DROP_NOT_OURS, FROM_ROUTER,              \
			IP(OUTSIDE_##F, POD1_##F), TCP(1000, 80, SYN)),                                      \
		DROPS("nor by the address of a pod " #F, native, FIXTURE_UPLINK, DROP_NOT_OURS, FROM_ROUTER, \
			IP(POD2_##F, POD1_##F), TCP(1000, 80, SYN)),                                         \
		DROPS("no answer from a pod's address comes from outside " #F, some_flows_##F,               \
			FIXTURE_UPLINK, DROP_SPOOFED_SOURCE, FROM_ROUTER, IP(POD2_##F, NODE_##F),            \
			TCP(80, PORT, ACK)),                                                                 \
		DROPS("another port of the node is not ours " #F, some_flows_##F, FIXTURE_UPLINK,            \
			DROP_NOT_OURS, FROM_ROUTER, IP(OUTSIDE_##F, NODE_##F), TCP(80, 20288, ACK)),         \
		DROPS("a segment of no connection " #F, outside, FIXTURE_POD1, DROP_NO_FLOW, FROM_POD1,      \
			IP(POD1_##F, OUTSIDE_##F), TCP(1000, 80, ACK)),                                      \
		DROPS("a protocol without ports " #F, outside, FIXTURE_POD1, DROP_MASQUERADE_PROTOCOL,       \
			FROM_POD1, IP(POD1_##F, OUTSIDE_##F, .proto = 47), DATA(8)),                         \
		DROPS("an error about no flow of the pod " #F, outside, FIXTURE_POD1, DROP_NO_FLOW,          \
			FROM_POD1, IP(POD1_##F, OUTSIDE_##F), CLOSED_##F,                                    \
			QUOTE(PKT(TO_POD1, IP(OUTSIDE_##F, POD1_##F, .ttl = 63), UDP(53, 1000), DATA(9)),    \
				SHORT_##F)),                                                                 \
		ASKS("a standing connection whose next hop is to be found again " #F, F,                     \
			IP(POD1_##F, OUTSIDE_##F), TCP(1000, 80, ACK)),                                      \
		ASKS("so is an error's about a flow " #F, F, IP(POD1_##F, OUTSIDE_##F), CLOSED_##F,          \
			QUOTE(PKT(TO_POD1, IP(OUTSIDE_##F, POD1_##F, .ttl = 63), UDP(53, 1000), DATA(9)),    \
				SHORT_##F)),                                                                 \
		DROPS("no port is left " #F, outside_without_ports, FIXTURE_POD1, DROP_MASQUERADE_FULL,      \
			FROM_POD1, IP(POD1_##F, OUTSIDE_##F), UDP(1000, 53)),                                \
		DROPS("the node has no address of this family " #F, outside_without_an_address,              \
			FIXTURE_POD1, DROP_MASQUERADE_FULL, FROM_POD1, IP(POD1_##F, OUTSIDE_##F),            \
			UDP(1000, 53))

/* An echo of 52 bytes in two parts, whose checksum is of both. */
#define PART_V4(src, dst, t, o, m) \
	IP(src, dst, .ttl = (t), .id = 3, .offset = (o), .more = (m), .proto = PROTO_ICMP)
#define PART_V6(src, dst, t, o, m) IP(src, dst, .ttl = (t)), FRAG(o, m, .id = 3, .proto = PROTO_ICMPV6)

#define PARTS(F, n, port_in, eth_in, src, dst, head, port_out, eth_out, new_src, new_dst, new_head)         \
	{ .name = n " in parts: the first " #F,                                                             \
		.given = some_flows_##F,                                                                    \
		.from = (port_in),                                                                          \
		.in = PKT(eth_in, PART_##F(src, dst, 64, 0, true), head, DATA(16)),                         \
		.verdict = VERDICT_FORWARD,                                                                 \
		.to = (port_out),                                                                           \
		.has_bad_checksum = true,                                                                   \
		.out = { PKT(eth_out, PART_##F(new_src, new_dst, 63, 0, true), new_head, DATA(16)) } },     \
	{                                                                                                   \
		.name = n " in parts: the last " #F, .given = some_flows_##F, .from = (port_in),            \
		.before = PKT(eth_in, PART_##F(src, dst, 64, 0, true), head, DATA(16)),                     \
		.in = PKT(eth_in, PART_##F(src, dst, 64, 24, false), DATA(28)), .verdict = VERDICT_FORWARD, \
		.to = (port_out),                                                                           \
		.out = { PKT(eth_out, PART_##F(new_src, new_dst, 63, 24, false), DATA(28)) }                \
	}
#define ECHO_PARTS(F)                                                                                   \
	PARTS(F, "an echo", FIXTURE_POD1, FROM_POD1, POD1_##F, OUTSIDE_##F, ICMP(ECHO_##F, 0, 7, 1),    \
		FIXTURE_UPLINK, TO_ROUTER, NODE_##F, OUTSIDE_##F, ICMP(ECHO_##F, 0, PORT, 1)),          \
		PARTS(F, "its answer", FIXTURE_UPLINK, FROM_ROUTER, OUTSIDE_##F, NODE_##F,              \
			ICMP(ECHO_REPLY_##F, 0, PORT, 1), FIXTURE_POD1, TO_POD1, OUTSIDE_##F, POD1_##F, \
			ICMP(ECHO_REPLY_##F, 0, 7, 1))

const struct packet_case masquerade_cases[] = {
	ECHO_PARTS(V4),
	ECHO_PARTS(V6),
	MASQUERADE_CASES(V4),
	MASQUERADE_CASES(V6),
	BALANCER_CASES(V4),
	BALANCER_CASES(V6),
	DROPS("a pod's flows are bounded", pod1_has_used_its_flows, FIXTURE_POD1, DROP_MASQUERADE_QUOTA,
		FROM_POD1, IP(POD1_V4, OUTSIDE_V4), UDP(1000, 1000)),
	DROPS("and its ports towards one destination", pod1_has_used_its_ports, FIXTURE_POD1,
		DROP_MASQUERADE_QUOTA, FROM_POD1, IP(POD1_V4, OUTSIDE_V4), UDP(1000, 53)),
	DROPS("all ports are in use", others_have_used_all_ports, FIXTURE_POD1, DROP_MASQUERADE_FULL,
		FROM_POD1, IP(POD1_V4, OUTSIDE_V4), UDP(1000, 53)),
};
const unsigned n_masquerade_cases = sizeof(masquerade_cases) / sizeof(masquerade_cases[0]);
