/* explain for services, on tables that the real builder made: clients outside, traffic policies, affinity, hints, and what
 * has nobody to serve it. A question leaves no entry anywhere. */
#include "control/admin/explain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/build/facts.h"
#include "control/build/service_build.h"
#include "dataplane/service/affinity.h"
#include "tests/support/fixtures.h"
#include "tests/support/objects.h"

#define CLIENT "outside:203.0.113.9"
#define CLIENT_V6 "outside:2001:db8:ffff::9"
#define STRANGER "outside:198.51.100.9"

struct lab {
	struct fixture *fixture;
	struct service_table *fixture_services, *services;
	struct store *store;
	struct slots *slots;
	struct service_builder *builder;
	struct view view;
	struct port_view ports[FIXTURE_PORTS];
	struct explain_context context;
	struct build_facts facts;
	struct pod_host_port host_port;
	struct ip_addr node_addrs[2];
	struct ip_prefix pods;
};

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

static struct service_object *
add_service(struct lab *lab, const char *name, const char *addr4, const char *addr6, uint16_t node_port)
{
	struct service_object *service;

	put_service(lab->store, "default", name, NULL, NULL, addr4, addr6, 80, PROTO_TCP);
	service = (struct service_object *)store_get(lab->store, OBJECT_SERVICE, "default", name);
	service->type = node_port == 0 ? SERVICE_CLUSTER_IP : SERVICE_NODE_PORT;
	service->ports[0].node_port = node_port;
	return service;
}

/* Both families' slices have pod2 here and the pod far on node b, as many as asked for. */
static void
add_endpoints(struct lab *lab, const char *service, bool is_here, bool is_there)
{
	static const struct {
		const char *addrs[2], *pod, *node;
	} pods[] = {
		{ { "10.244.1.11", "fd00:10:244:1::11" }, "pod2", "a" },
		{ { "10.244.2.20", "fd00:10:244:2::20" }, "far", "b" },
	};

	for (unsigned family = 0; family < 2; family++) {
		unsigned first = is_here ? 0 : 1;
		struct slice_object *slice;
		char name[64];

		put_slice(lab->store, "default", service, pods[first].addrs[family], 8080, PROTO_TCP, true,
			pods[first].pod, pods[first].node);
		if (!is_here || !is_there)
			continue;
		snprintf(name, sizeof(name), "%s-%s", service, family == 0 ? "4" : "6");
		slice = (struct slice_object *)store_get(lab->store, OBJECT_ENDPOINT_SLICE, "default", name);
		assert_non_null(slice);
		slice->endpoints = realloc(slice->endpoints, 2 * sizeof(*slice->endpoints));
		slice->endpoints[1] = (struct slice_endpoint){ .n_addrs = 1,
			.addrs = calloc(1, sizeof(struct ip_addr)),
			.ready = true,
			.serving = true,
			.node = strdup("b"),
			.pod = strdup("far") };
		slice->endpoints[1].addrs[0] = addr(pods[1].addrs[family]);
		slice->n_endpoints = 2;
	}
}

static struct slice_endpoint *
endpoint_of(struct lab *lab, const char *slice, unsigned i)
{
	return &((struct slice_object *)store_get(lab->store, OBJECT_ENDPOINT_SLICE, "default", slice))
			->endpoints[i];
}

static void
add_services(struct lab *lab)
{
	struct service_object *service;

	service = add_service(lab, "shop", "10.96.1.1", "fd00:10:96::1:1", 30080);
	service->type = SERVICE_LOAD_BALANCER;
	service->n_ingress = 1;
	service->ingress = calloc(1, sizeof(*service->ingress));
	service->ingress[0].addr = addr("198.51.100.100");
	service->n_source_ranges = 1;
	service->source_ranges = calloc(1, sizeof(*service->source_ranges));
	assert_true(ip_prefix_parse("203.0.113.0/24", &service->source_ranges[0]));
	add_endpoints(lab, "shop", true, true);
	add_service(lab, "here", "10.96.1.2", "fd00:10:96::1:2", 30082)->external_local = true;
	add_endpoints(lab, "here", true, true);
	add_service(lab, "away", "10.96.1.3", "fd00:10:96::1:3", 30083)->external_local = true;
	add_endpoints(lab, "away", false, true);
	add_service(lab, "empty", "10.96.1.4", "fd00:10:96::1:4", 30084);
	add_service(lab, "sticky", "10.96.1.5", "fd00:10:96::1:5", 0)->affinity_timeout_s = 600;
	add_endpoints(lab, "sticky", true, true);
	add_service(lab, "going", "10.96.1.6", "fd00:10:96::1:6", 0);
	add_endpoints(lab, "going", true, false);
	endpoint_of(lab, "going-4", 0)->ready = false;
	endpoint_of(lab, "going-4", 0)->terminating = true;
	endpoint_of(lab, "going-4", 0)->serving = true;
	service = add_service(lab, "foreign", "10.96.1.7", NULL, 0);
	service->n_external_ips = 1;
	service->external_ips = calloc(1, sizeof(struct ip_addr));
	service->external_ips[0] = addr("198.51.100.7");
	add_service(lab, "zoned", "10.96.1.8", "fd00:10:96::1:8", 0);
	add_endpoints(lab, "zoned", true, true);
	for (unsigned i = 0; i < 2; i++) {
		struct endpoint_hints *hints = calloc(1, sizeof(*hints));

		hints->n_nodes = 1;
		hints->nodes = calloc(1, sizeof(*hints->nodes));
		hints->nodes[0] = strdup(i == 0 ? "a" : "b");
		endpoint_of(lab, "zoned-4", i)->hints = hints;
	}
	add_service(lab, "movable", "10.96.1.10", NULL, 0);
	add_endpoints(lab, "movable", true, false);
	add_service(lab, "inner", "10.96.1.9", NULL, 0)->internal_local = true;
	add_endpoints(lab, "inner", false, true);
}

static void
build(struct lab *lab)
{
	lab->node_addrs[0] = addr("192.0.2.1");
	lab->node_addrs[1] = addr("2001:db8::1");
	lab->pods = (struct ip_prefix){ addr("10.244.0.0"), 112 };
	lab->host_port = (struct pod_host_port){
		.map = { .port = 31000, .pod_port = 8080, .proto = PROTO_TCP },
		.addrs = { [V4] = addr("10.244.1.10"), [V6] = addr("fd00:10:244:1::10") },
		.pod_ns = "default",
		.pod = "pod1",
	};
	lab->facts = (struct build_facts){
		.node_name = "a",
		.n_pod_cidrs = 1,
		.pod_cidrs = &lab->pods,
		.n_own_addrs = 2,
		.own_addrs = lab->node_addrs,
		.n_node_port_addrs = 2,
		.node_port_addrs = lab->node_addrs,
		.n_host_ports = 1,
		.host_ports = &lab->host_port,
	};
	assert_int_equal(service_builder_build(lab->builder, &lab->facts, 1000000000u, &lab->services), 0);
	lab->fixture_services = lab->fixture->services;
	lab->fixture->services = NULL;
	lab->fixture->tables.services = lab->services;
}

/* The service's only endpoint goes from pod2 here to the pod on node b. */
static void
move_service(struct lab *lab, const char *service)
{
	struct service_table *next;

	add_endpoints(lab, service, false, true);
	assert_int_equal(service_builder_build(lab->builder, &lab->facts, 2000000000u, &next), 0);
	assert_non_null(next);
	service_builder_release(lab->builder, lab->services);
	lab->services = next;
	lab->fixture->tables.services = next;
}

static struct lab *
lab_new(unsigned n_workers)
{
	static const enum port_kind kinds[FIXTURE_PORTS] = {
		[FIXTURE_HOST] = PORT_KIND_HOST,
		[FIXTURE_UPLINK] = PORT_KIND_UPLINK,
	};
	static const char *const names[FIXTURE_PORTS] = { [FIXTURE_POD1] = "pod1", [FIXTURE_POD2] = "pod2" };
	struct lab *lab = calloc(1, sizeof(*lab));

	lab->fixture = fixture_new(n_workers, false);
	lab->store = store_new();
	put_node(lab->store, "a", "192.0.2.1", "10.244.1.0/24", "fd00:10:244:1::/64");
	put_node(lab->store, "b", "192.0.2.2", "10.244.2.0/24", "fd00:10:244:2::/64");
	put_pod(lab->store, "default", "pod1", "a", NULL, NULL, "10.244.1.10", "fd00:10:244:1::10");
	put_pod(lab->store, "default", "pod2", "a", NULL, NULL, "10.244.1.11", "fd00:10:244:1::11");
	put_pod(lab->store, "default", "far", "b", NULL, NULL, "10.244.2.20", "fd00:10:244:2::20");
	add_services(lab);
	lab->slots = slots_new();
	lab->builder = service_builder_new(lab->store, lab->slots);
	build(lab);
	for (unsigned i = 0; i < FIXTURE_PORTS; i++) {
		const struct port *port = &lab->fixture->ports[i].port;

		lab->ports[i] = (struct port_view){ port->id, kinds[i], port->owner, "default",
			names[i] ? names[i] : "", "" };
	}
	lab->view = (struct view){ .node = "a", .n_ports = FIXTURE_PORTS, .ports = lab->ports };
	lab->context = (struct explain_context){
		.names = { lab->store, &lab->view, &lab->fixture->tables, lab->builder },
		.workers = lab->fixture->workers,
		.n_workers = n_workers,
		.self = "a",
	};
	return lab;
}

static void
lab_free(struct lab *lab)
{
	lab->fixture->services = lab->fixture_services;
	fixture_free(lab->fixture);
	service_builder_release(lab->builder, lab->services);
	service_builder_free(lab->builder);
	slots_free(lab->slots);
	store_free(lab->store);
	free(lab);
}

static struct admin_reply
ask(struct lab *lab, const char *from, const char *to, const char *sport, const char *flags)
{
	struct admin_reply reply = { 0 };
	char error[QUESTION_ERROR_SIZE];
	struct question q;

	if (!question_parse(&q, from, to, sport, flags, NULL, error))
		fail_msg("%s", error);
	explain_answer(&lab->context, &q, &reply);
	return reply;
}

#define STR(o, f) json_string_value(json_object_get(o, f))

/* What workers remember, byte by byte. */
struct memory {
	uint8_t *exceptions[FIXTURE_WORKERS_MAX], *inbound[FIXTURE_WORKERS_MAX],
		*half_open[FIXTURE_WORKERS_MAX], *affinity[FIXTURE_WORKERS_MAX],
		*inbound_affinity[FIXTURE_WORKERS_MAX];
};

static uint8_t *
copy(const void *from, size_t size)
{
	uint8_t *bytes = malloc(size);

	memcpy(bytes, from, size);
	return bytes;
}

static struct memory
remember(const struct fixture *f)
{
	struct memory m = { 0 };

	for (unsigned i = 0; i < f->n_workers; i++) {
		m.exceptions[i] = copy(f->exceptions[i], nat_flows_size(FIXTURE_EXCEPTIONS));
		m.inbound[i] = copy(f->inbound[i], nat_flows_size(FIXTURE_INBOUND));
		m.half_open[i] = copy(f->half_open[i], nat_flows_size(FIXTURE_INBOUND));
		m.affinity[i] = copy(f->affinity[i], affinity_size(FIXTURE_AFFINITY));
		m.inbound_affinity[i] = copy(f->inbound_affinity[i], affinity_size(FIXTURE_AFFINITY));
	}
	return m;
}

static void
assert_same_and_free(uint8_t *then, const void *now, size_t size)
{
	assert_memory_equal(then, now, size);
	free(then);
}

static void
assert_remembers_no_more(const struct fixture *f, struct memory m)
{
	for (unsigned i = 0; i < f->n_workers; i++) {
		assert_same_and_free(m.exceptions[i], f->exceptions[i], nat_flows_size(FIXTURE_EXCEPTIONS));
		assert_same_and_free(m.inbound[i], f->inbound[i], nat_flows_size(FIXTURE_INBOUND));
		assert_same_and_free(m.half_open[i], f->half_open[i], nat_flows_size(FIXTURE_INBOUND));
		assert_same_and_free(m.affinity[i], f->affinity[i], affinity_size(FIXTURE_AFFINITY));
		assert_same_and_free(
			m.inbound_affinity[i], f->inbound_affinity[i], affinity_size(FIXTURE_AFFINITY));
	}
}

struct explained {
	const char *from, *to, *flags;
	const char *verdict, *reason;
	const char *after_src, *after_dst; /* of what leaves; NULL: whatever */
	const char *service, *hint;        /* parts of these texts; NULL: they are empty */
};

#define REFUSED "the sender gets a TCP reset"

static const struct explained cases[] = {
	/* outside */
	{ CLIENT, "192.0.2.1:30082", NULL, "forward", "", "203.0.113.9", "10.244.1.11",
		"NodePort 30082/tcp of default/here: 1 of its 2 endpoints gets new flows from outside; only "
		"those of "
		"this node, as externalTrafficPolicy is Local",
		NULL },
	{ CLIENT_V6, "default/here:80", NULL, "forward", "", "2001:db8:ffff::9", "fd00:10:244:1::11",
		"NodePort 30082/tcp of default/here", NULL },
	{ CLIENT, "default/here:30082", NULL, "forward", "", NULL, "10.244.1.11", "NodePort 30082/tcp",
		NULL },
	{ CLIENT, "192.0.2.1:30080", NULL, "forward", "", "10.244.1.5", NULL,
		"NodePort 30080/tcp of default/shop: 2 of its 2 endpoints get new flows from outside", NULL },
	{ CLIENT, "default/shop:80", NULL, "forward", "", "10.244.1.5", NULL,
		"LoadBalancer 80/tcp of default/shop: 2 of its 2 endpoints get new flows from outside; only "
		"for "
		"clients of 203.0.113.0/24",
		NULL },
	{ STRANGER, "default/shop:80", NULL, "drop", "source_range", NULL, NULL,
		"only for clients of 203.0.113.0/24", "spec.loadBalancerSourceRanges" },
	{ CLIENT, "192.0.2.1:30083", NULL, "drop", "no_local_backend", NULL, NULL,
		"0 of its 1 endpoints get new flows from outside; only those of this node",
		"externalTrafficPolicy is Local; node b has a ready one" },
	{ CLIENT, "192.0.2.1:30084", NULL, "reply", "", "192.0.2.1", "203.0.113.9",
		"NodePort 30084/tcp of default/empty: 0 of its 0 endpoints get new flows from outside; so it "
		"is "
		"refused",
		"default/empty: it has no selector" },
	{ CLIENT, "192.0.2.1:30080", "ACK", "drop", "no_flow", NULL, NULL, "NodePort 30080/tcp",
		"connections begin with a SYN" },
	{ CLIENT, "default/pod1:8080", NULL, "forward", "", "203.0.113.9", "10.244.1.10",
		"HostPort 31000/tcp of default/pod/pod1", NULL },
	{ CLIENT_V6, "[2001:db8::1]:31000", NULL, "forward", "", "2001:db8:ffff::9", "fd00:10:244:1::10",
		"HostPort 31000/tcp", NULL },
	{ CLIENT, "192.0.2.1:22", NULL, "punt", "", NULL, NULL, NULL, NULL },
	{ CLIENT, "192.0.2.1/icmp", NULL, "punt", "", NULL, NULL, NULL, NULL },
	{ CLIENT, "10.96.1.1:80", NULL, "punt", "", NULL, NULL, NULL,
		"this address of default/shop is for pods and nodes" },
	{ CLIENT, "198.51.100.100:81", NULL, "punt", "", NULL, NULL, NULL,
		"port 81/tcp is not among those of default/shop: 80/tcp" },
	{ CLIENT, "198.51.100.7:80", NULL, "punt", "", NULL, NULL, NULL,
		"service default/foreign asks for this address, but it is in none of "
		"cluster.externalIPRanges" },
	{ "outside:10.244.2.20", "192.0.2.1:30080", NULL, "drop", "spoofed_source", NULL, NULL,
		"NodePort 30080/tcp", "what comes from outside" },
	{ "outside:127.0.0.1", "192.0.2.1:30080", NULL, "drop", "spoofed_source", NULL, NULL,
		"NodePort 30080/tcp", "what comes from outside" },

	/* inside */
	{ "default/pod1", "192.0.2.1:30083", NULL, "forward", "", NULL, "10.244.2.20",
		"NodePort 30083/tcp of default/away: 1 of its 1 endpoints gets new flows from inside", NULL },
	{ "default/pod1", "default/going:80", NULL, "forward", "", NULL, "10.244.1.11",
		"none is ready, so those that terminate but still serve take their place", NULL },
	{ "default/pod1", "10.96.1.8:80", NULL, "forward", "", NULL, "10.244.1.11",
		"1 of its 2 endpoints gets new flows from inside; those that hints give to this node", NULL },
	{ "default/pod1", "[fd00:10:96::1:8]:80", NULL, "forward", "", NULL, NULL,
		"2 of its 2 endpoints get new flows from inside", NULL },
	{ "default/pod1", "default/inner:80", NULL, "drop", "no_local_backend", NULL, NULL,
		"only those of this node, as internalTrafficPolicy is Local; so it is dropped",
		"ready endpoints is on this node, and internalTrafficPolicy is Local" },
	{ "default/pod1", "10.96.1.4:80", NULL, "reply", "", NULL, NULL, "ClusterIP 80/tcp of default/empty",
		"it has no selector" },
	{ "default/pod1", "10.96.1.5:80", NULL, "forward", "", NULL, NULL,
		"session affinity: a client keeps its backend for 600 s", NULL },
	{ "node", "10.96.1.5:80", NULL, "forward", "", NULL, NULL, "ClusterIP 80/tcp of default/sticky",
		NULL },
	{ "default/pod1", "10.96.1.5:80", "none", "forward", "", NULL, NULL, "default/sticky", NULL },
};

static bool
has_part(const char *text, const char *part)
{
	return part == NULL ? text == NULL || *text == '\0' : text != NULL && strstr(text, part) != NULL;
}

static bool
is_explained(const json_t *doc, const struct explained *c)
{
	const json_t *after = json_object_get(doc, "after");

	return doc != NULL && STR(doc, "verdict") != NULL && strcmp(STR(doc, "verdict"), c->verdict) == 0 &&
	       strcmp(STR(doc, "drop_reason"), c->reason) == 0 &&
	       (c->after_src == NULL || strcmp(STR(after, "src"), c->after_src) == 0) &&
	       (c->after_dst == NULL || strcmp(STR(after, "dst"), c->after_dst) == 0) &&
	       has_part(STR(json_object_get(doc, "service"), "text"), c->service) &&
	       has_part(STR(doc, "hint"), c->hint);
}

static void
services_are_explained(void **state)
{
	for (unsigned n_workers = 1; n_workers <= 2; n_workers++) {
		struct lab *lab = lab_new(n_workers);
		struct memory before = remember(lab->fixture);
		static const struct counters nothing;
		struct counters sum = { 0 };

		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct admin_reply reply = ask(lab, cases[i].from, cases[i].to, NULL, cases[i].flags);

			if (!is_explained(reply.json, &cases[i]))
				fail_msg("from %s to %s: %s", cases[i].from, cases[i].to,
					json_dumps(reply.json, 0));
			json_decref(reply.json);
		}
		assert_remembers_no_more(lab->fixture, before);
		fixture_counters(lab->fixture, &sum);
		assert_memory_equal(&sum, &nothing, sizeof(sum));
		assert_null(fixture_audit(lab->fixture));
		lab_free(lab);
	}
}

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

/* Whichever of the two the bucket says, an entry for the other one wins, and is named. */
static void
affinity_names_the_backend_that_the_client_has(void **state)
{
	struct lab *lab = lab_new(1);
	const struct ip_addr service = addr("10.96.1.5"), client = addr("10.244.1.10");
	const struct frontend *f =
		service_frontend(lab->services, addr_hash(&service, 80, PROTO_TCP), &service, 80, PROTO_TCP);
	struct admin_reply reply = ask(lab, "default/pod1", "10.96.1.5:80", NULL, NULL);

	assert_non_null(step_text(reply.json, "translate", "no entry of this client"));
	json_decref(reply.json);
	for (unsigned i = 0; i < 2; i++) {
		struct memory before;
		char text[IP_ADDR_STRLEN];

		affinity_note(lab->fixture->affinity[0], &client, f, &f->backends[i], true,
			lab->fixture->workers[0]->now_ns);
		before = remember(lab->fixture);
		reply = ask(lab, "default/pod1", "10.96.1.5:80", NULL, NULL);
		assert_string_equal(STR(json_object_get(reply.json, "after"), "dst"),
			ip_addr_format(&f->backends[i].addr, text));
		assert_non_null(strstr(step_text(reply.json, "translate", "session affinity"), text));
		assert_non_null(step_text(reply.json, "translate", "600 s"));
		json_decref(reply.json);
		assert_remembers_no_more(lab->fixture, before);
	}
	lab_free(lab);
}

/* With two workers, a flow from outside is worked on by the one that owns it. */
static void
flows_from_outside_are_followed_to_their_owner(void **state)
{
	struct lab *lab = lab_new(2);
	unsigned n_steered = 0;
	char sport[8];

	for (unsigned port = 40000; port < 40008; port++) {
		struct admin_reply reply;

		snprintf(sport, sizeof(sport), "%u", port);
		reply = ask(lab, CLIENT, "192.0.2.1:30082", sport, NULL);
		assert_string_equal(STR(json_object_get(reply.json, "from"), "kind"), "outside");
		assert_string_equal(STR(reply.json, "verdict"), "forward");
		assert_int_equal(
			json_integer_value(json_object_get(json_object_get(reply.json, "after"), "sport")),
			port);
		assert_non_null(step_text(reply.json, "inbound", "(default/here)"));
		if (step_text(reply.json, "steer", "") != NULL) {
			const json_t *steps = json_object_get(reply.json, "steps");

			n_steered++;
			assert_string_equal(STR(json_array_get(steps, 0), "where"), "uplink's worker 0");
			assert_string_equal(STR(json_array_get(steps, 1), "where"), "flow's worker 1");
		}
		json_decref(reply.json);
	}
	assert_in_range(n_steered, 1, 7);
	lab_free(lab);
}

/* While a bucket moves: connections open at the new backend, what is open stays, unless an entry says otherwise. */
static void
a_move_is_told(void **state)
{
	struct lab *lab = lab_new(1);
	struct memory before;
	struct admin_reply reply;
	struct nat_flow pin = {
		.client = addr("10.244.1.10"),
		.client_port = 40001,
		.frontend = addr("10.96.1.10"),
		.frontend_port = 80,
		.backend = addr("10.244.1.11"),
		.backend_port = 8080,
		.wire = addr("10.244.1.10"),
		.wire_port = 40001,
		.proto = PROTO_TCP,
	};

	move_service(lab, "movable");
	assert_non_null(nat_flows_add(lab->fixture->exceptions[0], &pin, NULL, 0));
	before = remember(lab->fixture);
	reply = ask(lab, "default/pod1", "default/movable:80", NULL, NULL);
	assert_string_equal(STR(json_object_get(reply.json, "after"), "dst"), "10.244.2.20");
	assert_non_null(step_text(reply.json, "translate", "a connection that opens goes there already"));
	assert_true(json_is_true(json_object_get(json_object_get(reply.json, "service"), "moving")));
	json_decref(reply.json);
	reply = ask(lab, "default/pod1", "default/movable:80", NULL, "ACK");
	assert_string_equal(STR(json_object_get(reply.json, "after"), "dst"), "10.244.1.11");
	assert_non_null(step_text(reply.json, "translate", "what is open stays"));
	json_decref(reply.json);
	reply = ask(lab, "default/pod1", "default/movable:80", "40001", "ACK");
	assert_non_null(step_text(reply.json, "translate", "pinned to its backend"));
	json_decref(reply.json);
	assert_remembers_no_more(lab->fixture, before);
	lab_free(lab);
}

static void
what_is_not_exposed_is_refused(void **state)
{
	struct lab *lab = lab_new(1);
	struct admin_reply reply = ask(lab, CLIENT, "default/sticky:80", NULL, NULL);

	assert_int_equal(reply.status, 422);
	assert_non_null(strstr(STR(reply.json, "error"), "at no address of their family"));
	json_decref(reply.json);
	reply = ask(lab, CLIENT_V6, "192.0.2.1:30080", NULL, NULL);
	assert_int_equal(reply.status, 422);
	json_decref(reply.json);
	reply = ask(lab, "203.0.113.9", "192.0.2.1:30080", NULL, NULL);
	assert_int_equal(reply.status, 422);
	assert_non_null(strstr(STR(reply.json, "hint"), "outside:ADDRESS"));
	json_decref(reply.json);
	lab_free(lab);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_are_explained),
		cmocka_unit_test(affinity_names_the_backend_that_the_client_has),
		cmocka_unit_test(flows_from_outside_are_followed_to_their_owner),
		cmocka_unit_test(a_move_is_told),
		cmocka_unit_test(what_is_not_exposed_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
