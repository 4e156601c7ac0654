/* Two services that claim the same address, port and protocol: the older one has it, in whatever order they come and after a
 * restart; the other one is told whose it is, and gets it when that goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "control/build/facts.h"
#include "control/build/service_build.h"
#include "tests/support/objects.h"

#define N_SERVICES 3
#define NODE_PORT 30080
#define PORT 80

static const struct names {
	const char *node, *external, *balancer, *clusters[N_SERVICES];
} families[N_FAMILIES] = {
	[V4] = { "192.0.2.1", "203.0.113.9", "198.51.100.1", { "10.96.0.1", "10.96.0.2", "10.96.0.3" } },
	[V6] = { "2001:db8::1", "2001:db8:2::9", "2001:db8:3::1",
		{ "fd00:10:96::1", "fd00:10:96::2", "fd00:10:96::3" } },
};

/* What the services have in common besides their ports: each of these is claimed by all. */
enum claim {
	CLAIM_NODE_PORT,
	CLAIM_EXTERNAL_IP,
	CLAIM_BALANCER,
	N_CLAIMS,
};

struct world {
	const struct names *n;
	enum claim claim;
	struct store *store;
	struct slots *slots;
	struct service_builder *builder;
	struct service_table *table;
	struct build_facts facts;
	struct ip_addr own;
	struct ip_prefix external;
	struct pod_host_port host_port;
};

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

static void
start(struct world *w)
{
	w->slots = slots_new();
	w->builder = service_builder_new(w->store, w->slots);
	assert_non_null(w->builder);
	w->table = NULL;
}

static void
stop(struct world *w)
{
	service_builder_release(w->builder, w->table);
	service_builder_free(w->builder);
	slots_free(w->slots);
}

static void
build(struct world *w)
{
	struct service_table *next;

	assert_int_equal(service_builder_build(w->builder, &w->facts, 1000000000u, &next), 0);
	if (next == NULL)
		return;
	service_builder_release(w->builder, w->table);
	w->table = next;
}

/* Each kind of claim in each family. */
static void
in_all_worlds(void (*test)(struct world *w))
{
	for (unsigned i = 0; i < N_CLAIMS * N_FAMILIES; i++) {
		struct world w = { .n = &families[i % N_FAMILIES], .claim = i / N_FAMILIES };

		w.own = addr(w.n->node);
		w.external.addr = addr(w.n->external);
		w.external.len = 128;
		w.facts = (struct build_facts){ .node_name = "a",
			.n_node_port_addrs = 1,
			.node_port_addrs = &w.own,
			.n_own_addrs = 1,
			.own_addrs = &w.own,
			.n_external_ranges = 1,
			.external_ranges = &w.external };
		w.store = store_new();
		start(&w);
		test(&w);
		stop(&w);
		store_free(w.store);
	}
}

/* A service that claims it; created_s 0: nobody says when. */
static void
put(struct world *w, unsigned number, const char *name, int64_t created_s)
{
	struct service_object *o;

	put_service(w->store, "shop", name, "app", name, w->n->clusters[number], NULL, PORT, PROTO_TCP);
	o = (struct service_object *)store_get(w->store, OBJECT_SERVICE, "shop", name);
	o->object.created_s = created_s;
	if (w->claim == CLAIM_NODE_PORT) {
		o->type = SERVICE_NODE_PORT;
		o->ports[0].node_port = NODE_PORT;
	} else if (w->claim == CLAIM_EXTERNAL_IP) {
		o->n_external_ips = 1;
		o->external_ips = calloc(1, sizeof(*o->external_ips));
		o->external_ips[0] = addr(w->n->external);
	} else {
		o->type = SERVICE_LOAD_BALANCER;
		o->n_ingress = 1;
		o->ingress = calloc(1, sizeof(*o->ingress));
		o->ingress[0].addr = addr(w->n->balancer);
	}
}

static const struct frontend *
claimed(const struct world *w)
{
	const struct ip_addr a = addr(w->claim == CLAIM_NODE_PORT     ? w->n->node
				      : w->claim == CLAIM_EXTERNAL_IP ? w->n->external
								      : w->n->balancer);
	uint16_t port = w->claim == CLAIM_NODE_PORT ? NODE_PORT : PORT;

	return service_frontend(w->table, addr_hash(&a, port, PROTO_TCP), &a, port, PROTO_TCP);
}

static const char *
holder(const struct world *w)
{
	const struct frontend *f = claimed(w);
	const char *ns, *name;

	if (f == NULL)
		return "";
	assert_true(service_builder_name(w->builder, f->service, &ns, &name));
	return name;
}

struct told {
	unsigned n;
	char name[64];
	bool is_by_age;
};

static void
note(const struct lost_claim *claim, void *arg)
{
	struct told *told = arg;

	told->n++;
	told->is_by_age = claim->is_by_age;
	strcpy(told->name, claim->name);
}

/* Checks what a service hears: who has what it does not get; NULL: it gets all. */
static void
assert_told(const struct world *w, const char *service, const char *name, bool is_by_age)
{
	struct told told = { 0 };

	service_builder_each_lost(w->builder, "shop", service, note, &told);
	assert_int_equal(told.n, name != NULL);
	if (name == NULL)
		return;
	assert_string_equal(told.name, name);
	assert_int_equal(told.is_by_age, is_by_age);
}

/* In each order in which three can come, one by one or together. */
static void
in_any_order(struct world *w)
{
	static const unsigned orders[][N_SERVICES] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 },
		{ 2, 0, 1 }, { 2, 1, 0 } };
	static const char *const names[N_SERVICES] = { "b", "a", "c" };
	static const int64_t ages[N_SERVICES] = { 1000, 2000, 3000 };

	for (unsigned i = 0; i < 2 * sizeof(orders) / sizeof(orders[0]); i++) {
		for (unsigned k = 0; k < N_SERVICES; k++) {
			unsigned s = orders[i / 2][k];

			put(w, s, names[s], ages[s]);
			if (i % 2 == 0)
				build(w);
		}
		build(w);
		assert_string_equal(holder(w), "b");
		assert_told(w, "b", NULL, false);
		assert_told(w, "a", "b", true);
		assert_told(w, "c", "b", true);
		for (unsigned s = 0; s < N_SERVICES; s++)
			assert_true(store_remove(w->store, OBJECT_SERVICE, "shop", names[s]));
		build(w);
		assert_null(claimed(w));
	}
}

static void
the_older_one_has_it_in_whatever_order_they_come(void **state)
{
	in_all_worlds(in_any_order);
}

static void
winners_go(struct world *w)
{
	put(w, 0, "b", 1000);
	put(w, 1, "a", 2000);
	put(w, 2, "c", 1500);
	build(w);
	assert_string_equal(holder(w), "b");
	assert_true(store_remove(w->store, OBJECT_SERVICE, "shop", "b"));
	build(w);
	assert_string_equal(holder(w), "c");
	assert_told(w, "c", NULL, false);
	assert_told(w, "a", "c", true);
	/* made anew it is the youngest */
	put(w, 0, "b", 4000);
	build(w);
	assert_string_equal(holder(w), "c");
	assert_told(w, "b", "c", true);
	assert_true(store_remove(w->store, OBJECT_SERVICE, "shop", "c"));
	build(w);
	assert_string_equal(holder(w), "a");
}

static void
the_next_one_gets_it_when_the_one_that_has_it_goes(void **state)
{
	in_all_worlds(winners_go);
}

/* Removed and made anew before anybody looked. */
static void
a_winner_is_replaced(struct world *w)
{
	put(w, 0, "a", 1000);
	put(w, 1, "b", 2000);
	build(w);
	assert_string_equal(holder(w), "a");
	put(w, 0, "a", 3000);
	build(w);
	assert_string_equal(holder(w), "b");
	assert_told(w, "a", "b", true);
	assert_told(w, "b", NULL, false);
}

static void
one_that_is_made_anew_has_lost_its_age(void **state)
{
	in_all_worlds(a_winner_is_replaced);
}

static void
restarts(struct world *w)
{
	put(w, 0, "b", 1000);
	put(w, 1, "a", 2000);
	build(w);
	stop(w);
	start(w);
	build(w);
	assert_string_equal(holder(w), "b");
	assert_told(w, "a", "b", true);
}

static void
after_a_restart_too(void **state)
{
	in_all_worlds(restarts);
}

static void
names_decide(struct world *w)
{
	put(w, 0, "b", 0);
	build(w);
	put(w, 1, "a", 0);
	build(w);
	assert_string_equal(holder(w), "a");
	assert_told(w, "b", "a", false);
	/* who is known to be old comes before who is not */
	put(w, 0, "b", 5000);
	build(w);
	assert_string_equal(holder(w), "b");
	assert_told(w, "a", "b", true);
	put(w, 1, "a", 5000);
	build(w);
	assert_string_equal(holder(w), "a");
	assert_told(w, "b", "a", false);
}

static void
of_two_with_one_age_the_first_by_name(void **state)
{
	in_all_worlds(names_decide);
}

/* A pod's host port, which comes before "web" by name, but of which nobody knows the age. */
static void
host_port_comes(struct world *w)
{
	if (w->claim != CLAIM_NODE_PORT)
		return;
	w->host_port = (struct pod_host_port){
		.map = { .port = NODE_PORT, .pod_port = 8080, .proto = PROTO_TCP },
		.addrs = { addr("10.244.1.8"), addr("fd00:10:244:1::8") },
		.pod_ns = "shop",
		.pod = "p",
	};
	w->facts.host_ports = &w->host_port;
	w->facts.n_host_ports = 1;
	build(w);
	assert_string_equal(holder(w), "pod/p");
	put(w, 0, "web", 1000);
	build(w);
	assert_string_equal(holder(w), "web");
	assert_told(w, "pod/p", "web", true);
	put(w, 0, "web", 0);
	build(w);
	assert_string_equal(holder(w), "pod/p");
	assert_told(w, "web", "pod/p", false);
}

static void
a_host_port_comes_after_services_of_known_age(void **state)
{
	in_all_worlds(host_port_comes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_older_one_has_it_in_whatever_order_they_come),
		cmocka_unit_test(the_next_one_gets_it_when_the_one_that_has_it_goes),
		cmocka_unit_test(one_that_is_made_anew_has_lost_its_age),
		cmocka_unit_test(after_a_restart_too),
		cmocka_unit_test(of_two_with_one_age_the_first_by_name),
		cmocka_unit_test(a_host_port_comes_after_services_of_known_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
