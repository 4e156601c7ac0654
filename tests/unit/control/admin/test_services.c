/* /v1/services, /v1/endpoints and the names behind addresses, on a store and tables made by hand. */
#include "control/admin/services.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/build/facts.h"
#include "control/build/service_build.h"
#include "tests/support/objects.h"

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

/* default/web is in force in both families, with one backend; the others are each wrong in a way of their own. */
struct fixture {
	struct store *store;
	struct view view;
	struct port_view ports[2];
	struct node_table node;
	struct endpoint_table *endpoints;
	struct route_table *routes;
	struct fdb_table *fdb;
	struct slots *slots;
	struct service_builder *builder;
	struct service_table *services;
	struct tables tables;
	struct names names;
};

/* The tables' services, from what the store has by now. */
static void
build_services(struct fixture *f)
{
	const struct ip_addr node_addrs[] = { addr("172.30.0.1"), addr("fd00:30::1") };
	const struct ip_prefix pods = { addr("10.244.0.0"), 112 };
	const struct build_facts facts = { .node_name = "a",
		.n_pod_cidrs = 1,
		.pod_cidrs = &pods,
		.n_node_port_addrs = 2,
		.node_port_addrs = node_addrs };
	struct service_table *next;

	assert_int_equal(service_builder_build(f->builder, &facts, 1000000000u, &next), 0);
	service_builder_release(f->builder, f->services);
	f->services = next;
	f->tables.services = next;
}

static void
make_tables(struct fixture *f)
{
	struct ip_prefix prefix;

	f->endpoints = calloc(1, sizeof(*f->endpoints) + 2 * sizeof(struct endpoint));
	memset(f->endpoints->by_port, 0xff, sizeof(f->endpoints->by_port));
	f->endpoints->n = 2;
	f->endpoints->host = 0;
	f->endpoints->by_port[1] = 0;
	f->endpoints->by_port[7] = 1;
	f->endpoints->endpoints[0] = (struct endpoint){ .port = 1, .is_host = true };
	f->endpoints->endpoints[1] =
		(struct endpoint){ { addr("10.244.1.8"), addr("fd00:10:244:1::8") }, .port = 7 };
	f->endpoints->host_addrs[V4][0] = addr("10.244.1.1");
	f->node.gateway[V4] = addr("169.254.1.1");
	f->node.gateway[V6] = addr("fe80::1");
	f->fdb = fdb_table_new(1);
	f->fdb->entries[0].vtep = addr("172.30.0.2");
	fdb_table_index(f->fdb);
	f->routes = route_table_new(4);
	ip_prefix_parse("10.244.1.8/32", &prefix);
	route_table_add(f->routes, &prefix, ROUTE_ENDPOINT, 1);
	ip_prefix_parse("10.244.2.0/24", &prefix);
	route_table_add(f->routes, &prefix, ROUTE_VTEP, 0);
	f->tables = (struct tables){ 1, &f->node, f->endpoints, f->services, f->routes, f->fdb };
}

static struct service_object *
service_of(const struct fixture *f, const char *name)
{
	return (struct service_object *)store_get(f->store, OBJECT_SERVICE, "default", name);
}

/* A load balancer with externalTrafficPolicy Local, and an address that it may not have. Its endpoints are here and there. */
static void
put_balancer(struct fixture *f)
{
	struct service_object *service;
	struct slice_object *slice;
	struct slice_endpoint *endpoints = calloc(2, sizeof(*endpoints));

	put_service(f->store, "default", "balanced", "app", "web", "10.96.0.19", NULL, 443, PROTO_TCP);
	service = service_of(f, "balanced");
	service->type = SERVICE_LOAD_BALANCER;
	service->external_local = true;
	service->ports[0].node_port = 30443;
	service->ports[0].target_port = 8443;
	service->n_ingress = 2;
	service->ingress = calloc(2, sizeof(*service->ingress));
	service->ingress[0].addr = addr("203.0.113.9");
	service->ingress[1].addr = addr("10.244.7.7");
	service->n_source_ranges = 1;
	service->source_ranges = calloc(1, sizeof(*service->source_ranges));
	assert_true(ip_prefix_parse("198.51.100.0/24", &service->source_ranges[0]));
	put_slice(f->store, "default", "balanced", "10.244.1.8", 8443, PROTO_TCP, true, "web-0", "a");
	slice = (struct slice_object *)store_get(f->store, OBJECT_ENDPOINT_SLICE, "default", "balanced-4");
	endpoints[0] = slice->endpoints[0];
	endpoints[0].zone = strdup("z1");
	endpoints[1] = (struct slice_endpoint){ .n_addrs = 1,
		.addrs = calloc(1, sizeof(struct ip_addr)),
		.ready = true,
		.serving = true,
		.node = strdup("b"),
		.pod = strdup("back-0") };
	endpoints[1].addrs[0] = addr("10.244.2.9");
	free(slice->endpoints);
	slice->endpoints = endpoints;
	slice->n_endpoints = 2;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->store = store_new();
	put_node(f->store, "a", "172.30.0.1", "10.244.1.0/24", "fd00:10:244:1::/64");
	put_node(f->store, "b", "172.30.0.2", "10.244.2.0/24", NULL);
	put_pod(f->store, "default", "web-0", "a", "app", "web", "10.244.1.8", "fd00:10:244:1::8");
	put_pod(f->store, "default", "back-0", "b", "app", "backend", "10.244.2.9", NULL);
	put_service(f->store, "default", "web", "app", "web", "10.96.0.10", "fd00:10:96::a", 80, PROTO_TCP);
	put_slice(f->store, "default", "web", "10.244.1.8", 8080, PROTO_TCP, true, "web-0", "a");
	put_slice(f->store, "default", "web", "fd00:10:244:1::8", 8080, PROTO_TCP, true, "web-0", "a");
	put_service(f->store, "default", "typo", "app", "backnd", "10.96.0.11", NULL, 80, PROTO_TCP);
	put_service(f->store, "default", "away", "app", "nothing-like-it", "10.96.0.12", NULL, 80, PROTO_TCP);
	put_service(f->store, "default", "manual", NULL, NULL, "10.96.0.13", NULL, 80, PROTO_TCP);
	put_service(f->store, "default", "slow", "app", "backend", "10.96.0.14", NULL, 80, PROTO_UDP);
	put_slice(f->store, "default", "slow", "10.244.2.9", 53, PROTO_UDP, false, "back-0", "b");
	put_service(f->store, "default", "mismatch", "app", "backend", "10.96.0.15", NULL, 80, PROTO_TCP);
	put_slice(f->store, "default", "mismatch", "10.244.2.9", 53, PROTO_UDP, true, "back-0", "b");
	put_service(f->store, "default", "zebra", "app", "backend", "10.96.0.10", NULL, 80, PROTO_TCP);
	put_slice(f->store, "default", "zebra", "10.244.2.9", 80, PROTO_TCP, true, "back-0", "b");
	put_service(f->store, "default", "here", "app", "backend", "10.96.0.17", NULL, 80, PROTO_TCP);
	put_slice(f->store, "default", "here", "10.244.2.9", 80, PROTO_TCP, true, "back-0", "b");
	service_of(f, "here")->internal_local = true;
	put_service(f->store, "default", "named", "app", "backend", "10.96.0.18", NULL, 80, PROTO_TCP);
	put_slice(f->store, "default", "named", "10.244.2.9", 53, PROTO_UDP, true, "back-0", "b");
	service_of(f, "named")->ports[0].target_name = strdup("http");
	put_balancer(f);
	f->ports[0] = (struct port_view){
		.id = 1, .kind = PORT_KIND_HOST, .ns = "", .name = "", .link = "ringway0"
	};
	f->ports[1] = (struct port_view){
		.id = 7, .kind = PORT_KIND_POD, .ns = "default", .name = "web-0", .link = "rw7"
	};
	f->view = (struct view){ .node = "a", .n_ports = 2, .ports = f->ports };
	make_tables(f);
	f->slots = slots_new();
	f->builder = service_builder_new(f->store, f->slots);
	build_services(f);
	put_service(f->store, "default", "new", "app", "backend", "10.96.0.16", NULL, 80, PROTO_TCP);
	put_slice(f->store, "default", "new", "10.244.2.9", 80, PROTO_TCP, true, "back-0", "b");
	f->names = (struct names){ f->store, &f->view, &f->tables, f->builder };
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	service_builder_release(f->builder, f->services);
	service_builder_free(f->builder);
	slots_free(f->slots);
	store_free(f->store);
	route_table_free(f->routes);
	fdb_table_free(f->fdb);
	free(f->endpoints);
	free(f);
	return 0;
}

static const json_t *
service_named(const json_t *doc, const char *name)
{
	const json_t *service;
	size_t i;

	json_array_foreach (json_object_get(doc, "services"), i, service)
		if (strcmp(json_string_value(json_object_get(service, "name")), name) == 0)
			return service;
	fail_msg("no service %s", name);
	return NULL;
}

#define STR(o, f) json_string_value(json_object_get(o, f))
#define INT(o, f) ((long)json_integer_value(json_object_get(o, f)))

static void
a_good_service_shows_backends_slots_and_buckets(void **state)
{
	const struct fixture *f = *state;
	json_t *doc = services_json(&f->names, NULL);
	const json_t *web = service_named(doc, "web"), *backends = json_object_get(web, "backends");

	assert_non_null(doc);
	assert_string_equal(STR(web, "problem"), "");
	assert_true(json_is_true(json_object_get(web, "in_force")));
	assert_int_equal(json_array_size(json_object_get(web, "addresses")), 2);
	assert_int_equal(INT(web, "ready"), 2);
	assert_int_equal(INT(web, "total"), 2);
	assert_true(INT(web, "buckets") > 0);
	assert_int_equal(json_array_size(backends), 2);
	assert_string_equal(STR(json_array_get(backends, 0), "address"), "10.244.1.8");
	assert_int_equal(INT(json_array_get(backends, 0), "port"), 8080);
	assert_int_equal(INT(json_array_get(backends, 0), "slot"), 1);
	assert_string_equal(STR(json_array_get(backends, 0), "pod"), "web-0");
	assert_true(json_is_true(json_object_get(json_array_get(backends, 1), "local")));
	assert_true(json_is_true(json_object_get(json_array_get(backends, 1), "in_force")));
	json_decref(doc);
}

static void
a_service_without_backends_says_why(void **state)
{
	static const struct {
		const char *service, *problem;
	} cases[] = {
		{ "typo", "selector app=backnd matches 0 of the 2 pods known in default; nearest is "
			  "app=backend" },
		{ "away", "selector app=nothing-like-it matches 0 of the 2 pods known in default" },
		{ "manual", "it has no selector, and nobody made an EndpointSlice with addresses for it" },
		{ "slow", "none of its 1 endpoints is ready" },
		{ "mismatch", "1 endpoints, but no EndpointSlice has a port named '' of this protocol" },
		{ "new", "not in force (yet): `ringway status` shows errors" },
		{ "here",
			"none of its 1 ready endpoints is on this node, and internalTrafficPolicy is Local" },
		{ "named", "1 endpoints, but none for port '': do the pods' containers have a port named "
			   "'http' of "
			   "this protocol?" },
		{ "zebra", "ClusterIP 10.96.0.10:80/tcp is that of service default/web, which comes first by "
			   "namespace "
			   "and name" },
		{ "balanced", "" },
	};
	const struct fixture *f = *state;
	json_t *doc = services_json(&f->names, NULL);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(STR(service_named(doc, cases[i].service), "problem"), cases[i].problem);
	json_decref(doc);
}

static void
an_exposed_service_shows_frontends_and_who_serves_whom(void **state)
{
	static const struct {
		const char *kind, *address;
		long port, n_inside, n_outside;
	} expected[] = {
		{ "ClusterIP", "10.96.0.19", 443, 2, 0 },
		{ "NodePort", "172.30.0.1", 30443, 2, 1 },
		{ "LoadBalancer", "203.0.113.9", 443, 2, 1 },
	};
	const struct fixture *f = *state;
	json_t *doc = services_json(&f->names, &(struct services_filter){ .is_exposed = true });
	const json_t *balanced = service_named(doc, "balanced");
	const json_t *frontends = json_object_get(balanced, "frontends"), *here, *there, *refused;

	assert_int_equal(json_array_size(json_object_get(doc, "services")), 1);
	assert_string_equal(STR(balanced, "type"), "LoadBalancer");
	assert_string_equal(STR(balanced, "external_policy"), "Local");
	assert_int_equal(INT(balanced, "target_port"), 8443);
	assert_int_equal(json_array_size(frontends), 3);
	for (size_t i = 0; i < 3; i++) {
		const json_t *frontend = json_array_get(frontends, i);

		assert_string_equal(STR(frontend, "kind"), expected[i].kind);
		assert_string_equal(STR(frontend, "address"), expected[i].address);
		assert_int_equal(INT(frontend, "port"), expected[i].port);
		assert_int_equal(INT(frontend, "backends"), expected[i].n_inside);
		assert_int_equal(INT(frontend, "backends_outside"), expected[i].n_outside);
		assert_int_equal(json_is_true(json_object_get(frontend, "exposed")), i != 0);
		assert_int_equal(json_is_true(json_object_get(frontend, "keeps_client")), i != 0);
		assert_string_equal(STR(frontend, "empty"), "");
	}
	assert_string_equal(json_string_value(json_array_get(
				    json_object_get(json_array_get(frontends, 2), "source_ranges"), 0)),
		"198.51.100.0/24");
	refused = json_array_get(json_object_get(balanced, "refused"), 0);
	assert_string_equal(STR(refused, "address"), "10.244.7.7");
	assert_string_equal(STR(refused, "reason"), "is in a range of pods' addresses");
	here = json_array_get(json_object_get(balanced, "backends"), 0);
	there = json_array_get(json_object_get(balanced, "backends"), 1);
	assert_string_equal(STR(here, "zone"), "z1");
	assert_true(json_is_true(json_object_get(here, "local")) &&
		    json_is_true(json_object_get(here, "serves_outside")));
	assert_true(json_is_true(json_object_get(there, "serves_inside")));
	assert_false(json_is_true(json_object_get(there, "local")) ||
		     json_is_true(json_object_get(there, "serves_outside")));
	json_decref(doc);
}

static void
a_name_selects_services(void **state)
{
	static const struct {
		const char *which;
		size_t n;
	} cases[] = { { "default/web", 1 }, { "web", 1 }, { "default/we", 0 }, { "defaul/web", 0 },
		{ "default/", 0 }, { "/web", 0 }, { "", 0 }, { "defaultx/web", 0 } };
	const struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *doc = services_json(&f->names, &(struct services_filter){ .which = cases[i].which });

		assert_int_equal(json_array_size(json_object_get(doc, "services")), cases[i].n);
		json_decref(doc);
	}
}

static void
a_brief_list_counts_what_it_leaves_out(void **state)
{
	const struct fixture *f = *state;
	json_t *doc = services_json(&f->names, &(struct services_filter){ .is_brief = true });
	const json_t *web = service_named(doc, "web");

	assert_int_equal(INT(web, "ready"), 2);
	assert_int_equal(INT(web, "total"), 2);
	assert_null(json_object_get(web, "backends"));
	assert_null(json_object_get(web, "frontends"));
	json_decref(doc);
}

/* A name for something else, and a headless service without ports, have an object, too. */
static void
services_without_ports_are_listed(void **state)
{
	struct fixture *f = *state;
	struct service_object *service;
	json_t *doc;

	put_service(f->store, "default", "alias", NULL, NULL, NULL, NULL, 80, PROTO_TCP);
	service = service_of(f, "alias");
	service->type = SERVICE_EXTERNAL_NAME;
	service->external_name = strdup("example.com");
	free(service->ports[0].name);
	service->n_ports = 0;
	doc = services_json(&f->names, NULL);
	assert_string_equal(STR(service_named(doc, "alias"), "external_name"), "example.com");
	assert_string_equal(STR(service_named(doc, "alias"), "problem"), "");
	assert_int_equal(INT(service_named(doc, "alias"), "port"), 0);
	json_decref(doc);
}

static void
endpoints_tell_the_way_to_them(void **state)
{
	const struct fixture *f = *state;
	json_t *doc = endpoints_json(&f->names);
	const json_t *endpoint;
	size_t i, n_local = 0, n_remote = 0;

	json_array_foreach (json_object_get(doc, "endpoints"), i, endpoint) {
		const char *a = STR(endpoint, "address");

		if (strcmp(a, "10.244.1.8") == 0) {
			assert_string_equal(STR(endpoint, "via"), "port 7");
			n_local++;
		} else if (strcmp(a, "10.244.2.9") == 0) {
			assert_string_equal(STR(endpoint, "via"), "VTEP 172.30.0.2");
			n_remote++;
		} else {
			assert_string_equal(STR(endpoint, "via"), "no route");
		}
	}
	assert_int_equal(n_local, 2);
	assert_int_equal(n_remote, 7);
	json_decref(doc);
}

static void
without_tables_nothing_is_in_force(void **state)
{
	struct fixture *f = *state;
	json_t *doc;

	f->names.tables = NULL;
	doc = services_json(&f->names, NULL);
	assert_string_equal(STR(service_named(doc, "web"), "problem"),
		"not in force (yet): `ringway status` shows errors");
	json_decref(doc);
	doc = endpoints_json(&f->names);
	assert_string_equal(
		STR(json_array_get(json_object_get(doc, "endpoints"), 0), "via"), "no tables in force yet");
	json_decref(doc);
}

static void
addresses_and_ports_in_a_text_get_names(void **state)
{
	static const struct {
		const char *text, *annotated;
	} cases[] = {
		{ "to 10.96.0.10", "to 10.96.0.10 (service default/web)" },
		{ "10.96.0.10:80 -> 10.244.2.9:53, 44 bytes",
			"10.96.0.10:80 (service default/web) -> 10.244.2.9:53 (pod default/back-0), 44 "
			"bytes" },
		{ "[fd00:10:96::a]:80, done", "[fd00:10:96::a]:80 (service default/web), done" },
		{ "from fd00:10:244:1::8: fine", "from fd00:10:244:1::8 (pod default/web-0): fine" },
		{ "it is 172.30.0.2.", "it is 172.30.0.2 (node b)." },
		{ "10.244.1.1 and 169.254.1.1", "10.244.1.1 (this node) and 169.254.1.1 (the gateway)" },
		{ "host of b: 10.244.2.1", "host of b: 10.244.2.1 (node b)" },
		{ "to port 7 of this node", "to port 7 (pod default/web-0) of this node" },
		{ "port 1, port 9, report 7", "port 1 (the host's stack), port 9, report 7" },
		{ "port 80 is service 0: bucket 5", "port 80 is service 0 (default/away): bucket 5" },
		{ "service 9999, service x", "service 9999, service x" },
		{ "at 203.0.113.9:443", "at 203.0.113.9:443 (service default/balanced)" },
		{ "8.8.8.8 has no name", "8.8.8.8 has no name" },
		{ "face cafe: 1.2 bad:add", "face cafe: 1.2 bad:add" },
		{ "", "" },
	};
	const struct fixture *f = *state;
	char out[200];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		names_annotate(&f->names, cases[i].text, out, sizeof(out));
		assert_string_equal(out, cases[i].annotated);
	}
	for (size_t size = 1; size < 40; size++) {
		names_annotate(&f->names, "to 10.96.0.10 there", out, size);
		assert_true(strlen(out) < size);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_good_service_shows_backends_slots_and_buckets, setup, teardown),
		cmocka_unit_test_setup_teardown(a_service_without_backends_says_why, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_exposed_service_shows_frontends_and_who_serves_whom, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_selects_services, setup, teardown),
		cmocka_unit_test_setup_teardown(a_brief_list_counts_what_it_leaves_out, setup, teardown),
		cmocka_unit_test_setup_teardown(services_without_ports_are_listed, setup, teardown),
		cmocka_unit_test_setup_teardown(endpoints_tell_the_way_to_them, setup, teardown),
		cmocka_unit_test_setup_teardown(without_tables_nothing_is_in_force, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses_and_ports_in_a_text_get_names, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
