/* A build in which one allocation fails, each of them in turn: the tables in force stay, and what changed is in force with the
 * next build, though nothing says again that it did. The linker has the program's own allocations come here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "control/build/dns_build.h"
#include "control/build/publish.h"
#include "control/build/slots.h"
#include "control/loop.h"
#include "control/model/network_policy.h"
#include "dataplane/net/headers.h"
#include "dataplane/snapshot.h"
#include "tests/support/objects.h"

#define POD_PORT 5
#define BUILDS_MAX 10000 /* far more than there are allocations in one */

static unsigned fail_at; /* this allocation from now on; 0: none */

static bool
is_to_fail(void)
{
	return fail_at != 0 && --fail_at == 0;
}

/* What --wrap calls them: NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__real_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size) __attribute__((used));
void *__wrap_realloc(void *p, size_t size) __attribute__((used));
void *__wrap_reallocarray(void *p, size_t n, size_t size) __attribute__((used));
void *__wrap_malloc(size_t size) __attribute__((used));

void *
__wrap_calloc(size_t n, size_t size)
{
	return is_to_fail() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t size)
{
	return is_to_fail() ? NULL : __real_realloc(p, size);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return is_to_fail() ? NULL : __real_reallocarray(p, n, size);
}

void *
__wrap_malloc(size_t size)
{
	return is_to_fail() ? NULL : __real_malloc(size);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

struct stage {
	struct loop *loop;
	struct store *store;
	struct slots *slots;
	struct snapshot *snapshot;
	struct publisher *publisher;
	struct endpoint endpoint;
	struct local_pod pod;
	struct dns_options dns;
};

static void
gather(struct build_facts *facts, void *arg)
{
	struct stage *s = arg;

	*facts = (struct build_facts){ .node_name = "a",
		.vxlan_port = 4789,
		.vni = 1,
		.uplink_mtu = 1500,
		.n_workers = 1,
		.n_endpoints = 1,
		.endpoints = &s->endpoint,
		.n_pods = 1,
		.pods = &s->pod,
		.dns = &s->dns };
}

static void
never(const char *key, const char *text, void *arg)
{
	fail_msg("%s: %s", key, text);
}

/* A node with a service and an attached pod, in force; no policies. */
static void
open_stage(struct stage *s)
{
	const struct dns_texts texts = { .zone = "cluster.local", .service = "kube-system/kube-dns" };
	struct publisher_config config = { .gather = gather, .arg = s };

	*s = (struct stage){ .endpoint.port = POD_PORT,
		.pod = { .port = POD_PORT, .ns = "shop", .name = "web-1" } };
	assert_int_equal(dns_options_read(&s->dns, &texts, never, NULL), 0);
	assert_true(ip_addr_parse("10.244.1.9", &s->pod.addrs[V4]));
	s->endpoint.addrs[V4] = s->pod.addrs[V4];
	config.loop = s->loop = loop_new();
	config.store = s->store = store_new();
	config.slots = s->slots = slots_new();
	config.snapshot = s->snapshot = snapshot_new(1);
	s->publisher = publisher_new(&config);
	assert_non_null(s->publisher);
	put_node(s->store, "a", "192.0.2.1", "10.244.1.0/24", NULL);
	put_pod(s->store, "shop", "web-1", "a", "app", "web", "10.244.1.9", NULL);
	put_service(s->store, "shop", "web", "app", "web", "10.96.0.10", NULL, 80, PROTO_TCP);
	assert_int_equal(publisher_flush(s->publisher), 0);
	assert_null(publisher_tables(s->publisher)->policies);
}

static void
close_stage(struct stage *s)
{
	publisher_free(s->publisher);
	snapshot_free(s->snapshot);
	slots_free(s->slots);
	store_free(s->store);
	loop_free(s->loop);
	dns_options_fini(&s->dns);
}

static void
put_policy(struct stage *s)
{
	struct network_policy_object *o = calloc(1, sizeof(*o));

	o->object = (struct object){
		.kind = OBJECT_NETWORK_POLICY, .ns = strdup("shop"), .name = strdup("deny")
	};
	o->isolates[POLICY_INGRESS] = true;
	assert_int_equal(store_put(s->store, &o->object), 0);
}

static void
put_policy_and_slice(struct stage *s)
{
	put_policy(s);
	put_slice(s->store, "shop", "web", "10.244.1.9", 80, PROTO_TCP, true, "web-1", "a");
}

static void
put_policy_and_node(struct stage *s)
{
	put_policy(s);
	put_node(s->store, "b", "192.0.2.2", "10.244.2.0/24", NULL);
}

static void
put_policy_and_dns(struct stage *s)
{
	put_policy(s);
	put_service(s->store, "kube-system", "kube-dns", NULL, NULL, "10.96.0.11", NULL, 53, PROTO_UDP);
	put_slice(s->store, "kube-system", "kube-dns", "10.244.1.9", 53, PROTO_UDP, true, "dns-1", "a");
}

/* What the loop's tick does. */
static void
go_on(struct stage *s)
{
	publisher_check(s->publisher);
	while (loop_round(s->loop, 0) > 0)
		;
}

static bool
is_isolated(const struct stage *s)
{
	const struct policy_table *t = publisher_tables(s->publisher)->policies;
	const struct pod_policy *pod = t == NULL ? NULL : policy_of_port(t, POD_PORT);

	return pod != NULL && !pod->is_closed && pod->rules[POLICY_INGRESS] != NULL;
}

/* Returns whether there was an n-th allocation. */
static bool
fail_one(void (*change)(struct stage *s), unsigned n)
{
	const struct tables *before;
	struct stage s;
	bool has_failed;
	int result;

	open_stage(&s);
	before = publisher_tables(s.publisher);
	change(&s);
	fail_at = n;
	result = publisher_flush(s.publisher);
	has_failed = fail_at == 0;
	fail_at = 0;
	if (result < 0) {
		assert_true(has_failed);
		assert_int_equal(result, -ENOMEM);
		assert_ptr_equal(publisher_tables(s.publisher), before);
		go_on(&s);
	}
	if (!is_isolated(&s))
		fail_msg(
			"allocation %u failed, %d was the result, and the policy is not in force", n, result);
	if (change == put_policy_and_dns)
		assert_int_equal(publisher_tables(s.publisher)->dns->backends[V4].n, 1);
	assert_string_equal(publisher_status(s.publisher).error, "");
	close_stage(&s);
	return has_failed;
}

static void
what_changed_is_in_force_with_the_next_build(void **state)
{
	static void (*const changes[])(struct stage * s) = { put_policy, put_policy_and_slice,
		put_policy_and_node, put_policy_and_dns };

	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		unsigned n = 1;

		while (fail_one(changes[i], n))
			assert_int_not_equal(++n, BUILDS_MAX);
		assert_in_range(n, 10, BUILDS_MAX);
		print_message("  %u allocations, each failed once\n", n - 1);
	}
}

/* --- names */

static bool
has_name(const struct dns_zone *z, const char *text)
{
	struct dns_wire name;

	return dns_wire_parse(text, &name) && dns_zone_get(z, name.bytes, name.len) != NULL;
}

static void
put_namespace(struct store *s, const char *name)
{
	struct namespace_object *o = calloc(1, sizeof(*o));

	o->object = (struct object){ .kind = OBJECT_NAMESPACE, .ns = strdup(""), .name = strdup(name) };
	assert_int_equal(store_put(s, &o->object), 0);
}

/* Names come with a namespace, change with a service, and go with an endpoint. Returns whether there was an n-th allocation. */
static bool
fail_one_name(unsigned n)
{
	const struct dns_build_config config = { .zone = "x",
		.ttl_s = 30,
		.pods = DNS_PODS_VERIFIED,
		.server_ns = "kube-system",
		.server = "kube-dns" };
	struct store *s = store_new();
	struct dns_builder *b;
	struct dns_zone *first, *next;
	bool has_failed;
	int result;

	put_namespace(s, "shop");
	put_pod(s, "shop", "web-1", "a", "app", "web", "10.244.1.9", NULL);
	put_service(s, "shop", "web", "app", "web", "10.96.0.10", NULL, 80, PROTO_TCP);
	put_slice(s, "shop", "web", "10.244.1.9", 80, PROTO_TCP, true, "web-1", "a");
	put_service(s, "data", "db", "app", "db", "10.96.0.11", NULL, 80, PROTO_TCP);
	assert_int_equal(dns_builder_new(&b, s, &config), 0);
	assert_int_equal(dns_builder_build(b, &first), 0);
	put_namespace(s, "data");
	put_service(s, "shop", "web", "app", "web", "10.96.0.12", NULL, 80, PROTO_TCP);
	put_slice(s, "shop", "web", NULL, 80, PROTO_TCP, true, "web-1", "a");
	put_pod(s, "data", "db-1", "a", "app", "db", "10.244.1.10", NULL);
	fail_at = n;
	result = dns_builder_build(b, &next);
	has_failed = fail_at == 0;
	fail_at = 0;
	assert_true(has_name(first, "10-244-1-9.web.shop.svc.x") && !has_name(first, "db.data.svc.x"));
	if (result < 0) {
		assert_true(has_failed && next == NULL && !dns_builder_is_idle(b));
		assert_int_equal(dns_builder_build(b, &next), 0);
	}
	assert_non_null(next);
	assert_true(dns_builder_is_idle(b));
	assert_true(has_name(next, "db.data.svc.x") && has_name(next, "10-244-1-10.data.pod.x"));
	assert_true(has_name(next, "12.0.96.10.in-addr.arpa") && !has_name(next, "10.0.96.10.in-addr.arpa"));
	assert_false(has_name(next, "10-244-1-9.web.shop.svc.x"));
	dns_builder_release(b, first);
	dns_builder_release(b, next);
	assert_int_equal(dns_builder_books(b).n_pieces, 0);
	dns_builder_free(b);
	store_free(s);
	return has_failed;
}

static void
names_that_changed_are_there_with_the_next_build(void **state)
{
	unsigned n = 1;

	while (fail_one_name(n))
		assert_int_not_equal(++n, BUILDS_MAX);
	assert_in_range(n, 5, BUILDS_MAX);
	print_message("  %u allocations, each failed once\n", n - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_changed_is_in_force_with_the_next_build),
		cmocka_unit_test(names_that_changed_are_there_with_the_next_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
