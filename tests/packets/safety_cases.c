/* What an attacker tries from where: a pod, a backend, another node, the underlay. Each for both families. */
#include <stdlib.h>

#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"
#include "tests/support/exposed.h"
#include "tests/support/services.h"

#define FROM_POD2 ETH("pod2", "gw")
#define SYN TCP_SYN
#define SYN_ACK (TCP_SYN | TCP_ACK)
#define ACK TCP_ACK
#define RST TCP_RST

/* Client port 40000 in slots 1 and 3 */
#define WIRE1 56384
#define WIRE3 23616

#define HAIRPIN_V4 "169.254.1.17"
#define HAIRPIN_V6 "fd72:696e:6777:6179::11"
#define HOST_SLOT1_V4 "10.244.1.2"
#define HOST_SLOT1_V6 "fd00:10:244:1::2"
#define HOST_SLOT3_V4 "10.244.1.4"
#define HOST_SLOT3_V6 "fd00:10:244:1::4"
#define SERVICE_CIDR_V4 "10.96.77.77" /* of no service */
#define SERVICE_CIDR_V6 "fd00:10:96::7777"
#define THIRD_V4 "10.244.3.30" /* a pod of a third node, and that node */
#define THIRD_V6 "fd00:10:244:3::30"
#define THIRD_NODE_V4 "192.0.2.3"
#define THIRD_NODE_V6 "2001:db8::3"

#define LOOPBACK_V4 "127.0.0.1"
#define LOOPBACK_V6 "::1"
#define LINK_LOCAL_V4 "169.254.7.7"
#define LINK_LOCAL_V6 "fe80::7"
#define NO_NETWORK_V4 "240.0.0.1"
#define NO_NETWORK_V6 "::2"

#define DROPS(n, setup, port_in, reason, ...)                                             \
	{                                                                                 \
		.name = (n), .given = (setup), .from = (port_in), .in = PKT(__VA_ARGS__), \
		.verdict = VERDICT_DROP, .drop = (reason)                                 \
	}
/* As it was sent, without becoming a service's reply */
#define PASSES(n, setup, port_in, packet, port_out, ...)                                                    \
	{                                                                                                   \
		.name = (n), .given = (setup), .from = (port_in), .in = packet, .verdict = VERDICT_FORWARD, \
		.to = (port_out),                                                                           \
		.out = { __VA_ARGS__ }                                                                      \
	}

static void
add_exception(struct fixture *f, const char *client, const char *frontend, const char *backend)
{
	struct nat_flow x = { .client_port = 5000, .wire_port = 5000, .proto = PROTO_TCP };
	const struct nat_ports ports = NAT_PORTS_EXCEPTIONS;

	x.frontend_port = 80;
	x.backend_port = 8082;
	if (!ip_addr_parse(client, &x.client) || !ip_addr_parse(frontend, &x.frontend) ||
		!ip_addr_parse(backend, &x.backend))
		abort();
	x.wire = x.client;
	if (nat_flows_add(f->exceptions[0], &x, &ports, 0) == NULL)
		abort();
}

/* From a port of pod1's choice to the pair's first backend */
static void
an_exceptional_flow(struct fixture *f)
{
	some_services(f);
	add_exception(f, POD1_V4, PAIR_V4, REMOTE_V4);
	add_exception(f, POD1_V6, PAIR_V6, REMOTE_V6);
}

/* Ports in a slot, from who is not, or not now, the backend that this client's flow goes to */
#define FORGED_REPLIES(F)                                                                                    \
	PASSES("a pod that is no backend is no service by a slot's port " #F, some_services, FIXTURE_POD2,   \
		PKT(FROM_POD2, IP(POD2_##F, POD1_##F), TCP(9090, WIRE1, ACK)), FIXTURE_POD1,                 \
		PKT(TO_POD1, IP(POD2_##F, POD1_##F, .ttl = 63), TCP(9090, WIRE1, ACK))),                     \
		PASSES("nor by a datagram to one " #F, some_services, FIXTURE_POD2,                          \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), UDP(9090, WIRE1), DATA(9)), FIXTURE_POD1,     \
			PKT(TO_POD1, IP(POD2_##F, POD1_##F, .ttl = 63), UDP(9090, WIRE1), DATA(9))),         \
		DROPS("a sibling on this node cannot inject " #F, some_services, FIXTURE_POD2,               \
			DROP_SLOT_MISMATCH, FROM_POD2, IP(POD2_##F, POD1_##F), TCP(8082, WIRE3, ACK)),       \
		DROPS("a sibling cannot inject a datagram " #F, some_services, FIXTURE_POD2,                 \
			DROP_SLOT_MISMATCH, FROM_POD2, IP(POD2_##F, POD1_##F), UDP(8082, WIRE3), DATA(9)),   \
		DROPS("a sibling cannot accept a connection " #F, some_services, FIXTURE_POD2,               \
			DROP_SLOT_MISMATCH, FROM_POD2, IP(POD2_##F, POD1_##F), TCP(8082, WIRE3, SYN_ACK)),   \
		DROPS("a sibling cannot reset a connection " #F, some_services, FIXTURE_POD2,                \
			DROP_SLOT_MISMATCH, FROM_POD2, IP(POD2_##F, POD1_##F), TCP(8082, WIRE3, RST)),       \
		DROPS("a sibling cannot inject into the host's flows " #F, some_services, FIXTURE_POD2,      \
			DROP_SLOT_MISMATCH, FROM_POD2, IP(POD2_##F, HOST_SLOT3_##F), TCP(8082, 50000, ACK)), \
		PASSES("a sibling that opens a connection opens its own " #F, some_services, FIXTURE_POD2,   \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), TCP(8082, WIRE3, SYN)), FIXTURE_POD1,         \
			PKT(TO_POD1, IP(POD2_##F, POD1_##F, .ttl = 63), TCP(8082, WIRE3, SYN))),             \
		PASSES("an exceptional flow is heard from its backend alone " #F, an_exceptional_flow,       \
			FIXTURE_POD2, PKT(FROM_POD2, IP(POD2_##F, POD1_##F), TCP(8082, 5000, ACK)),          \
			FIXTURE_POD1, PKT(TO_POD1, IP(POD2_##F, POD1_##F, .ttl = 63), TCP(8082, 5000, ACK)))

/* Addresses that are not a pod's own, in what it sends */
#define FROM_A_POD(F)                                                                                        \
	DROPS("a pod does not send from a pod of another node " #F, NULL, FIXTURE_POD1, DROP_SPOOFED_SOURCE, \
		FROM_POD1, IP(REMOTE_##F, POD2_##F), UDP(1, 2)),                                             \
		DROPS("a pod does not send from a service's address " #F, some_services, FIXTURE_POD1,       \
			DROP_SPOOFED_SOURCE, FROM_POD1, IP(WEB_##F, POD2_##F), TCP(80, 40000, ACK)),         \
		DROPS("a pod does not send from the service network " #F, NULL, FIXTURE_POD1,                \
			DROP_SPOOFED_SOURCE, FROM_POD1, IP(SERVICE_CIDR_##F, POD2_##F), UDP(1, 2)),          \
		DROPS("a pod does not send from the host's address " #F, NULL, FIXTURE_POD1,                 \
			DROP_SPOOFED_SOURCE, FROM_POD1, IP(HOST_##F, POD2_##F), UDP(1, 2)),                  \
		DROPS("a pod does not send from the host's slots " #F, NULL, FIXTURE_POD1,                   \
			DROP_SPOOFED_SOURCE, FROM_POD1, IP(HOST_SLOT1_##F, POD2_##F), UDP(1, 2)),            \
		DROPS("a pod does not send from this node's address " #F, NULL, FIXTURE_POD1,                \
			DROP_SPOOFED_SOURCE, FROM_POD1, IP(NODE_##F, POD2_##F), UDP(1, 2)),                  \
		DROPS("a pod does not send from another node's address " #F, NULL, FIXTURE_POD1,             \
			DROP_SPOOFED_SOURCE, FROM_POD1, IP(PEER_##F, POD2_##F), UDP(1, 2)),                  \
		DROPS("a pod does not send from its hairpin address " #F, some_services, FIXTURE_POD1,       \
			DROP_SPOOFED_SOURCE, FROM_POD1, IP(HAIRPIN_##F, POD1_##F), TCP(1000, 8080, SYN)),    \
		DROPS("a spoofed source is not translated either " #F, some_services, FIXTURE_POD1,          \
			DROP_SPOOFED_SOURCE, FROM_POD1, IP(POD2_##F, WEB_##F), TCP(40000, 80, SYN)),         \
		DROPS("the host does not send from a service's address " #F, some_services, FIXTURE_HOST,    \
			DROP_SPOOFED_SOURCE, FROM_HOST, IP(WEB_##F, POD2_##F), TCP(80, 40000, ACK)),         \
		DROPS("nor from a pod of another node " #F, NULL, FIXTURE_HOST, DROP_SPOOFED_SOURCE,         \
			FROM_HOST, IP(REMOTE_##F, POD2_##F), UDP(1, 2)),                                     \
		DROPS("nor from its slots, which it does not have " #F, NULL, FIXTURE_HOST,                  \
			DROP_SPOOFED_SOURCE, FROM_HOST, IP(HOST_SLOT1_##F, POD2_##F), UDP(1, 2)),            \
		DROPS("nor from them to a service " #F, some_services, FIXTURE_HOST, DROP_SPOOFED_SOURCE,    \
			FROM_HOST, IP(HOST_SLOT3_##F, WEB_##F), TCP(50000, 80, SYN)),                        \
		DROPS("nor passes on what strangers send to pods " #F, NULL, FIXTURE_HOST,                   \
			DROP_SPOOFED_SOURCE, FROM_HOST, IP(THIRD_NODE_##F, POD2_##F), UDP(1, 2))

/* Through the tunnel of a node that is known, on an underlay of family U */
#define TUNNELLED(n, U, setup, reason, ...)                                                                \
	{                                                                                                  \
		.name = n " over " #U, .underlay = UNDERLAY_##U, .given = (setup), .from = FIXTURE_UPLINK, \
		.in = PKT(OUTER_IN_##U, INNER_IN, __VA_ARGS__), .verdict = VERDICT_DROP, .drop = (reason)  \
	}
#define FROM_A_TUNNEL(F, U)                                                                                 \
	TUNNELLED("inner source: a pod of a third node " #F, U, NULL, DROP_TUNNEL_SOURCE,                   \
		IP(THIRD_##F, POD1_##F), UDP(1, 2)),                                                        \
		TUNNELLED("inner source: a pod of this node " #F, U, NULL, DROP_TUNNEL_SOURCE,              \
			IP(POD2_##F, POD1_##F), UDP(1, 2)),                                                 \
		TUNNELLED("inner source: a service " #F, U, some_services, DROP_TUNNEL_SOURCE,              \
			IP(FAR_##F, POD1_##F), TCP(80, 40000, ACK)),                                        \
		TUNNELLED("inner source: this node's reserved address " #F, U, NULL, DROP_TUNNEL_SOURCE,    \
			IP(HOST_##F, POD1_##F), UDP(1, 2)),                                                 \
		TUNNELLED("inner source: this node " #F, U, NULL, DROP_TUNNEL_SOURCE,                       \
			IP(NODE_##F, POD1_##F), UDP(1, 2)),                                                 \
		TUNNELLED("inner source: the sending node's own address " #F, U, NULL, DROP_TUNNEL_SOURCE,  \
			IP(PEER_##F, POD1_##F), UDP(1, 2)),                                                 \
		TUNNELLED("inner source: a hairpin address " #F, U, some_services, DROP_TUNNEL_SOURCE,      \
			IP(HAIRPIN_##F, POD1_##F), TCP(5000, 8080, SYN)),                                   \
		TUNNELLED("inner destination: a hairpin address " #F, U, some_services,                     \
			DROP_TUNNEL_DESTINATION, IP(REMOTE_##F, HAIRPIN_##F), TCP(8080, 5000, ACK)),        \
		{ .name = "a backend's address behind another node's tunnel end " #F " over " #U,           \
			.underlay = UNDERLAY_##U,                                                           \
			.given = some_services,                                                             \
			.from = FIXTURE_UPLINK,                                                             \
			.in = PKT(ETH("peer", "uplink"), IP(THIRD_NODE_##U, NODE_##U), UDP(50000, 4789),    \
				VXLAN(1), INNER_IN, IP(REMOTE_##F, POD1_##F), TCP(8080, WIRE3, ACK)),       \
			.verdict = VERDICT_DROP,                                                            \
			.drop = DROP_TUNNEL_SOURCE },                                                       \
	{                                                                                                   \
		.name = "a backend elsewhere that opens towards a wire port opens its own " #F " over " #U, \
		.underlay = UNDERLAY_##U, .given = some_services, .from = FIXTURE_UPLINK,                   \
		.in = PKT(OUTER_IN_##U, INNER_IN, IP(REMOTE_##F, POD1_##F), TCP(8080, WIRE3, SYN)),         \
		.verdict = VERDICT_FORWARD, .to = FIXTURE_POD1,                                             \
		.out = { PKT(TO_POD1, IP(REMOTE_##F, POD1_##F), TCP(8080, WIRE3, SYN)) }                    \
	}

/* Bare, to the address at which tunnels end: errors are all that passes there, and not from these */
#define FROM_THE_UNDERLAY(U)                                                                               \
	UNDERLAY("a pod's address " #U, U, POD1_##U), UNDERLAY("another node's pod's " #U, U, REMOTE_##U), \
		UNDERLAY("a service's address " #U, U, WEB_##U),                                           \
		UNDERLAY("the service network " #U, U, SERVICE_CIDR_##U),                                  \
		UNDERLAY("the host's reserved address " #U, U, HOST_##U),                                  \
		UNDERLAY("the host's slot " #U, U, HOST_SLOT1_##U),                                        \
		UNDERLAY("this node's own address " #U, U, NODE_##U)
#define UNDERLAY(n, U, source)                                                                              \
	{ .name = "an error outside the tunnel from " n,                                                    \
		.underlay = UNDERLAY_##U,                                                                   \
		.given = some_services,                                                                     \
		.from = FIXTURE_UPLINK,                                                                     \
		.in = PKT(ETH("peer", "uplink"), IP(source, NODE_##U), UNREACHABLE_##U,                     \
			QUOTE(PKT(ETH("uplink", "peer"), IP(NODE_##U, PEER_##U), UDP(60000, 4789)), 28)),   \
		.verdict = VERDICT_DROP,                                                                    \
		.drop = DROP_SPOOFED_SOURCE },                                                              \
	{                                                                                                   \
		.name = "a datagram outside the tunnel from " n, .underlay = UNDERLAY_##U,                  \
		.given = some_services, .from = FIXTURE_UPLINK,                                             \
		.in = PKT(ETH("peer", "uplink"), IP(source, POD2_##U), UDP(1, 2)), .verdict = VERDICT_DROP, \
		.drop = DROP_NOT_OURS                                                                       \
	}
#define UNREACHABLE_V4 ICMP(3, 1)
#define UNREACHABLE_V6 ICMP(1, 0)

/* Into a tunnel that is none of the sender's, on an underlay of the same family */
#define INTO_A_TUNNEL(U)                                                                                     \
	INTO("a pod does not send into a tunnel " #U, U, NULL, FIXTURE_POD1, FROM_POD1,                      \
		IP(POD1_##U, THIRD_NODE_##U), UDP(50000, 4789), VXLAN(1), INNER_IN, IP(THIRD_##U, POD2_##U), \
		UDP(1, 2)),                                                                                  \
		INTO("nor to this node's end of it " #U, U, NULL, FIXTURE_POD1, FROM_POD1,                   \
			IP(POD1_##U, NODE_##U), UDP(50000, 4789), VXLAN(1), INNER_IN,                        \
			IP(REMOTE_##U, POD2_##U), UDP(1, 2)),                                                \
		INTO("nor to its reserved address " #U, U, NULL, FIXTURE_POD1, FROM_POD1,                    \
			IP(POD1_##U, HOST_##U), UDP(50000, 4789), VXLAN(1), INNER_IN,                        \
			IP(REMOTE_##U, POD2_##U), UDP(1, 2)),                                                \
		INTO("nor through a service whose endpoint is a tunnel end " #U, U, some_services,           \
			FIXTURE_POD1, FROM_POD1, IP(POD1_##U, TUNNEL_##U), UDP(40000, 80), VXLAN(1),         \
			INNER_IN, IP(THIRD_##U, POD2_##U), UDP(1, 2)),                                       \
		INTO("nor by an exception through that service " #U, U, some_services, FIXTURE_POD1,         \
			FROM_POD1, IP(POD1_##U, TUNNEL_##U), UDP(5000, 80), VXLAN(1), INNER_IN,              \
			IP(THIRD_##U, POD2_##U), UDP(1, 2)),                                                 \
		INTO("nor does the host through that service " #U, U, some_services, FIXTURE_HOST,           \
			FROM_HOST, IP(HOST_##U, TUNNEL_##U), UDP(50000, 80), VXLAN(1), INNER_IN,             \
			IP(THIRD_##U, POD2_##U), UDP(1, 2)),                                                 \
		INTO("nor where this node's end is the endpoint " #U, U, some_services, FIXTURE_POD1,        \
			FROM_POD1, IP(POD1_##U, TUNNEL_##U), UDP(40000, 81), VXLAN(1), INNER_IN,             \
			IP(REMOTE_##U, POD2_##U), UDP(1, 2))
#define INTO(n, U, setup, port_in, ...)                                                       \
	{                                                                                     \
		.name = (n), .underlay = UNDERLAY_##U, .given = (setup), .from = (port_in),   \
		.in = PKT(__VA_ARGS__), .verdict = VERDICT_DROP, .drop = DROP_TUNNEL_FROM_POD \
	}

/* Bare, to frontends for outside; one shows its backends who their clients are */
#define SPOOFED_CLIENT(n, F, source)                                                                 \
	DROPS("to a frontend from " n " " #F, exposed_services, FIXTURE_UPLINK, DROP_SPOOFED_SOURCE, \
		ETH("peer", "uplink"), IP(source, NODE_##F), TCP(40000, PORT_LOCAL, SYN)),           \
		DROPS("a datagram to a frontend from " n " " #F, exposed_services, FIXTURE_UPLINK,   \
			DROP_SPOOFED_SOURCE, ETH("peer", "uplink"), IP(source, NODE_##F),            \
			UDP(40000, PORT_NEAR), DATA(9))
#define TO_A_FRONTEND(F)                                                                       \
	SPOOFED_CLIENT("a pod here", F, POD1_##F), SPOOFED_CLIENT("its backend", F, POD2_##F), \
		SPOOFED_CLIENT("a pod elsewhere", F, REMOTE_##F),                              \
		SPOOFED_CLIENT("a load balancer", F, BALANCER_##F),                            \
		SPOOFED_CLIENT("the service network", F, SERVICE_CIDR_##F),                    \
		SPOOFED_CLIENT("the host's address", F, HOST_##F),                             \
		SPOOFED_CLIENT("the host's slot", F, HOST_SLOT1_##F),                          \
		SPOOFED_CLIENT("where clients are seen", F, INBOUND_##F),                      \
		SPOOFED_CLIENT("this node", F, NODE_##F),                                      \
		SPOOFED_CLIENT("a hairpin address", F, HAIRPIN_##F),                           \
		SPOOFED_CLIENT("the pods' gateway", F, GATEWAY_##F),                           \
		SPOOFED_CLIENT("loopback", F, LOOPBACK_##F),                                   \
		SPOOFED_CLIENT("the link alone", F, LINK_LOCAL_##F),                           \
		SPOOFED_CLIENT("no network", F, NO_NETWORK_##F)

const struct packet_case safety_cases[] = {
	FORGED_REPLIES(V4),
	FORGED_REPLIES(V6),
	FROM_A_POD(V4),
	FROM_A_POD(V6),
	FROM_A_TUNNEL(V4, V4),
	FROM_A_TUNNEL(V4, V6),
	FROM_A_TUNNEL(V6, V4),
	FROM_A_TUNNEL(V6, V6),
	FROM_THE_UNDERLAY(V4),
	FROM_THE_UNDERLAY(V6),
	INTO_A_TUNNEL(V4),
	INTO_A_TUNNEL(V6),
	TO_A_FRONTEND(V4),
	TO_A_FRONTEND(V6),
};
const unsigned n_safety_cases = sizeof(safety_cases) / sizeof(safety_cases[0]);
