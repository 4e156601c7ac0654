/* Services: from a frontend to a backend and back. Each rule once per family: F is V4 or V6. */
#include <stdlib.h>

#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"
#include "tests/support/exposed.h"
#include "tests/support/services.h"

#define SELF_AS_V4 "169.254.1.17" /* pod1 as it sees itself in slot 1, and without one */
#define SELF_AS_V6 "fd72:696e:6777:6179::11"
#define SELF0_AS_V4 "169.254.1.16"
#define SELF0_AS_V6 "fd72:696e:6777:6179::10"
#define HOST_SLOT1_V4 "10.244.1.2"
#define HOST_SLOT1_V6 "fd00:10:244:1::2"

/* What becomes of client port 40000 in each slot */
#define WIRE1 56384
#define WIRE2 7232
#define WIRE3 23616

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	if (!ip_addr_parse(text, &a))
		abort();
	return a;
}

/* Pod1 has a server of its own on the port that client port 40000 has in slot 1. */
static void
pod1_uses_the_wire_port(struct fixture *f)
{
	some_services(f);
	roles_set(f->endpoints->endpoints[1].roles, PROTO_TCP, WIRE1);
	roles_set(f->endpoints->endpoints[1].roles, PROTO_UDP, WIRE1);
}

/* An exceptional flow of this node's, in the table of the client's worker. */
static void
add_exception(struct fixture *f, unsigned worker, const char *client, uint16_t client_port,
	const char *frontend, const char *wire, uint16_t backend_port, const char *backend)
{
	struct nat_flow x = {
		.client = addr(client),
		.client_port = client_port,
		.frontend = addr(frontend),
		.frontend_port = 80,
		.backend = addr(backend),
		.backend_port = backend_port,
		.wire = addr(wire),
		.wire_port = client_port,
		.proto = PROTO_TCP,
	};
	const struct nat_ports ports = NAT_PORTS_EXCEPTIONS;

	if (nat_flows_add(f->exceptions[worker], &x, &ports, 0) == NULL)
		abort();
}

static void
some_exceptions(struct fixture *f)
{
	unsigned host_worker = f->n_workers - 1;

	some_services(f);
	add_exception(f, 0, POD1_V4, 5000, WEB_V4, POD1_V4, 8080, POD2_V4);
	add_exception(f, 0, POD1_V6, 5000, WEB_V6, POD1_V6, 8080, POD2_V6);
	add_exception(f, 0, POD1_V4, 40000, SELF0_V4, SELF0_AS_V4, 8081, POD1_V4);
	add_exception(f, 0, POD1_V6, 40000, SELF0_V6, SELF0_AS_V6, 8081, POD1_V6);
	add_exception(f, host_worker, NODE_V4, 50000, WEB_V4, HOST_V4, 8080, POD2_V4);
	add_exception(f, host_worker, NODE_V6, 50000, WEB_V6, HOST_V6, 8080, POD2_V6);
}

static void
pod1_has_used_its_quota(struct fixture *f)
{
	some_services(f);
	for (uint16_t i = 0; i < FIXTURE_EXCEPTIONS_QUOTA; i++) {
		add_exception(f, 0, POD1_V4, (uint16_t)(6000 + i), FAR_V4, POD1_V4, 8080, REMOTE_V4);
		add_exception(f, 0, POD1_V6, (uint16_t)(6000 + i), FAR_V6, POD1_V6, 8080, REMOTE_V6);
	}
}

#define FORWARDS(n, setup, port_in, packet, port_out, ...)                                                \
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

#define FROM_POD2 ETH("pod2", "gw")
#define SYN TCP_SYN
#define SYN_ACK (TCP_SYN | TCP_ACK)
#define ACK TCP_ACK

#define SERVICE_CASES(F)                                                                                     \
	FORWARDS("to a backend on this node " #F, some_services, FIXTURE_POD1,                               \
		PKT(FROM_POD1, IP(POD1_##F, WEB_##F), TCP(40000, 80, SYN, .mss = 1000)), FIXTURE_POD2,       \
		PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), TCP(WIRE1, 8080, SYN, .mss = 1000))),        \
		FORWARDS("a partial checksum is completed for the backend " #F, some_services, FIXTURE_POD1, \
			PKT(FROM_POD1, IP(POD1_##F, WEB_##F), UDP(40000, 80, .sum = SUM_PARTIAL), DATA(9)),  \
			FIXTURE_POD2,                                                                        \
			PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), UDP(WIRE1, 8080), DATA(9))),         \
		FORWARDS("a reply comes from the frontend " #F, some_services, FIXTURE_POD2,                 \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), TCP(8080, WIRE1, SYN_ACK, .mss = 1000)),      \
			FIXTURE_POD1,                                                                        \
			PKT(TO_POD1, IP(WEB_##F, POD1_##F, .ttl = 63),                                       \
				TCP(80, 40000, SYN_ACK, .mss = 1000))),                                      \
		FORWARDS("a datagram replies, too " #F, some_services, FIXTURE_POD2,                         \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), UDP(8080, WIRE1), DATA(9)), FIXTURE_POD1,     \
			PKT(TO_POD1, IP(WEB_##F, POD1_##F, .ttl = 63), UDP(80, 40000), DATA(9))),            \
		FORWARDS("the opening of a connection is never a reply " #F, some_services, FIXTURE_POD2,    \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), TCP(8080, WIRE1, SYN)), FIXTURE_POD1,         \
			PKT(TO_POD1, IP(POD2_##F, POD1_##F, .ttl = 63), TCP(8080, WIRE1, SYN))),             \
		FORWARDS("a port of the pod's own is not a slot " #F, pod1_uses_the_wire_port, FIXTURE_POD2, \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), UDP(8080, WIRE1), DATA(9)), FIXTURE_POD1,     \
			PKT(TO_POD1, IP(POD2_##F, POD1_##F, .ttl = 63), UDP(8080, WIRE1), DATA(9))),         \
		FORWARDS("from another port of a backend it is no reply " #F, some_services, FIXTURE_POD2,   \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), TCP(8081, WIRE1, ACK)), FIXTURE_POD1,         \
			PKT(TO_POD1, IP(POD2_##F, POD1_##F, .ttl = 63), TCP(8081, WIRE1, ACK))),             \
		FORWARDS("in a slot that no frontend has it is no reply " #F, some_services, FIXTURE_POD2,   \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), TCP(8080, WIRE2, ACK)), FIXTURE_POD1,         \
			PKT(TO_POD1, IP(POD2_##F, POD1_##F, .ttl = 63), TCP(8080, WIRE2, ACK))),             \
                                                                                                             \
		FORWARDS("a client port of the pod's choice is kept " #F, some_services, FIXTURE_POD1,       \
			PKT(FROM_POD1, IP(POD1_##F, WEB_##F), TCP(5000, 80, SYN)), FIXTURE_POD2,             \
			PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), TCP(5000, 8080, SYN))),              \
		FORWARDS("a flow without a slot keeps its port " #F, some_services, FIXTURE_POD1,            \
			PKT(FROM_POD1, IP(POD1_##F, FOURTH_##F), TCP(40000, 80, SYN)), FIXTURE_POD2,         \
			PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), TCP(40000, 8080, SYN))),             \
		FORWARDS("a slot whose port is the pod's own is not used " #F, pod1_uses_the_wire_port,      \
			FIXTURE_POD1, PKT(FROM_POD1, IP(POD1_##F, WEB_##F), TCP(40000, 80, SYN)),            \
			FIXTURE_POD2,                                                                        \
			PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), TCP(40000, 8080, SYN))),             \
		FORWARDS("but a connection that stands in it goes on " #F, pod1_uses_the_wire_port,          \
			FIXTURE_POD1, PKT(FROM_POD1, IP(POD1_##F, WEB_##F), TCP(40000, 80, ACK)),            \
			FIXTURE_POD2,                                                                        \
			PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), TCP(WIRE1, 8080, ACK))),             \
		FORWARDS("an association keeps its port " #F, some_services, FIXTURE_POD1,                   \
			PKT(FROM_POD1, IP(POD1_##F, WEB_##F), SCTP(40000, 80), DATA(16)), FIXTURE_POD2,      \
			PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), SCTP(40000, 8080), DATA(16))),       \
		FORWARDS("an exceptional flow's reply " #F, some_exceptions, FIXTURE_POD2,                   \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), TCP(8080, 5000, ACK)), FIXTURE_POD1,          \
			PKT(TO_POD1, IP(WEB_##F, POD1_##F, .ttl = 63), TCP(80, 5000, ACK))),                 \
		DROPS("a pod's quota of exceptions bounds it " #F, pod1_has_used_its_quota, FIXTURE_POD1,    \
			DROP_EXCEPTIONS_FULL, FROM_POD1, IP(POD1_##F, WEB_##F), TCP(5000, 80, SYN)),         \
		FORWARDS("and leaves its other flows alone " #F, pod1_has_used_its_quota, FIXTURE_POD1,      \
			PKT(FROM_POD1, IP(POD1_##F, WEB_##F), TCP(40000, 80, SYN)), FIXTURE_POD2,            \
			PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), TCP(WIRE1, 8080, SYN))),             \
                                                                                                             \
		FORWARDS("a pod reaches itself " #F, some_services, FIXTURE_POD1,                            \
			PKT(FROM_POD1, IP(POD1_##F, SELF_##F), TCP(5000, 80, SYN)), FIXTURE_POD1,            \
			PKT(TO_POD1, IP(SELF_AS_##F, POD1_##F, .ttl = 63), TCP(5000, 8080, SYN))),           \
		FORWARDS("and answers itself " #F, some_services, FIXTURE_POD1,                              \
			PKT(FROM_POD1, IP(POD1_##F, SELF_AS_##F), TCP(8080, 5000, SYN_ACK)), FIXTURE_POD1,   \
			PKT(TO_POD1, IP(SELF_##F, POD1_##F, .ttl = 63), TCP(80, 5000, SYN_ACK))),            \
		FORWARDS("a pod reaches itself without a slot " #F, some_services, FIXTURE_POD1,             \
			PKT(FROM_POD1, IP(POD1_##F, SELF0_##F), TCP(40000, 80, SYN)), FIXTURE_POD1,          \
			PKT(TO_POD1, IP(SELF0_AS_##F, POD1_##F, .ttl = 63), TCP(40000, 8081, SYN))),         \
		FORWARDS("and answers itself without a slot " #F, some_exceptions, FIXTURE_POD1,             \
			PKT(FROM_POD1, IP(POD1_##F, SELF0_AS_##F), TCP(8081, 40000, ACK)), FIXTURE_POD1,     \
			PKT(TO_POD1, IP(SELF0_##F, POD1_##F, .ttl = 63), TCP(80, 40000, ACK))),              \
		DROPS("a pod that is no backend has no answer to itself " #F, some_services, FIXTURE_POD2,   \
			DROP_SLOT_MISMATCH, FROM_POD2, IP(POD2_##F, SELF_AS_##F), TCP(9090, 5000, ACK)),     \
		DROPS("nor has a backend of a service that it did not use " #F, some_services, FIXTURE_POD2, \
			DROP_SLOT_MISMATCH, FROM_POD2, IP(POD2_##F, SELF0_AS_##F), TCP(8080, 5000, ACK)),    \
                                                                                                             \
		FORWARDS("the host's slot is in its address " #F, some_services, FIXTURE_HOST,               \
			PKT(FROM_HOST, IP(HOST_##F, WEB_##F), TCP(50000, 80, SYN)), FIXTURE_POD2,            \
			PKT(TO_POD2, IP(HOST_SLOT1_##F, POD2_##F, .ttl = 63), TCP(50000, 8080, SYN))),       \
		{ .name = "and the reply finds it " #F,                                                      \
			.given = some_services,                                                              \
			.from = FIXTURE_POD2,                                                                \
			.in = PKT(FROM_POD2, IP(POD2_##F, HOST_SLOT1_##F), TCP(8080, 50000, ACK)),           \
			.verdict = VERDICT_PUNT,                                                             \
			.counts = COUNT_SERVICE_REPLY,                                                       \
			.to = FIXTURE_HOST,                                                                  \
			.out = { PKT(TO_HOST, IP(WEB_##F, HOST_##F), TCP(80, 50000, ACK)) } },               \
		FORWARDS("the host from another of its addresses " #F, some_services, FIXTURE_HOST,          \
			PKT(FROM_HOST, IP(NODE_##F, WEB_##F), TCP(50000, 80, SYN)), FIXTURE_POD2,            \
			PKT(TO_POD2, IP(HOST_##F, POD2_##F, .ttl = 63), TCP(50000, 8080, SYN))),             \
		FORWARDS("and in the middle of a connection " #F, some_services, FIXTURE_HOST,               \
			PKT(FROM_HOST, IP(NODE_##F, WEB_##F), TCP(50000, 80, ACK)), FIXTURE_POD2,            \
			PKT(TO_POD2, IP(HOST_##F, POD2_##F, .ttl = 63), TCP(50000, 8080, ACK))),             \
		FORWARDS("and the reply finds that, too " #F, some_exceptions, FIXTURE_POD2,                 \
			PKT(FROM_POD2, IP(POD2_##F, HOST_##F), TCP(8080, 50000, ACK)), FIXTURE_HOST,         \
			PKT(TO_HOST, IP(WEB_##F, NODE_##F), TCP(80, 50000, ACK))),                           \
		FORWARDS("the host without a slot " #F, some_services, FIXTURE_HOST,                         \
			PKT(FROM_HOST, IP(HOST_##F, FOURTH_##F), TCP(50000, 80, SYN)), FIXTURE_POD2,         \
			PKT(TO_POD2, IP(HOST_##F, POD2_##F, .ttl = 63), TCP(50000, 8080, SYN)))

/* To and from another node */
/* Load balancers' addresses, which only some may ask. */
#define RANGE_CASES(F)                                                                                      \
	DROPS("a pod in none of a balancer's source ranges " #F, exposed_services, FIXTURE_POD1,            \
		DROP_SOURCE_RANGE, FROM_POD1, IP(POD1_##F, BALANCER_##F), TCP(40000, 80, SYN)),             \
		DROPS("nor its datagram " #F, exposed_services, FIXTURE_POD1, DROP_SOURCE_RANGE, FROM_POD1, \
			IP(POD1_##F, BALANCER_##F), UDP(40000, 80), DATA(9)),                               \
		DROPS("a pod that is not the one they name " #F, exposed_services, FIXTURE_POD2,            \
			DROP_SOURCE_RANGE, FROM_POD2, IP(POD2_##F, BALANCER_##F),                           \
			TCP(40000, PORT_FOR_POD1, SYN)),                                                    \
		FORWARDS("a pod that they name " #F, exposed_services, FIXTURE_POD1,                        \
			PKT(FROM_POD1, IP(POD1_##F, BALANCER_##F), TCP(40000, PORT_FOR_POD1, SYN)),         \
			FIXTURE_POD2,                                                                       \
			PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), TCP(40000, 8080, SYN))),            \
		FORWARDS("what stands is not judged again " #F, exposed_services, FIXTURE_POD1,             \
			PKT(FROM_POD1, IP(POD1_##F, BALANCER_##F), TCP(40000, 80, ACK)), FIXTURE_POD2,      \
			PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), TCP(40000, 8080, ACK))),            \
		DROPS("the node, which they do not name " #F, exposed_services, FIXTURE_HOST,               \
			DROP_SOURCE_RANGE, FROM_HOST, IP(HOST_##F, BALANCER_##F), TCP(50000, 80, SYN)),     \
		FORWARDS("the node by its own address, whichever it sends from " #F, exposed_services,      \
			FIXTURE_HOST,                                                                       \
			PKT(FROM_HOST, IP(HOST_##F, BALANCER_##F), TCP(50000, PORT_FOR_NODE, SYN)),         \
			FIXTURE_POD2,                                                                       \
			PKT(TO_POD2, IP(HOST_##F, POD2_##F, .ttl = 63), TCP(50000, 8080, SYN)))

#define REMOTE_CASES(F, U)                                                                                   \
	{                                                                                                    \
		.name = "to a backend on another node " #F " over " #U,                                      \
		.underlay = UNDERLAY_##U,                                                                    \
		.given = some_services,                                                                      \
		.from = FIXTURE_POD1,                                                                        \
		.in = PKT(FROM_POD1, IP(POD1_##F, DNS_##F), UDP(40000, 53), DATA(9)),                        \
		.verdict = VERDICT_FORWARD,                                                                  \
		.counts = COUNT_SERVICE_FORWARD,                                                             \
		.to = FIXTURE_UPLINK,                                                                        \
		.out = { PKT(OUTER_OUT_##U, INNER_OUT, IP(POD1_##F, REMOTE_##F, .ttl = 63),                  \
			UDP(WIRE2, 5353), DATA(9)) },                                                        \
	},                                                                                                   \
		{                                                                                            \
			.name = "a reply from another node " #F " over " #U,                                 \
			.underlay = UNDERLAY_##U,                                                            \
			.given = some_services,                                                              \
			.from = FIXTURE_UPLINK,                                                              \
			.in = PKT(OUTER_IN_##U, INNER_IN, IP(REMOTE_##F, POD1_##F), UDP(5353, WIRE2),        \
				DATA(9)),                                                                    \
			.verdict = VERDICT_FORWARD,                                                          \
			.counts = COUNT_SERVICE_REPLY,                                                       \
			.to = FIXTURE_POD1,                                                                  \
			.out = { PKT(TO_POD1, IP(DNS_##F, POD1_##F), UDP(53, 40000), DATA(9)) },             \
		},                                                                                           \
		{                                                                                            \
			.name = "a sibling on another node cannot inject " #F " over " #U,                   \
			.underlay = UNDERLAY_##U,                                                            \
			.given = some_services,                                                              \
			.from = FIXTURE_UPLINK,                                                              \
			.in = PKT(OUTER_IN_##U, INNER_IN, IP(SIBLING_##F, POD1_##F), TCP(8080, WIRE3, ACK)), \
			.verdict = VERDICT_DROP,                                                             \
			.drop = DROP_SLOT_MISMATCH,                                                          \
		},                                                                                           \
	{                                                                                                    \
		.name = "what comes from another node is not for our services " #F " over " #U,              \
		.underlay = UNDERLAY_##U, .given = some_services, .from = FIXTURE_UPLINK,                    \
		.in = PKT(OUTER_IN_##U, INNER_IN, IP(REMOTE_##F, WEB_##F), TCP(40000, 80, SYN)),             \
		.verdict = VERDICT_DROP, .drop = DROP_TUNNEL_DESTINATION,                                    \
	}

const struct packet_case service_cases[] = {
	SERVICE_CASES(V4),
	SERVICE_CASES(V6),
	RANGE_CASES(V4),
	RANGE_CASES(V6),
	REMOTE_CASES(V4, V4),
	REMOTE_CASES(V4, V6),
	REMOTE_CASES(V6, V4),
	REMOTE_CASES(V6, V6),
	FORWARDS("a datagram without a checksum stays without one", some_services, FIXTURE_POD1,
		PKT(FROM_POD1, IP(POD1_V4, WEB_V4), UDP(40000, 80, .sum = SUM_NONE), DATA(9)), FIXTURE_POD2,
		PKT(TO_POD2, IP(POD1_V4, POD2_V4, .ttl = 63), UDP(WIRE1, 8080, .sum = SUM_NONE), DATA(9))),
};
const unsigned n_service_cases = sizeof(service_cases) / sizeof(service_cases[0]);
