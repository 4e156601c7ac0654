/* How buckets move, on a fake clock and with fake clients: whatever changes come, in whatever order, with listings that fail,
 * are refused or are overtaken, no connection loses a backend that still lives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "control/build/facts.h"
#include "control/build/gone_pods.h"
#include "control/build/moves.h"
#include "control/build/service_build.h"
#include "tests/support/objects.h"

#define SECOND UINT64_C(1000000000)
#define FRONTEND "10.96.0.10"
#define N_PODS 24
#define N_FLOWS 400

static uint32_t seed;

static uint32_t
draw(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

/* A client's connection: an entry, or only a socket. */
struct flow {
	bool is_open, has_entry;
	uint32_t hash;
	struct ip_addr backend; /* that it was opened at */
};

struct world {
	struct store *store;
	struct slots *slots;
	struct service_builder *builder;
	struct build_facts facts;
	struct service_table *table;
	bool ready[N_PODS];
	uint32_t uid[N_PODS];
	struct flow flows[N_FLOWS];
	struct unmoved unmoved;
	uint64_t now_ns;
};

static struct ip_addr
pod_addr(unsigned i)
{
	struct ip_addr a = addr("10.244.0.0");

	a.b[15] = (uint8_t)(10 + i);
	return a;
}

static void
put_endpoints(struct world *w)
{
	struct slice_object *o = calloc(1, sizeof(*o));

	o->object.kind = OBJECT_ENDPOINT_SLICE;
	o->object.ns = strdup("shop");
	o->object.name = strdup("web-1");
	o->service = strdup("web");
	o->family = 4;
	o->ports = calloc(1, sizeof(*o->ports));
	o->ports[o->n_ports++] = (struct slice_port){ strdup(""), 8080, PROTO_TCP };
	o->endpoints = calloc(N_PODS, sizeof(*o->endpoints));
	for (unsigned i = 0; i < N_PODS; i++) {
		struct slice_endpoint *e = &o->endpoints[o->n_endpoints];

		if (!w->ready[i])
			continue;
		o->n_endpoints++;
		e->n_addrs = 1;
		e->addrs = calloc(1, sizeof(*e->addrs));
		e->addrs[0] = pod_addr(i);
		e->ready = e->serving = true;
		e->node = strdup("");
		e->pod = calloc(1, 16);
		snprintf(e->pod, 16, "pod%u", i);
		e->pod_uid = w->uid[i];
	}
	assert_int_equal(store_put(w->store, &o->object), 0);
}

static void
build(struct world *w)
{
	struct service_table *next;

	w->now_ns += SECOND / 10;
	assert_int_equal(service_builder_build(w->builder, &w->facts, w->now_ns, &next), 0);
	if (next == NULL)
		return;
	service_builder_release(w->builder, w->table);
	w->table = next;
}

static const struct frontend *
frontend(const struct world *w)
{
	struct ip_addr a = addr(FRONTEND);

	return service_frontend(w->table, addr_hash(&a, 80, PROTO_TCP), &a, 80, PROTO_TCP);
}

static void
world_begin(struct world *w, struct slots *slots, unsigned n_ready)
{
	*w = (struct world){
		.store = store_new(), .slots = slots, .facts = { .node_name = "a" }, .now_ns = SECOND
	};
	w->builder = service_builder_new(w->store, w->slots);
	for (unsigned i = 0; i < n_ready; i++)
		w->ready[i] = true;
	put_service(w->store, "shop", "web", "app", "web", FRONTEND, NULL, 80, PROTO_TCP);
	put_endpoints(w);
	build(w);
}

static void
world_end(struct world *w)
{
	service_builder_release(w->builder, w->table);
	service_builder_free(w->builder);
	store_free(w->store);
}

/* As a worker does it. */
static void
open_flow(struct world *w, struct flow *flow, bool is_full)
{
	const struct frontend *f = frontend(w);
	bool is_moving = (f->flags & FRONTEND_MOVING) != 0;
	uint32_t hash = hash_mix(((uint64_t)draw(1 << 24) << 24) | draw(1 << 24));
	uint16_t bucket;

	if (!service_has_buckets(f))
		return;
	bucket = *service_bucket(f, hash);
	*flow = (struct flow){ .is_open = true, .hash = hash };
	if (is_moving && service_next_bucket(f, hash) != bucket) {
		if (service_next_bucket(f, hash) == BUCKET_NONE) {
			flow->is_open = false;
			return;
		}
		flow->has_entry = !is_full;
		if (is_full)
			unmoved_note(&w->unmoved, &f->addr, f->port, f->proto, hash);
		bucket = is_full ? bucket : service_next_bucket(f, hash);
	}
	flow->backend = service_backend(f, bucket)->addr;
	if (!is_full)
		assert_true(w->ready[flow->backend.b[15] - 10]);
}

/* Entries for the flows from first on; some find no room. */
static void
list_flows(struct world *w, unsigned first, unsigned n, bool is_full)
{
	const struct frontend *f = frontend(w);
	struct move *move = moves_find(service_builder_moves(w->builder), &f->addr, f->port, f->proto);

	for (unsigned i = first; i < first + n && (f->flags & FRONTEND_MOVING); i++) {
		struct flow *flow = &w->flows[i];
		uint16_t bucket = *service_bucket(f, flow->hash);

		if (!flow->is_open || flow->has_entry || bucket == service_next_bucket(f, flow->hash))
			continue;
		if (is_full && draw(4) == 0)
			moves_listing_refuse(move, flow->hash);
		else
			flow->has_entry = true;
	}
}

/* What a flow without an entry holds on to. */
static void
check_flows(const struct world *w)
{
	const struct frontend *f = frontend(w);

	for (unsigned i = 0; i < N_FLOWS; i++) {
		const struct flow *flow = &w->flows[i];

		if (!flow->is_open || flow->has_entry)
			continue;
		assert_true(service_has_buckets(f));
		assert_memory_equal(&service_backend(f, *service_bucket(f, flow->hash))->addr, &flow->backend,
			sizeof(flow->backend));
	}
}

static void
open_some(struct world *w, bool is_full)
{
	for (unsigned i = 0; i < 20; i++)
		open_flow(w, &w->flows[draw(N_FLOWS)], is_full);
}

static void
change(struct world *w)
{
	unsigned n = draw(10) == 0 ? N_PODS : 1 + draw(3);
	bool all = draw(2);

	for (unsigned i = 0; i < n; i++)
		if (n == N_PODS)
			w->ready[i] = all;
		else
			w->ready[draw(N_PODS)] ^= true;
	put_endpoints(w);
	build(w);
	check_flows(w);
}

static void
list(struct world *w)
{
	struct moves *moves = service_builder_moves(w->builder);
	bool is_full = draw(4) == 0;

	assert_true(moves_listing_begin(moves, w->table));
	w->unmoved = (struct unmoved){ .is_on = true };
	list_flows(w, 0, N_FLOWS / 2, is_full);
	open_some(w, is_full);
	for (unsigned i = draw(4); i > 0; i--) /* overtaken */
		change(w);
	open_some(w, is_full);
	list_flows(w, N_FLOWS / 2, N_FLOWS / 2, is_full);
	w->unmoved.is_on = false;
	moves_listing_refuse_unmoved(moves, &w->unmoved);
	if (draw(8) == 0) {
		moves_listing_cancel(moves);
	} else if (moves_listing_end(moves) != 0) {
		if (draw(4) == 0)
			change(w);
		service_builder_go_on(w->builder);
		build(w);
	}
	check_flows(w);
}

static void
settle(struct world *w)
{
	struct moves *moves = service_builder_moves(w->builder);

	for (unsigned i = 0; moves_n(moves) != 0; i++) {
		assert_int_not_equal(i, 3);
		assert_true(moves_listing_begin(moves, w->table));
		list_flows(w, 0, N_FLOWS, false);
		assert_int_equal(moves_listing_end(moves), 1);
		service_builder_go_on(w->builder);
		build(w);
		check_flows(w);
	}
}

static void
no_flow_loses_its_backend(void **state)
{
	static struct world w;

	for (uint32_t run = 1; run <= 20; run++) {
		struct slots *slots = slots_new();

		seed = run;
		world_begin(&w, slots, 3);
		for (unsigned step = 0; step < 150; step++) {
			open_some(&w, false);
			change(&w);
			open_some(&w, draw(4) == 0);
			if (draw(3) != 0)
				list(&w);
		}
		settle(&w);
		world_end(&w);
		slots_free(slots);
	}
}

/* A readiness flap leaves the buckets as they were, and a new backend gets its share at once when nothing is in its way. */
static void
buckets_follow_the_endpoints(void **state)
{
	static struct world w;
	struct slots *slots = slots_new();
	uint32_t n[N_PODS] = { 0 };
	const struct frontend *f;

	world_begin(&w, slots, 4);
	for (unsigned i = 0; i < 200; i++)
		open_flow(&w, &w.flows[i], false);
	w.ready[1] = false;
	put_endpoints(&w);
	build(&w);
	assert_int_equal(moves_n(service_builder_moves(w.builder)), 1);
	w.ready[1] = true;
	put_endpoints(&w);
	build(&w);
	assert_int_equal(moves_n(service_builder_moves(w.builder)), 0);
	assert_false(frontend(&w)->flags & FRONTEND_MOVING);
	check_flows(&w);
	w.ready[4] = true;
	put_endpoints(&w);
	build(&w);
	settle(&w);
	f = frontend(&w);
	for (uint32_t i = 0; i <= f->bucket_mask; i++)
		n[service_backend(f, f->buckets[i])->addr.b[15] - 10]++;
	for (unsigned i = 0; i < 5; i++)
		assert_in_range(n[i], (f->bucket_mask + 1) / 5, (f->bucket_mask + 1) / 5 + 1);
	world_end(&w);
	slots_free(slots);
}

static struct frontend
frontend_of(unsigned i)
{
	struct frontend f = {
		.addr = addr("10.96.0.0"), .proto = PROTO_TCP, .service = i, .bucket_mask = 15
	};

	f.addr.b[14] = (uint8_t)(i >> 8);
	f.addr.b[15] = (uint8_t)i;
	f.port = (uint16_t)(80 + i % 3);
	return f;
}

/* As many as a node that goes has services; they end in another order. */
static void
thousands_of_frontends_may_move_at_once(void **state)
{
	struct moves *m = moves_new();
	unsigned n = 20000;

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < n; i++) {
			struct frontend f = frontend_of(i);

			assert_non_null(moves_begin(m, &f, 1 + round, 0));
		}
		assert_int_equal(moves_n(m), n);
	}
	for (unsigned i = 0; i < n; i += 2) {
		struct frontend f = frontend_of(i);

		moves_end(m, &f.addr, f.port, f.proto);
		moves_end(m, &f.addr, f.port, f.proto);
	}
	assert_int_equal(moves_n(m), n / 2);
	for (unsigned i = 0; i < n; i++) {
		struct frontend f = frontend_of(i);
		const struct move *move = moves_find(m, &f.addr, f.port, f.proto);

		assert_int_equal(move != NULL, i % 2);
		assert_true(move == NULL || (move->service == i && move->n_moving == 2));
	}
	moves_free(m);
}

/* The endpoints changed while no daemon ran: what a former process's buckets were is known from its slots. */
static void
a_restart_goes_on_from_where_the_buckets_were(void **state)
{
	static struct world before, after;
	struct slots *slots = slots_new();

	world_begin(&before, slots, 3); /* a backend has three slots, and this frontend one of each */
	for (unsigned i = 0; i < 200; i++)
		open_flow(&before, &before.flows[i], false);
	world_end(&before);
	world_begin(&after, slots, 5);
	memcpy(after.flows, before.flows, sizeof(after.flows));
	assert_int_equal(moves_n(service_builder_moves(after.builder)), 1);
	check_flows(&after);
	settle(&after);
	world_end(&after);
	slots_free(slots);
}

/* A pod leaves, whose end nobody saw: its buckets wait for a listing. Once it is known to be gone they flip, and its pins
 * are to go. */
static void
buckets_do_not_wait_for_a_pod_that_is_gone(void **state)
{
	static struct world w;
	struct slots *slots = slots_new();
	const struct backend_end *ends;
	const struct frontend *f;
	size_t n;

	world_begin(&w, slots, 4);
	put_pod(w.store, "shop", "pod1", "b", "app", "web", "10.244.0.11", NULL);
	put_pod(w.store, "other", "pod2", "b", "app", "web", "10.244.0.99", NULL);
	w.ready[1] = w.ready[2] = false;
	put_endpoints(&w);
	build(&w);
	store_remove(w.store, OBJECT_POD, "other", "pod2"); /* another pod of that name */
	assert_false(service_builder_is_idle(w.builder));
	build(&w);
	f = frontend(&w);
	assert_true(f->flags & FRONTEND_MOVING);
	assert_int_equal(f->extra->n_leaving, 2);
	ends = service_builder_ends(w.builder, &n);
	assert_int_equal(n, 1);
	assert_true(ends[0].pod == pod_digest("other", "pod2"));

	store_remove(w.store, OBJECT_POD, "shop", "pod1");
	build(&w);
	f = frontend(&w);
	assert_int_equal(f->extra->n_leaving, 1);
	for (uint32_t i = 0; i <= f->bucket_mask; i++)
		assert_int_not_equal(service_backend(f, f->buckets[i])->addr.b[15], 11);
	ends = service_builder_ends(w.builder, &n);
	assert_int_equal(n, 1);
	assert_true(ends[0].pod == pod_digest("shop", "pod1"));
	service_builder_ends(w.builder, &n);
	assert_int_equal(n, 0);

	/* one with its name is there again, and leaves: it may live */
	put_pod(w.store, "shop", "pod1", "b", "app", "web", "10.244.0.11", NULL);
	settle(&w);
	w.ready[1] = true;
	put_endpoints(&w);
	build(&w);
	settle(&w);
	w.ready[1] = false;
	put_endpoints(&w);
	build(&w);
	assert_int_equal(frontend(&w)->extra->n_leaving, 1);
	world_end(&w);
	slots_free(slots);
}

static void
another_pod_under_the_address_ends_the_former_ones_pins(void **state)
{
	static struct world w;
	struct slots *slots = slots_new();
	struct ip_addr reused = pod_addr(1);
	const struct backend_end *ends;
	size_t n;

	world_begin(&w, slots, 4);
	service_builder_ends(w.builder, &n);
	assert_int_equal(n, 0);
	w.uid[1] = 4711; /* by the same name */
	put_endpoints(&w);
	build(&w);
	assert_int_equal(moves_n(service_builder_moves(w.builder)), 0);
	ends = service_builder_ends(w.builder, &n);
	assert_int_equal(n, 1);
	assert_true(ends[0].pod == 0 && ip_addr_eq(&ends[0].addr, &reused));
	assert_int_equal(ends[0].port, 8080);
	assert_int_equal(ends[0].generation, 4711);
	world_end(&w);
	slots_free(slots);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_flow_loses_its_backend),
		cmocka_unit_test(buckets_follow_the_endpoints),
		cmocka_unit_test(thousands_of_frontends_may_move_at_once),
		cmocka_unit_test(a_restart_goes_on_from_where_the_buckets_were),
		cmocka_unit_test(buckets_do_not_wait_for_a_pod_that_is_gone),
		cmocka_unit_test(another_pod_under_the_address_ends_the_former_ones_pins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
