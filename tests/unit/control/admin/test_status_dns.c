/* What status and doctor tell of DNS, from the configuration, the store and the tables in force. */
#include "control/admin/status_dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/build/dns_table_build.h"
#include "control/config.h"
#include "control/config_check.h"
#include "dataplane/tables.h"
#include "tests/support/yaml_objects.h"

struct lab {
	struct config config;
	struct store *store;
	struct dns_options options;
	struct dns_table_builder *builder;
	struct tables tables;
	struct dns_status_input in;
};

static int
start(void **state)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	assert_int_equal(config_init(&lab->config), 0);
	assert_int_equal(config_set(&lab->config, "dns.stubDomains=['corp.example=192.0.2.1']", stderr), 0);
	lab->store = store_new();
	lab->in = (struct dns_status_input){ .config = &lab->config, .store = lab->store };
	*state = lab;
	return 0;
}

static int
stop(void **state)
{
	struct lab *lab = *state;

	dns_table_builder_release(lab->builder, lab->tables.dns);
	dns_table_builder_free(lab->builder);
	dns_options_fini(&lab->options);
	store_free(lab->store);
	config_fini(&lab->config);
	free(lab);
	return 0;
}

static void
build(struct lab *lab)
{
	assert_int_equal(config_dns(&lab->config, &lab->options), 0);
	lab->in.builder = lab->builder = dns_table_builder_new(lab->store, &lab->options, NULL, 0);
	assert_non_null(lab->builder);
	while (dns_table_builder_has_work(lab->builder))
		assert_int_equal(dns_table_builder_step(lab->builder), 0);
	assert_int_equal(dns_table_builder_build(lab->builder, NULL, &lab->tables.dns), 0);
	lab->in.tables = &lab->tables;
}

static void
assert_text(const struct lab *lab, const char *wanted)
{
	char text[DNS_STATUS_TEXT_SIZE];

	assert_string_equal(dns_status_text(&lab->in, text), wanted);
}

/* wanted NULL: none. */
static void
assert_problem(const struct lab *lab, const char *wanted)
{
	json_t *texts = dns_status_problems(&lab->in);

	assert_int_equal(json_array_size(texts), wanted != NULL);
	if (wanted != NULL)
		assert_string_equal(json_string_value(json_array_get(texts, 0)), wanted);
	json_decref(texts);
}

static const char *
text_of(const json_t *doc, const char *field)
{
	return json_string_value(json_object_get(doc, field));
}

static void
all_of_it_is_told(void **state)
{
	struct lab *lab = *state;
	json_t *doc;

	put_yaml(lab->store, "{apiVersion: v1, kind: Namespace, metadata: {name: kube-system}}\n---\n"
			     "{apiVersion: v1, kind: Service, metadata: {name: kube-dns, namespace: "
			     "kube-system}, spec: {clusterIP: "
			     "10.96.0.10, ports: [{name: dns, port: 53, protocol: UDP}]}}\n---\n"
			     "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: a, "
			     "namespace: kube-system, labels: "
			     "{kubernetes.io/service-name: kube-dns}}, addressType: IPv4, ports: [{name: "
			     "dns, port: 53, protocol: UDP}], "
			     "endpoints: [{addresses: [10.244.1.7]}]}");
	assert_text(lab, "the names of cluster.local are not all known yet: queries go to Service "
			 "kube-system/kube-dns");
	build(lab);
	assert_text(lab, "what is asked of Service kube-system/kube-dns is answered here");
	assert_problem(lab, NULL);
	doc = dns_status_json(&lab->in);
	assert_non_null(doc);
	assert_string_equal(text_of(doc, "mode"), "on");
	assert_true(json_is_true(json_object_get(doc, "synced")) &&
		    json_is_true(json_object_get(doc, "service_found")));
	assert_int_equal(json_integer_value(json_object_get(doc, "names")),
		8 + 5); /* the zone's own; the service's, one in reverse */
	assert_true(json_integer_value(json_object_get(doc, "zone_bytes")) > 0);
	assert_int_equal(json_integer_value(json_object_get(doc, "endpoints")), 1);
	assert_int_equal(json_array_size(json_object_get(doc, "addresses")), 2);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(doc, "addresses"), 1)), "10.96.0.10");
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(doc, "upstreams"), 0)), "10.244.1.7");
	assert_string_equal(
		text_of(json_array_get(json_object_get(doc, "stub_domains"), 0), "zone"), "corp.example.");
	json_decref(doc);
}

static void
off_is_off(void **state)
{
	struct lab *lab = *state;
	json_t *doc;

	assert_int_equal(config_set(&lab->config, "dns.mode=off", stderr), 0);
	assert_text(lab, "dns.mode is off: all queries go to the DNS service");
	assert_problem(lab, NULL);
	doc = dns_status_json(&lab->in);
	assert_string_equal(text_of(doc, "mode"), "off");
	assert_true(json_is_false(json_object_get(doc, "synced")));
	json_decref(doc);
}

/* Without a resolver nothing was compared yet. */
static void
shadow_mode_is_told(void **state)
{
	struct lab *lab = *state;
	char text[DNS_STATUS_TEXT_SIZE];
	json_t *doc, *texts;

	assert_string_equal(
		dns_status_shadow_text(&lab->in, text), "dns.mode is not shadow: nothing is compared");
	assert_int_equal(config_set(&lab->config, "dns.mode=shadow", stderr), 0);
	put_yaml(lab->store,
		"{apiVersion: v1, kind: Service, metadata: {name: kube-dns, namespace: kube-system}, "
		"spec: {clusterIP: 10.96.0.10, ports: [{port: 53, protocol: UDP}]}}");
	build(lab);
	assert_true(lab->tables.dns->is_shadow);
	assert_int_equal(lab->tables.dns->n_asked, 1); /* and nothing at 169.254.20.10 */
	assert_text(lab,
		"dns.mode is shadow: what is asked of Service kube-system/kube-dns is compared, and not "
		"answered here");
	assert_string_equal(dns_status_shadow_text(&lab->in, text),
		"shadow mode is on: 0 answers compared, all the same");
	texts = dns_status_shadow_problems(&lab->in);
	assert_int_equal(json_array_size(texts), 0);
	json_decref(texts);
	doc = dns_status_json(&lab->in);
	assert_string_equal(text_of(doc, "mode"), "shadow");
	assert_true(json_is_true(json_object_get(doc, "synced")));
	assert_int_equal(json_integer_value(json_object_get(doc, "diverged")), 0);
	json_decref(doc);
}

static void
a_service_that_is_not_there_may_have_another_name(void **state)
{
	struct lab *lab = *state;

	put_yaml(lab->store, "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: kube-system}, "
			     "spec: {clusterIP: "
			     "10.96.0.11, ports: [{port: 80}]}}");
	assert_text(lab, "there is no Service kube-system/kube-dns");
	assert_problem(lab, NULL); /* a cluster without DNS */
	put_yaml(lab->store,
		"{apiVersion: v1, kind: Service, metadata: {name: coredns, namespace: kube-system}, spec: "
		"{clusterIP: 10.96.0.10, ports: [{port: 53, protocol: UDP}]}}");
	assert_problem(
		lab, "dns.service: there is no Service kube-system/kube-dns; is kube-system/coredns meant?");
	put_yaml(lab->store,
		"{apiVersion: v1, kind: Service, metadata: {name: kube-dns, namespace: kube-system}, spec: "
		"{clusterIP: 10.96.0.12, ports: [{port: 53}]}}");
	assert_problem(lab,
		"dns.service: Service kube-system/kube-dns has no cluster address or no UDP port 53, so its "
		"queries are not answered here");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(all_of_it_is_told),
		CASE(off_is_off),
		CASE(shadow_mode_is_told),
		CASE(a_service_that_is_not_there_may_have_another_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
