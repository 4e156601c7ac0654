/* A build in which one allocation fails, each of them in turn: the tables in force stay, and what changed is in force with the
 * next build, though nothing says again that it did. The linker has the program's own allocations come here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

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
		.pods = &s->pod };
}

/* A node with a service and an attached pod, in force; no policies. */
static void
open_stage(struct stage *s)
{
	struct publisher_config config = { .gather = gather, .arg = s };

	*s = (struct stage){ .endpoint.port = POD_PORT,
		.pod = { .port = POD_PORT, .ns = "shop", .name = "web-1" } };
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
	assert_string_equal(publisher_status(s.publisher).error, "");
	close_stage(&s);
	return has_failed;
}

static void
what_changed_is_in_force_with_the_next_build(void **state)
{
	static void (*const changes[])(
		struct stage * s) = { put_policy, put_policy_and_slice, put_policy_and_node };

	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		unsigned n = 1;

		while (fail_one(changes[i], n))
			assert_int_not_equal(++n, BUILDS_MAX);
		assert_in_range(n, 10, BUILDS_MAX);
		print_message("  %u allocations, each failed once\n", n - 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_changed_is_in_force_with_the_next_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
