/* Which services a load balancer can ask about, and what it hears. This is node-a. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/build/health_targets.h"
#include "tests/support/objects.h"

/* A load balancer with a health check port, and its endpoints "address@node" (with a '!': not ready), ended by NULL. */
static struct service_object *
put_balancer(struct store *s, const char *name, uint16_t port, const char *const *endpoints)
{
	struct service_object *service;

	put_service(s, "shop", name, NULL, NULL, "10.96.0.1", NULL, 80, PROTO_TCP);
	service = (struct service_object *)store_get(s, OBJECT_SERVICE, "shop", name);
	service->type = SERVICE_LOAD_BALANCER;
	service->external_local = true;
	service->health_check_node_port = port;
	for (unsigned i = 0; endpoints[i] != NULL; i++) {
		char addr[64], node[64], ready[2] = "";
		struct slice_object *slice;

		assert_true(sscanf(endpoints[i], "%63[^@]@%63[^!]%1[!]", addr, node, ready) >= 2);
		slice = calloc(1, sizeof(*slice));
		slice->object.kind = OBJECT_ENDPOINT_SLICE;
		slice->object.ns = strdup("shop");
		slice->object.name = malloc(80);
		snprintf(slice->object.name, 80, "%s-%u", name, i);
		slice->service = strdup(name);
		slice->n_endpoints = 1;
		slice->endpoints = calloc(1, sizeof(*slice->endpoints));
		slice->endpoints[0] = (struct slice_endpoint){ .n_addrs = 1,
			.addrs = calloc(1, sizeof(struct ip_addr)),
			.ready = ready[0] == '\0',
			.node = strdup(node),
			.pod = strdup("p") };
		assert_true(ip_addr_parse(addr, &slice->endpoints[0].addrs[0]));
		assert_int_equal(store_put(s, &slice->object), 0);
	}
	return service;
}

static const struct {
	const char *rule;
	const char *endpoints[5];
	uint32_t n_local;
} counts[] = {
	{ "no endpoints: none", { NULL }, 0 },
	{ "those of other nodes do not count", { "10.244.1.1@node-b" }, 0 },
	{ "those that are not ready do not count", { "10.244.0.1@node-a!", "10.244.0.2@node-a" }, 1 },
	{ "an endpoint in two slices counts once", { "10.244.0.1@node-a", "10.244.0.1@node-a" }, 1 },
	{ "a pod of both families counts once",
		{ "10.244.0.1@node-a", "fd00::1@node-a", "10.244.0.2@node-a" }, 2 },
};

static void
test_counts(void **state)
{
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct store *s = store_new();
		struct health_target *targets;
		size_t n;

		put_balancer(s, "a", 30001, (const char *[]){ "10.244.0.9@node-a", NULL });
		put_balancer(s, "b", 30002, counts[i].endpoints);
		assert_int_equal(health_targets(s, "node-a", &targets, &n), 0);
		assert_int_equal(n, 2);
		assert_int_equal(targets[0].n_local, 1);
		assert_string_equal(targets[1].service->object.name, "b");
		assert_int_equal(targets[1].port, 30002);
		if (targets[1].n_local != counts[i].n_local)
			fail_msg("%s: %u", counts[i].rule, targets[1].n_local);
		free(targets);
		store_free(s);
	}
}

static void
test_who_has_one(void **state)
{
	struct store *s = store_new();
	struct health_target *targets;
	size_t n;

	put_balancer(s, "cluster-policy", 30001, (const char *[]){ NULL })->external_local = false;
	put_balancer(s, "no-port", 0, (const char *[]){ NULL });
	put_balancer(s, "node-port", 30002, (const char *[]){ NULL })->type = SERVICE_NODE_PORT;
	put_balancer(s, "of-another-proxy", 30003, (const char *[]){ NULL })->is_foreign = true;
	assert_int_equal(health_targets(s, "node-a", &targets, &n), 0);
	assert_int_equal(n, 0);
	free(targets);
	put_balancer(s, "unready", 30004, (const char *[]){ "10.244.0.1@node-a!", NULL })->publish_not_ready =
		true;
	assert_int_equal(health_targets(s, "node-a", &targets, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(targets[0].n_local, 1);
	free(targets);
	store_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_who_has_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
