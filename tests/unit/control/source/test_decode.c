#include "control/source/decode.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/model/network_policy.h"

static int
decode(const char *yaml, struct object **out, const char **ignored, struct decode_error *error)
{
	struct yaml_error yaml_error;
	struct yaml_file *f;
	int result;

	if (yaml_file_parse(&f, yaml, strlen(yaml), &yaml_error) < 0)
		fail_msg("%s: line %u: %s", yaml, yaml_error.line, yaml_error.message);
	result = object_decode(
		f, yaml_document(f, 0), yaml_document_line(f, 0), "t.yaml:1", out, ignored, error);
	yaml_file_free(f);
	return result;
}

static void *
good(const char *yaml)
{
	struct decode_error error = { 0 };
	struct object *object;
	const char *ignored;

	if (decode(yaml, &object, &ignored, &error) < 0)
		fail_msg("%s: line %u: %s: %s", yaml, error.line, error.field, error.message);
	assert_non_null(object);
	assert_string_equal(object->origin, "t.yaml:1");
	return object;
}

static const char *
text(const struct ip_addr *a)
{
	static char buf[4][IP_ADDR_STRLEN];
	static unsigned i;

	return ip_addr_format(a, buf[i++ % 4]);
}

static void
test_node(void **state)
{
	struct node_object *node =
		good("apiVersion: v1\n"
		     "kind: Node\n"
		     "metadata:\n"
		     "  name: node-a\n"
		     "  labels: {topology.kubernetes.io/zone: zone-1, disk: ssd}\n"
		     "  annotations: {ringway.io/tunnel-mac: '0a:52:00:00:00:FF'}\n"
		     "spec: {podCIDR: 10.244.1.0/24, podCIDRs: [10.244.1.0/24, 'fd00:1::/64']}\n"
		     "status:\n"
		     "  addresses:\n"
		     "  - {type: Hostname, address: node-a}\n"
		     "  - {type: Hostname, address: 198.51.100.2}\n"
		     "  - {type: InternalIP, address: 192.0.2.1}\n"
		     "  - {type: InternalIP, address: 'fd00::1'}\n"
		     "  - {type: ExternalIP, address: 198.51.100.1}\n");
	char prefix[IP_PREFIX_STRLEN];

	assert_string_equal(node->object.name, "node-a");
	assert_string_equal(node->object.ns, "");
	assert_int_equal(node->n_addrs, 2);
	assert_string_equal(text(&node->addrs[0]), "192.0.2.1");
	assert_string_equal(text(&node->addrs[1]), "fd00::1");
	assert_int_equal(node->n_external_addrs, 2);
	assert_string_equal(text(&node->external_addrs[0]), "198.51.100.2");
	assert_string_equal(text(&node->external_addrs[1]), "198.51.100.1");
	assert_string_equal(node_zone(node), "zone-1");
	assert_string_equal(labels_get(&node->labels, "disk"), "ssd");
	assert_int_equal(node->n_pod_cidrs, 2);
	assert_string_equal(ip_prefix_format(&node->pod_cidrs[0], prefix), "10.244.1.0/24");
	assert_int_equal(node->tunnel_mac.b[5], 0xff);
	object_free(&node->object);

	node = good("apiVersion: v1\nkind: Node\nmetadata: {name: b}\nspec: {podCIDR: 10.244.2.0/24}\n");
	assert_int_equal(node->n_pod_cidrs, 1);
	assert_int_equal(node->n_addrs, 0);
	assert_string_equal(node_zone(node), "");
	object_free(&node->object);
}

static void
test_uid(void **state)
{
	static const char *const others[] = { "", "7a-1", "2c5ea7e0-9b1d-4c7e-8f3a-0123456789a",
		"2C5EA7E0-9B1D-4C7E-8F3A-0123456789AB", "2c5ea7e0-9b1d-4c7e-8f3a-0123456789abc",
		"2c5ea7e09b1d-4c7e-8f3a-0123456789ab-" };
	struct object *service = good("apiVersion: v1\n"
				      "kind: Service\n"
				      "metadata: {name: web, uid: 2c5ea7e0-9b1d-4c7e-8f3a-0123456789ab}\n"
				      "spec: {clusterIP: None}\n");
	char text[OBJECT_UID_SIZE];

	assert_string_equal(object_uid_format(service, text), "2c5ea7e0-9b1d-4c7e-8f3a-0123456789ab");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(object_uid_parse(others[i], service->uid));
	assert_string_equal(object_uid_format(service, text), "2c5ea7e0-9b1d-4c7e-8f3a-0123456789ab");
	object_free(service);
	service = good("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: None}\n");
	assert_string_equal(object_uid_format(service, text), "");
	object_free(service);
}

static void
test_pod(void **state)
{
	struct pod_object *pod =
		good("apiVersion: v1\n"
		     "kind: Pod\n"
		     "metadata: {name: web-0, namespace: shop, uid: 7a-1, labels: {app: web, n: '1'}}\n"
		     "spec:\n"
		     "  nodeName: node-a\n"
		     "  hostname: web-0\n"
		     "  subdomain: web\n"
		     "  containers:\n"
		     "  - ports:\n"
		     "    - {containerPort: 80, name: http, hostPort: 8080}\n"
		     "    - {containerPort: 53, protocol: UDP, hostPort: 53, hostIP: 127.0.0.1}\n"
		     "    - {containerPort: 54, hostPort: 54, hostIP: 0.0.0.0}\n"
		     "  - {name: no-ports}\n"
		     "  initContainers:\n"
		     "  - ports: [{containerPort: 7, protocol: SCTP}]\n"
		     "status:\n"
		     "  podIP: 10.244.1.9\n"
		     "  podIPs: [{ip: 10.244.1.9}, {ip: 'fd00:1::9'}]\n"
		     "  conditions: [{type: Initialized, status: 'True'}, {type: Ready, "
		     "status: 'True'}]\n");

	assert_string_equal(pod->object.ns, "shop");
	assert_string_equal(pod->node, "node-a");
	assert_string_equal(pod->hostname, "web-0");
	assert_string_equal(pod->subdomain, "web");
	assert_true(pod_uid_is(pod->uid, pod->static_uid, pod_uid_digest("7a-1")));
	assert_false(pod_uid_is(pod->uid, pod->static_uid, pod_uid_digest("7a-2")));
	assert_true(pod_uid_is(pod->uid, pod->static_uid, pod_uid_digest("")));
	assert_string_equal(labels_get(&pod->labels, "app"), "web");
	assert_int_equal(pod->n_addrs, 2);
	assert_int_equal(pod->n_ports, 4);
	assert_true(pod->is_ready && !pod->is_terminating && !pod->has_ended);
	assert_string_equal(pod->ports[0].name, "http");
	assert_int_equal(pod->ports[0].proto, PROTO_TCP);
	assert_int_equal(pod->ports[1].port, 53);
	assert_int_equal(pod->ports[1].proto, PROTO_UDP);
	assert_int_equal(pod->ports[0].host_port, 8080);
	assert_true(ip_addr_is_none(&pod->ports[0].host_ip));
	assert_string_equal(text(&pod->ports[1].host_ip), "127.0.0.1");
	assert_true(ip_addr_is_none(&pod->ports[2].host_ip));
	assert_int_equal(pod->ports[3].proto, PROTO_SCTP);
	assert_int_equal(pod->ports[3].host_port, 0);
	object_free(&pod->object);

	pod = good("apiVersion: v1\nkind: Pod\n"
		   "metadata: {name: p, deletionTimestamp: '2026-01-01T00:00:00Z', uid: 7a-3,\n"
		   "  annotations: {kubernetes.io/config.hash: 0f9e, kubernetes.io/config.mirror: 0f9e}}\n"
		   "spec: {hostNetwork: true, hostname: ''}\n"
		   "status: {phase: Failed, podIP: 10.244.1.9}\n");
	assert_string_equal(pod->object.ns, "default");
	assert_true(pod->host_network);
	assert_true(pod->has_ended && pod->is_terminating && !pod->is_ready);
	assert_true(pod_uid_is(pod->uid, pod->static_uid, pod_uid_digest("0f9e")));
	assert_true(pod_uid_is(pod->uid, pod->static_uid, pod_uid_digest("7a-3")));
	assert_int_equal(pod->n_addrs, 0);
	object_free(&pod->object);
}

static void
test_service(void **state)
{
	struct service_object *s = good(
		"apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
		"spec:\n"
		"  clusterIP: 10.96.0.1\n"
		"  clusterIPs: [10.96.0.1, 'fd00:96::1']\n"
		"  selector: {app: web}\n"
		"  publishNotReadyAddresses: true\n"
		"  ports: [{name: a, port: 80, targetPort: http}, {name: b, port: 80, protocol: UDP}]\n");

	assert_int_equal(s->n_cluster_ips, 2);
	assert_int_equal(s->n_ports, 2);
	assert_string_equal(s->ports[1].name, "b");
	assert_true(s->publish_not_ready);
	assert_false(s->headless);
	assert_int_equal(s->selector.n, 1);
	object_free(&s->object);

	s = good("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: None}\n");
	assert_true(s->headless);
	assert_int_equal(s->n_cluster_ips, 0);
	object_free(&s->object);
}

/* What a service is when nothing is said about it. */
static void
test_service_defaults(void **state)
{
	struct service_object *s = good("apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
					"spec: {clusterIP: 10.96.0.1, ports: [{port: 80}], type: '', "
					"externalTrafficPolicy: '', trafficDistribution: ~}\n");

	assert_int_equal(s->type, SERVICE_CLUSTER_IP);
	assert_int_equal(s->ports[0].node_port, 0);
	assert_int_equal(s->ports[0].target_port, 80);
	assert_null(s->ports[0].target_name);
	assert_false(s->is_foreign || s->publish_not_ready || s->internal_local || s->external_local ||
		     s->topology_auto);
	assert_int_equal(s->distribution, TRAFFIC_ANYWHERE);
	assert_int_equal(s->affinity_timeout_s, 0);
	assert_int_equal(s->health_check_node_port, 0);
	assert_null(s->lb_class);
	assert_null(s->external_name);
	assert_int_equal(s->n_external_ips + s->n_ingress + s->n_source_ranges, 0);
	object_free(&s->object);
}

static void
test_load_balancer(void **state)
{
	struct service_object *s = good(
		"apiVersion: v1\nkind: Service\n"
		"metadata:\n"
		"  name: web\n"
		"  labels: {service.kubernetes.io/service-proxy-name: other}\n"
		"  annotations: {service.kubernetes.io/topology-mode: Auto}\n"
		"spec:\n"
		"  type: LoadBalancer\n"
		"  clusterIP: 10.96.0.1\n"
		"  ports:\n"
		"  - {name: a, port: 80, targetPort: http, nodePort: 30080, appProtocol: example.com/h2}\n"
		"  - {name: b, port: 81, targetPort: 8081}\n"
		"  - {name: c, port: 80, protocol: UDP, nodePort: 30080}\n"
		"  externalIPs: [203.0.113.1, '2001:db8::1']\n"
		"  loadBalancerClass: example.com/lb\n"
		"  loadBalancerSourceRanges: [198.51.100.7/24, '2001:db8:1::/48']\n"
		"  sessionAffinity: ClientIP\n"
		"  internalTrafficPolicy: Local\n"
		"  externalTrafficPolicy: Local\n"
		"  healthCheckNodePort: 30081\n"
		"  trafficDistribution: PreferSameNode\n"
		"status:\n"
		"  loadBalancer:\n"
		"    ingress:\n"
		"    - {ip: 203.0.113.9}\n"
		"    - {hostname: lb.example.com}\n"
		"    - {ip: '2001:db8::9', ipMode: Proxy}\n");
	char prefix[IP_PREFIX_STRLEN];

	assert_int_equal(s->type, SERVICE_LOAD_BALANCER);
	assert_true(s->is_foreign && s->topology_auto && s->internal_local && s->external_local);
	assert_string_equal(s->ports[0].target_name, "http");
	assert_int_equal(s->ports[0].target_port, 0);
	assert_int_equal(s->ports[0].node_port, 30080);
	assert_int_equal(s->ports[1].target_port, 8081);
	assert_int_equal(s->ports[1].node_port, 0);
	assert_int_equal(s->n_external_ips, 2);
	assert_string_equal(text(&s->external_ips[1]), "2001:db8::1");
	assert_string_equal(s->lb_class, "example.com/lb");
	assert_int_equal(s->n_source_ranges, 2);
	assert_string_equal(ip_prefix_format(&s->source_ranges[0], prefix), "198.51.100.0/24");
	assert_int_equal(s->affinity_timeout_s, 10800);
	assert_int_equal(s->health_check_node_port, 30081);
	assert_int_equal(s->distribution, TRAFFIC_SAME_NODE);
	assert_int_equal(s->n_ingress, 2);
	assert_string_equal(text(&s->ingress[0].addr), "203.0.113.9");
	assert_false(s->ingress[0].is_proxy);
	assert_true(s->ingress[1].is_proxy);
	object_free(&s->object);
}

static void
test_node_port(void **state)
{
	struct service_object *s = good("apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
					"spec:\n"
					"  type: NodePort\n"
					"  clusterIP: 10.96.0.1\n"
					"  ports: [{port: 80, nodePort: 30080}]\n"
					"  sessionAffinity: ClientIP\n"
					"  sessionAffinityConfig: {clientIP: {timeoutSeconds: 86400}}\n"
					"  trafficDistribution: PreferClose\n"
					/* a former life's: only a load balancer has ingress addresses */
					"status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}\n");

	assert_int_equal(s->type, SERVICE_NODE_PORT);
	assert_int_equal(s->affinity_timeout_s, 86400);
	assert_int_equal(s->distribution, TRAFFIC_SAME_ZONE);
	assert_int_equal(s->n_ingress, 0);
	object_free(&s->object);
}

/* What an API server would assign may be missing where none has been yet; all else must be right. */
static void
test_draft(void **state)
{
	static const char draft[] = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
				    "spec: {type: NodePort, ports: [{port: 80}]}\n";
	static const char wrong[] = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
				    "spec: {type: NodePort, clusterIP: None, ports: [{port: 80}]}\n";
	struct decode_error error = { 0 };
	struct yaml_error yaml_error;
	struct service_object *s;
	struct object *object;
	const char *ignored;
	struct yaml_file *f;

	assert_int_equal(yaml_file_parse(&f, draft, strlen(draft), &yaml_error), 0);
	assert_int_equal(object_decode(f, yaml_document(f, 0), 1, NULL, &object, &ignored, &error), -EINVAL);
	assert_string_equal(error.field, "spec.clusterIP");
	assert_int_equal(object_decode_draft(f, yaml_document(f, 0), 1, NULL, &object, &ignored, &error), 0);
	s = (struct service_object *)object;
	assert_int_equal(s->n_cluster_ips, 0);
	assert_false(s->headless);
	assert_int_equal(s->ports[0].node_port, 0);
	object_free(object);
	yaml_file_free(f);
	assert_int_equal(yaml_file_parse(&f, wrong, strlen(wrong), &yaml_error), 0);
	assert_int_equal(
		object_decode_draft(f, yaml_document(f, 0), 1, NULL, &object, &ignored, &error), -EINVAL);
	yaml_file_free(f);
}

static void
test_external_name(void **state)
{
	struct service_object *s =
		good("apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
		     "spec: {type: ExternalName, externalName: example.com, externalIPs: [203.0.113.1]}\n");

	assert_int_equal(s->type, SERVICE_EXTERNAL_NAME);
	assert_string_equal(s->external_name, "example.com");
	assert_int_equal(s->n_cluster_ips + s->n_external_ips, 0);
	object_free(&s->object);
}

static void
test_slice(void **state)
{
	struct slice_object *s =
		good("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
		     "metadata: {name: web-x, labels: {kubernetes.io/service-name: web}}\n"
		     "addressType: IPv6\n"
		     "ports: [{port: 8080}, {name: all}]\n"
		     "endpoints:\n"
		     "- {addresses: ['fd00:1::9'], nodeName: node-a, targetRef: {kind: Pod, name: web-0, "
		     "uid: 6ba7}, "
		     "zone: z1, hostname: web-0,\n"
		     "   hints: {forZones: [{name: z1}, {name: z2}], forNodes: [{name: node-a}]}}\n"
		     "- {addresses: ['fd00:1::a'], conditions: {ready: false}}\n"
		     "- {addresses: ['fd00:1::b'], conditions: {ready: false, serving: true, terminating: "
		     "true}}\n");

	assert_string_equal(s->service, "web");
	assert_int_equal(s->family, 6);
	assert_int_equal(s->n_ports, 1);
	assert_int_equal(s->n_endpoints, 3);
	assert_true(s->endpoints[0].ready && s->endpoints[0].serving && !s->endpoints[0].terminating);
	assert_string_equal(s->endpoints[0].pod, "web-0");
	assert_int_not_equal(s->endpoints[0].pod_uid, 0);
	assert_int_equal(s->endpoints[1].pod_uid, 0);
	assert_string_equal(s->endpoints[0].node, "node-a");
	assert_string_equal(s->endpoints[0].zone, "z1");
	assert_int_equal(s->endpoints[0].hints->n_zones, 2);
	assert_string_equal(s->endpoints[0].hints->zones[1], "z2");
	assert_int_equal(s->endpoints[0].hints->n_nodes, 1);
	assert_string_equal(s->endpoints[0].hints->nodes[0], "node-a");
	assert_string_equal(s->endpoints[0].hostname, "web-0");
	assert_null(s->endpoints[1].zone);
	assert_null(s->endpoints[1].hostname);
	assert_null(s->endpoints[1].hints);
	assert_true(!s->endpoints[1].ready && !s->endpoints[1].serving);
	assert_true(!s->endpoints[2].ready && s->endpoints[2].serving && s->endpoints[2].terminating);
	object_free(&s->object);
}

static void
test_creation_times(void **state)
{
	static const struct {
		const char *text;
		int64_t s;
	} cases[] = {
		{ "2026-01-31T12:00:00Z", 1769860800 },
		{ "'2026-01-31T12:00:00Z'", 1769860800 },
		{ "2026-01-31T12:00:00.123456Z", 1769860800 },
		{ "2026-01-31T13:30:00+01:30", 1769860800 },
		{ "2026-01-31T04:00:00-08:00", 1769860800 },
		{ "null", 0 },
		{ "''", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct object *o;
		char yaml[160];

		snprintf(yaml, sizeof(yaml),
			"apiVersion: v1\nkind: Namespace\nmetadata: {name: ns, creationTimestamp: %s}\n",
			cases[i].text);
		o = good(yaml);
		assert_int_equal(o->created_s, cases[i].s);
		object_free(o);
	}
}

static void
test_namespace(void **state)
{
	struct namespace_object *n =
		good("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: a}}\n");

	assert_string_equal(labels_get(&n->labels, "team"), "a");
	assert_string_equal(labels_get(&n->labels, "kubernetes.io/metadata.name"), "shop");
	object_free(&n->object);

	n = good("apiVersion: v1\nkind: Namespace\n"
		 "metadata: {name: shop, labels: {kubernetes.io/metadata.name: bank, team: a}}\n");
	assert_int_equal(n->labels.n, 2);
	assert_string_equal(labels_get(&n->labels, "kubernetes.io/metadata.name"), "shop");
	object_free(&n->object);
}

#define NAMESPACE_WITH(annotation) \
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, annotations: {a/b: c" annotation "}}\n"

static void
test_namespace_policy_mode(void **state)
{
	static const struct {
		const char *yaml;
		bool is_said;
		enum policy_mode mode;
	} cases[] = {
		{ NAMESPACE_WITH(""), false, POLICY_MODE_ENFORCE },
		{ NAMESPACE_WITH(", ringway.io/policy-mode: null"), false, POLICY_MODE_ENFORCE },
		{ NAMESPACE_WITH(", ringway.io/policy-mode: audit"), true, POLICY_MODE_AUDIT },
		{ NAMESPACE_WITH(", ringway.io/policy-mode: enforce"), true, POLICY_MODE_ENFORCE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct namespace_object *n = good(cases[i].yaml);

		assert_int_equal(n->has_policy_mode, cases[i].is_said);
		assert_int_equal(n->policy_mode, cases[i].mode);
		object_free(&n->object);
	}
}

#define POLICY \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: np, namespace: shop}\n"

static void
test_policy(void **state)
{
	struct network_policy_object *p =
		good(POLICY "spec:\n"
			    "  podSelector:\n"
			    "    matchLabels: {app: web}\n"
			    "    matchExpressions:\n"
			    "    - {key: tier, operator: In, values: [front, '']}\n"
			    "    - {key: old, operator: DoesNotExist}\n"
			    "  policyTypes: [Egress, Ingress]\n"
			    "  ingress:\n"
			    "  - from:\n"
			    "    - podSelector: {}\n"
			    "    - namespaceSelector: {matchLabels: {team: a}}\n"
			    "      podSelector: {matchExpressions: [{key: x, operator: Exists}]}\n"
			    "    - ipBlock: {cidr: 10.1.2.3/8, except: [10.1.0.0/16, 10.1.2.0/24]}\n"
			    "    - ipBlock: {cidr: '::/0'}\n"
			    "    ports:\n"
			    "    - {port: 80}\n"
			    "    - {port: 8000, endPort: 8080, protocol: SCTP}\n"
			    "    - {port: dns, protocol: UDP}\n"
			    "    - {protocol: UDP}\n"
			    "  - {}\n"
			    "  egress: []\n");
	const struct policy_rule *rule = &p->rules[0][0];
	char prefix[IP_PREFIX_STRLEN];

	assert_string_equal(p->object.ns, "shop");
	assert_string_equal(labels_get(&p->pods.match_labels, "app"), "web");
	assert_int_equal(p->pods.n_expressions, 2);
	assert_int_equal(p->pods.expressions[0].op, SELECTOR_IN);
	assert_int_equal(p->pods.expressions[0].n_values, 2);
	assert_string_equal(p->pods.expressions[0].values[1], "");
	assert_int_equal(p->pods.expressions[1].op, SELECTOR_DOES_NOT_EXIST);
	assert_true(p->isolates[0] && p->isolates[1]);
	assert_int_equal(p->n_rules[0], 2);
	assert_int_equal(p->n_rules[1], 0);
	assert_int_equal(rule->n_peers, 4);
	assert_true(rule->peers[0].pods != NULL && rule->peers[0].pods->n_expressions == 0);
	assert_true(rule->peers[0].namespaces == NULL && rule->peers[0].block == NULL);
	assert_true(rule->peers[1].pods != NULL && rule->peers[1].namespaces != NULL);
	assert_string_equal(ip_prefix_format(&rule->peers[2].block->cidr, prefix), "10.0.0.0/8");
	assert_int_equal(rule->peers[2].block->n_excepts, 2);
	assert_string_equal(ip_prefix_format(&rule->peers[3].block->cidr, prefix), "::/0");
	assert_int_equal(rule->n_ports, 4);
	assert_true(
		rule->ports[0].proto == PROTO_TCP && rule->ports[0].first == 80 && rule->ports[0].last == 80);
	assert_true(rule->ports[1].proto == PROTO_SCTP && rule->ports[1].last == 8080);
	assert_string_equal(rule->ports[2].name, "dns");
	assert_true(rule->ports[3].name == NULL && rule->ports[3].first == 0 && rule->ports[3].last == 65535);
	assert_true(p->rules[0][1].n_peers == 0 && p->rules[0][1].n_ports == 0);
	object_free(&p->object);
}

/* Which directions a policy isolates when it does not say. */
static void
test_policy_types(void **state)
{
	static const struct {
		const char *spec;
		bool ingress, egress;
	} cases[] = {
		{ "{}", true, false },
		{ "{podSelector: {}}", true, false },
		{ "{ingress: [{}]}", true, false },
		{ "{egress: [{}]}", true, true },
		{ "{egress: []}", true, false },
		{ "{policyTypes: [], egress: [{}]}", true, true },
		{ "{policyTypes: ~}", true, false },
		{ "{policyTypes: [Egress]}", false, true },
		{ "{policyTypes: [Egress], ingress: [{}]}", false, true },
		{ "{policyTypes: [Ingress], egress: [{}]}", true, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct network_policy_object *p;
		char yaml[256];

		snprintf(yaml, sizeof(yaml), POLICY "spec: %s\n", cases[i].spec);
		p = good(yaml);
		if (p->isolates[0] != cases[i].ingress || p->isolates[1] != cases[i].egress)
			fail_msg("%s: ingress %d, egress %d", cases[i].spec, p->isolates[0], p->isolates[1]);
		object_free(&p->object);
	}
}

#define SERVICE "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n"
#define WITH_ADDRESS SERVICE "  clusterIP: 10.96.0.1\n"
#define WITH_PORT WITH_ADDRESS "  ports: [{port: 80}]\n" /* the next line is 7 */
#define SLICE "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web}\n"
#define POD "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
#define SERVICE_CIDR "apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: kubernetes}\n"
#define NODE "apiVersion: v1\nkind: Node\nmetadata: {name: node}\n"

struct bad {
	const char *yaml;
	unsigned line;
	const char *field, *message; /* how it begins */
};

static void
expect_refusal(const struct bad *bad)
{
	struct decode_error error = { 0 };
	const char *ignored;
	struct object *object;

	if (decode(bad->yaml, &object, &ignored, &error) == 0)
		fail_msg("%s: is taken", bad->yaml);
	assert_null(object);
	if (error.line != bad->line || strcmp(error.field, bad->field) != 0 ||
		strncmp(error.message, bad->message, strlen(bad->message)) != 0)
		fail_msg("%s: got line %u: %s: %s", bad->yaml, error.line, error.field, error.message);
}

static void
test_service_cidr(void **state)
{
	static const struct bad bad[] = {
		{ SERVICE_CIDR "spec: {}\n", 4, "spec.cidrs", "is missing or empty" },
		{ SERVICE_CIDR "spec: {cidrs: []}\n", 4, "spec.cidrs", "is missing or empty" },
		{ SERVICE_CIDR "spec: {cidrs: 10.96.0.0/16}\n", 4, "spec.cidrs", "must be a list" },
		{ SERVICE_CIDR "spec: {cidrs: [10.96.0.0/16, 10.97.0.0/33]}\n", 4, "spec.cidrs[1]",
			"\"10.97.0.0/33\" is not a network" },
	};
	struct service_cidr_object *o =
		good(SERVICE_CIDR "spec: {cidrs: [10.96.0.0/16, 'fd00:10:96::/112']}\n");
	char prefix[IP_PREFIX_STRLEN];

	assert_string_equal(o->object.ns, "");
	assert_int_equal(o->n_cidrs, 2);
	assert_string_equal(ip_prefix_format(&o->cidrs[0], prefix), "10.96.0.0/16");
	assert_string_equal(ip_prefix_format(&o->cidrs[1], prefix), "fd00:10:96::/112");
	object_free(&o->object);
	o = good("apiVersion: networking.k8s.io/v1beta1\nkind: ServiceCIDR\nmetadata: {name: kubernetes}\n"
		 "spec: {cidrs: [10.96.0.0/16]}\n");
	assert_int_equal(o->n_cidrs, 1);
	object_free(&o->object);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_refusal(&bad[i]);
}

static void
test_bad(void **state)
{
	static const struct bad cases[] = {
		{ "[1]", 1, "", "must be a mapping" },
		{ "a: 1", 1, "kind", "is missing" },
		{ "kind: [1]", 1, "kind", "must be text" },
		{ "kind: Pod", 1, "apiVersion", "is missing; for a Pod it is v1" },
		{ "apiVersion: v1\nkind: Pod\nmetadata:\n", 3, "metadata.name", "is missing" },
		{ "apiVersion: v1\nkind: Pod\nmetadata:\n  name: Web", 4, "metadata.name",
			"\"Web\" is not a name" },
		{ "apiVersion: v1\nkind: Pod\nmetadata:\n  name: 1", 4, "metadata.name",
			"must be text; quote it" },
		{ "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a.b}", 3, "metadata.namespace",
			"\"a.b\" is not a name" },
		{ "apiVersion: v1\nkind: Pod\nmetadata: {name: p, creationTimestamp: yesterday}", 3,
			"metadata.creationTimestamp", "\"yesterday\" is not a time" },
		{ "apiVersion: v1\nkind: Pod\nmetadata: {name: p, creationTimestamp: 2026-01-31T12:00:00}", 3,
			"metadata.creationTimestamp", "\"2026-01-31T12:00:00\" is not a time" },
		{ "apiVersion: v1\nkind: Pod\nmetadata: {name: p, creationTimestamp: 2026-01-31T12:00:00+1x}",
			3, "metadata.creationTimestamp", "\"2026-01-31T12:00:00+1x\" is not a time" },
		{ NODE "spec:\n  podCIDRs: [10.0.0.0]", 5, "spec.podCIDRs[0]",
			"\"10.0.0.0\" is not a network" },
		{ NODE "spec: {podCIDRs: 10.0.0.0/8}", 4, "spec.podCIDRs", "must be a list" },
		{ NODE "status:\n  addresses:\n  - type: InternalIP\n    address: 300.0.0.1", 7,
			"status.addresses[0].address", "\"300.0.0.1\" is not an IP address" },
		{ NODE "status: {addresses: [{type: InternalIP}]}", 4, "status.addresses[0].address",
			"is missing" },
		{ "apiVersion: v1\nkind: Node\nmetadata:\n  name: node\n  annotations:\n    "
		  "ringway.io/tunnel-mac: 1:2:3",
			6, "metadata.annotations.ringway.io/tunnel-mac",
			"\"1:2:3\" is not an interface's MAC" },
		{ POD "spec:\n  containers:\n  - ports:\n    - containerPort: 0", 7,
			"spec.containers[0].ports[0].containerPort", "is 0, must be from 1 to 65535" },
		{ POD "spec: {hostNetwork: 'true'}", 4, "spec.hostNetwork", "must be true or false" },
		{ POD "status: {podIPs: [{ip: 10.0.0.1}, {ip: 127.0.0.1}]}", 4, "status.podIPs[1].ip",
			"127.0.0.1 is a loopback address" },
		{ SERVICE "  ports: [{port: 80}]\n", 4, "spec.clusterIP", "is missing: nothing assigns" },
		{ SERVICE "  clusterIP: 10.96.0.1\n", 4, "spec.ports", "is missing: a service needs a port" },
		{ SERVICE "  clusterIP: 10.96.0.1\n  clusterIPs: [10.96.0.2]\n", 6, "spec.clusterIPs[0]",
			"must be clusterIP, 10.96.0.1" },
		{ SERVICE "  clusterIPs: [10.96.0.1, 10.96.0.2]\n  ports: [{port: 1}]", 5, "spec.clusterIPs",
			"must hold at most one address of each family" },
		{ SERVICE "  clusterIP: 224.0.0.1\n  ports: [{port: 1}]\n", 5, "spec.clusterIP",
			"224.0.0.1 is a multicast address" },
		{ SERVICE "  clusterIP: 10.96.0.1\n  ports:\n  - port: 80\n  - port: 80\n", 8,
			"spec.ports[1]", "port 80 is given twice" },
		{ SERVICE "  clusterIP: 10.96.0.1\n  ports:\n  - port: 80\n  - port: 81\n", 8,
			"spec.ports[1]", "the name \"\" is given twice" },
		{ SERVICE "  clusterIP: 10.96.0.1\n  ports:\n  - port: 80\n    protocol: tcp\n", 8,
			"spec.ports[0].protocol", "\"tcp\" is not a protocol: TCP, UDP or SCTP" },
		{ SERVICE "  clusterIP: 10.96.0.1\n  ports: [{port: '80'}]\n", 6, "spec.ports[0].port",
			"must be a whole number" },
		{ SERVICE "  clusterIP: 10.96.0.1\n  ports: [~]\n", 6, "spec.ports[0]", "must not be null" },
		{ SERVICE "  clusterIP: 10.96.0.1\n  ports: [{port: 1}]\n  selector: {a: 1}\n", 7,
			"spec.selector.a", "must be text" },
		{ WITH_PORT "  type: Clusterip\n", 7, "spec.type",
			"\"Clusterip\" must be ClusterIP, NodePort, LoadBalancer or ExternalName" },
		{ SERVICE "  clusterIP: None\n  type: NodePort\n", 5, "spec.clusterIP",
			"is None, which a service of type NodePort cannot be" },
		{ SERVICE "  type: ExternalName\n", 4, "spec.externalName", "is missing" },
		{ WITH_ADDRESS "  ports:\n  - port: 80\n    targetPort: 0\n", 8, "spec.ports[0].targetPort",
			"is 0, must be from 1 to 65535" },
		{ WITH_ADDRESS "  ports:\n  - port: 80\n    targetPort: ''\n", 8, "spec.ports[0].targetPort",
			"must not be empty" },
		{ WITH_ADDRESS "  ports:\n  - port: 80\n    nodePort: 30080\n", 8, "spec.ports[0].nodePort",
			"is 30080, but the service is of type ClusterIP" },
		{ WITH_ADDRESS "  type: NodePort\n  ports:\n  - port: 80\n", 8, "spec.ports[0].nodePort",
			"is missing: nothing assigns node ports" },
		{ WITH_ADDRESS "  type: NodePort\n  ports:\n  - port: 80\n    nodePort: 65536\n", 9,
			"spec.ports[0].nodePort", "is 65536, must be" },
		{ WITH_ADDRESS "  type: NodePort\n  ports:\n  - {name: a, port: 80, nodePort: 30080}\n"
			       "  - {name: b, port: 81, nodePort: 30080}\n",
			9, "spec.ports[1].nodePort", "30080 is given twice" },
		{ WITH_PORT "  externalIPs: [127.0.0.1]\n", 7, "spec.externalIPs[0]",
			"127.0.0.1 is a loopback address" },
		{ WITH_PORT "  sessionAffinity: Client\n", 7, "spec.sessionAffinity",
			"\"Client\" must be None or ClientIP" },
		{ WITH_PORT "  sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}\n", 7,
			"spec.sessionAffinityConfig.clientIP.timeoutSeconds", "is 86401, must be from 1" },
		{ WITH_PORT "  internalTrafficPolicy: local\n", 7, "spec.internalTrafficPolicy",
			"\"local\" must be Cluster or Local" },
		{ WITH_PORT "  externalTrafficPolicy: All\n", 7, "spec.externalTrafficPolicy",
			"\"All\" must be Cluster or Local" },
		{ WITH_PORT "  trafficDistribution: Close\n", 7, "spec.trafficDistribution",
			"\"Close\" must be PreferSameZone, PreferClose or PreferSameNode" },
		{ WITH_PORT "  type: LoadBalancer\n  loadBalancerSourceRanges: [10.0.0.0/33]\n", 8,
			"spec.loadBalancerSourceRanges[0]", "\"10.0.0.0/33\" is not a network" },
		{ WITH_PORT "  type: LoadBalancer\n  healthCheckNodePort: 30081\n", 8,
			"spec.healthCheckNodePort", "is 30081, but externalTrafficPolicy is not Local" },
		{ WITH_PORT "  type: LoadBalancer\nstatus: {loadBalancer: {ingress: [{ip: x}]}}\n", 8,
			"status.loadBalancer.ingress[0].ip", "\"x\" is not an IP address" },
		{ WITH_PORT "  type: LoadBalancer\nstatus: {loadBalancer: {ingress: [{ip: 1.1.1.1, ipMode: "
			    "x}]}}\n",
			8, "status.loadBalancer.ingress[0].ipMode", "\"x\" must be VIP or Proxy" },
		{ SLICE "addressType: IPv4\nendpoints:\n- addresses: [10.0.0.1]\n  hints: {forZones: [{}]}\n",
			7, "endpoints[0].hints.forZones[0].name", "is missing" },
		{ SLICE "addressType: IPv4\nendpoints:\n- addresses: [10.0.0.1]\n  zone: 1\n", 7,
			"endpoints[0].zone", "must be text; quote it" },
		{ POD "spec: {containers: [{ports: [{containerPort: 1, hostPort: 65536}]}]}\n", 4,
			"spec.containers[0].ports[0].hostPort", "is 65536, must be from 0 to 65535" },
		{ POD "spec: {containers: [{ports: [{containerPort: 1, hostIP: here}]}]}\n", 4,
			"spec.containers[0].ports[0].hostIP", "\"here\" is not an IP address" },
		{ NODE "status: {addresses: [{type: ExternalIP, address: x}]}\n", 4,
			"status.addresses[0].address", "\"x\" is not an IP address" },
		{ SLICE "addressType: IPv5\n", 4, "addressType", "must be IPv4 or IPv6" },
		{ SLICE "addressType: IPv4\nendpoints:\n- addresses: ['fd00::1']\n", 6,
			"endpoints[0].addresses[0]", "fd00::1 is not of the slice's addressType, IPv4" },
		{ SLICE "addressType: IPv6\nendpoints:\n- addresses: []\n", 6, "endpoints[0].addresses",
			"must hold an address" },
		{ SLICE "addressType: IPv6\nendpoints:\n- addresses: ['fe80::1']\n", 6,
			"endpoints[0].addresses[0]", "fe80::1 is a link-local address" },
		{ SLICE "addressType: IPv4\nports: [{port: 70000}]\n", 5, "ports[0].port",
			"is 70000, must be from 1 to 65535" },
		{ NAMESPACE_WITH(", ringway.io/policy-mode: Audit"), 3,
			"metadata.annotations.ringway.io/policy-mode",
			"\"Audit\" is neither audit nor enforce" },
		{ NAMESPACE_WITH(", ringway.io/policy-mode: ''"), 3,
			"metadata.annotations.ringway.io/policy-mode", "\"\" is neither audit nor enforce" },
		{ NAMESPACE_WITH(", ringway.io/policy-mode: off"), 3,
			"metadata.annotations.ringway.io/policy-mode", "must be text; quote it" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_refusal(&cases[i]);
}

#define SPEC POLICY "spec:\n  podSelector: {}\n" /* the next line is 6 */
#define FROM SPEC "  ingress:\n  - from:\n"      /* 8 */
#define TO_PORTS SPEC "  egress:\n  - ports:\n"  /* 8 */

static void
test_bad_policy(void **state)
{
	static const struct bad cases[] = {
		{ POLICY "spec: ~\n", 4, "spec", "is missing" },
		{ "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: Np}\nspec: {}\n",
			3, "metadata.name", "\"Np\" is not a name" },
		{ POLICY "spec: {podSelectors: {}}\n", 4, "spec.podSelectors",
			"is not known here; there are podSelector, ingress, egress, policyTypes" },
		{ POLICY "spec: {podSelector: {app: web}}\n", 4, "spec.podSelector.app",
			"is not known here; there are matchLabels, matchExpressions" },
		{ POLICY "spec: {podSelector: [a]}\n", 4, "spec.podSelector", "must be a mapping" },
		{ POLICY "spec: {podSelector: {matchLabels: {app: a b}}}\n", 4,
			"spec.podSelector.matchLabels.app", "\"a b\" is not a label's value" },
		{ POLICY "spec: {podSelector: {matchExpressions: [{key: a}]}}\n", 4,
			"spec.podSelector.matchExpressions[0].operator", "is missing: In, NotIn" },
		{ POLICY "spec: {podSelector: {matchExpressions: [{key: a, operator: Is}]}}\n", 4,
			"spec.podSelector.matchExpressions[0].operator",
			"\"Is\" must be In, NotIn, Exists or DoesNotExist" },
		{ POLICY "spec: {podSelector: {matchExpressions: [{operator: Exists}]}}\n", 4,
			"spec.podSelector.matchExpressions[0].key", "is missing" },
		{ POLICY "spec: {podSelector: {matchExpressions: [{key: a, operator: In}]}}\n", 4,
			"spec.podSelector.matchExpressions[0].values", "must hold a value" },
		{ POLICY "spec: {podSelector: {matchExpressions: [{key: a, operator: Exists, values: "
			 "[b]}]}}\n",
			4, "spec.podSelector.matchExpressions[0].values", "must be left out" },
		{ SPEC "  policyTypes: [ingress]\n", 6, "spec.policyTypes[0]",
			"\"ingress\" must be Ingress or Egress" },
		{ SPEC "  policyTypes: ['']\n", 6, "spec.policyTypes[0]", "must be Ingress or Egress" },
		{ SPEC "  ingress:\n  - form: []\n", 7, "spec.ingress[0].form",
			"is not known here; there are from, ports" },
		{ SPEC "  egress:\n  - from: []\n", 7, "spec.egress[0].from",
			"is not known here; there are to, ports" },
		{ SPEC "  ingress: {}\n", 6, "spec.ingress", "must be a list" },
		{ FROM "    - {}\n", 8, "spec.ingress[0].from[0]", "selects nobody" },
		{ FROM "    - podSelector:\n", 8, "spec.ingress[0].from[0]", "selects nobody" },
		{ FROM "    - {podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}\n", 8, "spec.ingress[0].from[0]",
			"has an ipBlock and a selector" },
		{ FROM "    - ipBlock: {}\n", 8, "spec.ingress[0].from[0].ipBlock.cidr", "is missing" },
		{ FROM "    - ipBlock: {cidr: 10.0.0.0}\n", 8, "spec.ingress[0].from[0].ipBlock.cidr",
			"\"10.0.0.0\" is not a network" },
		{ FROM "    - ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}\n", 8,
			"spec.ingress[0].from[0].ipBlock.except[0]",
			"11.0.0.0/16 must be a part of 10.0.0.0/8" },
		{ FROM "    - ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}\n", 8,
			"spec.ingress[0].from[0].ipBlock.except[0]", "10.0.0.0/8 must be a part of" },
		{ FROM "    - ipBlock: {cidr: '::/0', except: [10.0.0.0/8]}\n", 8,
			"spec.ingress[0].from[0].ipBlock.except[0]", "10.0.0.0/8 must be a part of ::/0" },
		{ TO_PORTS "    - {port: 0}\n", 8, "spec.egress[0].ports[0].port", "is 0, must be from 1" },
		{ TO_PORTS "    - {port: '80'}\n", 8, "spec.egress[0].ports[0].port",
			"\"80\" is a name; write the number without quotes" },
		{ TO_PORTS "    - {port: Web}\n", 8, "spec.egress[0].ports[0].port",
			"\"Web\" is not the name of a port" },
		{ TO_PORTS "    - {port: ''}\n", 8, "spec.egress[0].ports[0].port", "\"\" is not the name" },
		{ TO_PORTS "    - {port: 80, protocol: ICMP}\n", 8, "spec.egress[0].ports[0].protocol",
			"\"ICMP\" is not a protocol" },
		{ TO_PORTS "    - {endPort: 80}\n", 8, "spec.egress[0].ports[0].endPort", "needs a port" },
		{ TO_PORTS "    - {port: web, endPort: 80}\n", 8, "spec.egress[0].ports[0].endPort",
			"needs a number in port" },
		{ TO_PORTS "    - {port: 80, endPort: 79}\n", 8, "spec.egress[0].ports[0].endPort",
			"is 79, before port 80" },
		{ "apiVersion: extensions/v1beta1\nkind: NetworkPolicy\nmetadata: {name: np}\n", 1,
			"apiVersion", "\"extensions/v1beta1\" is not read: only networking.k8s.io/v1 is" },
		{ "apiVersion: crd.projectcalico.org/v1\nkind: NetworkPolicy\nmetadata: {name: np}\n", 1,
			"apiVersion", "\"crd.projectcalico.org/v1\" is not read" },
		{ "kind: NetworkPolicyList\napiVersion: networking.k8s.io/v1\nitems: []\n", 1, "kind",
			"is not read; write \"kind: List\"" },
		{ "kind: List\napiVersion: v1\nitems: {}\n", 3, "items", "must be a list" },
		{ TO_PORTS "    - {port: 80, endport: 90}\n", 8, "spec.egress[0].ports[0].endport",
			"is not known here" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_refusal(&cases[i]);
}

static void
test_ignored(void **state)
{
	static const char *const cases[] = {
		"apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: x}\n",
		"apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: web}\nspec: {}\n",
		SLICE "addressType: FQDN\n",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct decode_error error;
		const char *ignored;
		struct object *object;

		assert_int_equal(decode(cases[i], &object, &ignored, &error), 0);
		assert_null(object);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uid),
		cmocka_unit_test(test_node),
		cmocka_unit_test(test_creation_times),
		cmocka_unit_test(test_namespace),
		cmocka_unit_test(test_namespace_policy_mode),
		cmocka_unit_test(test_pod),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_policy_types),
		cmocka_unit_test(test_bad_policy),
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_service_defaults),
		cmocka_unit_test(test_load_balancer),
		cmocka_unit_test(test_node_port),
		cmocka_unit_test(test_draft),
		cmocka_unit_test(test_external_name),
		cmocka_unit_test(test_slice),
		cmocka_unit_test(test_service_cidr),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
