/* ICMP errors about translated packets: they come back to who sent the packet, as being about what it sent. Each rule
 * once per family: F is V4 or V6. */
#include <stdlib.h>

#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"
#include "tests/support/services.h"

#define SELF_AS_V4 "169.254.1.17" /* pod1 as it sees itself in slot 1 */
#define SELF_AS_V6 "fd72:696e:6777:6179::11"
#define HOST_SLOT1_V4 "10.244.1.2"
#define HOST_SLOT1_V6 "fd00:10:244:1::2"
#define PEER_HOST_V4 "10.244.2.1" /* the peer node, as it speaks in its pod network */
#define PEER_HOST_V6 "fd00:10:244:2::1"

/* What becomes of client port 40000 in each slot */
#define WIRE1 56384
#define WIRE2 7232
#define WIRE3 23616

/* The errors, and how much of a packet shows eight bytes of what follows its IP header */
#define CLOSED_V4 ICMP(3, 3)
#define CLOSED_V6 ICMP(1, 4)
#define TOO_BIG_V4 ICMP(3, 4, .rest = 1000)
#define TOO_BIG_V6 ICMP(2, 0, .rest = 1280)
#define SHORT_V4 28
#define SHORT_V6 48

#define FROM_POD2 ETH("pod2", "gw")
#define SYN TCP_SYN

static void
an_association(struct fixture *f)
{
	static const char *const addrs[][3] = { { POD1_V4, WEB_V4, POD2_V4 }, { POD1_V6, WEB_V6, POD2_V6 } };

	some_services(f);
	for (unsigned i = 0; i < N_FAMILIES; i++) {
		struct nat_flow x = {
			.client_port = 40000,
			.frontend_port = 80,
			.backend_port = 8080,
			.wire_port = 40000,
			.proto = PROTO_SCTP,
		};

		if (!ip_addr_parse(addrs[i][0], &x.client) || !ip_addr_parse(addrs[i][1], &x.frontend) ||
			!ip_addr_parse(addrs[i][2], &x.backend))
			abort();
		x.wire = x.client;
		if (nat_flows_add(f->exceptions[0], &x, NULL, 0) == NULL)
			abort();
	}
}

#define FORWARDS(n, setup, port_in, packet, port_out, ...)                                                \
	{                                                                                                 \
		.name = (n), .given = (setup), .from = (port_in), .in = packet,                           \
		.verdict = (port_out) == FIXTURE_HOST ? VERDICT_PUNT : VERDICT_FORWARD, .to = (port_out), \
		.out = { __VA_ARGS__ }                                                                    \
	}

/* A quoted packet: its sender, its receiver, what follows, and how much of it is quoted. */
#define ABOUT(from, to, n, ...) QUOTE(PKT(FROM_POD1, IP(from, to, .ttl = 60), __VA_ARGS__), n)

#define QUOTE_CASES(F)                                                                                      \
	FORWARDS("a backend's closed port is the service's " #F, some_services, FIXTURE_POD2,               \
		PKT(FROM_POD2, IP(POD2_##F, POD1_##F), CLOSED_##F,                                          \
			ABOUT(POD1_##F, POD2_##F, 0, UDP(WIRE1, 8080), DATA(9))),                           \
		FIXTURE_POD1,                                                                               \
		PKT(TO_POD1, IP(WEB_##F, POD1_##F, .ttl = 63), CLOSED_##F,                                  \
			ABOUT(POD1_##F, WEB_##F, 0, UDP(40000, 80), DATA(9)))),                             \
		FORWARDS("a quote of eight bytes will do " #F, some_services, FIXTURE_POD2,                 \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), CLOSED_##F,                                  \
				ABOUT(POD1_##F, POD2_##F, SHORT_##F, TCP(WIRE1, 8080, SYN), DATA(9))),      \
			FIXTURE_POD1,                                                                       \
			PKT(TO_POD1, IP(WEB_##F, POD1_##F, .ttl = 63), CLOSED_##F,                          \
				ABOUT(POD1_##F, WEB_##F, SHORT_##F, TCP(40000, 80, SYN), DATA(9)))),        \
		FORWARDS("a quoted segment's checksum is corrected, if it is there " #F, some_services,     \
			FIXTURE_POD2,                                                                       \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), CLOSED_##F,                                  \
				ABOUT(POD1_##F, POD2_##F, SHORT_##F + 11, TCP(WIRE1, 8080, SYN), DATA(9))), \
			FIXTURE_POD1,                                                                       \
			PKT(TO_POD1, IP(WEB_##F, POD1_##F, .ttl = 63), CLOSED_##F,                          \
				ABOUT(POD1_##F, WEB_##F, SHORT_##F + 11, TCP(40000, 80, SYN), DATA(9)))),   \
		FORWARDS("a quote of less is left as it is " #F, some_services, FIXTURE_POD2,               \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), CLOSED_##F,                                  \
				ABOUT(POD1_##F, POD2_##F, SHORT_##F - 1, TCP(WIRE1, 8080, SYN))),           \
			FIXTURE_POD1,                                                                       \
			PKT(TO_POD1, IP(POD2_##F, POD1_##F, .ttl = 63), CLOSED_##F,                         \
				ABOUT(POD1_##F, POD2_##F, SHORT_##F - 1, TCP(WIRE1, 8080, SYN)))),          \
		FORWARDS("an error about what was not translated is left as it is " #F, some_services,      \
			FIXTURE_POD2,                                                                       \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), CLOSED_##F,                                  \
				ABOUT(POD1_##F, POD2_##F, 0, UDP(40000, 8080), DATA(9))),                   \
			FIXTURE_POD1,                                                                       \
			PKT(TO_POD1, IP(POD2_##F, POD1_##F, .ttl = 63), CLOSED_##F,                         \
				ABOUT(POD1_##F, POD2_##F, 0, UDP(40000, 8080), DATA(9)))),                  \
		FORWARDS("nor is one about another's packet " #F, some_services, FIXTURE_POD2,              \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), CLOSED_##F,                                  \
				ABOUT(REMOTE_##F, POD2_##F, 0, UDP(WIRE1, 8080), DATA(9))),                 \
			FIXTURE_POD1,                                                                       \
			PKT(TO_POD1, IP(POD2_##F, POD1_##F, .ttl = 63), CLOSED_##F,                         \
				ABOUT(REMOTE_##F, POD2_##F, 0, UDP(WIRE1, 8080), DATA(9)))),                \
		FORWARDS("a pod cannot complain for another's backend " #F, some_services, FIXTURE_POD2,    \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), TOO_BIG_##F,                                 \
				ABOUT(POD1_##F, REMOTE_##F, 0, UDP(WIRE2, 5353), DATA(9))),                 \
			FIXTURE_POD1,                                                                       \
			PKT(TO_POD1, IP(POD2_##F, POD1_##F, .ttl = 63), TOO_BIG_##F,                        \
				ABOUT(POD1_##F, REMOTE_##F, 0, UDP(WIRE2, 5353), DATA(9)))),                \
		FORWARDS("about an exceptional flow " #F, an_association, FIXTURE_POD2,                     \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), CLOSED_##F,                                  \
				ABOUT(POD1_##F, POD2_##F, SHORT_##F, SCTP(40000, 8080))),                   \
			FIXTURE_POD1,                                                                       \
			PKT(TO_POD1, IP(WEB_##F, POD1_##F, .ttl = 63), CLOSED_##F,                          \
				ABOUT(POD1_##F, WEB_##F, SHORT_##F, SCTP(40000, 80)))),                     \
		FORWARDS("about what the host sent " #F, some_services, FIXTURE_POD2,                       \
			PKT(FROM_POD2, IP(POD2_##F, HOST_SLOT1_##F), CLOSED_##F,                            \
				ABOUT(HOST_SLOT1_##F, POD2_##F, 0, UDP(50000, 8080), DATA(9))),             \
			FIXTURE_HOST,                                                                       \
			PKT(TO_HOST, IP(WEB_##F, HOST_##F), CLOSED_##F,                                     \
				ABOUT(HOST_##F, WEB_##F, 0, UDP(50000, 80), DATA(9)))),                     \
		FORWARDS("about what a pod sent to itself " #F, some_services, FIXTURE_POD1,                \
			PKT(FROM_POD1, IP(POD1_##F, SELF_AS_##F), CLOSED_##F,                               \
				ABOUT(SELF_AS_##F, POD1_##F, 0, TCP(5000, 8080, SYN))),                     \
			FIXTURE_POD1,                                                                       \
			PKT(TO_POD1, IP(SELF_##F, POD1_##F, .ttl = 63), CLOSED_##F,                         \
				ABOUT(POD1_##F, SELF_##F, 0, TCP(5000, 80, SYN)))),                         \
                                                                                                            \
		FORWARDS("a client complains about a reply " #F, some_services, FIXTURE_POD1,               \
			PKT(FROM_POD1, IP(POD1_##F, WEB_##F), CLOSED_##F,                                   \
				ABOUT(WEB_##F, POD1_##F, 0, UDP(80, 40000), DATA(9))),                      \
			FIXTURE_POD2,                                                                       \
			PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), CLOSED_##F,                         \
				ABOUT(POD2_##F, POD1_##F, 0, UDP(8080, WIRE1), DATA(9)))),                  \
		FORWARDS("so does the host " #F, some_services, FIXTURE_HOST,                               \
			PKT(FROM_HOST, IP(HOST_##F, WEB_##F), CLOSED_##F,                                   \
				ABOUT(WEB_##F, HOST_##F, 0, UDP(80, 50000), DATA(9))),                      \
			FIXTURE_POD2,                                                                       \
			PKT(TO_POD2, IP(HOST_SLOT1_##F, POD2_##F, .ttl = 63), CLOSED_##F,                   \
				ABOUT(POD2_##F, HOST_SLOT1_##F, 0, UDP(8080, 50000), DATA(9)))),            \
		FORWARDS("so does a pod to itself " #F, some_services, FIXTURE_POD1,                        \
			PKT(FROM_POD1, IP(POD1_##F, SELF_##F), CLOSED_##F,                                  \
				ABOUT(SELF_##F, POD1_##F, 0, TCP(80, 5000, TCP_ACK))),                      \
			FIXTURE_POD1,                                                                       \
			PKT(TO_POD1, IP(SELF_AS_##F, POD1_##F, .ttl = 63), CLOSED_##F,                      \
				ABOUT(POD1_##F, SELF_AS_##F, 0, TCP(8080, 5000, TCP_ACK)))),                \
		{ .name = "but not about what another got " #F,                                             \
			.given = some_services,                                                             \
			.from = FIXTURE_POD2,                                                               \
			.in = PKT(FROM_POD2, IP(POD2_##F, WEB_##F), CLOSED_##F,                             \
				ABOUT(WEB_##F, POD1_##F, 0, UDP(80, 40000), DATA(9))),                      \
			.verdict = VERDICT_DROP,                                                            \
			.drop = DROP_NO_SERVICE },                                                          \
	{                                                                                                   \
		.name = "a complaint about a service without backends ends here " #F,                       \
		.given = some_services, .from = FIXTURE_POD1,                                               \
		.in = PKT(FROM_POD1, IP(POD1_##F, EMPTY_##F), CLOSED_##F,                                   \
			ABOUT(EMPTY_##F, POD1_##F, 0, UDP(80, 40000), DATA(9))),                            \
		.verdict = VERDICT_DROP, .drop = DROP_NO_BACKEND                                            \
	}

/* To and from another node */
#define REMOTE_CASES(F, U)                                                                              \
	{ .name = "who complains from the way stays the source " #F " over " #U,                        \
		.underlay = UNDERLAY_##U,                                                               \
		.given = some_services,                                                                 \
		.from = FIXTURE_UPLINK,                                                                 \
		.in = PKT(OUTER_IN_##U, INNER_IN, IP(PEER_HOST_##F, POD1_##F), TOO_BIG_##F,             \
			ABOUT(POD1_##F, REMOTE_##F, 0, UDP(WIRE2, 5353), DATA(9))),                     \
		.verdict = VERDICT_FORWARD,                                                             \
		.counts = COUNT_ERRORS_TRANSLATED,                                                      \
		.to = FIXTURE_POD1,                                                                     \
		.out = { PKT(TO_POD1, IP(PEER_HOST_##F, POD1_##F), TOO_BIG_##F,                         \
			ABOUT(POD1_##F, DNS_##F, 0, UDP(40000, 53), DATA(9))) } },                      \
		{ .name = "a backend on another node complains " #F " over " #U,                        \
			.underlay = UNDERLAY_##U,                                                       \
			.given = some_services,                                                         \
			.from = FIXTURE_UPLINK,                                                         \
			.in = PKT(OUTER_IN_##U, INNER_IN, IP(REMOTE_##F, POD1_##F), CLOSED_##F,         \
				ABOUT(POD1_##F, REMOTE_##F, 0, UDP(WIRE2, 5353), DATA(9))),             \
			.verdict = VERDICT_FORWARD,                                                     \
			.counts = COUNT_ERRORS_TRANSLATED,                                              \
			.to = FIXTURE_POD1,                                                             \
			.out = { PKT(TO_POD1, IP(DNS_##F, POD1_##F), CLOSED_##F,                        \
				ABOUT(POD1_##F, DNS_##F, 0, UDP(40000, 53), DATA(9))) } },              \
		{ .name = "about a backend that was not chosen " #F " over " #U,                        \
			.underlay = UNDERLAY_##U,                                                       \
			.given = some_services,                                                         \
			.from = FIXTURE_UPLINK,                                                         \
			.in = PKT(OUTER_IN_##U, INNER_IN, IP(SIBLING_##F, POD1_##F), CLOSED_##F,        \
				ABOUT(POD1_##F, SIBLING_##F, 0, TCP(WIRE3, 8080, SYN))),                \
			.verdict = VERDICT_DROP,                                                        \
			.drop = DROP_SLOT_MISMATCH },                                                   \
	{                                                                                               \
		.name = "a complaint about a reply from another node " #F " over " #U,                  \
		.underlay = UNDERLAY_##U, .given = some_services, .from = FIXTURE_POD1,                 \
		.in = PKT(FROM_POD1, IP(POD1_##F, DNS_##F), CLOSED_##F,                                 \
			ABOUT(DNS_##F, POD1_##F, 0, UDP(53, 40000), DATA(9))),                          \
		.verdict = VERDICT_FORWARD, .counts = COUNT_ERRORS_TRANSLATED, .to = FIXTURE_UPLINK,    \
		.out = { PKT(OUTER_OUT_##U, INNER_OUT, IP(POD1_##F, REMOTE_##F, .ttl = 63), CLOSED_##F, \
			ABOUT(REMOTE_##F, POD1_##F, 0, UDP(5353, WIRE2), DATA(9))) }                    \
	}

const struct packet_case quote_cases[] = {
	QUOTE_CASES(V4),
	QUOTE_CASES(V6),
	REMOTE_CASES(V4, V4),
	REMOTE_CASES(V4, V6),
	REMOTE_CASES(V6, V4),
	REMOTE_CASES(V6, V6),
	FORWARDS("a quoted datagram without a checksum stays without one", some_services, FIXTURE_POD2,
		PKT(FROM_POD2, IP(POD2_V4, POD1_V4), CLOSED_V4,
			ABOUT(POD1_V4, POD2_V4, 0, UDP(WIRE1, 8080, .sum = SUM_NONE), DATA(9))),
		FIXTURE_POD1,
		PKT(TO_POD1, IP(WEB_V4, POD1_V4, .ttl = 63), CLOSED_V4,
			ABOUT(POD1_V4, WEB_V4, 0, UDP(40000, 80, .sum = SUM_NONE), DATA(9)))),
	FORWARDS("extension headers in a quote are skipped", some_services, FIXTURE_POD2,
		PKT(FROM_POD2, IP(POD2_V6, POD1_V6), CLOSED_V6,
			ABOUT(POD1_V6, POD2_V6, 0, EXT(PROTO_DSTOPTS, 1), FRAG(0, true), UDP(WIRE1, 8080),
				DATA(8))),
		FIXTURE_POD1,
		PKT(TO_POD1, IP(WEB_V6, POD1_V6, .ttl = 63), CLOSED_V6,
			ABOUT(POD1_V6, WEB_V6, 0, EXT(PROTO_DSTOPTS, 1), FRAG(0, true), UDP(40000, 80),
				DATA(8)))),
};
const unsigned n_quote_cases = sizeof(quote_cases) / sizeof(quote_cases[0]);
