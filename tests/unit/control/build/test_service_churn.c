/* Whatever changes in whatever order, a build that looks at the changes alone makes the table that a build from nothing makes
 * (but for slots, which have a history), versions in use do not change, and no memory is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/build/facts.h"
#include "control/build/service_build.h"
#include "tests/support/objects.h"

#define STEPS 3000
#define N_SERVICES 12
#define N_SLICES 16
#define N_KEPT 4 /* versions in use at a time */
#define SECOND UINT64_C(1000000000)

static uint32_t seed;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)seed * below >> 32);
}

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

/* "<prefix>.<number>", "<prefix>::<number>" or "<prefix><number>" */
static char *__attribute__((format(printf, 1, 2))) text(const char *format, ...)
{
	static char buf[64];
	va_list args;

	va_start(args, format);
	vsnprintf(buf, sizeof(buf), format, args);
	va_end(args);
	return buf;
}

static struct object
object(enum object_kind kind, const char *name)
{
	return (struct object){ .kind = kind, .ns = strdup("ns"), .name = strdup(name) };
}

static void
change_service(struct store *s)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_SCTP };
	const char *name = text("s%u", draw(N_SERVICES));
	struct service_object *o;

	if (draw(5) == 0) {
		store_remove(s, OBJECT_SERVICE, "ns", name);
		return;
	}
	o = calloc(1, sizeof(*o));
	o->object = object(OBJECT_SERVICE, name);
	o->object.created_s = draw(4);
	o->type = draw(4) == 0   ? SERVICE_NODE_PORT
		  : draw(4) == 0 ? SERVICE_LOAD_BALANCER
				 : SERVICE_CLUSTER_IP;
	o->headless = draw(20) == 0;
	o->publish_not_ready = draw(6) == 0;
	o->internal_local = draw(6) == 0;
	o->external_local = draw(2) == 0;
	o->affinity_timeout_s = draw(4) == 0 ? 10 * draw(3) : 0;
	o->cluster_ips = calloc(2, sizeof(*o->cluster_ips));
	o->cluster_ips[o->n_cluster_ips++] = addr(text("10.96.0.%u", draw(8)));
	if (draw(2) == 0)
		o->cluster_ips[o->n_cluster_ips++] = addr(text("fd00:10:96::%u", draw(8)));
	o->external_ips = calloc(1, sizeof(*o->external_ips));
	if (draw(4) == 0)
		o->external_ips[o->n_external_ips++] = addr(text("203.0.113.%u", draw(4)));
	o->ingress = calloc(1, sizeof(*o->ingress));
	if (o->type == SERVICE_LOAD_BALANCER)
		o->ingress[o->n_ingress++] =
			(struct ingress_addr){ addr(text("198.51.100.%u", draw(4))), draw(4) == 0 };
	o->source_ranges = calloc(1, sizeof(*o->source_ranges));
	if (draw(2) == 0)
		ip_prefix_parse(text("192.0.%u.0/24", draw(3)), &o->source_ranges[o->n_source_ranges++]);
	o->ports = calloc(3, sizeof(*o->ports));
	for (unsigned n = draw(4); o->n_ports < n;)
		o->ports[o->n_ports++] = (struct service_port){ strdup(text("p%u", draw(2))),
			(uint16_t)(80 + draw(3)), protos[draw(3)], .node_port = (uint16_t)(30000 + draw(5)) };
	assert_int_equal(store_put(s, &o->object), 0);
}

static void
change_slice(struct store *s)
{
	const char *name = text("slice%u", draw(N_SLICES));
	struct slice_object *o;

	if (draw(5) == 0) {
		store_remove(s, OBJECT_ENDPOINT_SLICE, "ns", name);
		return;
	}
	o = calloc(1, sizeof(*o));
	o->object = object(OBJECT_ENDPOINT_SLICE, name);
	o->service = strdup(draw(20) == 0 ? "" : text("s%u", draw(N_SERVICES)));
	o->family = draw(2) ? 4 : 6;
	o->ports = calloc(2, sizeof(*o->ports));
	for (unsigned n = draw(3); o->n_ports < n;)
		o->ports[o->n_ports++] = (struct slice_port){ strdup(text("p%u", draw(2))),
			(uint16_t)(8080 + draw(2)), draw(2) ? PROTO_TCP : PROTO_UDP };
	o->n_endpoints = draw(6);
	o->endpoints = calloc(6, sizeof(*o->endpoints));
	for (size_t i = 0; i < o->n_endpoints; i++) {
		struct slice_endpoint *e = &o->endpoints[i];

		e->addrs = calloc(1, sizeof(*e->addrs));
		e->addrs[e->n_addrs++] =
			addr(text(o->family == 4 ? "10.244.0.%u" : "fd00:10:244::%u", 1 + draw(20)));
		e->ready = draw(3) != 0;
		e->terminating = !e->ready && draw(2);
		e->serving = e->ready || draw(2);
		e->node = strdup(draw(2) ? "a" : "b");
		e->pod = strdup(text("pod%u", draw(20)));
		if (draw(2)) {
			e->hints = calloc(1, sizeof(*e->hints));
			e->hints->zones = calloc(1, sizeof(char *));
			e->hints->zones[e->hints->n_zones++] = strdup(draw(2) ? "x" : "y");
		}
	}
	assert_int_equal(store_put(s, &o->object), 0);
}

static void
change_node(struct store *s)
{
	struct node_object *o = calloc(1, sizeof(*o));

	o->object = (struct object){ OBJECT_NODE, strdup(""), strdup(draw(2) ? "a" : "b") };
	o->addrs = calloc(2, sizeof(*o->addrs));
	o->addrs[o->n_addrs++] = addr(text("192.0.2.%u", draw(2)));
	if (draw(2))
		o->addrs[o->n_addrs++] = addr(text("203.0.113.%u", draw(8)));
	o->labels = (struct labels){ 1, calloc(1, sizeof(struct label)) };
	o->labels.items[0] =
		(struct label){ strdup("topology.kubernetes.io/zone"), strdup(draw(2) ? "x" : "y") };
	assert_int_equal(store_put(s, &o->object), 0);
}

/* Pods with host ports come and go. */
static void
change_host_ports(struct build_facts *facts, struct pod_host_port *ports)
{
	static const char *const pods[] = { "a", "b", "" };

	facts->n_host_ports = draw(4);
	for (size_t i = 0; i < facts->n_host_ports; i++)
		ports[i] = (struct pod_host_port){
			.map = { .port = (uint16_t)(80 + draw(3)), .pod_port = 8080, .proto = PROTO_TCP },
			.addrs = { addr(text("10.244.0.%u", 1 + draw(4))) },
			.pod_ns = "ns",
			.pod = pods[draw(3)],
		};
	facts->host_ports = ports;
}

struct pair_of_tables {
	const struct service_builder *builders[2];
	const struct service_table *tables[2];
	unsigned n;
};

static const struct frontend *
find(const struct service_table *t, const struct frontend *f)
{
	return service_frontend(t, addr_hash(&f->addr, f->port, f->proto), &f->addr, f->port, f->proto);
}

static void
compare_extras(const struct frontend_extra *x, const struct frontend_extra *y)
{
	assert_int_equal(x->affinity_timeout_s, y->affinity_timeout_s);
	assert_int_equal(x->n_ranges, y->n_ranges);
	for (uint32_t i = 0; i < x->n_ranges; i++) {
		assert_true(ip_addr_eq(&x->ranges[i].addr, &y->ranges[i].addr));
		assert_int_equal(x->ranges[i].len, y->ranges[i].len);
	}
	assert_int_equal(x->n_outside, y->n_outside);
	assert_int_equal(x->n_outside_only, y->n_outside_only);
	assert_int_equal(x->outside_mask, y->outside_mask);
	for (uint32_t i = 0; x->n_outside != 0 && i <= x->outside_mask; i++)
		assert_int_equal(x->outside_buckets[i], y->outside_buckets[i]);
}

static uint32_t
n_all(const struct frontend *f)
{
	return f->n_backends + (f->extra == NULL ? 0 : f->extra->n_outside_only);
}

/* A frontend of one table is in the other, and its own references are right. */
static void
compare_frontend(const struct frontend *f, void *arg)
{
	const struct pair_of_tables *p = arg;
	const struct frontend *g = find(p->tables[1], f);
	const char *ns, *name[2];

	assert_non_null(g);
	assert_int_equal(f->kind, g->kind);
	assert_int_equal(f->flags, g->flags);
	assert_true(service_builder_name(p->builders[0], f->service, &ns, &name[0]));
	assert_true(service_builder_name(p->builders[1], g->service, &ns, &name[1]));
	assert_string_equal(name[0], name[1]);
	assert_true(service_table_has_addr(p->tables[1], &f->addr));
	assert_int_equal(f->n_backends, g->n_backends);
	assert_int_equal(f->bucket_mask, g->bucket_mask);
	assert_int_equal(f->extra == NULL, g->extra == NULL);
	if (f->extra != NULL)
		compare_extras(f->extra, g->extra);
	for (uint32_t i = 0; f->n_backends != 0 && i <= f->bucket_mask; i++)
		assert_int_equal(f->buckets[i], g->buckets[i]);
	for (uint32_t i = 0; i < n_all(f); i++) {
		const struct backend *x = &f->backends[i], *y = &g->backends[i];
		const struct reverse *r = service_reverse(
			p->tables[0], addr_hash(&x->addr, x->port, f->proto), &x->addr, x->port, f->proto);

		assert_true(ip_addr_eq(&x->addr, &y->addr));
		assert_int_equal(x->port, y->port);
		assert_int_equal(x->flags, y->flags);
		assert_int_equal(x->generation, y->generation);
		assert_non_null(r);
		if (i >= f->n_backends)
			assert_int_equal(x->slot, 0);
		if (x->slot != 0)
			assert_ptr_equal(service_frontend_at(p->tables[0], r->frontend[x->slot - 1]), f);
	}
}

/* The addresses that tests use and no frontend has. */
static void
compare_addrs(const struct pair_of_tables *p)
{
	for (unsigned i = 0; i < 8; i++) {
		struct ip_addr all[] = { addr(text("10.96.0.%u", i)), addr(text("fd00:10:96::%u", i)),
			addr(text("203.0.113.%u", i)), addr(text("198.51.100.%u", i)),
			addr(text("192.0.2.%u", i)) };

		for (unsigned k = 0; k < sizeof(all) / sizeof(all[0]); k++)
			assert_int_equal(service_table_has_addr(p->tables[0], &all[k]),
				service_table_has_addr(p->tables[1], &all[k]));
	}
}

static void
compare_with_fresh(struct service_builder *b, const struct service_table *t, struct store *store,
	const struct build_facts *facts)
{
	struct slots *slots = slots_new();
	struct service_builder *fresh = service_builder_new(store, slots);
	struct service_table *want;
	struct pair_of_tables p = { .builders = { b, fresh }, .tables = { t } };

	assert_int_equal(service_builder_build(fresh, facts, SECOND, &want), 0);
	p.tables[1] = want;
	assert_int_equal(t->n_frontends, want->n_frontends);
	assert_int_equal(t->n_reverses, want->n_reverses);
	service_table_each(t, compare_frontend, &p);
	compare_addrs(&p);
	for (unsigned i = 0; i < N_SERVICES; i++) {
		size_t n[2];

		service_builder_refused(b, "ns", text("s%u", i), &n[0]);
		service_builder_refused(fresh, "ns", text("s%u", i), &n[1]);
		assert_int_equal(n[0], n[1]);
	}
	service_builder_release(fresh, want);
	assert_int_equal(service_builder_books(fresh).n_pieces, 0);
	service_builder_free(fresh);
	slots_free(slots);
}

static void
add_to_digest(uint64_t *sum, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		*sum = (*sum ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
}

static void
digest_frontend(const struct frontend *f, void *arg)
{
	add_to_digest(arg, f, sizeof(*f));
	if (f->piece_size != 0)
		add_to_digest(arg, f->backends, n_all(f) * sizeof(*f->backends));
	if (f->n_backends != 0)
		add_to_digest(arg, f->buckets, (f->bucket_mask + 1) * sizeof(*f->buckets));
}

/* Of all that a worker could see. */
static uint64_t
digest(const struct service_table *t)
{
	uint64_t sum = 0;

	service_table_each(t, digest_frontend, &sum);
	for (unsigned shard = 0; shard < SERVICE_SHARDS; shard++)
		add_to_digest(&sum, t->reverses[shard], (t->reverse_mask + 1) * sizeof(struct reverse));
	return sum;
}

struct kept {
	struct service_table *table;
	uint64_t digest;
};

/* A new version; the oldest goes, unchanged. */
static void
keep(struct service_builder *b, struct kept kept[N_KEPT], struct service_table *t)
{
	if (kept[0].table != NULL)
		assert_int_equal(digest(kept[0].table), kept[0].digest);
	service_builder_release(b, kept[0].table);
	memmove(&kept[0], &kept[1], (N_KEPT - 1) * sizeof(kept[0]));
	kept[N_KEPT - 1] = (struct kept){ t, digest(t) };
}

/* Ends all moves, as if no client had a socket. Returns the newest version; the others are kept, or
 * (NULL) released. */
static struct service_table *
see_moves_through(struct service_builder *b, const struct build_facts *facts, uint64_t now_ns,
	struct service_table *t, struct kept *kept)
{
	struct moves *moves = service_builder_moves(b);

	for (unsigned i = 0; moves_n(moves) != 0; i++) {
		struct service_table *next;

		assert_int_not_equal(i, 3);
		assert_true(moves_listing_begin(moves, t));
		moves_listing_end(moves);
		service_builder_go_on(b);
		assert_int_equal(service_builder_build(b, facts, now_ns, &next), 0);
		assert_non_null(next);
		if (kept != NULL)
			keep(b, kept, t);
		else
			service_builder_release(b, t);
		t = next;
	}
	return t;
}

static void
run(uint32_t first_seed, unsigned changes_per_build)
{
	struct ip_prefix external;
	struct build_facts facts = { .node_name = "a", .n_external_ranges = 1, .external_ranges = &external };
	struct store *store = store_new();
	struct slots *slots = slots_new();
	struct service_builder *b = service_builder_new(store, slots);
	struct kept kept[N_KEPT] = { 0 };
	const struct ip_addr own = addr("192.0.2.0");
	struct pod_host_port host_ports[4];
	unsigned n_versions = 0;

	facts.n_own_addrs = 1;
	facts.own_addrs = &own;
	seed = first_seed;
	assert_true(ip_prefix_parse("203.0.113.0/30", &external));
	for (unsigned step = 0; step < STEPS / changes_per_build; step++) {
		struct service_table *next;

		for (unsigned i = 0; i < changes_per_build; i++) {
			if (draw(20) == 0)
				change_node(store);
			else if (draw(20) == 0)
				change_host_ports(&facts, host_ports);
			else if (draw(3) == 0)
				change_service(store);
			else
				change_slice(store);
		}
		assert_int_equal(service_builder_build(b, &facts, step * SECOND, &next), 0);
		assert_true(service_builder_is_idle(b));
		if (next == NULL)
			continue;
		n_versions++;
		/* half of the time the next change finds moves on their way */
		if (moves_n(service_builder_moves(b)) == 0 || draw(2) == 0) {
			next = see_moves_through(b, &facts, step * SECOND, next, kept);
			compare_with_fresh(b, next, store, &facts);
		}
		keep(b, kept, next);
	}
	print_message("%u versions\n", n_versions);
	for (unsigned i = 0; i < N_KEPT; i++)
		service_builder_release(b, kept[i].table);
	assert_int_equal(service_builder_books(b).n_pieces, 0);
	assert_int_equal(service_builder_books(b).used_bytes, 0);
	service_builder_free(b);
	slots_free(slots);
	store_free(store);
}

static void
changes_one_by_one_make_what_a_build_from_nothing_makes(void **state)
{
	run(1, 1);
}

static void
changes_in_bursts_do(void **state)
{
	run(2, 7);
}

/* From the least shards to what thousands of services need, and back to nothing. */
static void
a_table_grows_as_services_come(void **state)
{
	const struct build_facts facts = { .node_name = "a" };
	struct store *store = store_new();
	struct slots *slots = slots_new();
	struct service_builder *b = service_builder_new(store, slots);
	struct service_table *t = NULL, *next;

	for (unsigned i = 0; i < 2 * 3000; i++) {
		const char *name = text("s%u", i % 3000);
		char ip[32], backend[32];

		snprintf(ip, sizeof(ip), "10.96.%u.%u", i % 3000 / 250, i % 250);
		snprintf(backend, sizeof(backend), "10.244.%u.%u", i % 3000 / 250, i % 250);
		if (i < 3000) {
			put_service(store, "ns", name, NULL, NULL, ip, NULL, 80, PROTO_TCP);
			put_slice(store, "ns", name, backend, 8080, PROTO_TCP, true, "pod", "b");
		} else {
			store_remove(store, OBJECT_SERVICE, "ns", name);
		}
		if (i % 10 != 0)
			continue;
		assert_int_equal(service_builder_build(b, &facts, SECOND, &next), 0);
		service_builder_release(b, t);
		t = next;
		if (i % 500 == 0) {
			t = see_moves_through(b, &facts, SECOND, t, NULL);
			compare_with_fresh(b, t, store, &facts);
		}
	}
	assert_int_equal(service_builder_build(b, &facts, SECOND, &next), 0);
	assert_int_equal(next->n_frontends, 0);
	assert_int_equal(next->n_reverses, 0);
	service_builder_release(b, t);
	service_builder_release(b, next);
	assert_int_equal(service_builder_books(b).n_pieces, 0);
	service_builder_free(b);
	slots_free(slots);
	store_free(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_one_by_one_make_what_a_build_from_nothing_makes),
		cmocka_unit_test(changes_in_bursts_do),
		cmocka_unit_test(a_table_grows_as_services_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
