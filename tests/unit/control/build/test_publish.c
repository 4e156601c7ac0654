/* From changes to tables in force: what is built again and what is shared, bursts, failures, grace periods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/build/dns_options.h"
#include "control/build/publish.h"
#include "control/build/slots.h"
#include "control/loop.h"
#include "dataplane/dns/dns_zone_edit.h"
#include "dataplane/net/headers.h"
#include "dataplane/snapshot.h"
#include "tests/support/objects.h"
#include "tests/support/yaml_objects.h"

struct stage {
	struct loop *loop;
	struct store *store;
	struct slots *slots;
	struct snapshot *snapshot;
	struct publisher *publisher;
	uint32_t vni; /* what gather() tells */
	struct dns_options *dns;
	unsigned n_gathered, n_published;
};

static void
gather(struct build_facts *facts, void *arg)
{
	struct stage *s = arg;

	s->n_gathered++;
	*facts = (struct build_facts){
		.node_name = "a",
		.vxlan_port = 4789,
		.vni = s->vni,
		.uplink_mtu = 1500,
		.n_workers = 1,
		.dns = s->dns,
	};
}

static void
count_published(const struct tables *tables, void *arg)
{
	struct stage *s = arg;

	s->n_published++;
	assert_ptr_equal(tables, publisher_tables(s->publisher));
}

static void
put_own_node(struct stage *s)
{
	put_node(s->store, "a", "192.0.2.1", "10.244.1.0/24", "fd00:10:244:1::/64");
}

static void
put_web(struct stage *s, const char *addr4, const char *addr6)
{
	put_service(s->store, "shop", "web", NULL, NULL, addr4, addr6, 80, PROTO_TCP);
}

static int
start(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));
	struct publisher_config config;

	s->loop = loop_new();
	s->store = store_new();
	s->slots = slots_new();
	s->snapshot = snapshot_new(1);
	s->vni = 1;
	config = (struct publisher_config){ .loop = s->loop,
		.store = s->store,
		.slots = s->slots,
		.snapshot = s->snapshot,
		.gather = gather,
		.published = count_published,
		.arg = s };
	s->publisher = publisher_new(&config);
	assert_non_null(s->publisher);
	*state = s;
	return 0;
}

static int
stop(void **state)
{
	struct stage *s = *state;

	publisher_free(s->publisher);
	snapshot_free(s->snapshot);
	slots_free(s->slots);
	store_free(s->store);
	loop_free(s->loop);
	free(s);
	return 0;
}

/* All that the loop has to do now. */
static void
settle(struct stage *s)
{
	while (loop_round(s->loop, 0) > 0)
		;
}

static void
tables_wait_for_the_node_object(void **state)
{
	struct stage *s = *state;

	assert_int_equal(publisher_flush(s->publisher), -EAGAIN);
	assert_null(publisher_tables(s->publisher));
	assert_null(snapshot_get(s->snapshot));
	assert_non_null(strstr(publisher_status(s->publisher).error, "no Node object \"a\""));
	assert_int_equal(publisher_status(s->publisher).version, 0);

	put_node(s->store, "a", NULL, "10.244.1.0/24", NULL);
	assert_int_equal(publisher_flush(s->publisher), -EAGAIN);
	assert_non_null(strstr(publisher_status(s->publisher).error, "no InternalIP"));

	put_own_node(s);
	publisher_check(s->publisher);
	settle(s);
	assert_int_equal(publisher_status(s->publisher).version, 1);
	assert_string_equal(publisher_status(s->publisher).error, "");
	assert_int_equal(publisher_status(s->publisher).n_failures, 2);
	assert_ptr_equal(snapshot_get(s->snapshot), publisher_tables(s->publisher));
	assert_int_equal(s->n_published, 1);
}

static void
what_did_not_change_is_shared(void **state)
{
	struct stage *s = *state;
	const struct route_table *routes;
	const struct service_table *services;
	const struct node_table *node;

	put_own_node(s);
	put_web(s, "10.96.0.10", "fd00:10:96::a");
	assert_int_equal(publisher_flush(s->publisher), 0);
	routes = publisher_tables(s->publisher)->routes;
	services = publisher_tables(s->publisher)->services;
	node = publisher_tables(s->publisher)->node;
	assert_non_null(routes);
	assert_non_null(services);

	put_slice(s->store, "shop", "web", "10.244.1.9", 80, PROTO_TCP, true, "web-1", "a");
	put_slice(s->store, "shop", "web", "fd00:10:244:1::9", 80, PROTO_TCP, true, "web-1", "a");
	assert_int_equal(publisher_flush(s->publisher), 0);
	assert_ptr_equal(publisher_tables(s->publisher)->routes, routes);
	assert_ptr_equal(publisher_tables(s->publisher)->node, node);
	assert_ptr_not_equal(publisher_tables(s->publisher)->services, services);
	services = publisher_tables(s->publisher)->services;

	s->vni = 7;
	publisher_facts_changed(s->publisher);
	assert_int_equal(publisher_flush(s->publisher), 0);
	assert_ptr_equal(publisher_tables(s->publisher)->services, services);
	assert_int_equal(publisher_tables(s->publisher)->node->vni, 7);

	put_node(s->store, "b", "192.0.2.2", "10.244.2.0/24", "fd00:10:244:2::/64");
	assert_int_equal(publisher_flush(s->publisher), 0);
	assert_ptr_equal(publisher_tables(s->publisher)->services, services);
	assert_int_equal(publisher_tables(s->publisher)->version, 4);

	/* pods and namespaces are in no table yet */
	put_pod(s->store, "shop", "web-1", "a", NULL, NULL, "10.244.1.9", "fd00:10:244:1::9");
	assert_int_equal(publisher_flush(s->publisher), 0);
	assert_int_equal(publisher_tables(s->publisher)->version, 4);
}

static void
a_burst_of_changes_is_one_build(void **state)
{
	struct stage *s = *state;
	char addr4[16], addr6[32];

	put_own_node(s);
	assert_int_equal(publisher_flush(s->publisher), 0);
	for (int i = 1; i < 100; i++) {
		snprintf(addr4, sizeof(addr4), "10.96.0.%d", i);
		snprintf(addr6, sizeof(addr6), "fd00:10:96::%x", i);
		put_web(s, addr4, addr6);
		publisher_check(s->publisher);
		publisher_facts_changed(s->publisher);
	}
	assert_int_equal(publisher_status(s->publisher).n_builds, 1);
	settle(s);
	assert_int_equal(publisher_status(s->publisher).n_builds, 2);
	publisher_check(s->publisher);
	settle(s);
	assert_int_equal(publisher_status(s->publisher).n_builds, 2);
}

static void
when_a_build_fails_the_last_tables_stay(void **state)
{
	struct stage *s = *state;
	const struct tables *good;

	put_own_node(s);
	put_web(s, "10.96.0.10", "fd00:10:96::a");
	assert_int_equal(publisher_flush(s->publisher), 0);
	good = publisher_tables(s->publisher);

	assert_true(store_remove(s->store, OBJECT_NODE, "", "a"));
	put_web(s, "10.96.0.11", "fd00:10:96::b");
	assert_int_equal(publisher_flush(s->publisher), -EAGAIN);
	assert_ptr_equal(publisher_tables(s->publisher), good);
	assert_ptr_equal(snapshot_get(s->snapshot), good);
	assert_int_equal(publisher_status(s->publisher).version, 1);
	assert_non_null(strstr(publisher_status(s->publisher).error, "Node object"));
	assert_true(publisher_status(s->publisher).failed_ns != 0);

	/* what changed meanwhile is in the next version, though nobody says so again */
	put_own_node(s);
	assert_int_equal(publisher_flush(s->publisher), 0);
	assert_int_equal(publisher_status(s->publisher).version, 2);
	assert_string_equal(publisher_status(s->publisher).error, "");
	assert_int_equal(s->n_published, 2);
}

/* Freed too early, a sanitizer sees it; freed never, too. */
static void
tables_live_as_long_as_a_worker_sees_them(void **state)
{
	struct stage *s = *state;
	const struct tables *seen;

	put_own_node(s);
	assert_int_equal(publisher_flush(s->publisher), 0);
	snapshot_online(s->snapshot, 0);
	seen = snapshot_get(s->snapshot);
	for (uint32_t vni = 2; vni < 5; vni++) {
		s->vni = vni;
		publisher_facts_changed(s->publisher);
		settle(s);
		assert_int_equal(snapshot_get(s->snapshot)->node->vni, vni);
		loop_round(s->loop, 150); /* the look at grace periods */
		assert_int_equal(seen->node->vni, 1);
		assert_int_equal(seen->version, 1);
	}
	snapshot_quiesce(s->snapshot, 0);
	loop_round(s->loop, 150);
	loop_round(s->loop, 0);
	assert_int_equal(snapshot_get(s->snapshot)->version, 4);
	snapshot_offline(s->snapshot, 0);
}

static void
put_namespace(struct stage *s, unsigned number)
{
	char text[128];

	snprintf(text, sizeof(text), "{apiVersion: v1, kind: Namespace, metadata: {name: n%u}}", number);
	put_yaml(s->store, text);
}

static void
never(const char *key, const char *text, void *arg)
{
	fail_msg("%s: %s", key, text);
}

static void
the_zone_comes_after_all_else_and_then_with_it(void **state)
{
	const struct dns_texts texts = { .zone = "cluster.local", .service = "kube-system/kube-dns" };
	struct dns_options options;
	struct stage *s = *state;
	const struct tables *t;

	assert_int_equal(dns_options_read(&options, &texts, never, NULL), 0);
	s->dns = &options;
	put_own_node(s);
	put_namespace(s, 1);
	for (unsigned i = 0; i < 1000; i++) {
		char name[16], addr[16];

		snprintf(name, sizeof(name), "s%u", i);
		snprintf(addr, sizeof(addr), "10.96.%u.%u", i / 250, i % 250 + 1);
		put_service(s->store, "n1", name, NULL, NULL, addr, NULL, 80, PROTO_TCP);
	}
	assert_int_equal(publisher_flush(s->publisher), 0);
	assert_int_equal(publisher_tables(s->publisher)->version, 1);
	assert_non_null(publisher_tables(s->publisher)->dns);
	assert_null(publisher_tables(s->publisher)->dns->zone);

	/* in steps, which make no version of their own */
	loop_round(s->loop, 0);
	loop_round(s->loop, 0);
	assert_int_equal(publisher_tables(s->publisher)->version, 1);
	s->vni = 7;
	publisher_facts_changed(s->publisher);
	loop_round(s->loop, 0);
	assert_int_equal(publisher_tables(s->publisher)->version, 2);
	assert_null(publisher_tables(s->publisher)->dns->zone);
	for (unsigned i = 0; i < 20; i++)
		loop_round(s->loop, 0);
	t = publisher_tables(s->publisher);
	assert_int_equal(t->version, 3);
	assert_int_equal(dns_zone_count(t->dns->zone),
		1000 + 1000 + 8); /* and their reverse names, and the zone's own */

	/* one version with both */
	put_service(s->store, "n1", "new", NULL, NULL, "10.96.9.1", NULL, 80, PROTO_TCP);
	publisher_check(s->publisher);
	settle(s);
	t = publisher_tables(s->publisher);
	assert_int_equal(t->version, 4);
	assert_int_equal(dns_zone_count(t->dns->zone), 1001 + 1001 + 8);

	/* at once as well */
	put_service(s->store, "n1", "newer", NULL, NULL, "10.96.9.2", NULL, 80, PROTO_TCP);
	assert_int_equal(publisher_flush(s->publisher), 0);
	t = publisher_tables(s->publisher);
	assert_int_equal(t->version, 5);
	assert_int_equal(dns_zone_count(t->dns->zone), 1002 + 1002 + 8);

	/* while it is held, nothing is done */
	publisher_hold(s->publisher);
	put_namespace(s, 2);
	publisher_check(s->publisher);
	settle(s);
	assert_int_equal(publisher_tables(s->publisher)->version, 5);
	publisher_release(s->publisher);
	settle(s);
	assert_int_equal(publisher_tables(s->publisher)->version, 6);
	publisher_free(s->publisher);
	s->publisher = NULL;
	dns_options_fini(&options);
}

struct reader {
	struct snapshot *snapshot;
	bool is_stopped;
	uint64_t held; /* version in use; 0: none */
	unsigned torn; /* versions whose parts did not go together */
};

static void *
read_tables(void *arg)
{
	struct reader *r = arg;

	snapshot_online(r->snapshot, 0);
	while (!__atomic_load_n(&r->is_stopped, __ATOMIC_RELAXED)) {
		const struct tables *t = snapshot_get(r->snapshot);

		__atomic_store_n(&r->held, t->version, __ATOMIC_SEQ_CST);
		r->torn += t->node->vni != t->version;
		__atomic_store_n(&r->held, 0, __ATOMIC_SEQ_CST);
		snapshot_quiesce(r->snapshot, 0);
	}
	snapshot_offline(r->snapshot, 0);
	return NULL;
}

static void
a_flush_waits_for_workers(void **state)
{
	struct stage *s = *state;
	struct reader r = { .snapshot = s->snapshot };
	pthread_t thread;

	put_own_node(s);
	assert_int_equal(publisher_flush(s->publisher), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_tables, &r), 0);
	for (uint32_t version = 2; version < 200; version++) {
		uint64_t held;

		s->vni = version;
		publisher_facts_changed(s->publisher);
		assert_int_equal(publisher_flush(s->publisher), 0);
		held = __atomic_load_n(&r.held, __ATOMIC_SEQ_CST);
		assert_true(held == 0 || held == version);
	}
	__atomic_store_n(&r.is_stopped, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(r.torn, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(tables_wait_for_the_node_object),
		CASE(what_did_not_change_is_shared),
		CASE(a_burst_of_changes_is_one_build),
		CASE(when_a_build_fails_the_last_tables_stay),
		CASE(tables_live_as_long_as_a_worker_sees_them),
		CASE(the_zone_comes_after_all_else_and_then_with_it),
		CASE(a_flush_waits_for_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
