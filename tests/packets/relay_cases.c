/* From outside the cluster to services whose backend is outside, too, as another node's own address is: under this node's
 * own address and a port of its blocks, and back. Each rule once per family: F is V4 or V6. With two workers, the flows of
 * client port 40000 are the second one's, those of 40002 the first's; each worker has one usable port. */
#include <stdlib.h>

#include "dataplane/service/flow_owner.h"
#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"
#include "tests/support/exposed.h"

#define CLIENT_PORT 40000
#define CLIENT_PORT_NEAR 40002
#define WIRE 20100 /* the first worker's */
#define WIRE_FAR 20050
#define SEQ 4711

#define OUTSIDE_V4 "203.0.113.9"
#define OUTSIDE_V6 "2001:db8:ffff::9"
#define ROUTER_V4 "198.51.100.9"
#define ROUTER_V6 "2001:db8:9::9"

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	if (!ip_addr_parse(text, &a))
		abort();
	return a;
}

static void
add_way(struct fixture *f, const char *text, enum route_kind kind, const struct mac_addr *mac, uint8_t flags)
{
	struct ip_prefix prefix;

	if (!ip_prefix_parse(text, &prefix))
		abort();
	route_table_add_outside(f->routes, &prefix, kind, mac, flags);
}

static void
add_ways(struct fixture *f, enum route_kind kind, const struct mac_addr *mac, uint8_t flags)
{
	exposed_services(f);
	add_way(f, "192.0.2.0/24", kind, mac, flags);
	add_way(f, "2001:db8::/64", kind, mac, flags);
	memset(&f->node.masquerade_ports, 0, sizeof(f->node.masquerade_ports));
	f->node.masquerade_ports.bits[WIRE / 64] |= UINT64_C(1) << WIRE % 64;
	if (f->n_workers == 2)
		f->node.masquerade_ports.bits[WIRE_FAR / 64] |= UINT64_C(1) << WIRE_FAR % 64;
}

static void
nothing_yet(struct fixture *f)
{
	const struct mac_addr mac = pkt_mac("peer");

	add_ways(f, ROUTE_UNDERLAY, &mac, 0);
}

static void
native(struct fixture *f)
{
	const struct mac_addr mac = pkt_mac("peer");

	add_ways(f, ROUTE_UNDERLAY, &mac, ROUTE_NATIVE);
}

static void
neighbour_unknown(struct fixture *f)
{
	add_ways(f, ROUTE_SEGMENT, &(struct mac_addr){ 0 }, 0);
}

static void
by_another_interface(struct fixture *f)
{
	add_ways(f, ROUTE_ELSEWHERE, &(struct mac_addr){ 0 }, 0);
}

static void
no_address(struct fixture *f)
{
	nothing_yet(f);
	memset(f->node.masquerade, 0, sizeof(f->node.masquerade));
}

/* A flow of the worker that has WIRE. */
static void
add_flow(struct fixture *f, bool is_confirmed, const char *client, uint16_t client_port, const char *frontend,
	const char *backend, const char *wire, uint8_t proto)
{
	struct nat_flow x = {
		.client = addr(client),
		.client_port = client_port,
		.frontend = addr(frontend),
		.frontend_port = PORT_BEYOND,
		.backend = addr(backend),
		.backend_port = 9000,
		.wire = addr(wire),
		.wire_port = WIRE,
		.has_block = true,
		.proto = proto,
		.return_mac = pkt_mac("peer"),
		.seq = SEQ,
	};
	const struct port_blocks_tables tables = { f->outbound[0], f->inbound[0], f->half_open[0] };

	if (nat_flows_add(is_confirmed ? f->inbound[0] : f->half_open[0], &x, NULL, 0) == NULL)
		abort();
	/* the worker begins anew with what it finds */
	port_blocks_free(f->port_blocks[0]);
	f->port_blocks[0] = port_blocks_adopt(&tables, 0, f->n_workers, FIXTURE_OUTBOUND_BLOCKS);
	f->workers[0]->port_blocks = f->port_blocks[0];
	if (f->port_blocks[0] == NULL)
		abort();
}

static void
add_flows(struct fixture *f, bool is_confirmed)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_SCTP };

	for (unsigned i = 0; i < 3; i++) {
		add_flow(f, is_confirmed, CLIENT_V4, CLIENT_PORT_NEAR, NODE_V4, PEER_V4, NODE_V4, protos[i]);
		add_flow(f, is_confirmed, CLIENT_V6, CLIENT_PORT_NEAR, NODE_V6, PEER_V6, NODE_V6, protos[i]);
	}
}

static void
confirmed_flows(struct fixture *f)
{
	nothing_yet(f);
	add_flows(f, true);
}

static void
half_open_flows(struct fixture *f)
{
	nothing_yet(f);
	add_flows(f, false);
}

/* The way to the backend was another when they began. */
static void
flows_that_keep_their_address(struct fixture *f)
{
	nothing_yet(f);
	add_flow(f, true, CLIENT_V4, CLIENT_PORT_NEAR, NODE_V4, PEER_V4, CLIENT_V4, PROTO_UDP);
	add_flow(f, true, CLIENT_V6, CLIENT_PORT_NEAR, NODE_V6, PEER_V6, CLIENT_V6, PROTO_UDP);
}

#define FROM_CLIENT ETH("peer", "uplink")
#define TO_CLIENT ETH("uplink", "peer")
#define FROM_PEER ETH("peer", "uplink")
#define TO_PEER ETH("uplink", "peer")
#define SYN TCP_SYN
#define SYN_ACK (TCP_SYN | TCP_ACK)
#define ACK TCP_ACK
#define CLOSED_V4 ICMP(3, 3)
#define CLOSED_V6 ICMP(1, 4)
#define TOO_BIG_V4 ICMP(3, 4, .rest = 1400)
#define TOO_BIG_V6 ICMP(2, 0, .rest = 1400)
#define FAMILY_V4 4
#define FAMILY_V6 6

#define RELAYS(n, setup, packet, ...)                                                \
	{                                                                            \
		.name = (n), .given = (setup), .from = FIXTURE_UPLINK, .in = packet, \
		.verdict = VERDICT_FORWARD, .to = FIXTURE_UPLINK,                    \
		.out = { __VA_ARGS__ }                                               \
	}
#define PUNTS(n, setup, packet, ...)                                                 \
	{                                                                            \
		.name = (n), .given = (setup), .from = FIXTURE_UPLINK, .in = packet, \
		.verdict = VERDICT_PUNT, .to = FIXTURE_HOST,                         \
		.out = { __VA_ARGS__ }                                               \
	}
#define DROPS(n, setup, reason, ...)                                                           \
	{                                                                                      \
		.name = (n), .given = (setup), .from = FIXTURE_UPLINK, .in = PKT(__VA_ARGS__), \
		.verdict = VERDICT_DROP, .drop = (reason)                                      \
	}

/* What is quoted, at its receiver. */
#define ABOUT(from, to, ...) QUOTE(PKT(FROM_PEER, IP(from, to, .ttl = 60), __VA_ARGS__, DATA(9)), 0)

#define RELAY_CASES(F)                                                                                       \
	RELAYS("a connection goes on as the node's own " #F, nothing_yet,                                    \
		PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F),                                                   \
			TCP(CLIENT_PORT_NEAR, PORT_BEYOND, SYN, .mss = 1460)),                               \
		PKT(TO_PEER, IP(NODE_##F, PEER_##F, .ttl = 63), TCP(WIRE, 9000, SYN, .mss = MSS_##F))),      \
		RELAYS("to a network that knows pods, too " #F, native,                                      \
			PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F), UDP(CLIENT_PORT_NEAR, PORT_BEYOND),       \
				DATA(9)),                                                                    \
			PKT(TO_PEER, IP(NODE_##F, PEER_##F, .ttl = 63), UDP(WIRE, 9000), DATA(9))),          \
		RELAYS("a connection that stands " #F, confirmed_flows,                                      \
			PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F), TCP(CLIENT_PORT_NEAR, PORT_BEYOND, ACK)), \
			PKT(TO_PEER, IP(NODE_##F, PEER_##F, .ttl = 63), TCP(WIRE, 9000, ACK))),              \
		RELAYS("its answer comes from the service " #F, confirmed_flows,                             \
			PKT(FROM_PEER, IP(PEER_##F, NODE_##F), TCP(9000, WIRE, ACK), DATA(9)),               \
			PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63),                                  \
				TCP(PORT_BEYOND, CLIENT_PORT_NEAR, ACK), DATA(9))),                          \
		RELAYS("half-open, too " #F, half_open_flows,                                                \
			PKT(FROM_PEER, IP(PEER_##F, NODE_##F), TCP(9000, WIRE, SYN_ACK, .mss = 1400)),       \
			PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63),                                  \
				TCP(PORT_BEYOND, CLIENT_PORT_NEAR, SYN_ACK, .mss = 1400))),                  \
		RELAYS("a datagram's " #F, half_open_flows,                                                  \
			PKT(FROM_PEER, IP(PEER_##F, NODE_##F), UDP(9000, WIRE), DATA(9)),                    \
			PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63),                                  \
				UDP(PORT_BEYOND, CLIENT_PORT_NEAR), DATA(9))),                               \
		RELAYS("an association's " #F, half_open_flows,                                              \
			PKT(FROM_PEER, IP(PEER_##F, NODE_##F), SCTP(9000, WIRE), DATA(16)),                  \
			PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63),                                  \
				SCTP(PORT_BEYOND, CLIENT_PORT_NEAR), DATA(16))),                             \
		RELAYS("a half-open flow's port is for who comes next " #F, half_open_flows,                 \
			PKT(FROM_CLIENT, IP(OUTSIDE_##F, NODE_##F),                                          \
				TCP(STRANGERS_PORT_##F, PORT_BEYOND, SYN)),                                  \
			PKT(TO_PEER, IP(NODE_##F, PEER_##F, .ttl = 63), TCP(WIRE, 9000, SYN))),              \
		DROPS("a confirmed flow's is its own " #F, confirmed_flows, DROP_INBOUND_FULL, FROM_CLIENT,  \
			IP(OUTSIDE_##F, NODE_##F), TCP(STRANGERS_PORT_##F, PORT_BEYOND, SYN)),               \
		DROPS("the node has no address of this family " #F, no_address, DROP_INBOUND_FULL,           \
			FROM_CLIENT, IP(CLIENT_##F, NODE_##F), TCP(CLIENT_PORT, PORT_BEYOND, SYN)),          \
		RELAYS("the backend's closed port is the service's " #F, confirmed_flows,                    \
			PKT(FROM_PEER, IP(PEER_##F, NODE_##F), CLOSED_##F,                                   \
				ABOUT(NODE_##F, PEER_##F, UDP(WIRE, 9000))),                                 \
			PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63), CLOSED_##F,                      \
				ABOUT(CLIENT_##F, NODE_##F, UDP(CLIENT_PORT_NEAR, PORT_BEYOND)))),           \
		RELAYS("so is what a router on the way there says " #F, confirmed_flows,                     \
			PKT(FROM_PEER, IP(ROUTER_##F, NODE_##F), TOO_BIG_##F,                                \
				ABOUT(NODE_##F, PEER_##F, TCP(WIRE, 9000, ACK))),                            \
			PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63), TOO_BIG_##F,                     \
				ABOUT(CLIENT_##F, NODE_##F, TCP(CLIENT_PORT_NEAR, PORT_BEYOND, ACK)))),      \
		RELAYS("and what one on the way back says, is the node's " #F, confirmed_flows,              \
			PKT(FROM_CLIENT, IP(ROUTER_##F, NODE_##F), TOO_BIG_##F,                              \
				ABOUT(NODE_##F, CLIENT_##F, TCP(PORT_BEYOND, CLIENT_PORT_NEAR, ACK))),       \
			PKT(TO_PEER, IP(NODE_##F, PEER_##F, .ttl = 63), TOO_BIG_##F,                         \
				ABOUT(PEER_##F, NODE_##F, TCP(9000, WIRE, ACK)))),                           \
		PUNTS("what others send to its port is for the host's stack " #F, confirmed_flows,           \
			PKT(FROM_PEER, IP(OUTSIDE_##F, NODE_##F), TCP(9000, WIRE, ACK)),                     \
			PKT(TO_HOST, IP(OUTSIDE_##F, NODE_##F), TCP(9000, WIRE, ACK))),                      \
		PUNTS("and what the backend sends from another port " #F, confirmed_flows,                   \
			PKT(FROM_PEER, IP(PEER_##F, NODE_##F), TCP(9001, WIRE, ACK)),                        \
			PKT(TO_HOST, IP(PEER_##F, NODE_##F), TCP(9001, WIRE, ACK))),                         \
		{ .name = "the backend's MAC address is asked for " #F,                                      \
			.given = neighbour_unknown,                                                          \
			.from = FIXTURE_UPLINK,                                                              \
			.in = PKT(                                                                           \
				FROM_CLIENT, IP(CLIENT_##F, NODE_##F), TCP(CLIENT_PORT, PORT_BEYOND, SYN)),  \
			.verdict = VERDICT_DROP,                                                             \
			.drop = DROP_NO_NEIGHBOUR,                                                           \
			.event_value = FAMILY_##F },                                                         \
		DROPS("by another interface than the uplink " #F, by_another_interface,                      \
			DROP_OTHER_INTERFACE, FROM_CLIENT, IP(CLIENT_##F, NODE_##F),                         \
			TCP(CLIENT_PORT, PORT_BEYOND, SYN)),                                                 \
		DROPS("no way there " #F, exposed_services, DROP_NO_ROUTE, FROM_CLIENT,                      \
			IP(CLIENT_##F, NODE_##F), TCP(CLIENT_PORT, PORT_BEYOND, SYN)),                       \
		DROPS("nobody leaves this node with a client's address " #F, flows_that_keep_their_address,  \
			DROP_TUNNEL_DESTINATION, FROM_CLIENT, IP(CLIENT_##F, NODE_##F),                      \
			UDP(CLIENT_PORT_NEAR, PORT_BEYOND))

/* By their ports, the flows of these are the first worker's. */
#define STRANGERS_PORT_V4 40001
#define STRANGERS_PORT_V6 40000
#define MSS_V4 1460
#define MSS_V6 1440

#define TUNNEL_CASE(F)                                                                                      \
	{                                                                                                   \
		.name = "a node's tunnel end is no backend " #F, .underlay = UNDERLAY_##F,                  \
		.given = nothing_yet, .from = FIXTURE_UPLINK,                                               \
		.in = PKT(                                                                                  \
			FROM_CLIENT, IP(CLIENT_##F, NODE_##F), UDP(CLIENT_PORT, PORT_OF_TUNNEL), DATA(30)), \
		.verdict = VERDICT_DROP, .drop = DROP_TUNNEL_FROM_POD                                       \
	}

const struct packet_case relay_cases[] = {
	RELAY_CASES(V4),
	RELAY_CASES(V6),
	TUNNEL_CASE(V4),
	TUNNEL_CASE(V6),
};
const unsigned n_relay_cases = sizeof(relay_cases) / sizeof(relay_cases[0]);
