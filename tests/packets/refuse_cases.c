/* Who asks a service that cannot serve is told so at once, by the service's address. Each rule once per family: F is V4
 * or V6. */
#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"
#include "tests/support/services.h"

#define NOBODY_V4 "10.96.0.99" /* no service has it */
#define NOBODY_V6 "fd00:10:96::99"

#define REFUSAL_V4(client, asked) IP(asked, client, .df = true, .tos = 0xc0), ICMP(3, 3)
#define REFUSAL_V6(client, asked) IP(asked, client), ICMP(1, 4)

#define REFUSES(n, counter, port, packet, ...)                                                               \
	{                                                                                                    \
		.name = (n), .given = some_services, .from = (port), .in = packet, .verdict = VERDICT_REPLY, \
		.counts = (counter), .to = (port),                                                           \
		.out = { __VA_ARGS__ }                                                                       \
	}
#define NO_BACKEND(n, port, packet, ...) REFUSES(n, COUNT_REFUSED_NO_BACKEND, port, packet, __VA_ARGS__)
#define NO_SERVICE(n, port, packet, ...) REFUSES(n, COUNT_REFUSED_NO_SERVICE, port, packet, __VA_ARGS__)
#define DROPS(n, reason, ...)                                                                      \
	{                                                                                          \
		.name = (n), .given = some_services, .from = FIXTURE_POD1, .in = PKT(__VA_ARGS__), \
		.verdict = VERDICT_DROP, .drop = (reason)                                          \
	}

#define RST TCP_RST
#define RST_ACK (TCP_RST | TCP_ACK)

#define RESET_V4(to, asked, ...) IP(asked, to, .df = true), TCP(80, 40000, __VA_ARGS__)
#define RESET_V6(to, asked, ...) IP(asked, to), TCP(80, 40000, __VA_ARGS__)
#define OTHER_V4(to, asked, ...) IP(asked, to, .df = true), TCP(81, 40000, __VA_ARGS__)
#define OTHER_V6(to, asked, ...) IP(asked, to), TCP(81, 40000, __VA_ARGS__)

/* A packet and the unreachable that quotes it */
#define UNREACHABLE(kind, F, n, port, from, to, client, asked, ...)                 \
	kind(n " " #F, port, PKT(from, IP(client##_##F, asked##_##F), __VA_ARGS__), \
		PKT(to, REFUSAL_##F(client##_##F, asked##_##F),                     \
			QUOTE(PKT(from, IP(client##_##F, asked##_##F), __VA_ARGS__), 0)))

#define REFUSE_CASES(F)                                                                                      \
	NO_BACKEND("a connection to a service without backends is reset " #F, FIXTURE_POD1,                  \
		PKT(FROM_POD1, IP(POD1_##F, EMPTY_##F), TCP(40000, 80, TCP_SYN, .seq = 7, .mss = 1000)),     \
		PKT(TO_POD1, RESET_##F(POD1_##F, EMPTY_##F, RST_ACK, .ack = 8))),                            \
		NO_BACKEND("the host's, too " #F, FIXTURE_HOST,                                              \
			PKT(FROM_HOST, IP(HOST_##F, EMPTY_##F), TCP(40000, 80, TCP_SYN, .seq = UINT32_MAX)), \
			PKT(TO_HOST, RESET_##F(HOST_##F, EMPTY_##F, RST_ACK, .ack = 0))),                    \
		NO_BACKEND("a reset counts what the segment carried " #F, FIXTURE_POD1,                      \
			PKT(FROM_POD1, IP(POD1_##F, EMPTY_##F),                                              \
				TCP(40000, 80, TCP_SYN | TCP_FIN, .seq = 7, .mss = 1000), DATA(11)),         \
			PKT(TO_POD1, RESET_##F(POD1_##F, EMPTY_##F, RST_ACK, .ack = 20))),                   \
		NO_BACKEND("a segment that acknowledges is reset where it stands " #F, FIXTURE_POD1,         \
			PKT(FROM_POD1, IP(POD1_##F, EMPTY_##F),                                              \
				TCP(40000, 80, TCP_ACK, .seq = 7, .ack = 1234567890), DATA(11)),             \
			PKT(TO_POD1, RESET_##F(POD1_##F, EMPTY_##F, RST, .seq = 1234567890))),               \
		DROPS("a reset is not answered by one " #F, DROP_NO_BACKEND, FROM_POD1,                      \
			IP(POD1_##F, EMPTY_##F), TCP(40000, 80, RST)),                                       \
		UNREACHABLE(NO_BACKEND, F, "a datagram's sender is told", FIXTURE_POD1, FROM_POD1, TO_POD1,  \
			POD1, EMPTY, UDP(40000, 80), DATA(9)),                                               \
		UNREACHABLE(NO_BACKEND, F, "the host's datagram", FIXTURE_HOST, FROM_HOST, TO_HOST, HOST,    \
			EMPTY, UDP(40000, 80), DATA(9)),                                                     \
		UNREACHABLE(NO_BACKEND, F, "an association's opener is told", FIXTURE_POD1, FROM_POD1,       \
			TO_POD1, POD1, EMPTY, SCTP(40000, 80), DATA(16)),                                    \
		NO_SERVICE("a port that the service lacks " #F, FIXTURE_POD1,                                \
			PKT(FROM_POD1, IP(POD1_##F, WEB_##F), TCP(40000, 81, TCP_SYN, .seq = 7)),            \
			PKT(TO_POD1, OTHER_##F(POD1_##F, WEB_##F, RST_ACK, .ack = 8))),                      \
		UNREACHABLE(NO_SERVICE, F, "a protocol that the service lacks", FIXTURE_POD1, FROM_POD1,     \
			TO_POD1, POD1, FAR, UDP(40000, 80), DATA(9)),                                        \
		DROPS("a Local policy without local backends drops " #F, DROP_NO_LOCAL_BACKEND, FROM_POD1,   \
			IP(POD1_##F, ELSEWHERE_##F), TCP(40000, 80, TCP_SYN)),                               \
		DROPS("datagrams, too " #F, DROP_NO_LOCAL_BACKEND, FROM_POD1, IP(POD1_##F, ELSEWHERE_##F),   \
			UDP(40000, 80)),                                                                     \
		DROPS("an address that no service has answers nothing " #F, DROP_NO_SERVICE, FROM_POD1,      \
			IP(POD1_##F, NOBODY_##F), TCP(40000, 80, TCP_SYN))

const struct packet_case refuse_cases[] = {
	REFUSE_CASES(V4),
	REFUSE_CASES(V6),
	UNREACHABLE(NO_SERVICE, V4, "a service's address answers no echo request", FIXTURE_POD1, FROM_POD1,
		TO_POD1, POD1, WEB, ICMP(8, 0, .id = 80)),
	UNREACHABLE(NO_SERVICE, V6, "a service's address answers no echo request", FIXTURE_POD1, FROM_POD1,
		TO_POD1, POD1, WEB, ICMP(128, 0, .id = 80)),
	NO_BACKEND("extension headers are not in the way of a reset", FIXTURE_POD1,
		PKT(FROM_POD1, IP(POD1_V6, EMPTY_V6), EXT(PROTO_DSTOPTS, 0),
			TCP(40000, 80, TCP_SYN, .seq = 7)),
		PKT(TO_POD1, RESET_V6(POD1_V6, EMPTY_V6, RST_ACK, .ack = 8))),
};
const unsigned n_refuse_cases = sizeof(refuse_cases) / sizeof(refuse_cases[0]);
