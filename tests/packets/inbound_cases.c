/* From outside the cluster to exposed services, and back. Each rule once per family: F is V4 or V6. With two workers, the
 * flows of client port 40000 are the second one's, which has neither the uplink nor pod1; those of 40002 the first's. */
#include <stdlib.h>

#include "dataplane/service/affinity.h"
#include "dataplane/service/flow_owner.h"
#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"
#include "tests/support/exposed.h"

#define CLIENT_PORT 40000
#define CLIENT_PORT_NEAR 40002
#define WIRE 2112 /* of the second worker, too */
#define WIRE_NEAR 2048
#define SEQ 4711 /* what a client acknowledges that got the SYN+ACK */

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	if (!ip_addr_parse(text, &a))
		abort();
	return a;
}

/* A flow in the table of its owner. */
static struct nat_flow *
add_flow(struct fixture *f, bool is_confirmed, const char *client, uint16_t client_port, const char *frontend,
	uint16_t frontend_port, const char *backend, uint16_t backend_port, const char *wire,
	uint16_t wire_port, uint8_t proto)
{
	struct nat_flow x = {
		.client = addr(client),
		.client_port = client_port,
		.frontend = addr(frontend),
		.frontend_port = frontend_port,
		.backend = addr(backend),
		.backend_port = backend_port,
		.wire = addr(wire),
		.wire_port = wire_port,
		.proto = proto,
		.return_mac = pkt_mac("peer"),
		.seq = SEQ,
	};
	unsigned owner = flow_owner_of_client(&x.client, client_port, proto, f->n_workers);
	struct nat_flow *added;

	if (endpoint_is_inbound_addr(f->endpoints, &x.wire) &&
		flow_owner_of_port(wire_port, f->n_workers) != owner)
		abort();
	added = nat_flows_add(is_confirmed ? f->inbound[owner] : f->half_open[owner], &x, NULL, 0);
	if (added == NULL)
		abort();
	return added;
}

static void
add_flows(struct fixture *f, bool is_confirmed)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP };

	exposed_services(f);
	for (unsigned i = 0; i < 2; i++) {
#define ADD(F)                                                                                               \
	add_flow(f, is_confirmed, CLIENT_##F, CLIENT_PORT, NODE_##F, PORT_NEAR, POD2_##F, 8080, INBOUND_##F, \
		WIRE, protos[i]);                                                                            \
	add_flow(f, is_confirmed, CLIENT_##F, CLIENT_PORT, NODE_##F, PORT_FAR, REMOTE_##F, 8080,             \
		INBOUND_##F, WIRE, protos[i]);                                                               \
	add_flow(f, is_confirmed, CLIENT_##F, CLIENT_PORT_NEAR, NODE_##F, PORT_FAR, REMOTE_##F, 8080,        \
		INBOUND_##F, WIRE_NEAR, protos[i]);                                                          \
	add_flow(f, is_confirmed, CLIENT_##F, CLIENT_PORT, NODE_##F, PORT_LOCAL, POD2_##F, 8080, CLIENT_##F, \
		CLIENT_PORT, protos[i]);                                                                     \
	add_flow(f, is_confirmed, CLIENT_##F, CLIENT_PORT_NEAR, NODE_##F, PORT_OF_POD1, POD1_##F, 8080,      \
		CLIENT_##F, CLIENT_PORT_NEAR, protos[i]);                                                    \
	add_flow(f, is_confirmed, CLIENT_##F, CLIENT_PORT, NODE_##F, PORT_ON_HOST, NODE_##F, 9000,           \
		INBOUND_##F, WIRE, protos[i])
		ADD(V4);
		ADD(V6);
	}
}

static void
confirmed_flows(struct fixture *f)
{
	add_flows(f, true);
}

static void
half_open_flows(struct fixture *f)
{
	add_flows(f, false);
}

static void
no_room(struct fixture *f)
{
	exposed_services(f);
	for (unsigned i = 0; i < f->n_workers; i++)
		f->workers[i]->half_open = NULL;
}

/* Clients that have been pod1's. */
static void
clients_with_affinity(struct fixture *f)
{
	static const char *const clients[] = { CLIENT_V4, CLIENT_V6 }, *const nodes[] = { NODE_V4, NODE_V6 };
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP };

	exposed_services(f);
	for (unsigned i = 0; i < 4; i++) {
		struct ip_addr client = addr(clients[i / 2]), node = addr(nodes[i / 2]);
		uint8_t proto = protos[i % 2];
		const struct frontend *front = service_frontend(
			f->services, addr_hash(&node, PORT_STICKY, proto), &node, PORT_STICKY, proto);

		affinity_note(f->inbound_affinity[flow_owner_of_affinity(&client, f->n_workers)], &client,
			front, &front->backends[1], true, 0);
	}
}

static void
a_short_tunnel(struct fixture *f)
{
	confirmed_flows(f);
	f->fdb->entries[FIXTURE_PEER].mtu = 1300;
}

#define FROM_CLIENT ETH("peer", "uplink")
#define TO_CLIENT ETH("uplink", "peer")
#define FROM_POD2 ETH("pod2", "gw")
#define SYN TCP_SYN
#define SYN_ACK (TCP_SYN | TCP_ACK)
#define ACK TCP_ACK
#define RST_ACK (TCP_RST | TCP_ACK)

#define PASSES(n, setup, in_port, packet, end, out_port, ...)                                     \
	{                                                                                         \
		.name = (n), .given = (setup), .from = (in_port), .in = packet, .verdict = (end), \
		.to = (out_port),                                                                 \
		.out = { __VA_ARGS__ }                                                            \
	}
#define COMES(n, setup, packet, out_port, ...) \
	PASSES(n, setup, FIXTURE_UPLINK, packet, VERDICT_FORWARD, out_port, __VA_ARGS__)
#define LEAVES(n, setup, in_port, packet, ...) \
	PASSES(n, setup, in_port, packet, VERDICT_FORWARD, FIXTURE_UPLINK, __VA_ARGS__)
#define REPLIES(n, setup, packet, ...) \
	PASSES(n, setup, FIXTURE_UPLINK, packet, VERDICT_REPLY, FIXTURE_UPLINK, __VA_ARGS__)
#define DROPS(n, setup, port_in, reason, ...)                                             \
	{                                                                                 \
		.name = (n), .given = (setup), .from = (port_in), .in = PKT(__VA_ARGS__), \
		.verdict = VERDICT_DROP, .drop = (reason)                                 \
	}

#define ERROR_V4(type, ...) IP(NODE_V4, CLIENT_V4, .df = true, .tos = 0xc0), ICMP(type, ##__VA_ARGS__)
#define ERROR_V6(type, ...) IP(NODE_V6, CLIENT_V6), ICMP(type, ##__VA_ARGS__)
#define RESET_V4 IP(NODE_V4, CLIENT_V4, .df = true)
#define RESET_V6 IP(NODE_V6, CLIENT_V6)

#define NEW_CASES(F)                                                                                         \
	COMES("a new connection, to a backend that sees its client " #F, exposed_services,                   \
		PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F), TCP(CLIENT_PORT, PORT_LOCAL, SYN, .mss = 1000)),  \
		FIXTURE_POD2,                                                                                \
		PKT(TO_POD2, IP(CLIENT_##F, POD2_##F, .ttl = 63),                                            \
			TCP(CLIENT_PORT, 8080, SYN, .mss = 1000))),                                          \
		COMES("of another worker " #F, exposed_services,                                             \
			PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F), TCP(CLIENT_PORT_NEAR, PORT_LOCAL, SYN)),  \
			FIXTURE_POD2,                                                                        \
			PKT(TO_POD2, IP(CLIENT_##F, POD2_##F, .ttl = 63),                                    \
				TCP(CLIENT_PORT_NEAR, 8080, SYN))),                                          \
		COMES("a pod's hostPort, too " #F, exposed_services,                                         \
			PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F), TCP(CLIENT_PORT, PORT_OF_POD1, SYN)),     \
			FIXTURE_POD1,                                                                        \
			PKT(TO_POD1, IP(CLIENT_##F, POD1_##F, .ttl = 63), TCP(CLIENT_PORT, 8080, SYN))),     \
		COMES("a datagram " #F, exposed_services,                                                    \
			PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F), UDP(CLIENT_PORT, PORT_LOCAL), DATA(5)),   \
			FIXTURE_POD2,                                                                        \
			PKT(TO_POD2, IP(CLIENT_##F, POD2_##F, .ttl = 63), UDP(CLIENT_PORT, 8080), DATA(5))), \
		DROPS("a segment that continues what never began " #F, exposed_services, FIXTURE_UPLINK,     \
			DROP_NO_FLOW, FROM_CLIENT, IP(CLIENT_##F, NODE_##F),                                 \
			TCP(CLIENT_PORT, PORT_NEAR, ACK)),                                                   \
		DROPS("nor does an association begin in the middle " #F, exposed_services, FIXTURE_UPLINK,   \
			DROP_NO_FLOW, FROM_CLIENT, IP(CLIENT_##F, NODE_##F), SCTP(CLIENT_PORT, PORT_NEAR),   \
			DATA(16)),                                                                           \
		DROPS("a client of the wrong network " #F, exposed_services, FIXTURE_UPLINK,                 \
			DROP_SOURCE_RANGE, FROM_CLIENT, IP(PEER_##F, BALANCER_##F),                          \
			TCP(CLIENT_PORT, 80, SYN)),                                                          \
		DROPS("no backend here, and elsewhere it may not go " #F, exposed_services, FIXTURE_UPLINK,  \
			DROP_NO_LOCAL_BACKEND, FROM_CLIENT, IP(CLIENT_##F, NODE_##F),                        \
			TCP(CLIENT_PORT, PORT_NOT_HERE, SYN)),                                               \
		DROPS("no room for another flow " #F, no_room, FIXTURE_UPLINK, DROP_INBOUND_FULL,            \
			FROM_CLIENT, IP(CLIENT_##F, NODE_##F), TCP(CLIENT_PORT, PORT_NEAR, SYN)),            \
		REPLIES("no backend anywhere: the connection is reset " #F, exposed_services,                \
			PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F),                                           \
				TCP(CLIENT_PORT, PORT_EMPTY, SYN, .seq = 7)),                                \
			PKT(TO_CLIENT, RESET_##F, TCP(PORT_EMPTY, CLIENT_PORT, RST_ACK, .ack = 8))),         \
		DROPS("a port that is not exposed " #F, exposed_services, FIXTURE_UPLINK, DROP_NOT_OURS,     \
			FROM_CLIENT, IP(CLIENT_##F, NODE_##F), TCP(CLIENT_PORT, PORT_HIDDEN, SYN)),          \
		DROPS("a pod's address from outside " #F, exposed_services, FIXTURE_UPLINK,                  \
			DROP_SPOOFED_SOURCE, FROM_CLIENT, IP(REMOTE_##F, NODE_##F),                          \
			TCP(CLIENT_PORT, PORT_NEAR, SYN)),                                                   \
		DROPS("this node's reserved address " #F, exposed_services, FIXTURE_UPLINK,                  \
			DROP_SPOOFED_SOURCE, FROM_CLIENT, IP(INBOUND_##F, NODE_##F),                         \
			TCP(CLIENT_PORT, PORT_NEAR, SYN)),                                                   \
		DROPS("this node's own address " #F, exposed_services, FIXTURE_UPLINK, DROP_SPOOFED_SOURCE,  \
			FROM_CLIENT, IP(NODE_##F, NODE_##F), TCP(CLIENT_PORT, PORT_NEAR, SYN)),              \
		DROPS("a load balancer's address " #F, exposed_services, FIXTURE_UPLINK,                     \
			DROP_SPOOFED_SOURCE, FROM_CLIENT, IP(BALANCER_##F, NODE_##F),                        \
			TCP(CLIENT_PORT, PORT_NEAR, SYN))

#define AFFINITY_CASES(F)                                                                                    \
	COMES("a client without a backend of its own, to that of its address " #F, exposed_services,         \
		PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F), UDP(CLIENT_PORT, PORT_STICKY), DATA(5)),          \
		FIXTURE_POD2,                                                                                \
		PKT(TO_POD2, IP(CLIENT_##F, POD2_##F, .ttl = 63), UDP(CLIENT_PORT, 8080), DATA(5))),         \
		COMES("a client's new connection, to the backend that it has " #F, clients_with_affinity,    \
			PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F), TCP(CLIENT_PORT, PORT_STICKY, SYN)),      \
			FIXTURE_POD1,                                                                        \
			PKT(TO_POD1, IP(CLIENT_##F, POD1_##F, .ttl = 63), TCP(CLIENT_PORT, 8080, SYN))),     \
		COMES("from another port, too " #F, clients_with_affinity,                                   \
			PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F), TCP(CLIENT_PORT_NEAR, PORT_STICKY, SYN)), \
			FIXTURE_POD1,                                                                        \
			PKT(TO_POD1, IP(CLIENT_##F, POD1_##F, .ttl = 63),                                    \
				TCP(CLIENT_PORT_NEAR, 8080, SYN))),                                          \
		COMES("and its datagram " #F, clients_with_affinity,                                         \
			PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F), UDP(CLIENT_PORT, PORT_STICKY), DATA(5)),  \
			FIXTURE_POD1,                                                                        \
			PKT(TO_POD1, IP(CLIENT_##F, POD1_##F, .ttl = 63), UDP(CLIENT_PORT, 8080), DATA(5)))

#define FLOW_CASES(F)                                                                                       \
	COMES("a connection goes on, from the reserved address " #F, confirmed_flows,                       \
		PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F), TCP(CLIENT_PORT, PORT_NEAR, ACK)), FIXTURE_POD2, \
		PKT(TO_POD2, IP(INBOUND_##F, POD2_##F, .ttl = 63), TCP(WIRE, 8080, ACK))),                  \
		LEAVES("its answers come from the frontend " #F, confirmed_flows, FIXTURE_POD2,             \
			PKT(FROM_POD2, IP(POD2_##F, INBOUND_##F), TCP(8080, WIRE, ACK)),                    \
			PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63),                                 \
				TCP(PORT_NEAR, CLIENT_PORT, ACK))),                                         \
		LEAVES("half-open, too " #F, half_open_flows, FIXTURE_POD2,                                 \
			PKT(FROM_POD2, IP(POD2_##F, INBOUND_##F), TCP(8080, WIRE, SYN_ACK, .mss = 1000)),   \
			PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63),                                 \
				TCP(PORT_NEAR, CLIENT_PORT, SYN_ACK, .mss = 1000))),                        \
		LEAVES("a datagram's answer, its partial checksum completed " #F, half_open_flows,          \
			FIXTURE_POD2,                                                                       \
			PKT(FROM_POD2, IP(POD2_##F, INBOUND_##F), UDP(8080, WIRE, .sum = SUM_PARTIAL),      \
				DATA(9)),                                                                   \
			PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63), UDP(PORT_NEAR, CLIENT_PORT),    \
				DATA(9))),                                                                  \
		LEAVES("an answer to the client's own address " #F, confirmed_flows, FIXTURE_POD2,          \
			PKT(FROM_POD2, IP(POD2_##F, CLIENT_##F), TCP(8080, CLIENT_PORT, ACK)),              \
			PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63),                                 \
				TCP(PORT_LOCAL, CLIENT_PORT, ACK))),                                        \
		LEAVES("a datagram's, too " #F, confirmed_flows, FIXTURE_POD1,                              \
			PKT(FROM_POD1, IP(POD1_##F, CLIENT_##F), UDP(8080, CLIENT_PORT_NEAR), DATA(9)),     \
			PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63),                                 \
				UDP(PORT_OF_POD1, CLIENT_PORT_NEAR), DATA(9))),                             \
		DROPS("an answer to nobody " #F, exposed_services, FIXTURE_POD2, DROP_NO_FLOW, FROM_POD2,   \
			IP(POD2_##F, INBOUND_##F), TCP(8080, WIRE, ACK)),                                   \
		DROPS("a pod that is not the backend " #F, confirmed_flows, FIXTURE_POD1, DROP_NO_FLOW,     \
			FROM_POD1, IP(POD1_##F, INBOUND_##F), TCP(8080, WIRE, ACK)),                        \
		DROPS("a segment to outside that answers nobody " #F, exposed_services, FIXTURE_POD2,       \
			DROP_NO_FLOW, FROM_POD2, IP(POD2_##F, CLIENT_##F), TCP(8080, CLIENT_PORT, ACK)),    \
		PASSES("the host's stack sees the reserved address " #F, confirmed_flows, FIXTURE_UPLINK,   \
			PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F), TCP(CLIENT_PORT, PORT_ON_HOST, ACK)),    \
			VERDICT_PUNT, FIXTURE_HOST,                                                         \
			PKT(TO_HOST, IP(INBOUND_##F, NODE_##F), TCP(WIRE, 9000, ACK))),                     \
		LEAVES("and answers to it " #F, confirmed_flows, FIXTURE_HOST,                              \
			PKT(FROM_HOST, IP(NODE_##F, INBOUND_##F), TCP(9000, WIRE, ACK)),                    \
			PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63),                                 \
				TCP(PORT_ON_HOST, CLIENT_PORT, ACK))),                                      \
		REPLIES("the time to live ends here " #F, confirmed_flows,                                  \
			PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F, .ttl = 1), UDP(CLIENT_PORT, PORT_NEAR),   \
				DATA(9)),                                                                   \
			PKT(TO_CLIENT, ERROR_##F(EXPIRED_##F, 0),                                           \
				QUOTE(PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F, .ttl = 1),                  \
					      UDP(CLIENT_PORT, PORT_NEAR), DATA(9)),                        \
					0)))

#define EXPIRED_V4 11
#define EXPIRED_V6 3

/* A quoted packet, at its receiver. */
#define ABOUT(from, to, ...) QUOTE(PKT(FROM_POD1, IP(from, to, .ttl = 60), __VA_ARGS__, DATA(9)), 0)
#define ROUTER_V4 "198.51.100.9"
#define ROUTER_V6 "2001:db8:9::9"
#define TOO_BIG_V4 ICMP(3, 4, .rest = 1400)
#define TOO_BIG_V6 ICMP(2, 0, .rest = 1400)
#define CLOSED_V4 ICMP(3, 3)
#define CLOSED_V6 ICMP(1, 4)

#define ERROR_CASES(F)                                                                                      \
	COMES("a router's error about an answer " #F, confirmed_flows,                                      \
		PKT(FROM_CLIENT, IP(ROUTER_##F, NODE_##F), TOO_BIG_##F,                                     \
			ABOUT(NODE_##F, CLIENT_##F, TCP(PORT_LOCAL, CLIENT_PORT, ACK))),                    \
		FIXTURE_POD2,                                                                               \
		PKT(TO_POD2, IP(ROUTER_##F, POD2_##F, .ttl = 63), TOO_BIG_##F,                              \
			ABOUT(POD2_##F, CLIENT_##F, TCP(8080, CLIENT_PORT, ACK)))),                         \
		COMES("to a backend that knows the client by the reserved address " #F, confirmed_flows,    \
			PKT(FROM_CLIENT, IP(ROUTER_##F, NODE_##F), TOO_BIG_##F,                             \
				ABOUT(NODE_##F, CLIENT_##F, UDP(PORT_NEAR, CLIENT_PORT))),                  \
			FIXTURE_POD2,                                                                       \
			PKT(TO_POD2, IP(INBOUND_##F, POD2_##F, .ttl = 63), TOO_BIG_##F,                     \
				ABOUT(POD2_##F, INBOUND_##F, UDP(8080, WIRE)))),                            \
		DROPS("about a flow that nobody has " #F, exposed_services, FIXTURE_UPLINK, DROP_NO_FLOW,   \
			FROM_CLIENT, IP(ROUTER_##F, NODE_##F), TOO_BIG_##F,                                 \
			ABOUT(NODE_##F, CLIENT_##F, UDP(PORT_NEAR, CLIENT_PORT))),                          \
		LEAVES("a backend's closed port is the frontend's " #F, confirmed_flows, FIXTURE_POD2,      \
			PKT(FROM_POD2, IP(POD2_##F, INBOUND_##F), CLOSED_##F,                               \
				ABOUT(INBOUND_##F, POD2_##F, UDP(WIRE, 8080))),                             \
			PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63), CLOSED_##F,                     \
				ABOUT(CLIENT_##F, NODE_##F, UDP(CLIENT_PORT, PORT_NEAR)))),                 \
		LEAVES("to the client's own address, too " #F, confirmed_flows, FIXTURE_POD1,               \
			PKT(FROM_POD1, IP(POD1_##F, CLIENT_##F), CLOSED_##F,                                \
				ABOUT(CLIENT_##F, POD1_##F, UDP(CLIENT_PORT_NEAR, 8080))),                  \
			PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63), CLOSED_##F,                     \
				ABOUT(CLIENT_##F, NODE_##F, UDP(CLIENT_PORT_NEAR, PORT_OF_POD1)))),         \
		DROPS("a pod that is not the backend complains in vain " #F, confirmed_flows, FIXTURE_POD1, \
			DROP_NO_FLOW, FROM_POD1, IP(POD1_##F, INBOUND_##F), CLOSED_##F,                     \
			ABOUT(INBOUND_##F, POD2_##F, UDP(WIRE, 8080)))

#define TUNNEL_CASES(F, U)                                                                                  \
	{ .name = "to a backend on another node " #F " over " #U,                                           \
		.underlay = UNDERLAY_##U,                                                                   \
		.given = confirmed_flows,                                                                   \
		.from = FIXTURE_UPLINK,                                                                     \
		.in = PKT(FROM_CLIENT, IP(CLIENT_##F, NODE_##F), TCP(CLIENT_PORT, PORT_FAR, ACK)),          \
		.verdict = VERDICT_FORWARD,                                                                 \
		.to = FIXTURE_UPLINK,                                                                       \
		.out = { PKT(OUTER_OUT_##U, INNER_OUT, IP(INBOUND_##F, REMOTE_##F, .ttl = 63),              \
			TCP(WIRE, 8080, ACK)) } },                                                          \
		{ .name = "a new one there has its segments cut to what the tunnel takes " #F " over " #U,  \
			.underlay = UNDERLAY_##U,                                                           \
			.given = a_short_tunnel,                                                            \
			.from = FIXTURE_UPLINK,                                                             \
			.in = PKT(OUTER_IN_##U, INNER_IN, IP(REMOTE_##F, INBOUND_##F, .ttl = 63),           \
				TCP(8080, WIRE, SYN_ACK, .mss = 1460)),                                     \
			.verdict = VERDICT_FORWARD,                                                         \
			.counts = COUNT_MSS_CLAMPED,                                                        \
			.to = FIXTURE_UPLINK,                                                               \
			.out = { PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63),                        \
				TCP(PORT_FAR, CLIENT_PORT, SYN_ACK, .mss = 1300 - 20 - HEADER_##F)) } },    \
		{ .name = "a router's error follows the answers there " #F " over " #U,                     \
			.underlay = UNDERLAY_##U,                                                           \
			.given = confirmed_flows,                                                           \
			.from = FIXTURE_UPLINK,                                                             \
			.in = PKT(FROM_CLIENT, IP(ROUTER_##F, NODE_##F), TOO_BIG_##F,                       \
				ABOUT(NODE_##F, CLIENT_##F, TCP(PORT_FAR, CLIENT_PORT, ACK))),              \
			.verdict = VERDICT_FORWARD,                                                         \
			.to = FIXTURE_UPLINK,                                                               \
			.out = { PKT(OUTER_OUT_##U, INNER_OUT, IP(INBOUND_##F, REMOTE_##F, .ttl = 63),      \
				TOO_BIG_##F, ABOUT(REMOTE_##F, INBOUND_##F, TCP(8080, WIRE, ACK))) } },     \
	{                                                                                                   \
		.name = "and its answers come out of the tunnel " #F " over " #U, .underlay = UNDERLAY_##U, \
		.given = confirmed_flows, .from = FIXTURE_UPLINK,                                           \
		.in = PKT(OUTER_IN_##U, INNER_IN, IP(REMOTE_##F, INBOUND_##F, .ttl = 63),                   \
			UDP(8080, WIRE_NEAR), DATA(9)),                                                     \
		.verdict = VERDICT_FORWARD, .to = FIXTURE_UPLINK,                                           \
		.out = { PKT(TO_CLIENT, IP(NODE_##F, CLIENT_##F, .ttl = 63),                                \
			UDP(PORT_FAR, CLIENT_PORT_NEAR), DATA(9)) }                                         \
	}

#define HEADER_V4 20
#define HEADER_V6 40

#define BIG_V4 IP(CLIENT_V4, NODE_V4, .df = true), UDP(CLIENT_PORT, PORT_FAR), DATA(1300)
#define BIG_V6 IP(CLIENT_V6, NODE_V6), UDP(CLIENT_PORT, PORT_FAR), DATA(1300)

/* The two parts of a datagram of a flow that stands. */
#define PART(s, d) UDP(s, d, .len = 48, .sum = SUM_NONE)
#define IN_PARTS(n, port_in, eth_in, src, dst, first, port_out, eth_out, new_src, new_dst, new_first)    \
	{ .name = n ": the first part",                                                                  \
		.given = confirmed_flows,                                                                \
		.from = (port_in),                                                                       \
		.in = PKT(eth_in, IP(src, dst, .id = 3, .more = true), first, DATA(16)),                 \
		.verdict = VERDICT_FORWARD,                                                              \
		.to = (port_out),                                                                        \
		.out = { PKT(eth_out, IP(new_src, new_dst, .ttl = 63, .id = 3, .more = true), new_first, \
			DATA(16)) } },                                                                   \
	{                                                                                                \
		.name = n ": the last part", .given = confirmed_flows, .from = (port_in),                \
		.before = PKT(eth_in, IP(src, dst, .id = 3, .more = true), first, DATA(16)),             \
		.in = PKT(eth_in, IP(src, dst, .id = 3, .offset = 24, .proto = PROTO_UDP), DATA(24)),    \
		.verdict = VERDICT_FORWARD, .to = (port_out),                                            \
		.out = { PKT(eth_out,                                                                    \
			IP(new_src, new_dst, .ttl = 63, .id = 3, .offset = 24, .proto = PROTO_UDP),      \
			DATA(24)) }                                                                      \
	}

/* The last part of an answer out of a tunnel; its flow may be another worker's, which only the first part's ports tell. */
#define TUNNEL_PART(F, wire)                                                                             \
	{                                                                                                \
		.name = "the last part of an answer out of a tunnel " #F, .underlay = UNDERLAY_##F,      \
		.given = confirmed_flows, .from = FIXTURE_UPLINK,                                        \
		.before = PKT(OUTER_IN_##F, INNER_IN, PART_OF_##F(REMOTE_##F, INBOUND_##F, 64, 0, true), \
			PART(8080, wire), DATA(16)),                                                     \
		.in = PKT(OUTER_IN_##F, INNER_IN, PART_OF_##F(REMOTE_##F, INBOUND_##F, 64, 24, false),   \
			DATA(24)),                                                                       \
		.verdict = VERDICT_FORWARD, .counts = COUNT_INBOUND_REPLY, .to = FIXTURE_UPLINK,         \
		.out = { PKT(TO_CLIENT, PART_OF_##F(NODE_##F, CLIENT_##F, 64, 24, false), DATA(24)) }    \
	}
#define PART_OF_V4(src, dst, t, o, m) \
	IP(src, dst, .ttl = (t), .id = 3, .offset = (o), .more = (m), .proto = PROTO_UDP)
#define PART_OF_V6(src, dst, t, o, m) IP(src, dst, .ttl = (t)), FRAG(o, m, .id = 3, .proto = PROTO_UDP)

const struct packet_case inbound_cases[] = {
	NEW_CASES(V4),
	NEW_CASES(V6),
	AFFINITY_CASES(V4),
	AFFINITY_CASES(V6),
	FLOW_CASES(V4),
	FLOW_CASES(V6),
	ERROR_CASES(V4),
	ERROR_CASES(V6),
	TUNNEL_CASES(V4, V4),
	TUNNEL_CASES(V4, V6),
	TUNNEL_CASES(V6, V4),
	TUNNEL_CASES(V6, V6),
	REPLIES("a client is told what the tunnel takes", a_short_tunnel, PKT(FROM_CLIENT, BIG_V4),
		PKT(TO_CLIENT, ERROR_V4(3, 4, .rest = 1300), QUOTE(PKT(FROM_CLIENT, BIG_V4), 548))),
	REPLIES("a client is told what the tunnel takes, IPv6", a_short_tunnel, PKT(FROM_CLIENT, BIG_V6),
		PKT(TO_CLIENT, ERROR_V6(2, 0, .rest = 1300), QUOTE(PKT(FROM_CLIENT, BIG_V6), 1232))),
	IN_PARTS("a datagram from outside", FIXTURE_UPLINK, FROM_CLIENT, CLIENT_V4, NODE_V4,
		PART(CLIENT_PORT, PORT_NEAR), FIXTURE_POD2, TO_POD2, INBOUND_V4, POD2_V4, PART(WIRE, 8080)),
	IN_PARTS("an answer", FIXTURE_POD2, FROM_POD2, POD2_V4, INBOUND_V4, PART(8080, WIRE), FIXTURE_UPLINK,
		TO_CLIENT, NODE_V4, CLIENT_V4, PART(PORT_NEAR, CLIENT_PORT)),
	TUNNEL_PART(V4, WIRE),
	TUNNEL_PART(V6, WIRE),
	TUNNEL_PART(V4, WIRE_NEAR),
	TUNNEL_PART(V6, WIRE_NEAR),
};
const unsigned n_inbound_cases = sizeof(inbound_cases) / sizeof(inbound_cases[0]);
