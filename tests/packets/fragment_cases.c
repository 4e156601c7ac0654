/* All parts of a datagram go where its first part goes, as whom it goes, though only the first has ports. Each rule once
 * per family: F is V4 or V6. */
#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"
#include "tests/support/services.h"

#define SELF_AS_V4 "169.254.1.17" /* pod1 as it sees itself in slot 1 */
#define SELF_AS_V6 "fd72:696e:6777:6179::11"
#define HOST_SLOT1_V4 "10.244.1.2"
#define HOST_SLOT1_V6 "fd00:10:244:1::2"

/* What becomes of client port 40000 in each slot */
#define WIRE1 56384
#define WIRE2 7232

#define FROM_POD2 ETH("pod2", "gw")

/* The first fragment of a datagram of 56 bytes and the last one, from the IP header on */
#define FIRST_V4(src, dst, t, ...) IP(src, dst, .ttl = (t), .id = 7, .more = true), __VA_ARGS__, DATA(24)
#define FIRST_V6(src, dst, t, ...) IP(src, dst, .ttl = (t)), FRAG(0, true, .id = 7), __VA_ARGS__, DATA(24)
#define LAST_V4(src, dst, t, p) IP(src, dst, .ttl = (t), .id = 7, .offset = 32, .proto = (p)), DATA(24)
#define LAST_V6(src, dst, t, p) IP(src, dst, .ttl = (t)), FRAG(32, false, .id = 7, .proto = (p)), DATA(24)
#define DATAGRAM(s, d) UDP(s, d, .len = 56, .sum = SUM_NONE)

/* Both parts, as they are sent and as they arrive; eth_in as in FROM_POD1. */
#define BOTH(n, F, port_in, eth_in, src, dst, transport, port_out, eth_out, new_src, new_dst, new_ttl,    \
	new_transport)                                                                                    \
	{ .name = n ": the first part " #F,                                                               \
		.given = some_services,                                                                   \
		.from = (port_in),                                                                        \
		.in = PKT(eth_in, FIRST_##F(src, dst, 64, transport)),                                    \
		.verdict = (port_out) == FIXTURE_HOST ? VERDICT_PUNT : VERDICT_FORWARD,                   \
		.to = (port_out),                                                                         \
		.out = { PKT(eth_out, FIRST_##F(new_src, new_dst, new_ttl, new_transport)) } },           \
	{                                                                                                 \
		.name = n ": the last part " #F, .given = some_services, .from = (port_in),               \
		.before = PKT(eth_in, FIRST_##F(src, dst, 64, transport)),                                \
		.in = PKT(eth_in, LAST_##F(src, dst, 64, PROTO_UDP)),                                     \
		.verdict = (port_out) == FIXTURE_HOST ? VERDICT_PUNT : VERDICT_FORWARD, .to = (port_out), \
		.out = { PKT(eth_out, LAST_##F(new_src, new_dst, new_ttl, PROTO_UDP)) }                   \
	}

#define FRAGMENT_CASES(F)                                                                                   \
	BOTH("a datagram to a service", F, FIXTURE_POD1, FROM_POD1, POD1_##F, WEB_##F, DATAGRAM(40000, 80), \
		FIXTURE_POD2, TO_POD2, POD1_##F, POD2_##F, 63, DATAGRAM(WIRE1, 8080)),                      \
		BOTH("a service's datagram", F, FIXTURE_POD2, FROM_POD2, POD2_##F, POD1_##F,                \
			DATAGRAM(8080, WIRE1), FIXTURE_POD1, TO_POD1, WEB_##F, POD1_##F, 63,                \
			DATAGRAM(80, 40000)),                                                               \
		BOTH("an exceptional flow's datagram", F, FIXTURE_POD1, FROM_POD1, POD1_##F, WEB_##F,       \
			DATAGRAM(5000, 80), FIXTURE_POD2, TO_POD2, POD1_##F, POD2_##F, 63,                  \
			DATAGRAM(5000, 8080)),                                                              \
		BOTH("a datagram to the pod itself", F, FIXTURE_POD1, FROM_POD1, POD1_##F, SELF_##F,        \
			DATAGRAM(5000, 80), FIXTURE_POD1, TO_POD1, SELF_AS_##F, POD1_##F, 63,               \
			DATAGRAM(5000, 8080)),                                                              \
		BOTH("a datagram from the pod itself", F, FIXTURE_POD1, FROM_POD1, POD1_##F, SELF_AS_##F,   \
			DATAGRAM(8080, 5000), FIXTURE_POD1, TO_POD1, SELF_##F, POD1_##F, 63,                \
			DATAGRAM(80, 5000)),                                                                \
		BOTH("a datagram from the host", F, FIXTURE_HOST, FROM_HOST, HOST_##F, WEB_##F,             \
			DATAGRAM(50000, 80), FIXTURE_POD2, TO_POD2, HOST_SLOT1_##F, POD2_##F, 63,           \
			DATAGRAM(50000, 8080)),                                                             \
		BOTH("a datagram to the host", F, FIXTURE_POD2, FROM_POD2, POD2_##F, HOST_SLOT1_##F,        \
			DATAGRAM(8080, 50000), FIXTURE_HOST, TO_HOST, WEB_##F, HOST_##F, 64,                \
			DATAGRAM(80, 50000))

#define REMOTE_CASES(F, U)                                                                                   \
	{ .name = "the last part to another node " #F " over " #U,                                           \
		.underlay = UNDERLAY_##U,                                                                    \
		.given = some_services,                                                                      \
		.from = FIXTURE_POD1,                                                                        \
		.before = PKT(FROM_POD1, FIRST_##F(POD1_##F, DNS_##F, 64, DATAGRAM(40000, 53))),             \
		.in = PKT(FROM_POD1, LAST_##F(POD1_##F, DNS_##F, 64, PROTO_UDP)),                            \
		.verdict = VERDICT_FORWARD,                                                                  \
		.counts = COUNT_SERVICE_FORWARD,                                                             \
		.to = FIXTURE_UPLINK,                                                                        \
		.out = { PKT(OUTER_OUT_##U, INNER_OUT, LAST_##F(POD1_##F, REMOTE_##F, 63, PROTO_UDP)) } },   \
	{                                                                                                    \
		.name = "the last part from another node " #F " over " #U, .underlay = UNDERLAY_##U,         \
		.given = some_services, .from = FIXTURE_UPLINK,                                              \
		.before = PKT(                                                                               \
			OUTER_IN_##U, INNER_IN, FIRST_##F(REMOTE_##F, POD1_##F, 64, DATAGRAM(5353, WIRE2))), \
		.in = PKT(OUTER_IN_##U, INNER_IN, LAST_##F(REMOTE_##F, POD1_##F, 64, PROTO_UDP)),            \
		.verdict = VERDICT_FORWARD, .counts = COUNT_SERVICE_REPLY, .to = FIXTURE_POD1,               \
		.out = { PKT(TO_POD1, LAST_##F(DNS_##F, POD1_##F, 64, PROTO_UDP)) }                          \
	}

const struct packet_case fragment_cases[] = {
	FRAGMENT_CASES(V4),
	FRAGMENT_CASES(V6),
	REMOTE_CASES(V4, V4),
	REMOTE_CASES(V4, V6),
	REMOTE_CASES(V6, V4),
	REMOTE_CASES(V6, V6),
	{
		.name = "the checksum of a datagram in parts is corrected in the first",
		.given = some_services,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, WEB_V4, .more = true), UDP(40000, 80, .len = 32), DATA(24)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_POD2,
		.out = { PKT(TO_POD2, IP(POD1_V4, POD2_V4, .ttl = 63, .more = true),
			UDP(WIRE1, 8080, .len = 32), DATA(24)) },
	},
	{
		.name = "what follows the fragment header need not be the transport header",
		.given = some_services,
		.from = FIXTURE_POD1,
		.before = PKT(FROM_POD1, IP(POD1_V6, WEB_V6), EXT(PROTO_HOPOPTS, 0), FRAG(0, true, .id = 7),
			EXT(PROTO_DSTOPTS, 0), DATAGRAM(40000, 80), DATA(24)),
		.in = PKT(FROM_POD1, IP(POD1_V6, WEB_V6), FRAG(40, false, .id = 7, .proto = PROTO_DSTOPTS),
			DATA(24)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_POD2,
		.out = { PKT(TO_POD2, IP(POD1_V6, POD2_V6, .ttl = 63),
			FRAG(40, false, .id = 7, .proto = PROTO_DSTOPTS), DATA(24)) },
	},
	{
		.name = "a service without backends refuses the first part",
		.given = some_services,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, FIRST_V4(POD1_V4, EMPTY_V4, 64, DATAGRAM(40000, 80))),
		.verdict = VERDICT_REPLY,
		.counts = COUNT_REFUSED_NO_BACKEND,
		.to = FIXTURE_POD1,
		.out = { PKT(TO_POD1, IP(EMPTY_V4, POD1_V4, .df = true, .tos = 0xc0), ICMP(3, 3),
			QUOTE(PKT(FROM_POD1, FIRST_V4(POD1_V4, EMPTY_V4, 64, DATAGRAM(40000, 80))), 0)) },
	},
	{
		.name = "and drops the others",
		.given = some_services,
		.from = FIXTURE_POD1,
		.before = PKT(FROM_POD1, FIRST_V4(POD1_V4, EMPTY_V4, 64, DATAGRAM(40000, 80))),
		.in = PKT(FROM_POD1, LAST_V4(POD1_V4, EMPTY_V4, 64, PROTO_UDP)),
		.verdict = VERDICT_DROP,
		.drop = DROP_NO_BACKEND,
	},
	{
		.name = "an SCTP packet in parts cannot be translated",
		.given = some_services,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, WEB_V4, .more = true), SCTP(40000, 80), DATA(20)),
		.verdict = VERDICT_DROP,
		.drop = DROP_FRAGMENT,
	},
};
const unsigned n_fragment_cases = sizeof(fragment_cases) / sizeof(fragment_cases[0]);
