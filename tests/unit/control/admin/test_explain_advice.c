/* What explain prints for packets that policies deny: the policy that would let them pass. That it does, and nothing else,
 * is for tests/packets/test_policy_world.c to try; here is what it looks like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/admin/explain.h"
#include "control/build/policy_build.h"
#include "tests/support/fixtures.h"
#include "tests/support/objects.h"
#include "tests/support/policies.h"
#include "tests/support/yaml_objects.h"

/* pod1 and pod2 are of this node, and replicas of one workload; far is of another. */
static const char *const cluster =
	"kind: Namespace\napiVersion: v1\nmetadata: {name: shop}\n---\n"
	"kind: Namespace\napiVersion: v1\nmetadata: {name: bank}\n---\n"
	"kind: Pod\napiVersion: v1\nmetadata: {name: pod1, namespace: shop, labels: {app: web, "
	"pod-template-hash: x7, version: \"1\"}}\n"
	"spec: {nodeName: a, containers: [{name: c}]}\n"
	"status: {podIPs: [{ip: 10.244.1.10}, {ip: \"fd00:10:244:1::10\"}]}\n---\n"
	"kind: Pod\napiVersion: v1\nmetadata: {name: pod2, namespace: shop, labels: {app: db}}\n"
	"spec: {nodeName: a, containers: [{name: c}]}\n"
	"status: {podIPs: [{ip: 10.244.1.11}, {ip: \"fd00:10:244:1::11\"}]}\n---\n"
	"kind: Pod\napiVersion: v1\nmetadata: {name: far, namespace: bank}\n"
	"spec: {nodeName: b, containers: [{name: c}]}\n"
	"status: {podIPs: [{ip: 10.244.2.20}, {ip: \"fd00:10:244:2::20\"}]}\n";

#define POLICY(name, spec)                                                                              \
	"kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nmetadata: {name: " name ", namespace: " \
	"shop}\nspec: " spec "\n"

struct lab {
	struct fixture *fixture;
	struct store *store;
	struct policy_builder *policies;
	const struct policy_table *table;
	struct port_view ports[FIXTURE_PORTS];
	struct view view;
	struct explain_context context;
	struct admin_reply reply;
};

static void
build(struct lab *lab)
{
	struct local_pod pods[] = { { .port = FIXTURE_POD1, .ns = "shop", .name = "pod1" },
		{ .port = FIXTURE_POD2, .ns = "shop", .name = "pod2" } };
	const struct build_facts facts = { .n_pods = 2,
		.pods = pods,
		.n_endpoints = lab->fixture->endpoints->n,
		.endpoints = lab->fixture->endpoints->endpoints };

	for (unsigned i = 0; i < 2; i++)
		memcpy(pods[i].addrs, endpoint_of_port(lab->fixture->endpoints, pods[i].port)->addrs,
			sizeof(pods[i].addrs));
	assert_int_equal(policy_builder_build(lab->policies, &facts, NULL, &lab->table), 0);
	lab->fixture->tables.policies = lab->table;
}

static struct lab *
lab_new(const char *policies)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	lab->fixture = fixture_new(1, false);
	for (unsigned pod = FIXTURE_POD1; pod <= FIXTURE_POD2; pod++)
		policies_add_state(lab->fixture, pod);
	lab->store = store_new();
	put_node(lab->store, "a", "192.0.2.1", "10.244.1.0/24", "fd00:10:244:1::/64");
	put_node(lab->store, "b", "192.0.2.2", "10.244.2.0/24", "fd00:10:244:2::/64");
	put_yaml(lab->store, cluster);
	put_yaml(lab->store, policies);
	lab->policies = policy_builder_new(lab->store);
	build(lab);
	for (unsigned i = 0; i < FIXTURE_PORTS; i++) {
		const struct port *port = &lab->fixture->ports[i].port;
		bool is_pod = i == FIXTURE_POD1 || i == FIXTURE_POD2;

		lab->ports[i] = (struct port_view){ port->id,
			is_pod              ? PORT_KIND_POD
			: i == FIXTURE_HOST ? PORT_KIND_HOST
					    : PORT_KIND_UPLINK,
			port->owner, "shop",
			i == FIXTURE_POD1 ? "pod1"
			: is_pod          ? "pod2"
					  : "",
			"" };
	}
	lab->view = (struct view){ .node = "a", .n_ports = FIXTURE_PORTS, .ports = lab->ports };
	lab->context = (struct explain_context){ .names = { lab->store, &lab->view, &lab->fixture->tables },
		.workers = lab->fixture->workers,
		.n_workers = 1,
		.self = "a",
		.policies = lab->policies };
	return lab;
}

static void
lab_free(struct lab *lab)
{
	json_decref(lab->reply.json);
	policy_builder_release(lab->policies, lab->table);
	policy_builder_free(lab->policies);
	fixture_free(lab->fixture);
	store_free(lab->store);
	free(lab);
}

static const json_t *
ask(struct lab *lab, const char *from, const char *to, const char *flags)
{
	char error[QUESTION_ERROR_SIZE];
	struct question q;

	json_decref(lab->reply.json);
	lab->reply = (struct admin_reply){ 0 };
	if (!question_parse(&q, from, to, NULL, flags, NULL, error))
		fail_msg("%s", error);
	explain_answer(&lab->context, &q, &lab->reply);
	assert_non_null(lab->reply.json);
	return json_object_get(lab->reply.json, "advice");
}

#define STR(o, f) json_string_value(json_object_get(o, f))

static void
assert_advice(const json_t *advice, const char *direction, const char *note, const char *yaml)
{
	assert_string_equal(STR(advice, "direction"), direction);
	assert_string_equal(STR(advice, "note"), note);
	assert_string_equal(STR(advice, "yaml"), yaml);
	assert_string_equal(STR(json_object_get(advice, "policy"), "kind"), "NetworkPolicy");
}

#define HEAD(name)                                                                        \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: " name \
	"\n  namespace: shop\n"

#define WEB_TO_FAR                                                                        \
	HEAD("allow-web-to-far-udp-53")                                                   \
	"spec:\n  podSelector:\n    matchLabels:\n      app: web\n      version: \"1\"\n" \
	"  policyTypes:\n    - Egress\n  egress:\n    - to:\n"                            \
	"        - namespaceSelector:\n            matchLabels:\n"                        \
	"              kubernetes.io/metadata.name: bank\n          podSelector: {}\n"    \
	"      ports:\n        - protocol: UDP\n          port: 53\n"

static void
a_pod_elsewhere_is_named_by_labels_and_namespace(void **state)
{
	struct lab *lab = lab_new(POLICY("deny", "{podSelector: {}, policyTypes: [Egress]}"));
	const json_t *advice = ask(lab, "shop/pod1", "bank/far:53/udp", NULL);

	assert_int_equal(json_array_size(advice), 1);
	assert_advice(json_array_get(advice, 0), "egress",
		"This would allow it to leave; whether its receiver's policies let it in, that node can "
		"explain. "
		"The peer, pod bank/far, has no labels: all pods of its namespace are allowed.",
		WEB_TO_FAR);
	/* who has applied it is told no more */
	put_yaml(lab->store, WEB_TO_FAR);
	policy_builder_release(lab->policies, lab->table);
	build(lab);
	assert_int_equal(json_array_size(ask(lab, "shop/pod1", "bank/far:53/udp", NULL)), 0);
	assert_string_equal(STR(lab->reply.json, "verdict"), "forward");
	lab_free(lab);
}

static void
both_ends_that_deny_get_one_each(void **state)
{
	struct lab *lab = lab_new(POLICY("deny", "{podSelector: {}, policyTypes: [Ingress, Egress]}"));
	const json_t *advice = ask(lab, "shop/pod1", "shop/pod2:5432", NULL);

	assert_int_equal(json_array_size(advice), 2);
	assert_string_equal(STR(json_array_get(advice, 0), "note"), "This would allow it to leave.");
	assert_advice(json_array_get(advice, 1), "ingress", "This would let it in.",
		HEAD("allow-db-from-web-tcp-5432") "spec:\n  podSelector:\n    matchLabels:\n      app: db\n"
						   "  policyTypes:\n    - Ingress\n  ingress:\n    - from:\n"
						   "        - namespaceSelector:\n            matchLabels:\n"
						   "              kubernetes.io/metadata.name: shop\n"
						   "          podSelector:\n            matchLabels:\n       "
						   "       app: web\n"
						   "              version: \"1\"\n"
						   "      ports:\n        - protocol: TCP\n          port: "
						   "5432\n");
	/* what belongs to a connection, or does not, is a question of its opening */
	assert_int_equal(json_array_size(ask(lab, "shop/pod1", "shop/pod2:5432", "ACK")), 0);
	assert_string_equal(STR(lab->reply.json, "verdict"), "drop");
	lab_free(lab);
}

static void
addresses_outside_and_echoes_get_the_least_that_can_be_written(void **state)
{
	struct lab *lab = lab_new(POLICY("deny", "{podSelector: {matchLabels: {app: db}}}"));
	const json_t *advice = ask(lab, "fd00:10:244:2::20", "[fd00:10:244:1::11]/icmp", NULL);

	assert_advice(json_array_get(advice, 0), "ingress",
		"This would let it in. The peer, pod bank/far, has no labels: all pods of its namespace are "
		"allowed. Only rules without ports match what is neither TCP nor UDP nor SCTP, such as ICMP: "
		"all "
		"ports of all protocols are allowed with it.",
		HEAD("allow-db-from-far") "spec:\n  podSelector:\n    matchLabels:\n      app: db\n"
					  "  policyTypes:\n    - Ingress\n  ingress:\n    - from:\n"
					  "        - namespaceSelector:\n            matchLabels:\n"
					  "              kubernetes.io/metadata.name: bank\n          "
					  "podSelector: {}\n");
	store_remove(lab->store, OBJECT_POD, "bank", "far");
	policy_builder_release(lab->policies, lab->table);
	build(lab);
	advice = ask(lab, "fd00:10:244:2::20", "[fd00:10:244:1::11]:80", NULL);
	assert_advice(json_array_get(advice, 0), "ingress", "This would let it in.",
		HEAD("allow-db-from-fd00-10-244-2-20-tcp-80") "spec:\n  podSelector:\n    matchLabels:\n     "
							      " app: db\n"
							      "  policyTypes:\n    - Ingress\n  ingress:\n   "
							      " - from:\n"
							      "        - ipBlock:\n            cidr: "
							      "\"fd00:10:244:2::20/128\"\n"
							      "      ports:\n        - protocol: TCP\n       "
							      "   port: 80\n");
	lab_free(lab);
}

/* Labels that only tell replicas apart are used when the others would isolate somebody else. */
static void
nobody_else_is_isolated_if_labels_can_avoid_it(void **state)
{
	struct lab *lab = lab_new(POLICY(
		"one", "{podSelector: {matchLabels: {pod-template-hash: x7}}, policyTypes: [Ingress]}"));
	const json_t *advice;

	put_yaml(lab->store,
		"kind: Pod\napiVersion: v1\nmetadata: {name: twin, namespace: shop, labels: {app: web, "
		"version: \"1\"}}\nspec: {nodeName: b, containers: [{name: c}]}\n");
	policy_builder_release(lab->policies, lab->table);
	build(lab);
	advice = json_array_get(ask(lab, "shop/pod2", "shop/pod1:80", NULL), 0);
	assert_string_equal(STR(advice, "note"), "This would let it in.");
	assert_non_null(strstr(STR(advice, "yaml"), "pod-template-hash: x7"));
	lab_free(lab);
	lab = lab_new(POLICY("one", "{podSelector: {matchExpressions: [{key: x, operator: DoesNotExist}]}, "
				    "policyTypes: [Ingress]}"));
	put_yaml(lab->store, "kind: Pod\napiVersion: v1\nmetadata: {name: twin, namespace: shop, labels: "
			     "{app: db, x: \"1\"}}\n"
			     "spec: {nodeName: b, containers: [{name: c}]}\n");
	policy_builder_release(lab->policies, lab->table);
	build(lab);
	advice = json_array_get(ask(lab, "shop/pod1", "shop/pod2:80", NULL), 0);
	assert_string_equal(STR(advice, "note"), "This would let it in. Its podSelector selects 1 pod "
						 "besides that no policy isolates for ingress "
						 "now: they would be isolated. Give the pod a label that "
						 "they do not have, and select by that.");
	lab_free(lab);
}

/* With the reasons that a drop has, and on to where it goes. */
static void
what_passes_by_audit_alone_is_told(void **state)
{
	struct lab *lab = lab_new(POLICY("deny", "{podSelector: {}, policyTypes: [Ingress, Egress]}"));
	const json_t *doc, *would_drop;

	put_yaml(lab->store, "kind: Namespace\napiVersion: v1\nmetadata: {name: shop, annotations: "
			     "{ringway.io/policy-mode: audit}}\n");
	policy_builder_release(lab->policies, lab->table);
	build(lab);
	/* each end's advice, since it is judged at both */
	assert_int_equal(json_array_size(ask(lab, "shop/pod1", "shop/pod2:5432", NULL)), 2);
	doc = lab->reply.json;
	would_drop = json_object_get(doc, "would_drop");
	assert_string_equal(STR(doc, "verdict"), "forward");
	assert_string_equal(STR(doc, "drop_reason"), "");
	assert_string_equal(STR(would_drop, "reason"), "policy_egress");
	assert_string_equal(STR(would_drop, "help"), drop_reason_help(DROP_POLICY_EGRESS));
	assert_string_equal(STR(doc, "hint"), explain_hint(DROP_POLICY_EGRESS));
	assert_non_null(strstr(STR(doc, "summary"), "forward, to pod shop/pod2"));
	assert_non_null(strstr(STR(doc, "summary"), "would be dropped (policy.mode: audit), policy_egress"));
	assert_true(
		json_is_true(json_object_get(json_array_get(json_object_get(doc, "policies"), 0), "audit")));
	/* what is allowed is told as ever */
	put_yaml(lab->store, WEB_TO_FAR);
	policy_builder_release(lab->policies, lab->table);
	build(lab);
	ask(lab, "shop/pod1", "bank/far:53/udp", NULL);
	assert_true(json_is_null(json_object_get(lab->reply.json, "would_drop")));
	assert_null(strstr(STR(lab->reply.json, "summary"), "audit"));
	assert_string_equal(STR(lab->reply.json, "hint"), "");
	lab_free(lab);
}

/* Whoever has all of a pod's labels, and more, is meant too, and may have been kept apart on purpose. */
static void
whom_it_concerns_besides_is_told(void **state)
{
	struct lab *lab = lab_new(POLICY("deny", "{podSelector: {}, policyTypes: [Ingress]}"));
	const json_t *advice;

	put_yaml(lab->store,
		"kind: Pod\napiVersion: v1\nmetadata: {name: vault, namespace: shop, labels: {app: db, tier: "
		"secret}}\nspec: {nodeName: b, containers: [{name: c}]}\n---\n"
		"kind: Pod\napiVersion: v1\nmetadata: {name: twin, namespace: shop, labels: {app: web, "
		"version: \"1\", pod-template-hash: x7}}\nspec: {nodeName: b, containers: [{name: c}]}\n");
	policy_builder_release(lab->policies, lab->table);
	build(lab);
	advice = json_array_get(ask(lab, "shop/pod1", "shop/pod2:80", NULL), 0);
	assert_string_equal(STR(advice, "note"), "This would let it in. The pod's labels are also those of 1 "
						 "pod with further ones, shop/vault for one.");
	advice = json_array_get(ask(lab, "shop/pod2", "shop/pod1:80", NULL), 0);
	assert_string_equal(STR(advice, "note"),
		"This would let it in. The peer's labels are also those of 1 "
		"pod with further ones, shop/vault for one.");
	put_yaml(lab->store, "kind: Pod\napiVersion: v1\nmetadata: {name: pod2, namespace: shop}\n"
			     "spec: {nodeName: a, containers: [{name: c}]}\n"
			     "status: {podIPs: [{ip: 10.244.1.11}, {ip: \"fd00:10:244:1::11\"}]}\n");
	policy_builder_release(lab->policies, lab->table);
	build(lab);
	advice = json_array_get(ask(lab, "shop/pod1", "shop/pod2:80", NULL), 0);
	assert_string_equal(STR(advice, "note"), "This would let it in. The pod has no labels: all pods of "
						 "its namespace are concerned.");
	lab_free(lab);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pod_elsewhere_is_named_by_labels_and_namespace),
		cmocka_unit_test(both_ends_that_deny_get_one_each),
		cmocka_unit_test(addresses_outside_and_echoes_get_the_least_that_can_be_written),
		cmocka_unit_test(nobody_else_is_isolated_if_labels_can_avoid_it),
		cmocka_unit_test(what_passes_by_audit_alone_is_told),
		cmocka_unit_test(whom_it_concerns_besides_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
