/* DNS answered on the node: which queries are, what is around the answer, and that all others go on to the DNS service as they
 * came. What is in answers: tests/dns. Each rule once per family: F is V4 or V6. */
#include <string.h>

#include "dataplane/dns/dns_tally.h"
#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"
#include "tests/support/names.h"
#include "tests/support/policies.h"
#include "tests/support/services.h"

#define WIRE2 7232 /* what becomes of client port 40000 in each slot */
#define WIRE3 23616

#define ZONE 7, 'c', 'l', 'u', 's', 't', 'e', 'r', 5, 'l', 'o', 'c', 'a', 'l', 0
#define SHOP 4, 's', 'h', 'o', 'p', 3, 's', 'v', 'c', ZONE
#define API 3, 'a', 'p', 'i', SHOP
#define MIXED_API 3, 'A', 'p', 'I', 4, 'S', 'H', 'o', 'p', 3, 's', 'V', 'c', ZONE
#define MANY 4, 'm', 'a', 'n', 'y', SHOP
#define OUT 3, 'o', 'u', 't', SHOP
#define NONE 4, 'n', 'o', 'n', 'e', SHOP
#define EXAMPLE 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 3, 'c', 'o', 'm', 0

/* Flags, and how many answers, authorities and additionals. */
#define HEAD(flags, codes, an, ns, ar) 0x12, 0x34, (flags), (codes), 0, 1, 0, (an), 0, (ns), 0, (ar)
#define RD 0x01
#define TC 0x02
#define AA 0x04
#define QR 0x80
#define RA 0x80

#define ASK(...) RAW(HEAD(RD, 0, 0, 0, 0), __VA_ARGS__, 0, 1, 0, 1)
#define ASK_EDNS(version, size_hi, size_lo, do, ...)                                                     \
	RAW(HEAD(RD, 0, 0, 0, 1), __VA_ARGS__, 0, 1, 0, 1, 0, 0, 41, (size_hi), (size_lo), 0, (version), \
		(do), 0, 0, 0)
#define OPT(rcode, do) 0, 0, 41, 0x04, 0xd0, (rcode), 0, (do), 0, 0, 0

#define API_A 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, NAMES_TTL, 0, 4, 10, 96, 0, 7
#define MANY_A 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, NAMES_TTL, 0, 4, 10, 97, 0, 1
#define TEN(x) x, x, x, x, x, x, x, x, x, x

#define ANSWER RAW(HEAD(QR | AA | RD, RA, 1, 0, 0), API, 0, 1, 0, 1, API_A)

static void
names_and_services(struct fixture *f)
{
	some_services(f);
	some_names(f);
}

static void
services_before_names(struct fixture *f)
{
	some_services(f);
	no_names_yet(f);
}

/* Nor is any of its endpoints known. */
static void
names_without_their_service(struct fixture *f)
{
	some_names(f);
	f->dns->backends[V4].n = f->dns->backends[V6].n = 0;
}

static void
pod1_may_ask(struct fixture *f)
{
	names_and_services(f);
	ISOLATE(f, FIXTURE_POD1, POLICY_EGRESS, { PEER_REMOTE, PROTO_UDP, 5353 });
}

static void
pod1_may_ask_on_another_port(struct fixture *f)
{
	names_and_services(f);
	ISOLATE(f, FIXTURE_POD1, POLICY_EGRESS, { PEER_REMOTE, PROTO_UDP, 53 });
}

static void
pod1_may_not_ask(struct fixture *f)
{
	names_and_services(f);
	policies_deny(f, FIXTURE_POD1, POLICY_EGRESS);
}

static void
pod1_would_not_be_let_ask(struct fixture *f)
{
	pod1_may_not_ask(f);
	policies_audit(f, FIXTURE_POD1);
}

static void
pod1_is_closed(struct fixture *f)
{
	names_and_services(f);
	policies_close(f, FIXTURE_POD1);
}

/* Pod1 is the service's endpoint, and may ask nobody else. */
static void
pod1_serves_names(struct fixture *f)
{
	pod1_may_not_ask(f);
	for (unsigned family = 0; family < N_FAMILIES; family++)
		f->dns->backends[family].servers[0].addr = f->endpoints->endpoints[1].addrs[family];
}

/* Room for three records behind the question. */
static void
pod1_has_a_small_link_V4(struct fixture *f)
{
	names_and_services(f);
	f->endpoints->endpoints[1].mtu = 28 + 45 + 3 * 16 + 15;
}

static void
pod1_has_a_small_link_V6(struct fixture *f)
{
	names_and_services(f);
	f->endpoints->endpoints[1].mtu = 48 + 45 + 3 * 16 + 15;
}

static void
pod1_has_no_room_at_all(struct fixture *f)
{
	names_and_services(f);
	f->endpoints->endpoints[1].mtu = 68;
}

#define FROM_POD2 ETH("pod2", "gw")

/* Pod1's query to the service, its answer. */
#define ANSWERS(n, setup, F, query, ...)                                                            \
	{                                                                                           \
		.name = (n), .given = (setup), .from = FIXTURE_POD1,                                \
		.in = PKT(FROM_POD1, IP(POD1_##F, DNS_##F), UDP(40000, 53), query),                 \
		.verdict = VERDICT_REPLY, .to = FIXTURE_POD1, .dns = 1 + DNS_AUTHORITY,             \
		.out = { PKT(TO_POD1, IP(DNS_##F, POD1_##F, DF_##F), UDP(53, 40000), __VA_ARGS__) } \
	}
#define DF_V4 .df = true
#define DF_V6 .df = false

/* What pod1 sends to the service goes to its endpoint, as it is. */
#define PASSES(n, setup, F, ...)                                                                             \
	{                                                                                                    \
		.name = (n), .underlay = UNDERLAY_V4, .given = (setup), .from = FIXTURE_POD1,                \
		.in = PKT(FROM_POD1, IP(POD1_##F, DNS_##F), UDP(40000, 53), __VA_ARGS__),                    \
		.verdict = VERDICT_FORWARD, .counts = COUNT_SERVICE_FORWARD, .to = FIXTURE_UPLINK,           \
		.dns = 1 + DNS_PASSED,                                                                       \
		.out = { PKT(OUTER_OUT_V4, INNER_OUT, IP(POD1_##F, REMOTE_##F, .ttl = 63), UDP(WIRE2, 5353), \
			__VA_ARGS__) }                                                                       \
	}

#define DROPS(n, setup, F, reason, event)                                              \
	{                                                                              \
		.name = (n), .given = (setup), .from = FIXTURE_POD1,                   \
		.in = PKT(FROM_POD1, IP(POD1_##F, DNS_##F), UDP(40000, 53), ASK(API)), \
		.verdict = VERDICT_DROP, .drop = (reason), .event_value = (event)      \
	}
#define DENIED (PROTO_UDP << 16 | 5353)

#define DNS_CASES(F)                                                                                         \
	ANSWERS("a pod's query is answered " #F, names_and_services, F, ASK(API), ANSWER),                   \
		ANSWERS("the question is copied as it was sent " #F, names_and_services, F, ASK(MIXED_API),  \
			RAW(HEAD(QR | AA | RD, RA, 1, 0, 0), MIXED_API, 0, 1, 0, 1, API_A)),                 \
		ANSWERS("EDNS is answered with EDNS " #F, names_and_services, F,                             \
			ASK_EDNS(0, 4, 0xd0, 0x80, API),                                                     \
			RAW(HEAD(QR | AA | RD, RA, 1, 0, 1), API, 0, 1, 0, 1, API_A, OPT(0, 0x80))),         \
		ANSWERS("of EDNS there is version 0 " #F, names_and_services, F,                             \
			ASK_EDNS(1, 4, 0xd0, 0, API),                                                        \
			RAW(HEAD(QR | AA | RD, RA, 0, 0, 1), API, 0, 1, 0, 1, OPT(1, 0))),                   \
		ANSWERS("what does not fit into 512 bytes is left out " #F, names_and_services, F,           \
			ASK(MANY),                                                                           \
			RAW(HEAD(QR | AA | TC | RD, RA, 29, 0, 0), MANY, 0, 1, 0, 1, TEN(MANY_A),            \
				TEN(MANY_A), MANY_A, MANY_A, MANY_A, MANY_A, MANY_A, MANY_A, MANY_A, MANY_A, \
				MANY_A)),                                                                    \
		ANSWERS("what does not fit the pod's link is left out " #F, pod1_has_a_small_link_##F, F,    \
			ASK(MANY),                                                                           \
			RAW(HEAD(QR | AA | TC | RD, RA, 3, 0, 0), MANY, 0, 1, 0, 1, MANY_A, MANY_A,          \
				MANY_A)),                                                                    \
		{                                                                                            \
			.name = "the host's query is answered " #F,                                          \
			.given = names_and_services,                                                         \
			.from = FIXTURE_HOST,                                                                \
			.in = PKT(FROM_HOST, IP(HOST_##F, DNS_##F), UDP(40000, 53), ASK(API)),               \
			.verdict = VERDICT_REPLY,                                                            \
			.to = FIXTURE_HOST,                                                                  \
			.dns = 1 + DNS_AUTHORITY,                                                            \
			.out = { PKT(TO_HOST, IP(DNS_##F, HOST_##F, DF_##F), UDP(53, 40000), ANSWER) },      \
		},                                                                                           \
		{                                                                                            \
			.name = "an answer comes from the link-local address that was asked " #F,            \
			.given = names_and_services,                                                         \
			.from = FIXTURE_POD1,                                                                \
			.in = PKT(FROM_POD1, IP(POD1_##F, LOCAL_##F), UDP(40000, 53), ASK(API)),             \
			.verdict = VERDICT_REPLY,                                                            \
			.to = FIXTURE_POD1,                                                                  \
			.dns = 1 + DNS_AUTHORITY,                                                            \
			.out = { PKT(TO_POD1, IP(LOCAL_##F, POD1_##F, DF_##F), UDP(53, 40000), ANSWER) },    \
		},                                                                                           \
		{                                                                                            \
			.name = "a query without a checksum, or with a partial one, is answered " #F,        \
			.given = names_and_services,                                                         \
			.from = FIXTURE_POD1,                                                                \
			.in = PKT(FROM_POD1, IP(POD1_##F, DNS_##F), UDP(40000, 53, .sum = SUM_PARTIAL),      \
				ASK(API)),                                                                   \
			.verdict = VERDICT_REPLY,                                                            \
			.to = FIXTURE_POD1,                                                                  \
			.dns = 1 + DNS_AUTHORITY,                                                            \
			.out = { PKT(TO_POD1, IP(DNS_##F, POD1_##F, DF_##F), UDP(53, 40000), ANSWER) },      \
		},                                                                                           \
                                                                                                             \
		ANSWERS("a pod that may ask the service's endpoint is answered " #F, pod1_may_ask, F,        \
			ASK(API), ANSWER),                                                                   \
		ANSWERS("the endpoint itself is not judged " #F, pod1_serves_names, F, ASK(API), ANSWER),    \
		{                                                                                            \
			.name = "in audit mode a pod that may not ask is answered, and named " #F,           \
			.given = pod1_would_not_be_let_ask,                                                  \
			.from = FIXTURE_POD1,                                                                \
			.in = PKT(FROM_POD1, IP(POD1_##F, DNS_##F), UDP(40000, 53), ASK(API)),               \
			.verdict = VERDICT_REPLY,                                                            \
			.counts = COUNT_POLICY_WOULD_DROP_EGRESS,                                            \
			.event_value = DENIED,                                                               \
			.to = FIXTURE_POD1,                                                                  \
			.dns = 1 + DNS_AUTHORITY,                                                            \
			.out = { PKT(TO_POD1, IP(DNS_##F, POD1_##F, DF_##F), UDP(53, 40000), ANSWER) },      \
		},                                                                                           \
		DROPS("a pod that may not ask gets nothing, and is named " #F, pod1_may_not_ask, F,          \
			DROP_POLICY_EGRESS, DENIED),                                                         \
		DROPS("nor one that may ask on another port only " #F, pod1_may_ask_on_another_port, F,      \
			DROP_POLICY_EGRESS, DENIED),                                                         \
		DROPS("nor one whose policies are not known " #F, pod1_is_closed, F, DROP_POLICY_CLOSED,     \
			DENIED),                                                                             \
		{                                                                                            \
			.name = "nor by the link-local address " #F,                                         \
			.given = pod1_may_not_ask,                                                           \
			.from = FIXTURE_POD1,                                                                \
			.in = PKT(FROM_POD1, IP(POD1_##F, LOCAL_##F), UDP(40000, 53), ASK(API)),             \
			.verdict = VERDICT_DROP,                                                             \
			.drop = DROP_POLICY_EGRESS,                                                          \
			.event_value = DENIED,                                                               \
		},                                                                                           \
		ANSWERS("a service that has gone does not matter " #F, names_without_their_service, F,       \
			ASK(API), ANSWER),                                                                   \
                                                                                                             \
		PASSES("names outside of the cluster are the service's " #F, names_and_services, F,          \
			ASK(EXAMPLE)),                                                                       \
		PASSES("and those that lead there, untouched " #F, names_and_services, F,                    \
			ASK_EDNS(0, 4, 0xd0, 0x80, OUT)),                                                    \
		PASSES("all names are, as long as the cluster's are not known " #F, services_before_names,   \
			F, ASK(API)),                                                                        \
		PASSES("an answer is no query " #F, names_and_services, F,                                   \
			RAW(HEAD(QR, 0, 0, 0, 0), API, 0, 1, 0, 1)),                                         \
		PASSES("nor is a notification " #F, names_and_services, F,                                   \
			RAW(HEAD(0x20, 0, 0, 0, 0), API, 0, 1, 0, 1)),                                       \
		PASSES("nor a transfer " #F, names_and_services, F,                                          \
			RAW(HEAD(RD, 0, 0, 0, 0), API, 0, 252, 0, 1)),                                       \
		PASSES("nor another class " #F, names_and_services, F,                                       \
			RAW(HEAD(RD, 0, 0, 0, 0), API, 0, 1, 0, 3)),                                         \
		PASSES("nor a header alone " #F, names_and_services, F, RAW(HEAD(RD, 0, 0, 0, 0))),          \
		PASSES("nor what is cut off " #F, names_and_services, F,                                     \
			RAW(HEAD(RD, 0, 0, 0, 0), API, 0, 1, 0)),                                            \
		PASSES("nor junk " #F, names_and_services, F, DATA(300)),                                    \
		PASSES("nor nothing at all " #F, names_and_services, F, DATA(0)),                            \
		PASSES("an answer for which there is no room is the service's " #F, pod1_has_no_room_at_all, \
			F, ASK(API)),                                                                        \
		{                                                                                            \
			.name = "at the link-local address, too " #F,                                        \
			.underlay = UNDERLAY_V4,                                                             \
			.given = names_and_services,                                                         \
			.from = FIXTURE_POD1,                                                                \
			.in = PKT(FROM_POD1, IP(POD1_##F, LOCAL_##F), UDP(40000, 53), ASK(EXAMPLE)),         \
			.verdict = VERDICT_FORWARD,                                                          \
			.to = FIXTURE_UPLINK,                                                                \
			.dns = 1 + DNS_PASSED,                                                               \
			.out = { PKT(OUTER_OUT_V4, INNER_OUT, IP(POD1_##F, REMOTE_##F, .ttl = 63),           \
				UDP(WIRE3, 5353), ASK(EXAMPLE)) },                                           \
		},                                                                                           \
		{                                                                                            \
			.name = "which nobody has on TCP but the service " #F,                               \
			.underlay = UNDERLAY_V4,                                                             \
			.given = names_and_services,                                                         \
			.from = FIXTURE_POD1,                                                                \
			.in = PKT(FROM_POD1, IP(POD1_##F, LOCAL_##F), TCP(40000, 53, TCP_SYN)),              \
			.verdict = VERDICT_FORWARD,                                                          \
			.to = FIXTURE_UPLINK,                                                                \
			.out = { PKT(OUTER_OUT_V4, INNER_OUT, IP(POD1_##F, REMOTE_##F, .ttl = 63),           \
				TCP(WIRE3, 5353, TCP_SYN)) },                                                \
		},                                                                                           \
		{                                                                                            \
			.name = "without the service, what is not answered there goes nowhere " #F,          \
			.given = names_without_their_service,                                                \
			.from = FIXTURE_POD1,                                                                \
			.in = PKT(FROM_POD1, IP(POD1_##F, LOCAL_##F), UDP(40000, 53), ASK(EXAMPLE)),         \
			.verdict = VERDICT_DROP,                                                             \
			.drop = DROP_LINK_LOCAL,                                                             \
			.dns = 1 + DNS_PASSED,                                                               \
		},                                                                                           \
		{                                                                                            \
			.name = "a query to a pod is none of ours " #F,                                      \
			.given = names_and_services,                                                         \
			.from = FIXTURE_POD1,                                                                \
			.in = PKT(FROM_POD1, IP(POD1_##F, POD2_##F), UDP(40000, 53), ASK(API)),              \
			.verdict = VERDICT_FORWARD,                                                          \
			.to = FIXTURE_POD2,                                                                  \
			.out = { PKT(                                                                        \
				TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), UDP(40000, 53), ASK(API)) },     \
		},                                                                                           \
		{                                                                                            \
			.name = "nor is one to another service " #F,                                         \
			.given = names_and_services,                                                         \
			.from = FIXTURE_POD1,                                                                \
			.in = PKT(FROM_POD1, IP(POD1_##F, WEB_##F), UDP(5000, 80), ASK(API)),                \
			.verdict = VERDICT_FORWARD,                                                          \
			.to = FIXTURE_POD2,                                                                  \
			.out = { PKT(                                                                        \
				TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), UDP(5000, 8080), ASK(API)) },    \
		},                                                                                           \
	{                                                                                                    \
		.name = "nor one from another node " #F, .underlay = UNDERLAY_V4,                            \
		.given = names_and_services, .from = FIXTURE_UPLINK,                                         \
		.in = PKT(OUTER_IN_V4, INNER_IN, IP(REMOTE_##F, DNS_##F), UDP(40000, 53), ASK(API)),         \
		.verdict = VERDICT_DROP, .drop = DROP_TUNNEL_DESTINATION,                                    \
	}

const struct packet_case dns_cases[] = {
	DNS_CASES(V4),
	DNS_CASES(V6),
	{
		.name = "IPv4 options are left behind",
		.given = names_and_services,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, DNS_V4, .n_options = 4, .options = { 1, 1, 1, 0 }),
			UDP(40000, 53), ASK(API)),
		.verdict = VERDICT_REPLY,
		.to = FIXTURE_POD1,
		.dns = 1 + DNS_AUTHORITY,
		.out = { PKT(TO_POD1, IP(DNS_V4, POD1_V4, .df = true), UDP(53, 40000), ANSWER) },
	},
	{
		.name = "IPv6 extension headers are left behind",
		.given = names_and_services,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V6, DNS_V6), EXT(PROTO_DSTOPTS, 2), UDP(40000, 53), ASK(API)),
		.verdict = VERDICT_REPLY,
		.to = FIXTURE_POD1,
		.dns = 1 + DNS_AUTHORITY,
		.out = { PKT(TO_POD1, IP(DNS_V6, POD1_V6), UDP(53, 40000), ANSWER) },
	},
	{
		.name = "bytes behind the datagram are none of it",
		.given = names_and_services,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, DNS_V4), UDP(40000, 53, .len = 8 + 12 + 28 + 4), ASK(API),
			DATA(9)),
		.verdict = VERDICT_REPLY,
		.to = FIXTURE_POD1,
		.dns = 1 + DNS_AUTHORITY,
		.out = { PKT(TO_POD1, IP(DNS_V4, POD1_V4, .df = true), UDP(53, 40000), ANSWER) },
	},
	{
		.name = "the first fragment of a query is the service's",
		.underlay = UNDERLAY_V4,
		.given = names_and_services,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, DNS_V4, .more = true, .id = 9),
			UDP(40000, 53, .sum = SUM_NONE), ASK(API), DATA(4)),
		.verdict = VERDICT_FORWARD,
		.to = FIXTURE_UPLINK,
		.out = { PKT(OUTER_OUT_V4, INNER_OUT,
			IP(POD1_V4, REMOTE_V4, .ttl = 63, .more = true, .id = 9),
			UDP(WIRE2, 5353, .sum = SUM_NONE), ASK(API), DATA(4)) },
	},
	{
		.name = "TCP to the service's address is not ours",
		.given = names_and_services,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, DNS_V4), TCP(40000, 53, TCP_SYN, .seq = 100)),
		.verdict = VERDICT_REPLY,
		.counts = COUNT_REFUSED_NO_SERVICE,
		.to = FIXTURE_POD1,
		.out = { PKT(TO_POD1, IP(DNS_V4, POD1_V4, .df = true),
			TCP(53, 40000, TCP_RST | TCP_ACK, .ack = 101)) },
	},
	{
		.name = "on the link nobody answers other ports",
		.given = names_and_services,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, LOCAL_V4), UDP(40000, 54), ASK(API)),
		.verdict = VERDICT_DROP,
		.drop = DROP_LINK_LOCAL,
	},
	{
		.name = "nor this one, where DNS is not answered",
		.given = some_services,
		.from = FIXTURE_POD1,
		.in = PKT(FROM_POD1, IP(POD1_V4, LOCAL_V4), UDP(40000, 53), ASK(API)),
		.verdict = VERDICT_DROP,
		.drop = DROP_LINK_LOCAL,
	},
};
const unsigned n_dns_cases = sizeof(dns_cases) / sizeof(dns_cases[0]);
