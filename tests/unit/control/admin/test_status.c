/* /v1/status and /v1/nodes, on a view, a store and tables made by hand. */
#include "control/admin/status.h"
#include "control/admin/status_dns.h"
#include "control/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/admin/drops.h"
#include "control/admin/nodes.h"
#include "tests/support/fixtures.h"
#include "tests/support/objects.h"

#define STR(o, f) json_string_value(json_object_get(o, f))
#define INT(o, f) ((long)json_integer_value(json_object_get(o, f)))

struct lab {
	struct fixture *fixture;
	struct store *store;
	struct worker_view worker;
	struct view view;
	struct names names;
};

static int
setup(void **state)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	lab->fixture = fixture_new(1, false);
	lab->store = store_new();
	put_node(lab->store, "a", "192.0.2.1", "10.244.1.0/24", "fd00:10:244:1::/64");
	put_node(lab->store, "b", "192.0.2.2", "10.244.2.0/24", "fd00:10:244:2::/64");
	put_node(lab->store, "c-unresolved", "192.0.2.4", "10.244.4.0/24", NULL);
	put_node(lab->store, "d-no-cidr", "192.0.2.9", NULL, NULL);
	put_node(lab->store, "e-no-address", NULL, "10.244.5.0/24", NULL);
	put_node(lab->store, "f-other-family", "2001:db8::9", "10.244.6.0/24", NULL);
	lab->worker = (struct worker_view){ .id = 0, .cpu = 1, .is_alive = true, .n_ports = 4, .cpu_s = 1.5 };
	lab->worker.counters.counts[COUNT_RECEIVED] = 77;
	lab->view = (struct view){
		.node = "a",
		.uptime_s = 6,
		.is_ready = true,
		.tables_version = 3,
		.n_objects = { [OBJECT_NODE] = 6 },
		.ranges = { [V4] = { "10.244.1.0/24", 247, 200 },
			[V6] = { "fd00:10:244:1::/64", 16376, 200 } },
		.uplink = { .interface = "eth0", .is_up = true, .mtu = 1500, .xdp = "skb" },
		.n_pods = 2,
		.n_workers = 1,
		.workers = &lab->worker,
	};
	lab->names = (struct names){ lab->store, &lab->view, &lab->fixture->tables };
	*state = lab;
	return 0;
}

static int
teardown(void **state)
{
	struct lab *lab = *state;

	fixture_free(lab->fixture);
	store_free(lab->store);
	free(lab);
	return 0;
}

static void
each_node_has_a_state_and_a_reason(void **state)
{
	static const struct {
		const char *name, *vtep, *state, *problem;
	} expected[] = {
		{ "a", "192.0.2.1", "self", "" },
		{ "b", "192.0.2.2", "reachable", "" },
		{ "c-unresolved", "192.0.2.4", "resolving", "its next hop is not known" },
		{ "d-no-cidr", "", "unusable", "its Node object has no pod CIDR" },
		{ "e-no-address", "", "unusable", "its Node object has no InternalIP" },
		{ "f-other-family", "", "unusable",
			"it has no address of the family that this node's tunnel uses" },
	};
	struct lab *lab = *state;
	json_t *doc = nodes_json(&lab->names, "a", NULL);
	const json_t *nodes = json_object_get(doc, "nodes");

	assert_int_equal(json_array_size(nodes), 6);
	for (size_t i = 0; i < 6; i++) {
		const json_t *node = json_array_get(nodes, i);

		assert_string_equal(STR(node, "name"), expected[i].name);
		assert_string_equal(STR(node, "vtep"), expected[i].vtep);
		assert_string_equal(STR(node, "state"), expected[i].state);
		assert_memory_equal(STR(node, "problem"), expected[i].problem, strlen(expected[i].problem));
		assert_int_equal(*STR(node, "problem") == '\0', *expected[i].problem == '\0');
		assert_int_equal(json_is_true(json_object_get(node, "self")), i == 0);
	}
	assert_int_equal(strlen(STR(json_array_get(nodes, 1), "next_hop")), 17);
	assert_true(INT(json_array_get(nodes, 1), "mtu") >= 1280);
	json_decref(doc);
}

static json_t *
status_of(const struct lab *lab)
{
	const struct config config = { .dns = { .service = (char *)"kube-system/kube-dns",
					       .zone = (char *)"cluster.local" } };

	return status_json(&(struct status_input){
		.names = lab->names,
		.kernel = "6.1.0",
		.pid = 42,
		.source_errors = json_pack("[s]", "web.yaml:3: spec: wrong"),
		.build_errors = json_array(),
		.warnings = status_warnings(&lab->view, NULL, NULL, NULL, NULL),
		.worked_around = status_worked_around("6.1.0"),
		.dns = dns_status_json(&(struct dns_status_input){
			.config = &config, .store = lab->store, .tables = lab->names.tables }),
	});
}

static void
status_tells_all_of_it(void **state)
{
	struct lab *lab = *state;
	json_t *doc = status_of(lab);
	const json_t *worker;

	assert_non_null(doc);
	assert_string_equal(STR(doc, "node"), "a");
	assert_true(json_is_true(json_object_get(doc, "ready")));
	assert_int_equal(INT(json_object_get(doc, "tables"), "version"), 3);
	worker = json_array_get(json_object_get(doc, "workers"), 0);
	assert_int_equal(INT(worker, "received"), 77);
	assert_int_equal(INT(worker, "cpu"), 1);
	assert_true(json_number_value(json_object_get(worker, "load")) == 0.25);
	assert_string_equal(STR(json_object_get(doc, "tunnel"), "vtep"), "192.0.2.1");
	assert_int_equal(INT(json_object_get(doc, "tunnel"), "port"), 4789);
	assert_int_equal(strlen(STR(json_object_get(doc, "tunnel"), "mac")), 17);
	assert_string_equal(STR(json_object_get(doc, "uplink"), "xdp"), "skb");
	assert_int_equal(INT(json_object_get(doc, "objects"), "Node"), 6);
	assert_int_equal(json_array_size(json_object_get(doc, "ipam")), 2);
	assert_int_equal(json_array_size(json_object_get(doc, "peers")), 5);
	assert_int_equal(json_array_size(json_object_get(doc, "source_errors")), 1);
	assert_int_equal(json_array_size(json_object_get(doc, "worked_around")), 2);
	json_decref(doc);
}

/* 200 of 247 are above 80%, 200 of 16376 are not. */
static void
a_short_pool_and_a_stuck_worker_are_warnings(void **state)
{
	struct lab *lab = *state;
	json_t *warnings = status_warnings(&lab->view, NULL, NULL, NULL, NULL);

	assert_int_equal(json_array_size(warnings), 1);
	assert_non_null(strstr(json_string_value(json_array_get(warnings, 0)),
		"200 of 247 addresses for pods in 10.244.1.0/24"));
	json_decref(warnings);
	lab->worker.is_alive = false;
	warnings = status_warnings(&lab->view, NULL, NULL, NULL, NULL);
	assert_int_equal(json_array_size(warnings), 2);
	assert_string_equal(json_string_value(json_array_get(warnings, 1)), "worker 0 makes no progress");
	json_decref(warnings);
}

static void
who_uses_up_what_others_need_is_named(void **state)
{
	static const struct {
		const char *client;
		double ago_s;
		const char *expected;
	} cases[] = {
		{ "203.0.113.7", 30,
			"203.0.113.7 outside has as many flows at worker 0 as one client may have" },
		{ "2001:db8:1:2::", 30, "2001:db8:1:2::/64 outside has as many flows" },
		{ "203.0.113.7", 3600, NULL },
	};
	struct lab *lab = *state;
	json_t *warnings;

	lab->view.ranges[V4].used = 1;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(ip_addr_parse(cases[i].client, &lab->worker.greedy_client));
		lab->worker.greedy_client_s = cases[i].ago_s;
		warnings = status_warnings(&lab->view, NULL, NULL, NULL, NULL);
		assert_int_equal(json_array_size(warnings), cases[i].expected != NULL);
		if (cases[i].expected != NULL)
			assert_non_null(
				strstr(json_string_value(json_array_get(warnings, 0)), cases[i].expected));
		json_decref(warnings);
	}
	assert_true(ip_addr_parse("10.244.1.10", &lab->worker.greedy_pod));
	warnings = status_warnings(&lab->view, NULL, NULL, NULL, NULL);
	assert_non_null(strstr(json_string_value(json_array_get(warnings, 0)),
		"pod 10.244.1.10 has used up its flows or ports out of the cluster"));
	json_decref(warnings);
}

static void
put_namespace(struct store *store, const char *name, enum policy_mode mode)
{
	struct namespace_object *o = calloc(1, sizeof(*o));

	o->object = (struct object){ .kind = OBJECT_NAMESPACE, .ns = strdup(""), .name = strdup(name) };
	o->has_policy_mode = mode != N_POLICY_MODES;
	o->policy_mode = o->has_policy_mode ? mode : POLICY_MODE_ENFORCE;
	assert_int_equal(store_put(store, &o->object), 0);
}

static void
expect_mode(const struct lab *lab, const char *mode, const char *text)
{
	json_t *doc = status_of(lab), *told = json_object_get(doc, "policy_mode");

	assert_string_equal(STR(told, "mode"), mode);
	assert_string_equal(STR(told, "text"), text);
	json_decref(doc);
}

static void
where_policies_drop_nothing_is_told(void **state)
{
	struct lab *lab = *state;
	json_t *doc, *mode, *would_drop;

	put_namespace(lab->store, "quiet", N_POLICY_MODES);
	expect_mode(lab, "enforce", "");
	put_namespace(lab->store, "shop", POLICY_MODE_AUDIT);
	put_namespace(lab->store, "dev", POLICY_MODE_AUDIT);
	put_namespace(lab->store, "bank", POLICY_MODE_ENFORCE);
	lab->worker.counters.counts[COUNT_POLICY_WOULD_DROP_INGRESS] = 3;
	lab->worker.counters.counts[COUNT_POLICY_WOULD_DROP_CLOSED] = 4;
	expect_mode(lab, "enforce",
		"NetworkPolicies drop nothing in namespaces dev, shop (ringway.io/policy-mode: audit): 7 "
		"packets would have been dropped");
	lab->view.policy_mode = POLICY_MODE_AUDIT;
	expect_mode(lab, "audit",
		"NetworkPolicies drop nothing, but in namespaces bank (policy.mode: audit): 7 packets would "
		"have been dropped");
	store_remove(lab->store, OBJECT_NAMESPACE, "", "bank");
	expect_mode(lab, "audit",
		"NetworkPolicies drop nothing (policy.mode: audit): 7 packets would have been dropped");
	doc = status_of(lab);
	mode = json_object_get(doc, "policy_mode");
	assert_int_equal(json_array_size(json_object_get(mode, "audit_namespaces")), 2);
	assert_int_equal(json_array_size(json_object_get(mode, "enforce_namespaces")), 0);
	would_drop = json_object_get(mode, "would_drop");
	assert_int_equal(INT(would_drop, "packets"), 7);
	assert_int_equal(json_array_size(json_object_get(would_drop, "reasons")), 2);
	assert_string_equal(
		STR(json_array_get(json_object_get(would_drop, "reasons"), 1), "reason"), "policy_closed");
	json_decref(doc);
	/* many are not all named */
	for (char name[] = "ns0"; name[2] < '9'; name[2]++)
		put_namespace(lab->store, name, POLICY_MODE_ENFORCE);
	expect_mode(lab, "audit",
		"NetworkPolicies drop nothing, but in namespaces ns0, ns1, ns2, ns3, ns4, ns5, ns6, ns7 and "
		"1 more (policy.mode: audit): 7 packets would have been dropped");
}

/* By reason, and by the policies that deny it. */
static void
what_would_be_dropped_is_told_apart(void **state)
{
	struct denial_view denials[] = {
		{ .policies = (char *)"shop/a, shop/b", .pods = (char *)"shop/p, shop/q", .packets = 3 },
		{ .is_audit = true, .policies = (char *)"dev/none", .pods = (char *)"dev/r" },
		{ .is_audit = true, .policies = (char *)"dev/deny", .pods = (char *)"dev/p", .packets = 7 },
	};
	struct lab *lab = *state;
	json_t *doc, *would_drop, *row;

	lab->worker.counters.counts[COUNT_POLICY_WOULD_DROP_INGRESS] = 7;
	lab->view.denials = denials;
	lab->view.n_denials = 3;
	doc = drops_json(&lab->view);
	assert_int_equal(INT(doc, "dropped"), 0);
	assert_int_equal(json_array_size(json_object_get(doc, "policies")), 1);
	assert_int_equal(INT(json_array_get(json_object_get(doc, "policies"), 0), "denied"), 3);
	would_drop = json_object_get(doc, "would_drop");
	assert_int_equal(INT(would_drop, "packets"), 7);
	row = json_array_get(json_object_get(would_drop, "reasons"), 0);
	assert_string_equal(STR(row, "reason"), "policy_ingress");
	assert_int_equal(json_array_size(json_object_get(would_drop, "policies")), 1);
	row = json_array_get(json_object_get(would_drop, "policies"), 0);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(row, "policies"), 0)), "dev/deny");
	assert_int_equal(INT(row, "denied"), 7);
	json_decref(doc);
}

static void
status_works_before_the_first_tables(void **state)
{
	struct lab *lab = *state;
	json_t *doc;

	lab->names.tables = NULL;
	lab->view.is_ready = false;
	strcpy(lab->view.not_ready, "no tables are in force yet");
	lab->view.uplink = (struct uplink_view){ .interface = "", .xdp = "" };
	doc = status_of(lab);
	assert_non_null(doc);
	assert_true(json_is_false(json_object_get(doc, "ready")));
	assert_string_equal(STR(doc, "not_ready_reason"), "no tables are in force yet");
	assert_string_equal(STR(json_object_get(doc, "tunnel"), "vtep"), "");
	json_decref(doc);
}

static void
new_kernels_need_no_workaround(void **state)
{
	static const struct {
		const char *release;
		size_t n;
	} cases[] = { { "5.10.0", 2 }, { "6.6.9", 1 }, { "6.8.0-rc1", 0 }, { "7.0", 0 }, { "strange", 0 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *texts = status_worked_around(cases[i].release);

		assert_int_equal(json_array_size(texts), cases[i].n);
		json_decref(texts);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_node_has_a_state_and_a_reason, setup, teardown),
		cmocka_unit_test_setup_teardown(status_tells_all_of_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_short_pool_and_a_stuck_worker_are_warnings, setup, teardown),
		cmocka_unit_test_setup_teardown(who_uses_up_what_others_need_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(where_policies_drop_nothing_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(what_would_be_dropped_is_told_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(status_works_before_the_first_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(new_kernels_need_no_workaround, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
