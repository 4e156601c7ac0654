/* NetworkPolicy, one packet at a time or one behind another; test_policy.c has what takes more. Each rule once per family: F is
 * V4 or V6. */
#include "dataplane/policy/policy_state.h"
#include "tests/packets/names.h"
#include "tests/packets/packet_case.h"
#include "tests/support/policies.h"
#include "tests/support/services.h"

#define FROM_POD2 ETH("pod2", "gw")
#define SYN TCP_SYN
#define ACK TCP_ACK
#define WIRE1 56384 /* what becomes of client port 40000 in slot 1 */

#define SELF_AS_V4 "169.254.1.17" /* pod1 as it sees itself in slot 1 */
#define SELF_AS_V6 "fd72:696e:6777:6179::11"

#define ECHO_V4 8
#define ECHO_V6 128
#define ECHO_REPLY_V4 0
#define ECHO_REPLY_V6 129
#define CLOSED_V4 ICMP(3, 3)
#define CLOSED_V6 ICMP(1, 4)

/* Pod2 serves pod1 on TCP port 8080, and nobody else. */
static void
pod2_admits_pod1(struct fixture *f)
{
	some_services(f);
	ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { PEER_POD1, PROTO_TCP, 8080 });
}

/* Pod1 may ask pod2 on TCP and UDP port 8080, and nothing else. */
static void
pod1_may_ask_pod2(struct fixture *f)
{
	some_services(f);
	ISOLATE(f, FIXTURE_POD1, POLICY_EGRESS, { PEER_POD2, PROTO_TCP, 8080 },
		{ PEER_POD2, PROTO_UDP, 8080 });
}

static void
pod2_is_alone(struct fixture *f)
{
	some_services(f);
	policies_deny(f, FIXTURE_POD2, POLICY_INGRESS);
	policies_deny(f, FIXTURE_POD2, POLICY_EGRESS);
}

static void
pod2_would_be_alone(struct fixture *f)
{
	pod2_is_alone(f);
	policies_audit(f, FIXTURE_POD2);
}

static void
pod2_is_closed(struct fixture *f)
{
	some_services(f);
	policies_close(f, FIXTURE_POD2);
}

static void
pod2_would_be_closed(struct fixture *f)
{
	pod2_is_closed(f);
	policies_audit(f, FIXTURE_POD2);
}

/* Pod2 has no ports open, but may be asked whether it is there. */
static void
pod2_admits_all_without_ports(struct fixture *f)
{
	some_services(f);
	ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { PEER_POD1 });
}

static void
pod2_admits_all_ports(struct fixture *f)
{
	some_services(f);
	ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { 0, PROTO_TCP }, { 0, PROTO_UDP }, { 0, PROTO_SCTP });
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

#define POLICY_CASES(F)                                                                                      \
	FORWARDS("a rule admits its peer " #F, pod2_admits_pod1, FIXTURE_POD1,                               \
		PKT(FROM_POD1, IP(POD1_##F, POD2_##F), TCP(1000, 8080, SYN)), FIXTURE_POD2,                  \
		PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), TCP(1000, 8080, SYN))),                      \
		DROPS("on its port only " #F, pod2_admits_pod1, FIXTURE_POD1, DROP_POLICY_INGRESS,           \
			FROM_POD1, IP(POD1_##F, POD2_##F), TCP(1000, 8081, SYN)),                            \
		DROPS("with its protocol only " #F, pod2_admits_pod1, FIXTURE_POD1, DROP_POLICY_INGRESS,     \
			FROM_POD1, IP(POD1_##F, POD2_##F), UDP(1000, 8080)),                                 \
		{ .name = "and no other peer " #F,                                                           \
			.underlay = UNDERLAY_V4,                                                             \
			.given = pod2_admits_pod1,                                                           \
			.from = FIXTURE_UPLINK,                                                              \
			.in = PKT(OUTER_IN_V4, INNER_IN, IP(REMOTE_##F, POD2_##F), TCP(1000, 8080, SYN)),    \
			.verdict = VERDICT_DROP,                                                             \
			.drop = DROP_POLICY_INGRESS },                                                       \
		FORWARDS("ingress is judged on the backend's port, not the service's " #F, pod2_admits_pod1, \
			FIXTURE_POD1, PKT(FROM_POD1, IP(POD1_##F, WEB_##F), TCP(40000, 80, SYN)),            \
			FIXTURE_POD2,                                                                        \
			PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), TCP(WIRE1, 8080, SYN))),             \
		FORWARDS("so is egress " #F, pod1_may_ask_pod2, FIXTURE_POD1,                                \
			PKT(FROM_POD1, IP(POD1_##F, WEB_##F), TCP(40000, 80, SYN)), FIXTURE_POD2,            \
			PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), TCP(WIRE1, 8080, SYN))),             \
		DROPS("egress to another backend " #F, pod1_may_ask_pod2, FIXTURE_POD1, DROP_POLICY_EGRESS,  \
			FROM_POD1, IP(POD1_##F, FAR_##F), TCP(40000, 80, SYN)),                              \
		{ .name = "egress that asks for a name, which control is told of " #F,                       \
			.given = pod1_may_ask_pod2,                                                          \
			.from = FIXTURE_POD1,                                                                \
			.in = PKT(FROM_POD1, IP(POD1_##F, REMOTE_##F), UDP(1000, 53)),                       \
			.verdict = VERDICT_DROP,                                                             \
			.drop = DROP_POLICY_EGRESS,                                                          \
			.event_value = PROTO_UDP << 16 | 53 },                                               \
		FORWARDS("a pod reaches itself by a service, alone as it may be " #F, pod1_may_ask_pod2,     \
			FIXTURE_POD1, PKT(FROM_POD1, IP(POD1_##F, SELF_##F), UDP(5000, 80)), FIXTURE_POD1,   \
			PKT(TO_POD1, IP(SELF_AS_##F, POD1_##F, .ttl = 63), UDP(5000, 8080))),                \
		FORWARDS("the node's probes pass " #F, pod2_is_alone, FIXTURE_HOST,                          \
			PKT(FROM_HOST, IP(HOST_##F, POD2_##F), TCP(50000, 8080, SYN)), FIXTURE_POD2,         \
			PKT(TO_POD2, IP(HOST_##F, POD2_##F, .ttl = 63), TCP(50000, 8080, SYN))),             \
		{ .name = "and go on " #F,                                                                   \
			.given = pod2_is_alone,                                                              \
			.from = FIXTURE_HOST,                                                                \
			.before = PKT(FROM_HOST, IP(HOST_##F, POD2_##F), TCP(50000, 8080, SYN)),             \
			.in = PKT(FROM_HOST, IP(HOST_##F, POD2_##F), TCP(50000, 8080, ACK)),                 \
			.verdict = VERDICT_FORWARD,                                                          \
			.to = FIXTURE_POD2,                                                                  \
			.out = { PKT(TO_POD2, IP(HOST_##F, POD2_##F, .ttl = 63), TCP(50000, 8080, ACK)) } }, \
		DROPS("without a probe there is no answer " #F, pod2_is_alone, FIXTURE_POD2,                 \
			DROP_POLICY_EGRESS, FROM_POD2, IP(POD2_##F, HOST_##F), TCP(8080, 50000, ACK)),       \
		DROPS("nor may the pod ask the node " #F, pod2_is_alone, FIXTURE_POD2, DROP_POLICY_EGRESS,   \
			FROM_POD2, IP(POD2_##F, HOST_##F), TCP(50000, 10250, SYN)),                          \
		FORWARDS("an echo matches a rule without ports " #F, pod2_admits_all_without_ports,          \
			FIXTURE_POD1, PKT(FROM_POD1, IP(POD1_##F, POD2_##F), ICMP(ECHO_##F, 0, .id = 7)),    \
			FIXTURE_POD2,                                                                        \
			PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), ICMP(ECHO_##F, 0, .id = 7))),        \
		DROPS("but none with ports, be it all of them " #F, pod2_admits_all_ports, FIXTURE_POD1,     \
			DROP_POLICY_INGRESS, FROM_POD1, IP(POD1_##F, POD2_##F), ICMP(ECHO_##F, 0, .id = 7)), \
		{ .name = "what audit would drop passes " #F,                                                \
			.given = pod2_would_be_alone,                                                        \
			.from = FIXTURE_POD1,                                                                \
			.in = PKT(FROM_POD1, IP(POD1_##F, POD2_##F), TCP(1000, 8080, SYN)),                  \
			.verdict = VERDICT_FORWARD,                                                          \
			.to = FIXTURE_POD2,                                                                  \
			.out = { PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), TCP(1000, 8080, SYN)) },    \
			.counts = COUNT_POLICY_WOULD_DROP_INGRESS },                                         \
		{ .name = "and what it would not let out goes out " #F,                                      \
			.given = pod2_would_be_alone,                                                        \
			.from = FIXTURE_POD2,                                                                \
			.in = PKT(FROM_POD2, IP(POD2_##F, POD1_##F), UDP(1000, 8080)),                       \
			.verdict = VERDICT_FORWARD,                                                          \
			.to = FIXTURE_POD1,                                                                  \
			.out = { PKT(TO_POD1, IP(POD2_##F, POD1_##F, .ttl = 63), UDP(1000, 8080)) },         \
			.counts = COUNT_POLICY_WOULD_DROP_EGRESS },                                          \
		{ .name = "of a closed pod, too " #F,                                                        \
			.given = pod2_would_be_closed,                                                       \
			.from = FIXTURE_POD1,                                                                \
			.in = PKT(FROM_POD1, IP(POD1_##F, POD2_##F), TCP(1000, 8080, SYN)),                  \
			.verdict = VERDICT_FORWARD,                                                          \
			.to = FIXTURE_POD2,                                                                  \
			.out = { PKT(TO_POD2, IP(POD1_##F, POD2_##F, .ttl = 63), TCP(1000, 8080, SYN)) },    \
			.counts = COUNT_POLICY_WOULD_DROP_CLOSED },                                          \
		DROPS("a closed pod gets nothing " #F, pod2_is_closed, FIXTURE_POD1, DROP_POLICY_CLOSED,     \
			FROM_POD1, IP(POD1_##F, POD2_##F), TCP(1000, 8080, SYN)),                            \
		DROPS("and sends nothing " #F, pod2_is_closed, FIXTURE_POD2, DROP_POLICY_CLOSED, FROM_POD2,  \
			IP(POD2_##F, POD1_##F), UDP(1000, 8080)),                                            \
		FORWARDS("but the node may probe it " #F, pod2_is_closed, FIXTURE_HOST,                      \
			PKT(FROM_HOST, IP(HOST_##F, POD2_##F), TCP(50000, 8080, SYN)), FIXTURE_POD2,         \
			PKT(TO_POD2, IP(HOST_##F, POD2_##F, .ttl = 63), TCP(50000, 8080, SYN))),             \
		FORWARDS("a complaint of a server about its client passes " #F, pod2_admits_pod1,            \
			FIXTURE_POD2,                                                                        \
			PKT(FROM_POD2, IP(POD2_##F, POD1_##F), CLOSED_##F,                                   \
				QUOTE(PKT(FROM_POD1, IP(POD1_##F, POD2_##F, .ttl = 60),                      \
					      TCP(1000, 8080, SYN)),                                         \
					0)),                                                                 \
			FIXTURE_POD1,                                                                        \
			PKT(TO_POD1, IP(POD2_##F, POD1_##F, .ttl = 63), CLOSED_##F,                          \
				QUOTE(PKT(FROM_POD1, IP(POD1_##F, POD2_##F, .ttl = 60),                      \
					      TCP(1000, 8080, SYN)),                                         \
					0)))

const struct packet_case policy_cases[] = { POLICY_CASES(V4), POLICY_CASES(V6) };
const unsigned n_policy_cases = sizeof(policy_cases) / sizeof(policy_cases[0]);
