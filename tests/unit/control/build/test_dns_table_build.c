/* The DNS table follows the DNS service and the zone; what it names lives as long as the table, in whichever order tables go. */
#include "control/build/dns_table_build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/build/facts.h"
#include "dataplane/dns/dns_zone.h"
#include "tests/support/yaml_objects.h"

#define CACHE ((struct dns_cache *)0x1000) /* never looked into */

struct stage {
	struct store *store;
	struct dns_options options;
	struct dns_table_builder *builder;
};

static void
never(const char *key, const char *text, void *arg)
{
	fail_msg("%s: %s", key, text);
}

static int
start_with(void **state, char *upstream)
{
	static char *local[] = { "169.254.20.10" }, *stubs[] = { "corp.example=192.0.2.1" };
	struct dns_texts texts = {
		.zone = "cluster.local",
		.service = "kube-system/kube-dns",
		.local = { 1, local },
		.stubs = { 1, stubs },
		.upstreams = { upstream != NULL, &upstream },
		.ttl_s = 30,
	};
	struct stage *s = calloc(1, sizeof(*s));

	s->store = store_new();
	assert_int_equal(dns_options_read(&s->options, &texts, never, NULL), 0);
	assert_true(dns_options_add_suffix(&s->options, "node.example"));
	s->builder = dns_table_builder_new(s->store, &s->options, CACHE, 7);
	assert_non_null(s->builder);
	*state = s;
	return 0;
}

static int
start(void **state)
{
	return start_with(state, NULL);
}

static int
start_with_upstream(void **state)
{
	return start_with(state, "192.0.2.53");
}

static int
stop(void **state)
{
	struct stage *s = *state;

	dns_table_builder_free(s->builder);
	dns_options_fini(&s->options);
	store_free(s->store);
	free(s);
	return 0;
}

static void
put_service(struct stage *s, const char *ip)
{
	char text[512];

	snprintf(text, sizeof(text),
		"{apiVersion: v1, kind: Service, metadata: {name: kube-dns, namespace: kube-system}, spec: "
		"{clusterIPs: "
		"[%s], ports: [{name: metrics, port: 9153}, {name: dns-tcp, port: 53}, {name: dns, port: 53, "
		"protocol: "
		"UDP}]}}",
		ip);
	put_yaml(s->store, text);
}

/* Endpoints as YAML has them. */
static void
put_slice(struct stage *s, const char *name, const char *service, bool is_v4, const char *endpoints)
{
	char text[1024];

	snprintf(text, sizeof(text),
		"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: %s, namespace: "
		"kube-system, "
		"labels: {kubernetes.io/service-name: %s}}, addressType: %s, ports: [{name: dns, port: 5353, "
		"protocol: "
		"UDP}, {name: dns-tcp, port: 5354}], endpoints: [%s]}",
		name, service, is_v4 ? "IPv4" : "IPv6", endpoints);
	put_yaml(s->store, text);
}

static void
put_namespace(struct stage *s, const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), "{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", name);
	put_yaml(s->store, text);
}

static const struct dns_table *
build(struct stage *s, const struct dns_table *last)
{
	const struct dns_table *t = NULL;

	while (dns_table_builder_has_work(s->builder))
		assert_int_equal(dns_table_builder_step(s->builder), 0);
	assert_int_equal(dns_table_builder_build(s->builder, last, &t), 0);
	assert_false(dns_table_builder_is_due(s->builder));
	return t;
}

static void
release(struct stage *s, const struct dns_table *t)
{
	dns_table_builder_release(s->builder, t);
}

static void
assert_servers(const struct dns_server *servers, unsigned n, const char *wanted)
{
	char text[512] = "", one[DNS_SERVER_STRLEN];

	for (unsigned i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i == 0 ? "" : " ",
			dns_server_format(&servers[i], one));
	assert_string_equal(text, wanted);
}

static void
assert_backends(const struct dns_table *t, unsigned family, const char *wanted)
{
	assert_servers(t->backends[family].servers, t->backends[family].n, wanted);
}

static void
a_table_says_who_is_asked_and_who_answers(void **state)
{
	struct stage *s = *state;
	const struct dns_table *t;

	put_namespace(s, "kube-system");
	put_service(s, "10.96.0.10, 'fd00::a'");
	put_slice(s, "b", "kube-dns", true, "{addresses: [10.244.1.9]}, {addresses: [10.244.1.8]}");
	put_slice(s, "a", "kube-dns", true, "{addresses: [10.244.1.7], conditions: {ready: false}}");
	put_slice(s, "c", "kube-dns", false, "{addresses: ['fd01::9'], conditions: {ready: false}}");
	put_slice(s, "d", "other", true, "{addresses: [10.244.1.6]}");
	t = build(s, NULL);
	assert_servers(t->asked, t->n_asked, "169.254.20.10 10.96.0.10 fd00::a");
	assert_backends(t, V4, "10.244.1.8:5353 10.244.1.9:5353");
	assert_backends(t, V6, "[fd01::9]:5353"); /* better than none */
	assert_int_equal(t->n_forwards, 2);
	assert_servers(t->forwards[0].servers, t->forwards[0].n, "192.0.2.1");
	assert_int_equal(t->forwards[1].zone.len, 1);
	assert_servers(t->forwards[1].servers, t->forwards[1].n, "10.244.1.8:5353 10.244.1.9:5353");
	assert_int_equal(t->n_suffixes, 1);
	assert_ptr_equal(t->cache, CACHE);
	assert_non_null(t->zone);
	assert_int_equal(t->zone->seed, 7);
	release(s, t);
}

/* Those that are ready: what has failed its probe in one family is no help in the other. */
static void
endpoints_of_both_families_are_asked(void **state)
{
	struct stage *s = *state;
	const struct dns_table *t, *last;
	char many[1024] = "{addresses: [10.244.1.1]}", *at = many + strlen(many);

	put_service(s, "10.96.0.10, 'fd00::a'");
	put_slice(s, "a", "kube-dns", true,
		"{addresses: [10.244.1.7]}, {addresses: [10.244.1.8]}, {addresses: [10.244.1.9]}");
	put_slice(s, "b", "kube-dns", false, "{addresses: ['fd01::8']}");
	t = build(s, NULL);
	assert_servers(t->forwards[1].servers, t->forwards[1].n,
		"10.244.1.7:5353 [fd01::8]:5353 10.244.1.8:5353 10.244.1.9:5353");
	put_service(s, "'fd00::a', 10.96.0.10");
	t = build(s, last = t);
	release(s, last);
	assert_servers(t->forwards[1].servers, t->forwards[1].n,
		"[fd01::8]:5353 10.244.1.7:5353 10.244.1.8:5353 10.244.1.9:5353");
	put_slice(s, "b", "kube-dns", false, "{addresses: ['fd01::8'], conditions: {ready: false}}");
	t = build(s, last = t);
	release(s, last);
	assert_servers(
		t->forwards[1].servers, t->forwards[1].n, "10.244.1.7:5353 10.244.1.8:5353 10.244.1.9:5353");
	put_slice(s, "b", "kube-dns", false, "{addresses: ['fd01::8']}");
	t = build(s, last = t);
	release(s, last);
	store_remove(s->store, OBJECT_ENDPOINT_SLICE, "kube-system", "b");
	t = build(s, last = t);
	release(s, last);
	assert_backends(t, V6, "[fd01::8]:5353"); /* policies know it still */
	assert_servers(
		t->forwards[1].servers, t->forwards[1].n, "10.244.1.7:5353 10.244.1.8:5353 10.244.1.9:5353");
	/* as many as there is room for, of both */
	for (unsigned i = 2; i <= DNS_UPSTREAMS_MAX; i++)
		at += sprintf(at, ", {addresses: [10.244.1.%u]}", i);
	put_slice(s, "a", "kube-dns", true, many);
	put_slice(s, "b", "kube-dns", false, "{addresses: ['fd01::1']}, {addresses: ['fd01::2']}");
	t = build(s, last = t);
	release(s, last);
	assert_servers(t->forwards[1].servers, t->forwards[1].n,
		"[fd01::1]:5353 10.244.1.1:5353 [fd01::2]:5353 10.244.1.2:5353 10.244.1.3:5353 "
		"10.244.1.4:5353 10.244.1.5:5353 10.244.1.6:5353 10.244.1.7:5353 10.244.1.8:5353 "
		"10.244.1.9:5353 10.244.1.10:5353 10.244.1.11:5353 10.244.1.12:5353 10.244.1.13:5353 "
		"10.244.1.14:5353");
	release(s, t);
}

static void
servers_that_are_named_are_asked_instead(void **state)
{
	struct stage *s = *state;
	const struct dns_table *t;

	const struct dns_table *next;

	put_service(s, "10.96.0.10");
	t = build(s, NULL);
	assert_servers(t->forwards[1].servers, t->forwards[1].n, "192.0.2.53");
	/* it is the service itself, and would be asked for ever */
	put_service(s, "192.0.2.53");
	next = build(s, t);
	assert_int_equal(next->forwards[1].n, 0);
	release(s, next);
	release(s, t);
}

static void
what_changes_nothing_makes_no_table(void **state)
{
	struct stage *s = *state;
	const struct dns_table *first, *next;

	put_service(s, "10.96.0.10");
	first = build(s, NULL);
	put_slice(s, "d", "other", true, "{addresses: [10.244.1.6]}");
	assert_ptr_equal(build(s, first), first);
	put_slice(s, "d", "kube-dns", true, "{addresses: [10.244.1.6]}");
	next = build(s, first);
	assert_ptr_not_equal(next, first);
	put_slice(s, "d", "kube-dns", true, "{addresses: [10.244.1.6], zone: z}");
	assert_ptr_equal(build(s, next), next);
	release(s, first);
	release(s, next);
}

static void
policies_go_on_judging_by_the_last_endpoints(void **state)
{
	struct stage *s = *state;
	const struct dns_table *first, *next;

	put_service(s, "10.96.0.10");
	put_slice(s, "a", "kube-dns", true, "{addresses: [10.244.1.7]}");
	first = build(s, NULL);
	store_remove(s->store, OBJECT_ENDPOINT_SLICE, "kube-system", "a");
	assert_ptr_equal(build(s, first), first);
	put_slice(s, "b", "kube-dns", true, "{addresses: [10.244.1.8]}");
	next = build(s, first);
	assert_backends(next, V4, "10.244.1.8:5353");
	/* and one that is another service's now */
	put_slice(s, "b", "other", true, "{addresses: [10.244.1.9]}");
	assert_ptr_equal(build(s, next), next);
	release(s, first);
	release(s, next);
}

/* When a build of another table fails behind it, what was made goes, and the next build makes it again. */
static void
a_table_that_no_version_got_is_made_again(void **state)
{
	struct stage *s = *state;
	const struct dns_table *first, *lost, *next;

	put_service(s, "10.96.0.10");
	first = build(s, NULL);
	put_service(s, "10.96.0.11");
	lost = build(s, first);
	assert_ptr_not_equal(lost, first);
	release(s, lost);
	next = build(s, first);
	assert_servers(next->asked, next->n_asked, "169.254.20.10 10.96.0.11");
	release(s, next);
	release(s, first);
}

static bool
has_namespace(const struct dns_table *t, const char *ns)
{
	char text[64];
	struct dns_wire name;

	snprintf(text, sizeof(text), "%s.svc.cluster.local", ns);
	assert_true(dns_wire_parse(text, &name));
	return dns_zone_get(t->zone, name.bytes, name.len) != NULL;
}

/* Grace periods overlap, and end in any order: zones are freed in their own. A sanitizer sees what is freed too early. */
static void
zones_live_as_long_as_a_table_names_them(void **state)
{
	static const unsigned orders[][4] = { { 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 1, 3, 0, 2 },
		{ 2, 0, 3, 1 } };
	struct stage *s = *state;
	const struct dns_table *last = NULL;

	for (unsigned o = 0; o < 4; o++) {
		const struct dns_table *tables[4];
		bool is_released[4] = { false };
		char ns[8];

		for (unsigned i = 0; i < 4; i++) {
			snprintf(ns, sizeof(ns), "n%u", o * 4 + i);
			put_namespace(s, ns);
			if (i == 2) /* the same zone, another table */
				assert_true(store_remove(s->store, OBJECT_NAMESPACE, "", ns));
			if (i == 2)
				put_service(s, o % 2 == 0 ? "10.96.0.12" : "10.96.0.13");
			last = tables[i] = build(s, last);
		}
		for (unsigned i = 0; i < 4; i++) {
			release(s, tables[orders[o][i]]);
			is_released[orders[o][i]] = true;
			for (unsigned k = 0; k < 4; k++) {
				snprintf(ns, sizeof(ns), "n%u", o * 4 + k);
				if (!is_released[k])
					assert_true(has_namespace(tables[k], ns) == (k != 2));
			}
		}
		last = NULL;
	}
}

static void
assert_namespace(const struct dns_table *t, uint16_t port, const char *ns)
{
	size_t len = strlen(ns);

	assert_int_equal(t->namespaces[port].len, len == 0 ? 0 : len + 1);
	if (len == 0)
		return;
	assert_int_equal(t->namespaces[port].label[0], len);
	assert_memory_equal(t->namespaces[port].label + 1, ns, len);
}

static void
namespaces_of_pods_are_known_when_searches_are_completed(void **state)
{
	const struct local_pod pods[] = { { .port = 3, .ns = "shop", .name = "web" },
		{ .port = 4, .ns = "", .name = "" }, { .port = PORTS_MAX - 1, .ns = "bank", .name = "db" } };
	struct stage *s = *state;
	const struct dns_table *t, *more;

	dns_table_builder_see_pods(s->builder, pods, 3);
	t = build(s, NULL);
	assert_null(t->namespaces);
	release(s, t);
	s->options.completes_searches = true;
	t = build(s, NULL);
	assert_namespace(t, 0, "");
	assert_namespace(t, 3, "shop");
	assert_namespace(t, 4, "");
	assert_namespace(t, PORTS_MAX - 1, "bank");
	assert_ptr_equal(build(s, t), t);
	dns_table_builder_see_pods(s->builder, pods, 2); /* no object changes with it */
	more = build(s, t);
	assert_ptr_not_equal(more, t);
	assert_namespace(more, 3, "shop");
	assert_namespace(more, PORTS_MAX - 1, "");
	release(s, t);
	release(s, more);
}

static void
searches_are_not_completed_when_a_suffix_is_missing(void **state)
{
	struct stage *s = *state;
	char suffix[32];

	s->options.completes_searches = true;
	assert_true(dns_options_add_suffix(&s->options, "cluster.local"));
	assert_true(dns_options_add_suffix(&s->options, "node.example"));
	assert_true(s->options.completes_searches);
	assert_false(dns_options_add_suffix(&s->options, "a..b"));
	assert_false(s->options.completes_searches);
	s->options.completes_searches = true;
	assert_true(dns_options_add_suffix(&s->options, "shop.svc.cluster.local"));
	assert_false(s->options.completes_searches);
	s->options.completes_searches = true;
	while (s->options.n_suffixes < DNS_SUFFIXES_MAX) {
		snprintf(suffix, sizeof(suffix), "n%u.example", s->options.n_suffixes);
		assert_true(dns_options_add_suffix(&s->options, suffix));
	}
	assert_true(s->options.completes_searches);
	assert_true(dns_options_add_suffix(&s->options, "one.too.many"));
	assert_false(s->options.completes_searches);
}

static void
nor_are_those_that_have_the_root_in_the_middle(void **state)
{
	struct stage *s = *state;

	s->options.completes_searches = true;
	assert_true(dns_options_add_suffix(&s->options, "node.example"));
	assert_true(dns_options_add_suffix(&s->options, ".")); /* as systemd writes it, alone */
	assert_true(dns_options_add_suffix(&s->options, "node.example"));
	assert_true(s->options.completes_searches);
	assert_true(dns_options_add_suffix(&s->options, "late.example"));
	assert_false(s->options.completes_searches);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_table_says_who_is_asked_and_who_answers),
		CASE(endpoints_of_both_families_are_asked),
		cmocka_unit_test_setup_teardown(
			servers_that_are_named_are_asked_instead, start_with_upstream, stop),
		CASE(what_changes_nothing_makes_no_table),
		CASE(policies_go_on_judging_by_the_last_endpoints),
		CASE(a_table_that_no_version_got_is_made_again),
		CASE(zones_live_as_long_as_a_table_names_them),
		CASE(namespaces_of_pods_are_known_when_searches_are_completed),
		CASE(searches_are_not_completed_when_a_suffix_is_missing),
		CASE(nor_are_those_that_have_the_root_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
