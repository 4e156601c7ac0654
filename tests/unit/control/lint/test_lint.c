/* ringway policies lint on small clusters: what is found, in which words, and what is no finding. */
#include "control/lint/lint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/policy/rule_table.h"
#include "tests/support/objects.h"
#include "tests/support/yaml_objects.h"

#define POD(ns, name, labels, addr, ports)                                                               \
	"kind: Pod\napiVersion: v1\nmetadata: {name: " name ", namespace: " ns ", labels: " labels "}\n" \
	"spec: {nodeName: b, containers: [{name: c, ports: [" ports "]}]}\n"                             \
	"status: {podIPs: [{ip: " addr "}]}\n---\n"

static const char *const cluster =
	"kind: Namespace\napiVersion: v1\nmetadata: {name: shop, labels: {team: green}}\n---\n"
	"kind: Service\napiVersion: v1\nmetadata: {name: kube-dns, namespace: kube-system}\n"
	"spec: {clusterIP: 10.96.0.10, selector: {k8s-app: kube-dns}, ports: [{name: dns, port: 53, "
	"protocol: UDP, "
	"targetPort: dns}, {name: dns-tcp, port: 53, protocol: TCP, targetPort: 5353}]}\n---\n" //
	POD("kube-system", "coredns-1", "{k8s-app: kube-dns}", "10.244.2.2",
		"{name: dns, containerPort: 5353, protocol: UDP}")
		POD("shop", "web-1", "{app: web}", "10.244.2.10", "{name: http, containerPort: 80}") POD(
			"shop", "web-2", "{app: web}", "10.244.2.11", "{name: http, containerPort: 80}")
			POD("shop", "db-1", "{app: db}", "10.244.2.12", "{name: sql, containerPort: 5432}");

#define POLICY(name, spec)                                                                              \
	"kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nmetadata: {name: " name ", namespace: " \
	"shop}\nspec: {" spec "}\n---\n"
#define WEB "podSelector: {matchLabels: {app: web}}"
#define DB "podSelector: {matchLabels: {app: db}}"
#define KUBE_SYSTEM "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}"

struct found {
	const char *policies; /* in YAML */
	const char *kind;     /* NULL: nothing is found */
	const char *name;
	int direction, rule;
	const char *text;
	const char *advice; /* a part of it, NULL: whatever */
};

static const struct found cases[] = {
	/* DNS */
	{ POLICY("deny", WEB ", policyTypes: [Egress]"), "dns", "deny", POLICY_EGRESS, -1,
		"2 pods (web-1, web-2) are isolated, and no rule lets UDP and TCP port 53 of the cluster's "
		"DNS pass: "
		"names are not resolved",
		"namespaceSelector kubernetes.io/metadata.name=kube-system with podSelector "
		"k8s-app=kube-dns" },
	{ POLICY("allow", DB ", egress: [{to: [{podSelector: {}}]}]"), "dns", "allow", POLICY_EGRESS, -1,
		"1 pod (db-1) is isolated, and no rule lets UDP and TCP port 53 of the cluster's DNS pass: "
		"names are not "
		"resolved" },
	{ POLICY("udp", DB ", egress: [{to: [{" KUBE_SYSTEM "}], ports: [{port: 5353, protocol: UDP}]}]"),
		"dns", "udp", POLICY_EGRESS, -1,
		"1 pod (db-1) is isolated, and no rule lets TCP port 53 of the cluster's DNS pass: long "
		"answers do not "
		"come" },
	/* that of the service is not the one that policies see */
	{ POLICY("a", WEB ", policyTypes: [Egress]")
			POLICY("b", WEB ", egress: [{ports: [{port: 53, protocol: UDP}, {port: 5353}]}, {to: "
					"[{ipBlock: {cidr: 10.96.0.10/32}}]}]"),
		"dns", "a", POLICY_EGRESS, -1,
		"2 pods (web-1, web-2) are isolated, together with b, and no rule lets UDP port 53 of the "
		"cluster's DNS "
		"pass: names are not resolved" },
	{ POLICY("a", WEB ", policyTypes: [Egress]") POLICY("b",
		  WEB ", egress: [{to: [{" KUBE_SYSTEM "}], ports: [{port: dns, protocol: UDP}, "
		      "{port: 5353}]}]"),
		NULL },
	{ POLICY("in", WEB ", ingress: [{from: [{podSelector: {}}]}]"), NULL },
	/* whom policies select, and which rules are in force */
	{ POLICY("typo", "podSelector: {matchLabels: {app: wbe}}"), "selects_no_pods", "typo", -1, -1,
		"podSelector app=wbe matches 0 of the 3 pods in namespace shop; nearest is app=web" },
	{ POLICY("key", "podSelector: {matchExpressions: [{key: ap, operator: In, values: [web]}, {key: x, "
			"operator: "
			"DoesNotExist}]}"),
		"selects_no_pods", "key", -1, -1,
		"podSelector ap in (web),!x matches 0 of the 3 pods in namespace shop; nearest is app=web" },
	{ POLICY("types", WEB ", policyTypes: [Ingress], egress: [{}]"), "rules_not_in_force", "types",
		POLICY_EGRESS, -1,
		"spec.egress has 1 rule, but policyTypes leaves Egress out: nothing is isolated, and nothing "
		"allowed by "
		"them",
		"add Egress to spec.policyTypes" },
	{ POLICY("types", WEB ", policyTypes: [Egress], ingress: [{}, {}], egress: [{}]"),
		"rules_not_in_force", "types", POLICY_INGRESS, -1,
		"spec.ingress has 2 rules, but policyTypes leaves Ingress out: nothing is isolated, and "
		"nothing allowed by "
		"them" },
	/* left out, they are Ingress and Egress */
	{ POLICY("types", WEB ", egress: [{}]"), NULL },
	/* peers */
	{ POLICY("peer", DB ", ingress: [{}, {from: [{podSelector: {matchLabels: {app: web}}}, {podSelector: "
			    "{matchLabels: {app: wep}}}]}]"),
		"peer_matches_nothing", "peer", POLICY_INGRESS, 1,
		"from[1]: podSelector app=wep matches 0 of the 3 pods in namespace shop; nearest is app=web",
		"without a namespaceSelector it looks in the policy's own namespace alone" },
	{ POLICY("ns", DB ", ingress: [{from: [{namespaceSelector: {matchLabels: {team: gren}}}]}]"),
		"peer_matches_nothing", "ns", POLICY_INGRESS, 0,
		"from[0]: namespaceSelector team=gren matches 0 of the 2 namespaces; nearest is team=green" },
	{ POLICY("both",
		  DB ", ingress: [{from: [{" KUBE_SYSTEM ", podSelector: {matchLabels: {app: web}}}]}]"),
		"peer_matches_nothing", "both", POLICY_INGRESS, 0,
		"from[0]: podSelector app=web matches 0 of the 1 pods in the namespaces that it selects" },
	/* networks */
	{ POLICY("block",
		  DB ", ingress: [{from: [{ipBlock: {cidr: 10.244.0.0/16, except: [10.244.2.0/29]}}]}]"),
		"block_has_pods", "block", POLICY_INGRESS, 0,
		"from[0]: ipBlock 10.244.0.0/16 has the addresses of 3 pods, shop/db-1 for one, which others "
		"get when that "
		"is gone",
		"ipBlocks are for the outside" },
	{ POLICY("block", DB ", ingress: [{from: [{ipBlock: {cidr: 10.244.2.77/32}}]}]"), "block_has_pods",
		"block", POLICY_INGRESS, 0,
		"from[0]: ipBlock 10.244.2.77/32 lies in the pod network of node b, where no pod has it "
		"now" },
	{ POLICY("block", DB ", ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.244.0.0/16]}}, "
			     "{ipBlock: {cidr: "
			     "192.0.2.0/24}}]}]"),
		NULL },
	/* names of ports */
	{ POLICY("port", WEB ", ingress: [{ports: [{port: htpp}]}]"), "port_of_nobody", "port",
		POLICY_INGRESS, 0,
		"port \"htpp\" (TCP): none of the 2 pods that the policy selects has a port by this name; "
		"nearest is "
		"http" },
	{ POLICY("port", WEB ", ingress: [{ports: [{port: http, protocol: UDP}]}]"), "port_of_nobody", "port",
		POLICY_INGRESS, 0,
		"port \"http\" (UDP): none of the 2 pods that the policy selects has a port by this name of "
		"this protocol",
		"mend the rule's protocol" },
	{ POLICY("port", WEB ", egress: [{}, {to: [{" DB "}], ports: [{port: http}]}]"), "port_of_nobody",
		"port", POLICY_EGRESS, 1,
		"port \"http\" (TCP): none of the 1 pods that are its peers has a port by this name" },
	{ POLICY("port", WEB ", egress: [{}, {ports: [{port: sql}]}]"), NULL },
};

static void
what_is_found(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct found *c = &cases[i];
		struct store *store = store_new();
		const struct lint_finding *f;
		struct lint l;

		put_node(store, "b", "192.0.2.2", "10.244.2.0/24", NULL);
		put_yaml(store, cluster);
		put_yaml(store, c->policies);
		assert_true(lint_run(&l, store));
		if (l.n != (c->kind != NULL))
			fail_msg(
				"%s\n%zu findings: %s", c->policies, l.n, l.n == 0 ? "" : l.findings[0].text);
		f = l.findings;
		if (l.n == 1) {
			assert_string_equal(f->text, c->text);
			assert_string_equal(f->kind, c->kind);
			assert_string_equal(f->name, c->name);
			assert_int_equal(f->direction, c->direction);
			assert_int_equal(f->rule, c->rule);
			assert_true(c->advice == NULL || strstr(f->advice, c->advice) != NULL);
		}
		lint_fini(&l);
		store_free(store);
	}
}

/* Manifests often leave out what is not theirs: a rule for port 53 is enough then. */
static void
dns_that_is_not_known_may_be_anywhere(void **state)
{
	struct store *store = store_new();
	json_t *doc, *finding;
	struct lint l;

	put_yaml(store, POD("shop", "web-1", "{app: web}", "10.244.2.10", ""));
	put_yaml(store, POLICY("dns", WEB ", egress: [{to: [{" KUBE_SYSTEM
					  "}], ports: [{port: 53, protocol: UDP}, {port: 53}]}]"));
	assert_true(lint_run(&l, store));
	assert_int_equal(l.n, 1); /* that the namespace is not there */
	assert_string_equal(l.findings[0].kind, "peer_matches_nothing");
	lint_fini(&l);
	put_yaml(store, POLICY("dns", WEB ", egress: [{ports: [{port: 443}]}]"));
	assert_true(lint_run(&l, store));
	assert_int_equal(l.n, 1);
	doc = lint_json(&l);
	finding = json_array_get(json_object_get(doc, "findings"), 0);
	assert_string_equal(json_string_value(json_object_get(finding, "kind")), "dns");
	assert_string_equal(json_string_value(json_object_get(finding, "direction")), "egress");
	assert_true(json_is_null(json_object_get(finding, "rule")));
	assert_string_equal(json_string_value(json_object_get(finding, "text")),
		"1 pod (web-1) is isolated, and no rule lets UDP and TCP port 53 of the cluster's DNS "
		"(wherever that is) "
		"pass: names are not resolved");
	json_decref(doc);
	lint_fini(&l);
	store_free(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_found),
		cmocka_unit_test(dns_that_is_not_known_may_be_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
