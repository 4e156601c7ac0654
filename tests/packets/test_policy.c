/* Policy over time: replies, revoked policies, scans, ages. Each story runs in both families, with one worker and with two;
 * and a second time in audit mode, where all that it says is dropped passes, and is counted as that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/policy_asks.h"
#include "dataplane/policy/policy_state.h"
#include "tests/packets/names.h"
#include "tests/support/exposed.h"
#include "tests/support/pkt_build.h"
#include "tests/support/pkt_print.h"
#include "tests/support/policies.h"
#include "tests/support/services.h"

#define SECOND UINT64_C(1000000000)
#define SYN TCP_SYN
#define ACK TCP_ACK
#define FIN TCP_FIN
#define RST TCP_RST
#define PSH 0x08
#define URG 0x20
#define ECE 0x40
#define WIRE1 56384 /* what becomes of client port 40000 in each slot */
#define WIRE2 7232
#define FROM_POD2 ETH("pod2", "gw")
#define IN OUTER_IN_V4, INNER_IN

/* Who is who, and how ICMP says things, in one family. */
struct words {
	const char *pod1, *pod2, *remote, *sibling, *host, *web, *dns, *self, *inbound, *client, *node,
		*outside;
	uint8_t echo, echo_reply, unreachable, closed;
};

static const struct words families[N_FAMILIES] = {
	{ POD1_V4, POD2_V4, REMOTE_V4, SIBLING_V4, HOST_V4, WEB_V4, DNS_V4, SELF_V4, INBOUND_V4, CLIENT_V4,
		NODE_V4, "203.0.113.9", 8, 0, 3, 3 },
	{ POD1_V6, POD2_V6, REMOTE_V6, SIBLING_V6, HOST_V6, WEB_V6, DNS_V6, SELF_V6, INBOUND_V6, CLIENT_V6,
		NODE_V6, "2001:db8:9::9", 128, 129, 1, 4 },
};

struct outcome {
	bool has_passed;
	enum drop_reason reason, would_drop;
	uint16_t sport; /* of what a pod was sent */
};

/* The source port of the first packet that a pod got, or 0. */
static uint16_t
sport_sent(const struct fixture *f)
{
	for (unsigned i = FIXTURE_POD1; i <= FIXTURE_POD2; i++) {
		const uint8_t *data = f->ports[i].out[0].data;
		unsigned l4 = 14 + (f->ports[i].n_out != 0 && data[14] >> 4 == 6 ? 40 : 20);

		if (f->ports[i].n_out != 0)
			return (uint16_t)(data[l4] << 8 | data[l4 + 1]);
	}
	return 0;
}

/* Why policy would have dropped what it let pass. */
static enum drop_reason
would_drop(const struct counters *before, const struct counters *after)
{
	static const struct {
		enum counter counter;
		enum drop_reason reason;
	} kinds[] = {
		{ COUNT_POLICY_WOULD_DROP_INGRESS, DROP_POLICY_INGRESS },
		{ COUNT_POLICY_WOULD_DROP_EGRESS, DROP_POLICY_EGRESS },
		{ COUNT_POLICY_WOULD_DROP_CLOSED, DROP_POLICY_CLOSED },
	};
	enum drop_reason reason = DROP_NONE;
	uint64_t n = 0;

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (after->counts[kinds[i].counter] != before->counts[kinds[i].counter]) {
			n += after->counts[kinds[i].counter] - before->counts[kinds[i].counter];
			reason = kinds[i].reason;
		}
	assert_in_range(n, 0, 1);
	return reason;
}

static struct outcome
send(struct fixture *f, enum fixture_port from, const struct layer *layers)
{
	struct outcome outcome = { 0 };
	struct counters before, after;
	struct frame in;

	pkt_build(&in, layers, 50000);
	fixture_counters(f, &before);
	assert_true(port_mem_give(&f->ports[from], in.bytes, in.len));
	fixture_run(f);
	fixture_counters(f, &after);
	outcome.sport = sport_sent(f);
	fixture_clear(f);
	outcome.has_passed = after.verdicts[VERDICT_FORWARD] + after.verdicts[VERDICT_PUNT] !=
			     before.verdicts[VERDICT_FORWARD] + before.verdicts[VERDICT_PUNT];
	for (unsigned reason = 0; reason < N_DROP_REASONS; reason++)
		if (after.drops[reason] != before.drops[reason])
			outcome.reason = (enum drop_reason)reason;
	outcome.would_drop = would_drop(&before, &after);
	return outcome;
}

/* A flow that is none has no owner to send it on, whatever policies say. */
static bool
is_as_audited(const struct outcome *got, enum drop_reason want)
{
	return got->would_drop == want && (got->has_passed || got->reason == DROP_NO_FLOW);
}

static void
expect(struct fixture *f, int line, enum fixture_port from, enum drop_reason want, const struct layer *layers)
{
	struct outcome got = send(f, from, layers);
	struct frame in;

	if (f->is_policy_audit ? is_as_audited(&got, want)
			       : got.has_passed == (want == DROP_NONE) && got.reason == want)
		return;
	pkt_build(&in, layers, 50000);
	pkt_print(stderr, "in", in.bytes, in.len, NULL, 0);
	fprintf(stderr, "%s:%d: with %u worker(s)%s: it %s, for '%s' ('%s' but for audit), not '%s'\n",
		__FILE__, line, f->n_workers, f->is_policy_audit ? ", audit" : "",
		got.has_passed ? "passed" : "did not pass", drop_reason_label(got.reason),
		drop_reason_label(got.would_drop), drop_reason_label(want));
	fail();
}

#define PASSES(from, ...) expect(f, __LINE__, from, DROP_NONE, PKT(__VA_ARGS__))
#define DROPS(from, reason, ...) expect(f, __LINE__, from, reason, PKT(__VA_ARGS__))

static void
pass_time(struct fixture *f, unsigned seconds)
{
	for (unsigned i = 0; i < f->n_workers; i++)
		f->workers[i]->now_ns += seconds * SECOND;
}

/* Runs a story wherever it may be told. */
static void
tell(void (*story)(struct fixture *f, const struct words *a))
{
	for (unsigned i = 0; i < 8; i++) {
		struct fixture *f = fixture_new(1 + i % 2, false);

		f->is_policy_audit = i >= 4;
		story(f, &families[i / 2 % 2]);
		assert_null(fixture_audit(f));
		fixture_free(f);
	}
}

#define STORY(name)                                                        \
	static void tell_##name(struct fixture *f, const struct words *a); \
	static void name(void **state)                                     \
	{                                                                  \
		tell(tell_##name);                                         \
	}                                                                  \
	static void tell_##name(struct fixture *f, const struct words *a)

/* A client that is isolated in ingress, as most are, gets what belongs to its own connections, and nothing else. */
STORY(a_clients_connections_are_answered)
{
	policies_deny(f, FIXTURE_POD1, POLICY_INGRESS);
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->remote), TCP(40000, 80, SYN));
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1), TCP(80, 40000, SYN | ACK));
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1), TCP(80, 40000, ACK));
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1), TCP(80, 40000, RST));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod1), TCP(80, 40000, SYN));
	/* egress decides about connections, since it is who may be asked */
	ISOLATE(f, FIXTURE_POD1, POLICY_EGRESS, { PEER_REMOTE, PROTO_TCP, 80 });
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1), TCP(80, 40000, ACK));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_EGRESS, IN, IP(a->remote, a->pod1), TCP(81, 40000, ACK));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_EGRESS, IN, IP(a->sibling, a->pod1), TCP(80, 40000, ACK));
	policies_deny(f, FIXTURE_POD1, POLICY_EGRESS);
	DROPS(FIXTURE_UPLINK, DROP_POLICY_EGRESS, IN, IP(a->remote, a->pod1), TCP(80, 40000, ACK));
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote), TCP(40000, 80, ACK));
}

STORY(nothing_without_ack_belongs_to_a_connection)
{
	static const uint8_t openings[] = { SYN, SYN | URG, SYN | ECE | 0x80, SYN | FIN, 0, FIN, PSH,
		FIN | PSH | URG };

	ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { PEER_REMOTE, PROTO_TCP, 8080 });
	for (unsigned i = 0; i < sizeof(openings); i++) {
		PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod2), TCP(1000, 8080, openings[i]));
		DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->sibling, a->pod2),
			TCP(1000, 8080, openings[i]));
		DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod2),
			TCP(1000, 8081, openings[i]));
	}
}

/* Declared or learned, a server's port is out of reach for those whom no rule admits, whatever the flags. */
STORY(scans_reach_no_servers_port)
{
	static const uint8_t scans[] = { SYN, SYN | ACK, ACK, FIN, FIN | ACK, 0, FIN | PSH | URG, RST,
		RST | ACK, SYN | URG, SYN | ECE };

	ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { PEER_REMOTE, PROTO_TCP });
	policy_declare_server(policies_state(f, FIXTURE_POD2), 8080);
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod2), TCP(1000, 9090, SYN));
	for (unsigned i = 0; i < sizeof(scans); i++) {
		DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->sibling, a->pod2),
			TCP(1000, 8080, scans[i]));
		DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->sibling, a->pod2),
			TCP(1000, 9090, scans[i]));
		PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod2), TCP(1000, 8080, scans[i]));
	}
	/* what the pod sends makes no port a server's, nor ends one */
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->sibling), TCP(7070, 1000, SYN | ACK));
	assert_false(policy_is_server(policies_state(f, FIXTURE_POD2), 7070));
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->sibling), TCP(8080, 1000, RST));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->sibling, a->pod2), TCP(1000, 8080, ACK));
}

/* What nobody declared and nobody was let in to: what may belong to a connection of the pod's own gets in if the pod may have
 * one with that peer, whether something listens there or not; by scanning, none of these becomes a server's. */
STORY(ports_that_nobody_declared_are_alike)
{
	static const uint8_t openings[] = { SYN, SYN | URG, SYN | ECE, SYN | FIN, FIN, 0, FIN | PSH | URG };
	static const uint8_t others[] = { SYN | ACK, ACK, FIN | ACK, PSH | ACK, RST, RST | ACK };
	const struct policy_state *s;

	policies_deny(f, FIXTURE_POD2, POLICY_INGRESS);
	s = policies_state(f, FIXTURE_POD2);
	for (uint16_t port = 7000; port < 7002; port++) {
		for (unsigned i = 0; i < sizeof(openings); i++)
			DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->sibling, a->pod2),
				TCP(1000, port, openings[i]));
		for (unsigned i = 0; i < sizeof(others); i++)
			PASSES(FIXTURE_UPLINK, IN, IP(a->sibling, a->pod2), TCP(1000, port, others[i]));
		assert_false(policy_is_server(s, port));
	}
	policies_deny(f, FIXTURE_POD2, POLICY_EGRESS);
	for (unsigned i = 0; i < sizeof(others); i++)
		DROPS(FIXTURE_UPLINK, DROP_POLICY_EGRESS, IN, IP(a->sibling, a->pod2),
			TCP(1000, 7002, others[i]));
}

STORY(an_egress_isolated_pod_gets_nothing_out_unasked)
{
	static const uint8_t flags[] = { SYN, SYN | ACK, ACK, FIN, FIN | ACK, 0, RST, RST | ACK, PSH | ACK };

	some_services(f);
	policies_deny(f, FIXTURE_POD1, POLICY_EGRESS);
	policy_declare_server(policies_state(f, FIXTURE_POD1), 8080);
	PASSES(FIXTURE_UPLINK, IN, IP(a->sibling, a->pod1), TCP(2000, 8080, SYN));
	for (unsigned i = 0; i < sizeof(flags); i++) {
		DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote),
			TCP(8080, 2000, flags[i]));
		DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote),
			TCP(40000, 80, flags[i]));
		/* nor by a service */
		DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->web),
			TCP(40000, 80, flags[i]));
		/* not the client's port */
		DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->sibling),
			TCP(8080, 2001, flags[i]));
	}
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote), UDP(53, 53));
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote), SCTP(53, 53));
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote), ICMP(a->echo, 0, .id = 1));
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote),
		ICMP(a->echo_reply, 0, .id = 1));
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote, .proto = 47), DATA(20));
	/* a made-up complaint, about what never came, or about somebody else's */
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote),
		ICMP(a->unreachable, a->closed),
		QUOTE(PKT(FROM_POD1, IP(a->remote, a->pod1), UDP(2000, 8080), DATA(8)), 0));
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote),
		ICMP(a->unreachable, a->closed),
		QUOTE(PKT(FROM_POD1, IP(a->sibling, a->pod1), TCP(2000, 8080, SYN)), 0));
	/* the client, though, is answered */
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->sibling), TCP(8080, 2000, SYN | ACK));
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->sibling), ICMP(a->unreachable, a->closed),
		QUOTE(PKT(FROM_POD1, IP(a->sibling, a->pod1), TCP(2000, 8080, SYN)), 0));
}

STORY(a_server_without_egress_answers_and_a_revoked_policy_ends_it)
{
	ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { PEER_REMOTE, PROTO_TCP, 8080 });
	policies_deny(f, FIXTURE_POD2, POLICY_EGRESS);
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod2), TCP(1000, 8080, SYN));
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->remote), TCP(8080, 1000, SYN | ACK));
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod2), TCP(1000, 8080, ACK));
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->remote), TCP(8080, 1000, ACK));
	/* for as long as the client sends, and two minutes more */
	for (unsigned i = 0; i < 5; i++) {
		pass_time(f, 120);
		PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->remote), TCP(8080, 1000, ACK));
		PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod2), TCP(1000, 8080, ACK));
	}
	ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { PEER_SIBLING, PROTO_TCP, 8080 });
	DROPS(FIXTURE_POD2, DROP_POLICY_EGRESS, FROM_POD2, IP(a->pod2, a->remote), TCP(8080, 1000, ACK));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod2), TCP(1000, 8080, ACK));
}

/* The next question of this kind that control is asked, of which there is one. */
static void
expect_question(struct fixture *f, enum event_kind kind, struct event *out)
{
	struct event event;

	do
		assert_true(fixture_event(f, out));
	while (out->kind != kind);
	while (fixture_event(f, &event))
		assert_int_not_equal(event.kind, kind);
}

STORY(a_server_that_was_quiet_for_long_is_asked_about)
{
	struct policy_state *s;
	struct event event;
	struct ip_addr remote;

	policies_deny(f, FIXTURE_POD2, POLICY_EGRESS);
	s = policies_state(f, FIXTURE_POD2);
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod2), TCP(1000, 8080, SYN));
	while (fixture_event(f, &event))
		assert_int_not_equal(event.kind, EVENT_REPLY_UNKNOWN);
	pass_time(f, 200);
	for (unsigned i = 0; i < 3; i++)
		DROPS(FIXTURE_POD2, DROP_POLICY_EGRESS, FROM_POD2, IP(a->pod2, a->remote),
			TCP(8080, 1000, ACK));
	expect_question(f, EVENT_REPLY_UNKNOWN, &event);
	assert_int_equal(event.port, FIXTURE_POD2);
	assert_int_equal(event.value, 8080u << 16 | 1000);
	assert_true(ip_addr_parse(a->remote, &remote) && ip_addr_eq(&event.addr, &remote));
	/* as control does when it has found the connection */
	reply_write(s, reply_tag(s, &remote, 1000, 8080, PROTO_TCP), f->workers[0]->now_ns);
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->remote), TCP(8080, 1000, ACK));
	/* nobody asks about a client's port */
	DROPS(FIXTURE_POD2, DROP_POLICY_EGRESS, FROM_POD2, IP(a->pod2, a->remote), TCP(8081, 1000, ACK));
	while (fixture_event(f, &event))
		assert_int_not_equal(event.kind, EVENT_REPLY_UNKNOWN);
}

STORY(forgotten_dns_is_told_of_at_once_and_once_a_second)
{
	struct event event;
	struct ip_addr remote;

	assert_true(ip_addr_parse(a->remote, &remote));
	ISOLATE(f, FIXTURE_POD1, POLICY_EGRESS, { PEER_SIBLING, PROTO_UDP, 53 });
	policies_deny(f, FIXTURE_POD1, POLICY_INGRESS);
	pass_time(f, 2);
	for (unsigned i = 0; i < 3; i++)
		DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote), UDP(40000, 53));
	expect_question(f, EVENT_DNS_DENIED, &event);
	assert_int_equal(event.port, FIXTURE_POD1);
	assert_int_equal(event.value, (uint32_t)PROTO_UDP << 16 | 53);
	assert_true(ip_addr_eq(&event.addr, &remote));
	pass_time(f, 2);
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote), TCP(40000, 53, SYN));
	expect_question(f, EVENT_DNS_DENIED, &event);
	assert_int_equal(event.value, (uint32_t)PROTO_TCP << 16 | 53);
	/* what is no question, or allowed, or comes in, is none */
	pass_time(f, 2);
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote), UDP(53, 54));
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote), SCTP(40000, 53));
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->sibling), UDP(40000, 53));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod1), UDP(40000, 53));
	while (fixture_event(f, &event))
		assert_int_not_equal(event.kind, EVENT_DNS_DENIED);
}

static unsigned
count_questions(struct fixture *f, enum fixture_port pod)
{
	struct event event;
	unsigned n = 0;

	while (fixture_event(f, &event))
		n += event.kind == EVENT_REPLY_UNKNOWN && event.port == pod;
	return n;
}

/* As many packets of no connection, from a server's port, as a pod likes to send. */
STORY(a_pods_noise_leaves_its_neighbours_their_questions)
{
	struct counters c;

	policies_deny(f, FIXTURE_POD1, POLICY_EGRESS);
	policies_deny(f, FIXTURE_POD2, POLICY_EGRESS);
	policy_declare_server(policies_state(f, FIXTURE_POD1), 8080);
	policy_declare_server(policies_state(f, FIXTURE_POD2), 8080);
	for (uint16_t i = 0; i < 300; i++)
		DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote),
			TCP(8080, 1000 + i, ACK));
	assert_int_equal(count_questions(f, FIXTURE_POD1), POLICY_POD_ASK_BURST);
	fixture_counters(f, &c);
	assert_int_equal(c.counts[COUNT_POLICY_ASKS_REFUSED], 300 - POLICY_POD_ASK_BURST);
	DROPS(FIXTURE_POD2, DROP_POLICY_EGRESS, FROM_POD2, IP(a->pod2, a->remote), TCP(8080, 5000, ACK));
	assert_int_equal(count_questions(f, FIXTURE_POD2), 1);
	/* it may ask again after a while, but not about whom its rules do not let in */
	pass_time(f, 1);
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote), TCP(8080, 1299, ACK));
	assert_int_equal(count_questions(f, FIXTURE_POD1), 1);
	policies_deny(f, FIXTURE_POD1, POLICY_INGRESS);
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->remote), TCP(8080, 2000, ACK));
	assert_int_equal(count_questions(f, FIXTURE_POD1), 0);
}

/* Who may talk to any port of a pod may do so to one from which the pod has a connection to somebody else. */
STORY(who_is_let_in_ends_no_connection_of_the_pods_own)
{
	struct policy_state *s;
	struct event event;
	struct ip_addr remote;

	ISOLATE(f, FIXTURE_POD1, POLICY_INGRESS, { PEER_SIBLING, PROTO_TCP });
	s = policies_state(f, FIXTURE_POD1);
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->remote), TCP(40000, 443, SYN));
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1), TCP(443, 40000, ACK));
	PASSES(FIXTURE_UPLINK, IN, IP(a->sibling, a->pod1), TCP(1000, 40000, SYN));
	for (unsigned i = 0; i < 3; i++)
		DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod1), TCP(443, 40000, ACK));
	expect_question(f, EVENT_CONNECTION_UNKNOWN, &event);
	assert_int_equal(event.port, FIXTURE_POD1);
	assert_int_equal(event.value, 40000u << 16 | 443);
	assert_true(ip_addr_parse(a->remote, &remote) && ip_addr_eq(&event.addr, &remote));
	/* as control does when it has found the connection, and nobody who listens */
	reply_write(s, reply_tag(s, &remote, 443, 40000, PROTO_TCP), f->workers[0]->now_ns);
	for (unsigned i = 0; i < 5; i++) {
		pass_time(f, 120);
		PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1), TCP(443, 40000, ACK));
	}
	/* nobody asks for what the pod may not have asked */
	policies_deny(f, FIXTURE_POD1, POLICY_EGRESS);
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod1), TCP(444, 40000, ACK));
	while (fixture_event(f, &event))
		assert_int_not_equal(event.kind, EVENT_CONNECTION_UNKNOWN);
}

/* A client may bind any port, even one that it declares as its own server's. */
STORY(a_client_on_a_low_port_gets_its_replies)
{
	policies_deny(f, FIXTURE_POD1, POLICY_INGRESS);
	policy_declare_server(policies_state(f, FIXTURE_POD1), 80);
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->remote), TCP(22, 80, SYN));
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1), TCP(80, 22, SYN | ACK));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod1), TCP(80, 80, SYN | ACK));
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->remote), TCP(80, 80, SYN));
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1), TCP(80, 80, SYN | ACK));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->sibling, a->pod1), TCP(80, 80, SYN | ACK));
	for (unsigned i = 0; i < 5; i++) {
		pass_time(f, 120);
		PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1), TCP(80, 80, ACK));
	}
	policies_deny(f, FIXTURE_POD1, POLICY_EGRESS);
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod1), TCP(80, 80, ACK));
}

STORY(datagrams_are_answered_for_a_while)
{
	policies_deny(f, FIXTURE_POD1, POLICY_INGRESS);
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod1), UDP(53, 40000));
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->remote), UDP(40000, 53));
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1), UDP(53, 40000));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod1), UDP(54, 40000));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod1), UDP(53, 40001));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->sibling, a->pod1), UDP(53, 40000));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod1), SCTP(53, 40000));
	pass_time(f, 130);
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1), UDP(53, 40000));
	/* answers keep nothing alive */
	pass_time(f, 60);
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod1), UDP(53, 40000));
	/* and what is revoked ends at once */
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->remote), UDP(40000, 53));
	policies_deny(f, FIXTURE_POD1, POLICY_EGRESS);
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod1), UDP(53, 40000));
	/* other protocols alike */
	ISOLATE(f, FIXTURE_POD1, POLICY_EGRESS, { PEER_REMOTE });
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod1, .proto = 47), DATA(20));
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->remote, .proto = 47), DATA(20));
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1, .proto = 47), DATA(20));
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->remote), SCTP(2000, 3000));
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1), SCTP(3000, 2000));
}

STORY(a_datagram_server_without_egress_answers)
{
	ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { PEER_REMOTE, PROTO_UDP, 53 });
	policies_deny(f, FIXTURE_POD2, POLICY_EGRESS);
	DROPS(FIXTURE_POD2, DROP_POLICY_EGRESS, FROM_POD2, IP(a->pod2, a->remote), UDP(53, 1000));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->sibling, a->pod2), UDP(1000, 53));
	DROPS(FIXTURE_POD2, DROP_POLICY_EGRESS, FROM_POD2, IP(a->pod2, a->sibling), UDP(53, 1000));
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod2), UDP(1000, 53));
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->remote), UDP(53, 1000));
	policies_deny(f, FIXTURE_POD2, POLICY_INGRESS);
	DROPS(FIXTURE_POD2, DROP_POLICY_EGRESS, FROM_POD2, IP(a->pod2, a->remote), UDP(53, 1000));
}

STORY(echoes_are_told_apart_by_their_number)
{
	policies_deny(f, FIXTURE_POD1, POLICY_INGRESS);
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->remote), ICMP(a->echo, 0, .id = 7, .seq = 1));
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1), ICMP(a->echo_reply, 0, .id = 7, .seq = 1));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod1),
		ICMP(a->echo_reply, 0, .id = 8, .seq = 1));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->sibling, a->pod1),
		ICMP(a->echo_reply, 0, .id = 7, .seq = 1));
	/* by a router on the way, about the echo */
	PASSES(FIXTURE_UPLINK, IN, IP(a->sibling, a->pod1), ICMP(a->unreachable, a->closed),
		QUOTE(PKT(FROM_POD1, IP(a->pod1, a->remote), ICMP(a->echo, 0, .id = 7)), 0));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->sibling, a->pod1),
		ICMP(a->unreachable, a->closed),
		QUOTE(PKT(FROM_POD1, IP(a->pod1, a->remote), ICMP(a->echo, 0, .id = 9)), 0));
}

/* Errors pass if the flow does that they are about; they come from anybody on the way. */
STORY(errors_share_their_flows_fate)
{
	policies_deny(f, FIXTURE_POD1, POLICY_INGRESS);
	ISOLATE(f, FIXTURE_POD1, POLICY_EGRESS, { PEER_REMOTE, PROTO_TCP, 80 },
		{ PEER_REMOTE, PROTO_UDP, 53 });
	PASSES(FIXTURE_UPLINK, IN, IP(a->sibling, a->pod1), ICMP(a->unreachable, a->closed),
		QUOTE(PKT(FROM_POD1, IP(a->pod1, a->remote), TCP(40000, 80, SYN)), 0));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_EGRESS, IN, IP(a->sibling, a->pod1),
		ICMP(a->unreachable, a->closed),
		QUOTE(PKT(FROM_POD1, IP(a->pod1, a->remote), TCP(40000, 81, SYN)), 0));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->sibling, a->pod1),
		ICMP(a->unreachable, a->closed),
		QUOTE(PKT(FROM_POD1, IP(a->pod1, a->remote), UDP(40000, 53)), 0));
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->remote), UDP(40000, 53));
	PASSES(FIXTURE_UPLINK, IN, IP(a->sibling, a->pod1), ICMP(a->unreachable, a->closed),
		QUOTE(PKT(FROM_POD1, IP(a->pod1, a->remote), UDP(40000, 53)), 0));
	/* of another's packet, of none that can be read */
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->sibling, a->pod1),
		ICMP(a->unreachable, a->closed),
		QUOTE(PKT(FROM_POD1, IP(a->pod2, a->remote), TCP(40000, 80, SYN)), 0));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->sibling, a->pod1),
		ICMP(a->unreachable, a->closed), DATA(20));
}

/* The client knows a frontend, the server a port with a slot: both judge who is really there. */
STORY(services_are_judged_on_who_serves)
{
	some_services(f);
	policies_deny(f, FIXTURE_POD1, POLICY_INGRESS);
	ISOLATE(f, FIXTURE_POD1, POLICY_EGRESS, { PEER_POD2, PROTO_TCP, 8080 },
		{ PEER_POD2, PROTO_UDP, 8080 }, { PEER_REMOTE, PROTO_UDP, 5353 });
	ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { PEER_POD1, PROTO_TCP, 8080 },
		{ PEER_POD1, PROTO_UDP, 8080 });
	policies_deny(f, FIXTURE_POD2, POLICY_EGRESS);
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->web), TCP(40000, 80, SYN));
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->pod1), TCP(8080, WIRE1, SYN | ACK));
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->web), TCP(40000, 80, ACK));
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->pod1), TCP(8080, WIRE1, ACK));
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->web), UDP(40000, 80));
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->pod1), UDP(8080, WIRE1));
	DROPS(FIXTURE_POD2, DROP_POLICY_EGRESS, FROM_POD2, IP(a->pod2, a->pod1), UDP(8080, 40000));
	/* a backend on another node */
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->dns), UDP(40000, 53));
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1), UDP(5353, WIRE2));
	/* errors about any of these, either way */
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->pod1), ICMP(a->unreachable, a->closed),
		QUOTE(PKT(FROM_POD1, IP(a->pod1, a->pod2), UDP(WIRE1, 8080), DATA(8)), 0));
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->web), ICMP(a->unreachable, a->closed),
		QUOTE(PKT(FROM_POD2, IP(a->web, a->pod1), UDP(80, 40000), DATA(8)), 0));
	ISOLATE(f, FIXTURE_POD1, POLICY_EGRESS, { PEER_REMOTE });
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->web), TCP(40000, 80, ACK));
	DROPS(FIXTURE_POD2, DROP_POLICY_EGRESS, FROM_POD2, IP(a->pod2, a->pod1), TCP(8080, WIRE1, ACK));
}

/* What leaves the cluster is judged as the pod sends it, and its answers as the pod gets them. */
STORY(masqueraded_flows_are_judged_as_the_pods)
{
	struct mac_addr router = pkt_mac("peer");
	struct ip_prefix way;

	some_services(f);
	ip_prefix_parse(a->echo == 8 ? "203.0.113.0/24" : "2001:db8:9::/64", &way);
	route_table_add_outside(f->routes, &way, ROUTE_UNDERLAY, &router, 0);
	policies_deny(f, FIXTURE_POD1, POLICY_INGRESS);
	ISOLATE(f, FIXTURE_POD1, POLICY_EGRESS, { PEER_OUTSIDE, PROTO_UDP, 53 });
	memset(&f->node.masquerade_ports, 0, sizeof(f->node.masquerade_ports));
	f->node.masquerade_ports.bits[20100 / 64] |= UINT64_C(1) << 20100 % 64;
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->outside), UDP(40000, 54));
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->outside), UDP(40000, 53));
	PASSES(FIXTURE_UPLINK, ETH("peer", "uplink"), IP(a->outside, a->node), UDP(53, 20100));
	PASSES(FIXTURE_UPLINK, ETH("peer", "uplink"), IP(a->client, a->node), ICMP(a->unreachable, a->closed),
		QUOTE(PKT(FROM_POD1, IP(a->node, a->outside), UDP(20100, 53), DATA(8)), 0));
	ISOLATE(f, FIXTURE_POD1, POLICY_EGRESS, { PEER_OUTSIDE, PROTO_UDP, 54 });
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, ETH("peer", "uplink"), IP(a->outside, a->node),
		UDP(53, 20100));
}

STORY(a_pod_may_always_talk_to_itself)
{
	some_services(f);
	policies_deny(f, FIXTURE_POD1, POLICY_INGRESS);
	policies_deny(f, FIXTURE_POD1, POLICY_EGRESS);
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->self), TCP(40000, 80, SYN));
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->self), UDP(40000, 80));
	PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->pod1), UDP(40000, 80));
}

STORY(the_nodes_probes_are_answered_and_nothing_else_is)
{
	policies_deny(f, FIXTURE_POD2, POLICY_INGRESS);
	policies_deny(f, FIXTURE_POD2, POLICY_EGRESS);
	PASSES(FIXTURE_HOST, FROM_HOST, IP(a->host, a->pod2), TCP(50000, 8080, SYN));
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->host), TCP(8080, 50000, SYN | ACK));
	PASSES(FIXTURE_HOST, FROM_HOST, IP(a->host, a->pod2), TCP(50000, 8080, ACK));
	PASSES(FIXTURE_HOST, FROM_HOST, IP(a->host, a->pod2), ICMP(a->echo, 0, .id = 3));
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->host), ICMP(a->echo_reply, 0, .id = 3));
	PASSES(FIXTURE_HOST, FROM_HOST, IP(a->host, a->pod2), UDP(50000, 161));
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->host), UDP(161, 50000));
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->host), ICMP(a->unreachable, a->closed),
		QUOTE(PKT(FROM_HOST, IP(a->host, a->pod2), UDP(50000, 161), DATA(8)), 0));
	DROPS(FIXTURE_POD2, DROP_POLICY_EGRESS, FROM_POD2, IP(a->pod2, a->host), TCP(8080, 50001, ACK));
	DROPS(FIXTURE_POD2, DROP_POLICY_EGRESS, FROM_POD2, IP(a->pod2, a->host), UDP(161, 50001));
	DROPS(FIXTURE_POD2, DROP_POLICY_EGRESS, FROM_POD2, IP(a->pod2, a->host), ICMP(a->echo, 0, .id = 4));
	/* the node is a peer like any other for what a pod begins */
	ISOLATE(f, FIXTURE_POD2, POLICY_EGRESS, { PEER_NODE, PROTO_TCP, 10250 });
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->host), TCP(40000, 10250, SYN));
}

/* From outside, by a port of the node, whose source the backend does not see. */
STORY(clients_outside_are_judged_on_their_address)
{
	const struct layer *answer;

	exposed_services(f);
	policies_deny(f, FIXTURE_POD2, POLICY_INGRESS);
	policies_deny(f, FIXTURE_POD2, POLICY_EGRESS);
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, ETH("peer", "uplink"), IP(a->client, a->node),
		TCP(40002, PORT_NEAR, SYN));
	ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { PEER_NODE });
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, ETH("peer", "uplink"), IP(a->client, a->node),
		TCP(40004, PORT_NEAR, SYN));
	ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { PEER_OUTSIDE, PROTO_TCP, 8080 });
	PASSES(FIXTURE_UPLINK, ETH("peer", "uplink"), IP(a->client, a->node), TCP(40006, PORT_NEAR, SYN));
	PASSES(FIXTURE_UPLINK, ETH("peer", "uplink"), IP(a->client, a->node), TCP(40006, PORT_LOCAL, SYN));
	/* with the client's own address the answer is like any other */
	answer = PKT(FROM_POD2, IP(a->pod2, a->client), TCP(8080, 40006, SYN | ACK));
	expect(f, __LINE__, FIXTURE_POD2, DROP_NONE, answer);
	policies_deny(f, FIXTURE_POD2, POLICY_INGRESS);
	expect(f, __LINE__, FIXTURE_POD2, DROP_POLICY_EGRESS, answer);
}

/* The backend knows its client by a reserved address of the node, and only the flow's owner knows more. */
STORY(answers_to_clients_outside_are_judged_on_the_clients_address)
{
	/* of flows whose owners are the first worker and the second, where there are two */
	static const uint16_t client_ports[] = { 40000, 40002, 40004, 40006 };

	exposed_services(f);
	for (unsigned i = 0; i < sizeof(client_ports) / sizeof(client_ports[0]); i++) {
		uint16_t port = client_ports[i], wire;

		ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { PEER_OUTSIDE, PROTO_TCP, 8080 });
		policies_deny(f, FIXTURE_POD2, POLICY_EGRESS);
		wire = send(f, FIXTURE_UPLINK,
			PKT(ETH("peer", "uplink"), IP(a->client, a->node), TCP(port, PORT_NEAR, SYN)))
			       .sport;
		assert_int_not_equal(wire, 0);
		PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->inbound), TCP(8080, wire, SYN | ACK));
		DROPS(FIXTURE_POD2, DROP_POLICY_EGRESS, FROM_POD2, IP(a->pod2, a->inbound),
			TCP(8081, wire, SYN | ACK));
		policies_deny(f, FIXTURE_POD2, POLICY_INGRESS);
		DROPS(FIXTURE_POD2, DROP_POLICY_EGRESS, FROM_POD2, IP(a->pod2, a->inbound),
			TCP(8080, wire, SYN | ACK));
	}
}

/* Nor when it was open before: what it was allowed then counts for nothing. */
STORY(a_closed_pod_answers_no_client_outside)
{
	static const uint16_t client_ports[] = { 40000, 40002, 40004, 40006 };
	uint16_t wires[4];

	exposed_services(f);
	ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { PEER_OUTSIDE, PROTO_TCP, 8080 });
	policies_deny(f, FIXTURE_POD2, POLICY_EGRESS);
	for (unsigned i = 0; i < 4; i++) {
		wires[i] = send(f, FIXTURE_UPLINK,
			PKT(ETH("peer", "uplink"), IP(a->client, a->node),
				TCP(client_ports[i], PORT_NEAR, SYN)))
				   .sport;
		PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->inbound), TCP(8080, wires[i], SYN | ACK));
	}
	policies_close(f, FIXTURE_POD2);
	for (unsigned i = 0; i < 4; i++)
		DROPS(FIXTURE_POD2, DROP_POLICY_CLOSED, FROM_POD2, IP(a->pod2, a->inbound),
			TCP(8080, wires[i], SYN | ACK));
}

/* All parts of a datagram are judged as its first. */
STORY(fragments_share_the_verdict_of_their_first)
{
	bool is_v4 = a->echo == 8;

	ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { PEER_POD1, PROTO_UDP, 53 });
	if (is_v4) {
		PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->pod2, .id = 7, .more = true),
			UDP(1000, 53, .len = 56, .sum = SUM_NONE), DATA(24));
		PASSES(FIXTURE_POD1, FROM_POD1,
			IP(a->pod1, a->pod2, .id = 7, .offset = 32, .proto = PROTO_UDP), DATA(24));
		DROPS(FIXTURE_POD1, DROP_POLICY_INGRESS, FROM_POD1,
			IP(a->pod1, a->pod2, .id = 8, .more = true),
			UDP(1000, 54, .len = 56, .sum = SUM_NONE), DATA(24));
		DROPS(FIXTURE_POD1, DROP_POLICY_INGRESS, FROM_POD1,
			IP(a->pod1, a->pod2, .id = 8, .offset = 32, .proto = PROTO_UDP), DATA(24));
	} else {
		PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->pod2), FRAG(0, true, .id = 7),
			UDP(1000, 53, .len = 56, .sum = SUM_VALID), DATA(24));
		PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->pod2),
			FRAG(32, false, .id = 7, .proto = PROTO_UDP), DATA(24));
		DROPS(FIXTURE_POD1, DROP_POLICY_INGRESS, FROM_POD1, IP(a->pod1, a->pod2),
			FRAG(0, true, .id = 8), UDP(1000, 54, .len = 56), DATA(24));
		DROPS(FIXTURE_POD1, DROP_POLICY_INGRESS, FROM_POD1, IP(a->pod1, a->pod2),
			FRAG(32, false, .id = 8, .proto = PROTO_UDP), DATA(24));
	}
}

STORY(hits_and_denials_are_counted_by_number)
{
	uint64_t allowed = 0, denied = 0;

	ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { PEER_REMOTE, PROTO_TCP, 80 },
		{ PEER_REMOTE, PROTO_TCP, 81 });
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod2), TCP(1000, 81, SYN));
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod2), TCP(1000, 81, ACK));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->remote, a->pod2), TCP(1000, 82, SYN));
	for (unsigned i = 0; i < f->n_workers; i++) {
		assert_int_equal(f->workers[i]->policy_hits->counts[100], 0);
		allowed += f->workers[i]->policy_hits->counts[101];
		denied += f->workers[i]->policy_hits->counts[99];
	}
	assert_int_equal(allowed, 2);
	assert_int_equal(denied, 1);
}

/* By a closed pod's policies, if it had them, nothing passes but what the node sends. */
STORY(closed_pods_get_and_send_nothing)
{
	policies_close(f, FIXTURE_POD2);
	policy_declare_server(policies_state(f, FIXTURE_POD2), 8080);
	for (unsigned i = 0; i < 2; i++) {
		DROPS(FIXTURE_UPLINK, DROP_POLICY_CLOSED, IN, IP(a->remote, a->pod2), TCP(1000, 8080, SYN));
		DROPS(FIXTURE_POD2, DROP_POLICY_CLOSED, FROM_POD2, IP(a->pod2, a->remote),
			TCP(8080, 1000, SYN | ACK));
		DROPS(FIXTURE_UPLINK, DROP_POLICY_CLOSED, IN, IP(a->remote, a->pod2), TCP(80, 40000, ACK));
		DROPS(FIXTURE_UPLINK, DROP_POLICY_CLOSED, IN, IP(a->remote, a->pod2), UDP(1000, 53));
		DROPS(FIXTURE_POD2, DROP_POLICY_CLOSED, FROM_POD2, IP(a->pod2, a->remote), UDP(53, 1000));
		DROPS(FIXTURE_UPLINK, DROP_POLICY_CLOSED, IN, IP(a->sibling, a->pod2),
			ICMP(a->unreachable, a->closed),
			QUOTE(PKT(FROM_POD2, IP(a->pod2, a->remote), UDP(53, 1000)), 0));
	}
	PASSES(FIXTURE_HOST, FROM_HOST, IP(a->host, a->pod2), TCP(50000, 8080, SYN));
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->host), TCP(8080, 50000, SYN | ACK));
}

/* Both ends' policies deny it: it is one packet, which the first would drop; each set of policies counts what it denies. */
STORY(a_packet_would_be_dropped_once)
{
	uint64_t denied = 0;

	policies_deny(f, FIXTURE_POD1, POLICY_EGRESS);
	policies_deny(f, FIXTURE_POD2, POLICY_INGRESS);
	DROPS(FIXTURE_POD1, DROP_POLICY_EGRESS, FROM_POD1, IP(a->pod1, a->pod2), TCP(1000, 8080, SYN));
	for (unsigned i = 0; i < f->n_workers; i++)
		denied += f->workers[i]->policy_hits->counts[99];
	assert_int_equal(denied, f->is_policy_audit ? 2 : 1);
}

/* Who tries policies out and then enforces them cuts nothing that they allow. */
STORY(what_is_allowed_goes_on_when_audit_ends)
{
	ISOLATE(f, FIXTURE_POD2, POLICY_INGRESS, { PEER_REMOTE });
	policies_deny(f, FIXTURE_POD2, POLICY_EGRESS);
	policy_declare_server(policies_state(f, FIXTURE_POD2), 8080);
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod2), TCP(1000, 8080, SYN));
	PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod2), UDP(1000, 53));
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->sibling, a->pod2), TCP(1000, 8080, SYN));
	/* nor does it open what they deny */
	DROPS(FIXTURE_UPLINK, DROP_POLICY_INGRESS, IN, IP(a->sibling, a->pod2), TCP(1000, 9090, SYN));
	assert_false(policy_is_server(policies_state(f, FIXTURE_POD2), 9090));
	policies_enforce(f, FIXTURE_POD2);
	f->is_policy_audit = false;
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->remote), TCP(8080, 1000, SYN | ACK));
	PASSES(FIXTURE_POD2, FROM_POD2, IP(a->pod2, a->remote), UDP(53, 1000));
	DROPS(FIXTURE_POD2, DROP_POLICY_EGRESS, FROM_POD2, IP(a->pod2, a->sibling),
		TCP(8080, 1000, SYN | ACK));
}

/* More flows than the set holds: the young ones are known, and it counts. */
STORY(a_full_reply_set_is_counted)
{
	struct counters c;

	policies_deny(f, FIXTURE_POD1, POLICY_INGRESS);
	for (unsigned i = 0; i < 3 * REPLY_LINES * REPLY_WAYS; i++) {
		struct policy_state *s = policies_state(f, FIXTURE_POD1);
		struct ip_addr remote;

		ip_addr_parse(a->sibling, &remote);
		if (i < 3 * REPLY_LINES * REPLY_WAYS - 1)
			reply_write(s, reply_tag(s, &remote, (uint16_t)i, (uint16_t)(i >> 16), PROTO_UDP), 0);
	}
	for (unsigned i = 0; i < 4; i++)
		PASSES(FIXTURE_POD1, FROM_POD1, IP(a->pod1, a->remote), UDP((uint16_t)(40000 + i), 53));
	for (unsigned i = 0; i < 4; i++)
		PASSES(FIXTURE_UPLINK, IN, IP(a->remote, a->pod1), UDP(53, (uint16_t)(40000 + i)));
	fixture_counters(f, &c);
	assert_in_range(c.counts[COUNT_REPLY_SET_FULL], 3, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clients_connections_are_answered),
		cmocka_unit_test(nothing_without_ack_belongs_to_a_connection),
		cmocka_unit_test(scans_reach_no_servers_port),
		cmocka_unit_test(ports_that_nobody_declared_are_alike),
		cmocka_unit_test(an_egress_isolated_pod_gets_nothing_out_unasked),
		cmocka_unit_test(a_server_without_egress_answers_and_a_revoked_policy_ends_it),
		cmocka_unit_test(a_server_that_was_quiet_for_long_is_asked_about),
		cmocka_unit_test(forgotten_dns_is_told_of_at_once_and_once_a_second),
		cmocka_unit_test(a_pods_noise_leaves_its_neighbours_their_questions),
		cmocka_unit_test(who_is_let_in_ends_no_connection_of_the_pods_own),
		cmocka_unit_test(a_client_on_a_low_port_gets_its_replies),
		cmocka_unit_test(datagrams_are_answered_for_a_while),
		cmocka_unit_test(a_datagram_server_without_egress_answers),
		cmocka_unit_test(echoes_are_told_apart_by_their_number),
		cmocka_unit_test(errors_share_their_flows_fate),
		cmocka_unit_test(services_are_judged_on_who_serves),
		cmocka_unit_test(masqueraded_flows_are_judged_as_the_pods),
		cmocka_unit_test(a_pod_may_always_talk_to_itself),
		cmocka_unit_test(the_nodes_probes_are_answered_and_nothing_else_is),
		cmocka_unit_test(clients_outside_are_judged_on_their_address),
		cmocka_unit_test(answers_to_clients_outside_are_judged_on_the_clients_address),
		cmocka_unit_test(a_closed_pod_answers_no_client_outside),
		cmocka_unit_test(fragments_share_the_verdict_of_their_first),
		cmocka_unit_test(hits_and_denials_are_counted_by_number),
		cmocka_unit_test(closed_pods_get_and_send_nothing),
		cmocka_unit_test(a_packet_would_be_dropped_once),
		cmocka_unit_test(what_is_allowed_goes_on_when_audit_ends),
		cmocka_unit_test(a_full_reply_set_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
