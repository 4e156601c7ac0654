/* Random policies, pods and packets: what the pipeline does with the first packet of a flow is what the policies say, read one
 * by one as they were written, and what answers it passes; where the mode is audit all pass, and what would be dropped counts.
 * From pods and, through the tunnel, from other nodes' pods; both families; one worker and two. The cluster changes all the
 * time. And of what is denied: with the policy that explain would print for it, read from its YAML, it passes, and nothing else
 * that did not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/build/policy_advice.h"
#include "control/build/policy_build.h"
#include "control/source/decode.h"
#include "control/source/encode_policy.h"
#include "control/source/yaml_print.h"
#include "tests/packets/names.h"
#include "tests/support/fixtures.h"
#include "tests/support/pkt_build.h"
#include "tests/support/pkt_print.h"
#include "tests/support/policies.h"
#include "tests/support/policy_world.h"

#define N_SEEDS 150
#define N_STEPS 40
#define N_FLOWS 40 /* between two changes, as far as the fixture can send them */
#define ADVISED 12 /* of so many denied ones, one by what would allow it */
#define COMPANY 6  /* flows that are asked for before and after */

/* One end of a flow. */
struct end {
	struct ip_addr addr;
	char text[IP_ADDR_STRLEN];
	enum fixture_port port; /* FIXTURE_UPLINK: on another node */
	const char *vtep;       /* its node's, then */
	const struct local_pod *pod;
	uint16_t number; /* TCP, UDP or SCTP port */
};

struct flow {
	struct end client, server;
	uint8_t proto;
	uint16_t id; /* of an echo */
	bool is_v4;
};

struct told {
	struct policy_world w;
	struct fixture *f;
	struct policy_builder *b;
	const struct policy_table *table;
	uint64_t seed;
	unsigned n_flows, n_isolated, n_allowed, n_closed, n_audited, n_advised, n_neighbours;
};

static void
begin(struct told *t, uint64_t seed)
{
	policy_world_init(&t->w, seed, seed % 4 == 0 ? 60 : 16);
	t->seed = seed;
	t->w.are_locals_fixed = true;
	t->w.n_locals = 2;
	t->w.mode = seed % 3 == 0 ? POLICY_MODE_AUDIT : POLICY_MODE_ENFORCE;
	t->w.locals[0] = policy_world_pod(&t->w, 0, 0);
	t->w.locals[1] = policy_world_pod(&t->w, 1, 3);
	t->w.locals[0].port = FIXTURE_POD1;
	t->w.locals[1].port = FIXTURE_POD2;
	t->f = fixture_new(1 + seed % 2, false);
	for (unsigned pod = FIXTURE_POD1; pod <= FIXTURE_POD2; pod++)
		policies_add_state(t->f, pod);
	t->b = policy_builder_new(t->w.store);
	t->table = NULL;
	assert_non_null(t->b);
}

static void
end(struct told *t)
{
	assert_null(fixture_audit(t->f));
	policy_builder_release(t->b, t->table);
	policy_builder_free(t->b);
	fixture_free(t->f);
	policy_world_fini(&t->w);
}

static void
build(struct told *t)
{
	const struct build_facts facts = { .policy_mode = t->w.mode,
		.n_pods = 2,
		.pods = t->w.locals,
		.n_endpoints = t->f->endpoints->n,
		.endpoints = t->f->endpoints->endpoints };
	const struct policy_table *next;

	assert_int_equal(policy_builder_build(t->b, &facts, t->table, &next), 0);
	if (next != t->table)
		policy_builder_release(t->b, t->table);
	t->table = next;
	t->f->tables.policies = next;
}

/* --- flows */

/* Where an address is; false where the fixture's wires do not lead. */
static bool
find_end(const struct told *t, const struct ip_addr *addr, struct end *out)
{
	static const struct {
		const char *v4, *v6, *vtep;
	} nodes[] = { { "10.244.2.0/24", "fd00:10:244:2::/64", "192.0.2.2" },
		{ "10.244.3.0/24", "fd00:10:244:3::/64", "192.0.2.3" } };

	*out = (struct end){ .addr = *addr, .port = FIXTURE_UPLINK };
	ip_addr_format(addr, out->text);
	for (unsigned i = 0; i < 2; i++) {
		struct ip_prefix v4, v6;

		if (ip_addr_eq(&t->w.locals[i].addrs[V4], addr) ||
			ip_addr_eq(&t->w.locals[i].addrs[V6], addr)) {
			out->port = (enum fixture_port)t->w.locals[i].port;
			out->pod = &t->w.locals[i];
			return true;
		}
		assert_true(ip_prefix_parse(nodes[i].v4, &v4) && ip_prefix_parse(nodes[i].v6, &v6));
		if (ip_prefix_contains(&v4, addr) || ip_prefix_contains(&v6, addr))
			out->vtep = nodes[i].vtep;
	}
	return out->vtep != NULL;
}

static bool
draw_flow(struct told *t, struct flow *flow)
{
	struct policy_question q;
	struct end pod, remote;

	if (!policy_world_ask(&t->w, &q))
		return false;
	flow->is_v4 = ip_addr_is_v4(&q.remote);
	if (!find_end(t, &q.remote, &remote) || !find_end(t, &q.pod->addrs[flow->is_v4 ? V4 : V6], &pod) ||
		remote.pod == pod.pod)
		return false;
	flow->proto = q.proto;
	if (q.proto == PROTO_ICMP || q.proto == PROTO_ICMPV6)
		flow->proto = flow->is_v4 ? PROTO_ICMP : PROTO_ICMPV6;
	else if (q.port == 0)
		return false;
	flow->client = q.direction == POLICY_INGRESS ? remote : pod;
	flow->server = q.direction == POLICY_INGRESS ? pod : remote;
	/* no flow has another's, so that none is the other's answer */
	flow->client.number = flow->id = (uint16_t)(20000 + t->n_flows % 10000);
	flow->server.number = q.port;
	return true;
}

static struct layer
transport(const struct flow *flow, bool is_answer)
{
	uint16_t from = is_answer ? flow->server.number : flow->client.number;
	uint16_t to = is_answer ? flow->client.number : flow->server.number;

	switch (flow->proto) {
	case PROTO_TCP:
		return (struct layer)TCP(from, to, is_answer ? TCP_SYN | TCP_ACK : TCP_SYN);
	case PROTO_UDP:
		return (struct layer)UDP(from, to);
	case PROTO_SCTP:
		return (struct layer)SCTP(from, to);
	case PROTO_ICMP:
		return (struct layer)ICMP(is_answer ? 0 : 8, 0, .id = flow->id);
	default:
		return (struct layer)ICMP(is_answer ? 129 : 128, 0, .id = flow->id);
	}
}

static void
build_packet(const struct flow *flow, bool is_answer, struct frame *out)
{
	const struct end *from = is_answer ? &flow->server : &flow->client;
	const struct end *to = is_answer ? &flow->client : &flow->server;
	struct layer l4 = transport(flow, is_answer);

	if (from->port == FIXTURE_UPLINK)
		pkt_build(out,
			PKT(ETH("peer", "uplink"), IP(from->vtep, NODE_V4, .df = true),
				UDP(50000, 4789, .sum = SUM_NONE), VXLAN(1), INNER_IN,
				IP(from->text, to->text), l4, DATA(20)),
			50000);
	else
		pkt_build(out,
			PKT(ETH(from->port == FIXTURE_POD1 ? "pod1" : "pod2", "gw"), IP(from->text, to->text),
				l4, DATA(20)),
			50000);
}

/* What becomes of a packet, each DROP_NONE if nothing. */
struct fate {
	enum drop_reason dropped, would_drop; /* would_drop: but for audit */
};

static enum drop_reason
would_drop(const struct counters *before, const struct counters *after)
{
	static const enum counter counters[N_DROP_REASONS] = {
		[DROP_POLICY_INGRESS] = COUNT_POLICY_WOULD_DROP_INGRESS,
		[DROP_POLICY_EGRESS] = COUNT_POLICY_WOULD_DROP_EGRESS,
		[DROP_POLICY_CLOSED] = COUNT_POLICY_WOULD_DROP_CLOSED,
	};
	enum drop_reason found = DROP_NONE;
	uint64_t n = 0;

	for (unsigned reason = 0; reason < N_DROP_REASONS; reason++) {
		enum counter c = counters[reason];

		if (c != 0 && after->counts[c] != before->counts[c]) {
			n += after->counts[c] - before->counts[c];
			found = (enum drop_reason)reason;
		}
	}
	assert_in_range(n, 0, 1);
	return found;
}

static struct fate
send(struct told *t, const struct flow *flow, bool is_answer)
{
	struct fixture *f = t->f;
	struct counters before, after;
	struct fate fate = { 0 };
	struct frame in;

	build_packet(flow, is_answer, &in);
	fixture_counters(f, &before);
	assert_true(port_mem_give(
		&f->ports[is_answer ? flow->server.port : flow->client.port], in.bytes, in.len));
	fixture_run(f);
	fixture_counters(f, &after);
	fixture_clear(f);
	fate.would_drop = would_drop(&before, &after);
	for (unsigned reason = 0; reason < N_DROP_REASONS; reason++)
		if (after.drops[reason] != before.drops[reason])
			fate.dropped = (enum drop_reason)reason;
	if ((fate.dropped == DROP_NONE) !=
		(after.verdicts[VERDICT_FORWARD] == before.verdicts[VERDICT_FORWARD] + 1))
		fail_msg("seed %llu: the packet has no end", (unsigned long long)t->seed);
	return fate;
}

/* --- what policies say */

/* Adds what one end says, if it is of this node and there is anything left to judge. */
static void
ask(struct told *t, const struct flow *flow, const struct end *self, const struct end *remote,
	enum policy_direction d, struct fate *fate)
{
	const struct oracle_cluster c = { t->w.store, t->w.n_locals, t->w.locals, t->w.mode };
	enum drop_reason reason = d == POLICY_INGRESS ? DROP_POLICY_INGRESS : DROP_POLICY_EGRESS;
	bool has_ports = flow->proto != PROTO_ICMP && flow->proto != PROTO_ICMPV6;
	struct oracle_verdict v;

	if (self->pod == NULL || fate->dropped != DROP_NONE)
		return;
	v = oracle_judge(&c, self->pod, d, &remote->addr, flow->proto, has_ports ? flow->server.number : 0);
	t->n_closed += v.is_closed;
	t->n_isolated += v.is_isolated && !v.is_closed;
	t->n_allowed += v.is_isolated && v.is_allowed;
	if (v.is_closed)
		reason = DROP_POLICY_CLOSED;
	if (!v.is_allowed && !v.is_audit)
		fate->dropped = reason;
	else if (!v.is_allowed && fate->would_drop == DROP_NONE)
		fate->would_drop = reason;
}

static bool
is_same(const struct fate *a, const struct fate *b)
{
	return a->dropped == b->dropped && a->would_drop == b->would_drop;
}

/* The first: what passes because of audit is judged at its other end, too. */
static enum drop_reason
denial(const struct fate *fate)
{
	return fate->would_drop != DROP_NONE ? fate->would_drop : fate->dropped;
}

/* Of both ends. */
static struct fate
judge(struct told *t, const struct flow *flow)
{
	struct fate fate = { 0 };

	ask(t, flow, &flow->client, &flow->server, POLICY_EGRESS, &fate);
	ask(t, flow, &flow->server, &flow->client, POLICY_INGRESS, &fate);
	return fate;
}

/* --- what would allow it */

struct advice_given {
	unsigned n;
	char names[N_POLICY_DIRECTIONS][2][160];
	size_t n_isolated;
};

static struct object *
read_back(const struct network_policy_object *policy)
{
	json_t *value = policy_encode(policy);
	char *text = yaml_print(value);
	struct decode_error error = { 0 };
	struct object *object = NULL;
	struct yaml_error broken;
	struct yaml_file *file;
	const char *ignored;

	assert_non_null(text);
	if (yaml_file_parse(&file, text, strlen(text), &broken) != 0)
		fail_msg("%s: %s", broken.message, text);
	assert_int_equal(yaml_n_documents(file), 1);
	assert_true(json_equal(value, yaml_document(file, 0)));
	if (object_decode(file, yaml_document(file, 0), 1, NULL, &object, &ignored, &error) != 0 ||
		object == NULL)
		fail_msg("%s: %s", error.message, text);
	yaml_file_free(file);
	json_decref(value);
	free(text);
	return object;
}

static void
follow_advice(struct told *t, const struct flow *flow, enum drop_reason reason, struct advice_given *given)
{
	bool is_in = reason == DROP_POLICY_INGRESS;
	const struct end *self = is_in ? &flow->server : &flow->client;
	const struct policy_denied denied = { .port = self->pod->port,
		.direction = is_in ? POLICY_INGRESS : POLICY_EGRESS,
		.peer = is_in ? flow->client.addr : flow->server.addr,
		.proto = flow->proto,
		.server_port = flow->server.number };
	struct policy_advice advice;

	assert_true(given->n < N_POLICY_DIRECTIONS);
	assert_int_equal(policy_builder_advise(t->b, &denied, &advice), 0);
	assert_null(store_get(
		t->w.store, OBJECT_NETWORK_POLICY, advice.policy->object.ns, advice.policy->object.name));
	snprintf(given->names[given->n][0], sizeof(given->names[0][0]), "%s", advice.policy->object.ns);
	snprintf(given->names[given->n++][1], sizeof(given->names[0][1]), "%s", advice.policy->object.name);
	given->n_isolated += advice.n_isolated;
	assert_int_equal(store_put(t->w.store, read_back(advice.policy)), 0);
	object_free(&advice.policy->object);
	build(t);
}

static void
number_anew(struct told *t, struct flow *flow)
{
	flow->client.number = flow->id = (uint16_t)(20000 + t->n_flows++ % 10000);
}

/* What no narrow rule takes for one another: pods of two namespaces, or a pod and what is none. */
static bool
are_strangers(const struct told *t, const struct end *a, const struct end *b)
{
	const struct oracle_cluster c = { t->w.store, t->w.n_locals, t->w.locals };
	const struct pod_object *one = oracle_pod(&c, &a->addr), *other = oracle_pod(&c, &b->addr);

	if (one == NULL || other == NULL)
		return one != other;
	return strcmp(one->object.ns, other->object.ns) != 0;
}

/* The same but for a port, or for a peer of another namespace; which then have nothing to hope for. */
static bool
draw_neighbour(struct told *t, const struct flow *flow, bool of_server, struct flow *out)
{
	const struct end *kept = of_server ? &flow->server : &flow->client;
	const struct end *left = of_server ? &flow->client : &flow->server;
	struct end *changed = of_server ? &out->client : &out->server, other;
	struct policy_question q;

	*out = *flow;
	if (policy_world_draw(&t->w, 3) == 0 && flow->proto != PROTO_ICMP && flow->proto != PROTO_ICMPV6) {
		out->server.number ^= 1;
		number_anew(t, out);
		return true;
	}
	if (!policy_world_ask(&t->w, &q) || ip_addr_is_v4(&q.remote) != flow->is_v4 ||
		!find_end(t, &q.remote, &other) || (other.pod != NULL && other.pod == kept->pod) ||
		!are_strangers(t, &other, left))
		return false;
	other.number = left->number;
	*changed = other;
	number_anew(t, out);
	return true;
}

static bool
has_its_ports(const struct flow *a, const struct flow *b)
{
	return a->proto == PROTO_ICMP || a->proto == PROTO_ICMPV6 ||
	       (a->proto == b->proto && a->server.number == b->server.number);
}

static void
check_advice(struct told *t, struct flow *flow, enum drop_reason reason)
{
	struct advice_given given = { 0 };
	struct flow others[COMPANY];
	struct fate before[COMPANY], fate;
	bool are_neighbours[COMPANY];
	unsigned n = 0;

	for (unsigned i = 0; i < COMPANY; i++) {
		bool is_drawn = i % 2 == 0
					? draw_flow(t, &others[n])
					: draw_neighbour(t, flow, reason == DROP_POLICY_INGRESS, &others[n]);

		if (!is_drawn)
			continue;
		number_anew(t, &others[n]);
		before[n] = judge(t, &others[n]);
		are_neighbours[n] = i % 2 != 0 && denial(&before[n]) != DROP_NONE;
		t->n_neighbours += are_neighbours[n++];
	}
	while (reason == DROP_POLICY_INGRESS || reason == DROP_POLICY_EGRESS) {
		follow_advice(t, flow, reason, &given);
		number_anew(t, flow); /* in audit it had an answer, which it may count as one to */
		fate = send(t, flow, false);
		reason = denial(&fate);
	}
	if (reason == DROP_NONE)
		t->n_advised++;
	fate = judge(t, flow);
	assert_int_equal(denial(&fate), reason);
	for (unsigned i = 0; i < n; i++) {
		bool passes, did = denial(&before[i]) == DROP_NONE;

		fate = send(t, &others[i], false);
		passes = denial(&fate) == DROP_NONE;
		if (passes == did || (did && given.n_isolated != 0))
			continue;
		if (did || are_neighbours[i] || !has_its_ports(flow, &others[i]))
			fail_msg("seed %llu: what allows %s to %s:%u, protocol %u, %s %s to %s:%u, protocol "
				 "%u",
				(unsigned long long)t->seed, flow->client.text, flow->server.text,
				flow->server.number, flow->proto, did ? "forbids" : "allows as well",
				others[i].client.text, others[i].server.text, others[i].server.number,
				others[i].proto);
	}
	while (given.n-- > 0)
		store_remove(
			t->w.store, OBJECT_NETWORK_POLICY, given.names[given.n][0], given.names[given.n][1]);
	build(t);
}

static void
compare(struct told *t)
{
	struct fate wanted, got;
	struct flow flow;

	if (!draw_flow(t, &flow))
		return;
	t->n_flows++;
	wanted = judge(t, &flow);
	t->n_audited += wanted.would_drop != DROP_NONE;
	got = send(t, &flow, false);
	if (is_same(&got, &wanted) && wanted.dropped == DROP_NONE) {
		got = send(t, &flow, true);
		/* of a flow that would be none, the answer's end may have nothing against it */
		if (wanted.would_drop != DROP_NONE)
			got.would_drop = wanted.would_drop;
	}
	if (!is_same(&got, &wanted))
		fail_msg("seed %llu: %s:%u to %s:%u, protocol %u, %u worker(s): the policies say '%s' ('%s' "
			 "but for audit), the pipeline '%s' ('%s')",
			(unsigned long long)t->seed, flow.client.text, flow.client.number, flow.server.text,
			flow.server.number, flow.proto, t->f->n_workers, drop_reason_label(wanted.dropped),
			drop_reason_label(wanted.would_drop), drop_reason_label(got.dropped),
			drop_reason_label(got.would_drop));
	if ((denial(&wanted) == DROP_POLICY_INGRESS || denial(&wanted) == DROP_POLICY_EGRESS) &&
		policy_world_draw(&t->w, ADVISED) == 0)
		check_advice(t, &flow, denial(&wanted));
}

static void
the_pipeline_does_what_policies_say(void **state)
{
	const char *first = getenv("RINGWAY_TEST_SEED");
	uint64_t seed = first == NULL ? 1 : strtoull(first, NULL, 0);
	struct told t = { 0 };

	for (unsigned i = 0; i < N_SEEDS; i++) {
		begin(&t, seed + i);
		for (unsigned step = 0; step < N_STEPS; step++) {
			for (uint32_t n = policy_world_draw(&t.w, step < 20 ? 10 : 3); n > 0; n--)
				policy_world_change(&t.w);
			build(&t);
			for (unsigned k = 0; k < N_FLOWS; k++)
				compare(&t);
		}
		end(&t);
	}
	print_message("seeds %llu to %llu: %u flows; %u judgements on isolated pods, of which %u allowed; %u "
		      "on closed ones; %u packets would have been dropped but for audit\n",
		(unsigned long long)seed, (unsigned long long)seed + N_SEEDS - 1, t.n_flows, t.n_isolated,
		t.n_allowed, t.n_closed, t.n_audited);
	print_message("%u denied ones pass with what was advised; %u neighbours of theirs do not\n",
		t.n_advised, t.n_neighbours);
	assert_true(t.n_audited > 1000);
	assert_in_range(t.n_allowed * 100ul / t.n_isolated, 30, 70);
	assert_true(t.n_advised > 1000 && t.n_neighbours > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pipeline_does_what_policies_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
