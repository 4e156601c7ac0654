/* explain on a node without a daemon: real tables, workers and stages, mem ports. What it says must be so, and nothing may
 * be different afterwards. */
#include "control/admin/explain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/fixtures.h"
#include "tests/support/objects.h"

struct lab {
	struct fixture *fixture;
	struct store *store;
	struct view view;
	struct port_view ports[FIXTURE_PORTS];
	struct explain_context context;
};

static struct lab *
lab_new(unsigned n_workers, bool v6_underlay)
{
	static const enum port_kind kinds[FIXTURE_PORTS] = {
		[FIXTURE_HOST] = PORT_KIND_HOST,
		[FIXTURE_UPLINK] = PORT_KIND_UPLINK,
	};
	static const char *const names[FIXTURE_PORTS] = { [FIXTURE_POD1] = "pod1", [FIXTURE_POD2] = "pod2" };
	struct lab *lab = calloc(1, sizeof(*lab));

	lab->fixture = fixture_new(n_workers, v6_underlay);
	lab->store = store_new();
	put_node(lab->store, "a", v6_underlay ? "2001:db8::1" : "192.0.2.1", "10.244.1.0/24",
		"fd00:10:244:1::/64");
	put_node(lab->store, "b", v6_underlay ? "2001:db8::2" : "192.0.2.2", "10.244.2.0/24",
		"fd00:10:244:2::/64");
	put_pod(lab->store, "default", "pod1", "a", NULL, NULL, "10.244.1.10", "fd00:10:244:1::10");
	put_pod(lab->store, "default", "pod2", "a", NULL, NULL, "10.244.1.11", "fd00:10:244:1::11");
	put_pod(lab->store, "default", "far", "b", NULL, NULL, "10.244.2.20", "fd00:10:244:2::20");
	put_pod(lab->store, "default", "pending", "a", NULL, NULL, NULL, NULL);
	put_service(lab->store, "default", "web", NULL, NULL, "10.96.0.10", "fd00:10:96::a", 80, PROTO_TCP);
	for (unsigned i = 0; i < FIXTURE_PORTS; i++) {
		const struct port *port = &lab->fixture->ports[i].port;

		lab->ports[i] = (struct port_view){ port->id, kinds[i], port->owner, "default",
			names[i] ? names[i] : "", "" };
	}
	lab->view = (struct view){ .node = "a", .n_ports = FIXTURE_PORTS, .ports = lab->ports };
	lab->context = (struct explain_context){
		.names = { lab->store, &lab->view, &lab->fixture->tables },
		.workers = lab->fixture->workers,
		.n_workers = n_workers,
		.self = "a",
	};
	return lab;
}

static void
lab_free(struct lab *lab)
{
	fixture_free(lab->fixture);
	store_free(lab->store);
	free(lab);
}

static struct admin_reply
ask(struct lab *lab, const char *from, const char *to, const char *size)
{
	struct admin_reply reply = { 0 };
	char error[QUESTION_ERROR_SIZE];
	struct question q;

	if (!question_parse(&q, from, to, NULL, NULL, size, error))
		fail_msg("%s", error);
	explain_answer(&lab->context, &q, &reply);
	return reply;
}

#define STR(o, f) json_string_value(json_object_get(o, f))

/* Counters, frames and ports as if nobody had asked. */
static void
assert_untouched(struct lab *lab)
{
	static const struct counters nothing;
	struct counters sum = { 0 };

	fixture_counters(lab->fixture, &sum);
	assert_memory_equal(&sum, &nothing, sizeof(sum));
	assert_null(fixture_audit(lab->fixture));
	for (unsigned i = 0; i < FIXTURE_PORTS; i++)
		assert_int_equal(lab->fixture->ports[i].n_out, 0);
}

struct explained {
	const char *from, *to, *size;
	const char *verdict, *reason;
	const char *summary; /* begins so */
	const char *after;   /* destination address of what leaves, NULL: nothing does */
};

static const struct explained cases[] = {
	{ "default/pod1", "default/pod2:8080", NULL, "forward", "", "forward, to pod default/pod2 by port",
		"10.244.1.11" },
	{ "default/pod1", "[fd00:10:244:1::11]:8080/udp", NULL, "forward", "",
		"forward, to pod default/pod2 by port", "fd00:10:244:1::11" },
	{ "10.244.1.11", "10.244.1.10/icmp", NULL, "forward", "", "forward, to pod default/pod1 by port",
		"10.244.1.10" },
	{ "default/pod1", "default/far:53/udp", NULL, "forward", "", "forward, through the tunnel to node b",
		"10.244.2.20" },
	{ "default/pod2", "fd00:10:244:2::20/icmp", NULL, "forward", "",
		"forward, through the tunnel to node b", "fd00:10:244:2::20" },
	{ "node", "default/pod1:80", NULL, "forward", "", "forward, to pod default/pod1 by port",
		"10.244.1.10" },
	{ "node", "[fd00:10:244:2::20]:80", NULL, "forward", "", "forward, through the tunnel to node b",
		"fd00:10:244:2::20" },
	{ "default/pod1", "10.244.1.1:10250", NULL, "punt", "", "punt, to the stack of this node",
		"10.244.1.1" },
	{ "default/far", "default/pod2:8080", NULL, "forward", "", "forward, to pod default/pod2 by port",
		"10.244.1.11" },
	{ "fd00:10:244:2::20", "default/pod1:8080/udp", NULL, "forward", "",
		"forward, to pod default/pod1 by port", "fd00:10:244:1::10" },
	{ "default/pod1", "169.254.1.1/icmp", NULL, "reply", "", "reply, the sender gets an echo reply",
		"10.244.1.10" },
	{ "default/pod1", "default/far:80", "1500", "reply", "",
		"reply, the sender gets an ICMP error: the packet is too big", "10.244.1.10" },
	{ "default/pod1", "10.244.4.7:80", NULL, "drop", "no_neighbour", "drop, no_neighbour: ", NULL },
	{ "default/pod1", "10.244.1.99:80", NULL, "drop", "no_route", "drop, no_route: ", NULL },
	{ "default/pod1", "[fd00:10:244:1::99]:80", NULL, "drop", "no_route", "drop, no_route: ", NULL },
	{ "default/pod1", "10.96.0.99:80", NULL, "drop", "no_service", "drop, no_service: ", NULL },
	{ "default/pod1", "10.244.2.20:53/sctp", NULL, "forward", "", "forward, through the tunnel to node b",
		"10.244.2.20" },
	{ "default/pod1", "224.0.0.1:53/udp", NULL, "drop", "multicast", "drop, multicast: ", NULL },
	{ "default/far", "10.244.1.99:80", NULL, "drop", "tunnel_destination",
		"drop, tunnel_destination: ", NULL },
};

static void
check_case(struct lab *lab, const struct explained *c)
{
	struct admin_reply reply = ask(lab, c->from, c->to, c->size);
	const json_t *doc = reply.json, *after;

	if (doc == NULL || strcmp(STR(doc, "verdict"), c->verdict) != 0 ||
		strcmp(STR(doc, "drop_reason"), c->reason) != 0 ||
		strncmp(STR(doc, "summary"), c->summary, strlen(c->summary)) != 0) {
		char *text = doc == NULL ? NULL : json_dumps(doc, JSON_INDENT(1));

		fail_msg("from %s to %s: status %u, %s", c->from, c->to, reply.status, text);
	}
	after = json_object_get(doc, "after");
	if (c->after == NULL) {
		assert_true(json_is_null(after));
		assert_string_not_equal(STR(doc, "help"), "");
	} else {
		assert_string_equal(STR(after, "dst"), c->after);
		assert_string_not_equal(STR(doc, "rewritten"), "");
	}
	assert_true(json_array_size(json_object_get(doc, "steps")) >= 1);
	json_decref(reply.json);
}

static void
verdicts_are_the_pipelines(void **state)
{
	for (unsigned n_workers = 1; n_workers <= 2; n_workers++)
		for (unsigned underlay = 0; underlay < 2; underlay++) {
			struct lab *lab = lab_new(n_workers, underlay == 1);

			for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
				check_case(lab, &cases[i]);
			assert_untouched(lab);
			lab_free(lab);
		}
}

/* Behind a router: one network whose flows are masqueraded, and one that knows the way to pods. */
static void
add_outside(struct fixture *f)
{
	static const struct {
		const char *network;
		uint8_t flags;
	} ways[] = {
		{ "198.51.100.0/24", 0 },
		{ "2001:db8:8::/64", 0 },
		{ "203.0.113.0/24", ROUTE_NATIVE },
		{ "2001:db8:9::/64", ROUTE_NATIVE },
	};
	struct mac_addr router = { { 2, 0, 0, 0, 0, 99 } };

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct ip_prefix prefix;

		assert_true(ip_prefix_parse(ways[i].network, &prefix));
		route_table_add_outside(f->routes, &prefix, ROUTE_UNDERLAY, &router, ways[i].flags);
	}
}

/* The text of a stage's step with this part; NULL: there is none. */
static const char *
step_text(const json_t *doc, const char *stage, const char *part)
{
	const json_t *step;
	size_t i;

	json_array_foreach (json_object_get(doc, "steps"), i, step)
		if (strcmp(STR(step, "stage"), stage) == 0 && strstr(STR(step, "text"), part) != NULL)
			return STR(step, "text");
	return NULL;
}

/* Of a packet that leaves the cluster: its source, and its port, which is returned. */
static unsigned
leave(struct lab *lab, const char *to, const char *src, const char *stage, const char *text)
{
	struct admin_reply reply = ask(lab, "default/pod1", to, NULL);
	const json_t *after = json_object_get(reply.json, "after");
	unsigned sport = (unsigned)json_integer_value(json_object_get(after, "sport"));

	if (reply.json == NULL || strcmp(STR(reply.json, "verdict"), "forward") != 0)
		fail_msg("to %s: %s", to, json_dumps(reply.json, JSON_INDENT(1)));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(reply.json, "out"), "port")),
		lab->fixture->ports[FIXTURE_UPLINK].port.id);
	assert_string_equal(STR(after, "src"), src);
	if (step_text(reply.json, stage, text) == NULL)
		fail_msg("no '%s' in %s", text, json_dumps(reply.json, JSON_INDENT(1)));
	json_decref(reply.json);
	return sport;
}

/* What leaves the cluster has the node's address and a port of the pod's own block; the question takes neither. */
static void
masquerade_is_told_and_takes_no_port(void **state)
{
	static const struct {
		const char *to, *node, *native, *pod;
	} families[] = {
		{ "198.51.100.7:443", "192.0.2.1", "203.0.113.7:443", "10.244.1.10" },
		{ "[2001:db8:8::7]:443", "2001:db8::1", "[2001:db8:9::7]:443", "fd00:10:244:1::10" },
	};

	for (unsigned n_workers = 1; n_workers <= 2; n_workers++) {
		struct lab *lab = lab_new(n_workers, false);
		struct port_blocks before[FIXTURE_WORKERS_MAX];

		add_outside(lab->fixture);
		for (unsigned i = 0; i < n_workers; i++)
			before[i] = *lab->fixture->port_blocks[i];
		for (size_t i = 0; i < 2; i++) {
			unsigned first = leave(lab, families[i].to, families[i].node, "masquerade",
				"leaves the cluster as ");

			assert_in_range(first, FIXTURE_PORT_FIRST, FIXTURE_PORT_FIRST + 4 * 64 - 1);
			assert_int_equal(leave(lab, families[i].to, families[i].node, "masquerade",
						 "a block that only this sender has, 20"),
				first);
			leave(lab, families[i].native, families[i].pod, "route",
				"cluster.nonMasqueradeCIDRs");
		}
		for (unsigned i = 0; i < n_workers; i++) {
			assert_memory_equal(&before[i], lab->fixture->port_blocks[i], sizeof(before[i]));
			assert_true(nat_flows_is_empty(lab->fixture->outbound[i]));
		}
		assert_untouched(lab);
		lab_free(lab);
	}
}

/* A flow that stands is told with the port that it has. */
static void
a_masqueraded_flow_is_told_as_it_stands(void **state)
{
	struct lab *lab = lab_new(1, false);
	struct nat_flow flow = { .client_port = 40000,
		.frontend_port = 443,
		.backend_port = 443,
		.wire_port = FIXTURE_PORT_FIRST + 5,
		.has_block = true,
		.proto = PROTO_TCP };

	add_outside(lab->fixture);
	assert_true(ip_addr_parse("10.244.1.10", &flow.client));
	assert_true(ip_addr_parse("198.51.100.7", &flow.frontend));
	flow.backend = flow.frontend;
	assert_true(ip_addr_parse("192.0.2.1", &flow.wire));
	assert_non_null(nat_flows_add(lab->fixture->outbound[0], &flow, NULL, 0));
	assert_int_equal(
		leave(lab, "198.51.100.7:443", "192.0.2.1", "masquerade", "port 20037"), flow.wire_port);
	assert_untouched(lab);
	lab_free(lab);
}

static void
a_tunnel_shows_outside_and_inside(void **state)
{
	for (unsigned underlay = 0; underlay < 2; underlay++) {
		struct lab *lab = lab_new(1, underlay == 1);
		struct admin_reply reply = ask(lab, "default/pod1", "default/far:53/udp", NULL);
		const json_t *tunnel = json_object_get(reply.json, "tunnel"),
			     *out = json_object_get(reply.json, "out");

		assert_string_equal(STR(tunnel, "src"), underlay == 1 ? "2001:db8::1" : "192.0.2.1");
		assert_string_equal(STR(tunnel, "dst"), underlay == 1 ? "2001:db8::2" : "192.0.2.2");
		assert_int_equal(json_integer_value(json_object_get(tunnel, "dport")), 4789);
		assert_string_equal(STR(out, "name"), "b");
		assert_non_null(
			strstr(STR(reply.json, "rewritten"), "(pod default/far), 28 bytes, in VXLAN"));
		json_decref(reply.json);
		assert_untouched(lab);
		lab_free(lab);
	}
}

static void
names_are_in_the_words(void **state)
{
	struct lab *lab = lab_new(2, false);
	struct admin_reply reply = ask(lab, "default/pod1", "default/pod2:8080", NULL);
	const json_t *steps = json_object_get(reply.json, "steps"), *step;
	bool has_route = false;
	size_t i;

	assert_string_equal(STR(reply.json, "packet"),
		"tcp SYN 10.244.1.10:40000 (pod default/pod1) -> 10.244.1.11:8080 (pod "
		"default/pod2), 44 bytes");
	json_array_foreach (steps, i, step)
		if (strcmp(STR(step, "stage"), "route") == 0) {
			has_route = true;
			assert_non_null(strstr(STR(step, "text"), "(pod default/pod2)"));
			assert_string_equal(STR(step, "where"), "sender's worker 0");
		}
	assert_true(has_route);
	assert_string_equal(STR(json_object_get(reply.json, "from"), "name"), "pod default/pod1");
	json_decref(reply.json);
	lab_free(lab);
}

static void
what_cannot_be_asked_is_refused(void **state)
{
	static const struct {
		const char *from, *to;
		unsigned status;
		const char *error;
	} refused[] = {
		{ "default/nobody", "10.96.0.10:80", 404, "there is no such pod: default/nobody" },
		{ "default/pending", "10.96.0.10:80", 404,
			"this pod of this node is not attached (yet): default/pending" },
		{ "8.8.8.8", "10.96.0.10:80", 422, "8.8.8.8 is not the address of a pod" },
		{ "10.244.1.99", "10.96.0.10:80", 422, "10.244.1.99 is not the address of a pod" },
		{ "default/pod1", "default/nothing:80", 404,
			"there is no service and no pod with an address default/nothing" },
		{ "default/pod1", "default/pod2", 422, "which port of pod default/pod2?" },
		{ "default/pod1", "default/web:https", 422, "service default/web has no port 'https'" },
		{ "10.244.2.20", "[fd00:10:244:1::10]:80", 422, "no address of the destination's family" },
	};
	struct lab *lab = lab_new(1, false);

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct admin_reply reply = ask(lab, refused[i].from, refused[i].to, NULL);

		assert_int_equal(reply.status, refused[i].status);
		if (strstr(STR(reply.json, "error"), refused[i].error) == NULL)
			fail_msg("'%s' is not in '%s'", refused[i].error, STR(reply.json, "error"));
		json_decref(reply.json);
	}
	assert_untouched(lab);
	lab_free(lab);
}

static void
a_drop_has_a_hint(void **state)
{
	struct lab *lab = lab_new(1, false);
	struct admin_reply reply = ask(lab, "default/pod1", "10.244.1.99:80", NULL);

	assert_non_null(strstr(STR(reply.json, "hint"), "`ringway pods`"));
	json_decref(reply.json);
	reply = ask(lab, "default/pod1", "default/web:81", NULL);
	assert_string_equal(STR(reply.json, "hint"), "port 81/tcp is not among those of default/web: 80/tcp");
	json_decref(reply.json);
	reply = ask(lab, "default/pod1", "[fd00:10:96::a]:80", NULL);
	assert_string_equal(STR(reply.json, "hint"),
		"default/web: it has no selector, and nobody made an EndpointSlice with addresses for it");
	json_decref(reply.json);
	for (enum drop_reason reason = DROP_NONE; reason < N_DROP_REASONS; reason++)
		if (explain_hint(reason) != NULL)
			assert_string_not_equal(explain_hint(reason), "");
	lab_free(lab);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_the_pipelines),
		cmocka_unit_test(masquerade_is_told_and_takes_no_port),
		cmocka_unit_test(a_masqueraded_flow_is_told_as_it_stands),
		cmocka_unit_test(a_tunnel_shows_outside_and_inside),
		cmocka_unit_test(names_are_in_the_words),
		cmocka_unit_test(what_cannot_be_asked_is_refused),
		cmocka_unit_test(a_drop_has_a_hint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
