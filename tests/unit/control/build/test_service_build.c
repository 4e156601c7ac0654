/* From Services and EndpointSlices to the table that workers read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/build/dns_options.h"
#include "control/build/facts.h"
#include "control/build/service_build.h"
#include "tests/support/objects.h"
#include "tests/support/yaml_objects.h"

#define WEB_V4 "10.96.0.10"
#define WEB_V6 "fd00:10:96::a"

/* A slice of n endpoints, 10.244.x.y or fd00:10:244::x.y, all ready, whose ports are given by name ("" ends them). */
struct port {
	const char *name;
	uint16_t port;
	uint8_t proto;
};

static void
put_endpoints(struct store *s, const char *service, const char *slice, bool v4, unsigned first, unsigned n,
	const struct port *ports)
{
	struct slice_object *o = calloc(1, sizeof(*o));

	o->object.kind = OBJECT_ENDPOINT_SLICE;
	o->object.ns = strdup("shop");
	o->object.name = strdup(slice);
	o->service = strdup(service);
	o->family = v4 ? 4 : 6;
	o->ports = calloc(8, sizeof(*o->ports));
	for (; ports->port != 0; ports++)
		o->ports[o->n_ports++] =
			(struct slice_port){ strdup(ports->name), ports->port, ports->proto };
	o->n_endpoints = n;
	o->endpoints = calloc(n, sizeof(*o->endpoints));
	for (unsigned i = 0; i < n; i++) {
		struct slice_endpoint *e = &o->endpoints[i];

		e->n_addrs = 1;
		e->addrs = calloc(1, sizeof(*e->addrs));
		assert_true(ip_addr_parse(v4 ? "10.244.0.0" : "fd00:10:244::", &e->addrs[0]));
		e->addrs[0].b[15] = (uint8_t)(first + i);
		e->addrs[0].b[14] = (uint8_t)((first + i) >> 8);
		e->ready = e->serving = true;
		e->node = strdup("");
		e->pod = strdup("");
	}
	assert_int_equal(store_put(s, &o->object), 0);
}

struct world {
	struct store *store;
	struct slots *slots;
	struct service_builder *builder;
	struct service_table *table;
	struct build_facts facts;
};

static struct world
world_new(void)
{
	struct world w = { .store = store_new(), .slots = slots_new(), .facts = { .node_name = "a" } };

	w.builder = service_builder_new(w.store, w.slots);
	assert_non_null(w.builder);
	return w;
}

/* Ends all moves, as if no client had a socket. Returns the newest version. */
static struct service_table *
see_moves_through(
	struct service_builder *b, const struct build_facts *facts, uint64_t now_ns, struct service_table *t)
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
		service_builder_release(b, t);
		t = next;
	}
	return t;
}

static void
build(struct world *w)
{
	struct service_table *next;

	assert_int_equal(service_builder_build(w->builder, &w->facts, 1000000000u, &next), 0);
	if (next == NULL)
		return;
	service_builder_release(w->builder, w->table);
	w->table = see_moves_through(w->builder, &w->facts, 1000000000u, next);
}

static void
world_free(struct world *w)
{
	service_builder_release(w->builder, w->table);
	assert_int_equal(service_builder_books(w->builder).n_pieces, 0);
	assert_int_equal(service_builder_books(w->builder).used_bytes, 0);
	service_builder_free(w->builder);
	slots_free(w->slots);
	store_free(w->store);
}

static const struct frontend *
frontend(const struct world *w, const char *text, uint16_t port, uint8_t proto)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return service_frontend(w->table, addr_hash(&a, port, proto), &a, port, proto);
}

static const struct backend *
backend(const struct frontend *f, unsigned i)
{
	assert_true(i < f->n_backends);
	return &f->backends[i];
}

static void
assert_addr(const struct ip_addr *a, const char *want)
{
	char text[IP_ADDR_STRLEN];

	assert_string_equal(ip_addr_format(a, text), want);
}

static void
nothing_makes_an_empty_table(void **state)
{
	struct world w = world_new();

	build(&w);
	assert_int_equal(w.table->n_frontends, 0);
	assert_null(frontend(&w, WEB_V4, 80, PROTO_TCP));
	world_free(&w);
}

static void
each_family_has_its_frontend_and_its_endpoints(void **state)
{
	struct world w = world_new();
	const struct frontend *f4, *f6;

	put_service(w.store, "shop", "web", "app", "web", WEB_V4, WEB_V6, 80, PROTO_TCP);
	put_endpoints(w.store, "web", "web-4", true, 1, 3, (struct port[]){ { "", 8080, PROTO_TCP }, { 0 } });
	put_endpoints(
		w.store, "web", "web-6", false, 1, 2, (struct port[]){ { "", 8081, PROTO_TCP }, { 0 } });
	build(&w);
	f4 = frontend(&w, WEB_V4, 80, PROTO_TCP);
	f6 = frontend(&w, WEB_V6, 80, PROTO_TCP);
	assert_non_null(f4);
	assert_non_null(f6);
	assert_int_equal(f4->n_backends, 3);
	assert_int_equal(f6->n_backends, 2);
	assert_addr(&backend(f4, 0)->addr, "10.244.0.1");
	assert_addr(&backend(f6, 1)->addr, "fd00:10:244::2");
	assert_int_equal(backend(f4, 0)->port, 8080);
	assert_int_equal(backend(f6, 0)->port, 8081);
	assert_int_equal(backend(f4, 0)->slot, 1);
	assert_null(frontend(&w, WEB_V4, 80, PROTO_UDP));
	assert_null(frontend(&w, WEB_V4, 81, PROTO_TCP));
	world_free(&w);
}

static void
only_ready_endpoints_serve(void **state)
{
	struct world w = world_new();

	put_service(w.store, "shop", "web", "app", "web", WEB_V4, NULL, 80, PROTO_TCP);
	put_slice(w.store, "shop", "web", "10.244.1.1", 8080, PROTO_TCP, false, "web-0", "a");
	put_slice(w.store, "other", "web", "10.244.1.2", 8080, PROTO_TCP, true, "web-1", "a");
	build(&w);
	assert_int_equal(frontend(&w, WEB_V4, 80, PROTO_TCP)->n_backends, 0);
	put_slice(w.store, "shop", "web", "10.244.1.1", 8080, PROTO_TCP, true, "web-0", "a");
	build(&w);
	assert_int_equal(frontend(&w, WEB_V4, 80, PROTO_TCP)->n_backends, 1);
	put_slice(w.store, "shop", "web", "10.244.1.1", 8080, PROTO_UDP, true, "web-0", "a");
	build(&w);
	assert_int_equal(frontend(&w, WEB_V4, 80, PROTO_TCP)->n_backends, 0);
	world_free(&w);
}

static struct service_object *
service_with_ports(const char *name, const char *cluster_ip, unsigned n, const struct service_port *ports)
{
	struct service_object *o = calloc(1, sizeof(*o));

	o->object.kind = OBJECT_SERVICE;
	o->object.ns = strdup("shop");
	o->object.name = strdup(name);
	o->n_cluster_ips = 1;
	o->cluster_ips = calloc(1, sizeof(*o->cluster_ips));
	assert_true(ip_addr_parse(cluster_ip, o->cluster_ips));
	o->n_ports = n;
	o->ports = calloc(n, sizeof(*o->ports));
	for (unsigned i = 0; i < n; i++)
		o->ports[i] = (struct service_port){
			.name = strdup(ports[i].name), .port = ports[i].port, .proto = ports[i].proto
		};
	return o;
}

static void
ports_are_matched_by_name_and_protocol(void **state)
{
	static const struct service_port ports[] = { { "dns", 53, PROTO_UDP }, { "dns", 53, PROTO_TCP },
		{ "metrics", 9153, PROTO_TCP }, { "gone", 99, PROTO_TCP } };
	struct world w = world_new();

	assert_int_equal(store_put(w.store, &service_with_ports("dns", WEB_V4, 4, ports)->object), 0);
	put_endpoints(w.store, "dns", "dns-a", true, 1, 2,
		(struct port[]){ { "metrics", 9154, PROTO_TCP }, { "dns", 5300, PROTO_UDP },
			{ "dns", 5301, PROTO_TCP }, { 0 } });
	/* another slice, whose pods call the port by another number; one endpoint is in both */
	put_endpoints(
		w.store, "dns", "dns-b", true, 2, 2, (struct port[]){ { "dns", 5300, PROTO_UDP }, { 0 } });
	build(&w);
	assert_int_equal(frontend(&w, WEB_V4, 53, PROTO_UDP)->n_backends, 3);
	assert_int_equal(frontend(&w, WEB_V4, 53, PROTO_TCP)->n_backends, 2);
	assert_int_equal(backend(frontend(&w, WEB_V4, 53, PROTO_UDP), 0)->port, 5300);
	assert_int_equal(backend(frontend(&w, WEB_V4, 53, PROTO_TCP), 0)->port, 5301);
	assert_int_equal(backend(frontend(&w, WEB_V4, 9153, PROTO_TCP), 1)->port, 9154);
	assert_int_equal(frontend(&w, WEB_V4, 99, PROTO_TCP)->n_backends, 0);
	world_free(&w);
}

static void
headless_services_and_second_claims_have_no_frontend(void **state)
{
	static const struct service_port port = { "", 80, PROTO_TCP };
	struct world w = world_new();
	struct service_object *headless = service_with_ports("headless", WEB_V6, 1, &port);

	headless->headless = true;
	assert_int_equal(store_put(w.store, &headless->object), 0);
	assert_int_equal(store_put(w.store, &service_with_ports("a", WEB_V4, 1, &port)->object), 0);
	assert_int_equal(store_put(w.store, &service_with_ports("b", WEB_V4, 1, &port)->object), 0);
	put_endpoints(w.store, "a", "a-4", true, 1, 1, (struct port[]){ { "", 8080, PROTO_TCP }, { 0 } });
	put_endpoints(w.store, "b", "b-4", true, 9, 1, (struct port[]){ { "", 8080, PROTO_TCP }, { 0 } });
	build(&w);
	assert_int_equal(w.table->n_frontends, 1);
	assert_addr(&backend(frontend(&w, WEB_V4, 80, PROTO_TCP), 0)->addr, "10.244.0.1");
	world_free(&w);
}

static void
check_reverses(const struct frontend *f, void *arg)
{
	const struct service_table *t = ((struct world *)arg)->table;

	for (unsigned j = 0; j < f->n_backends; j++) {
		const struct backend *b = backend(f, j);
		const struct reverse *r = service_reverse(
			t, addr_hash(&b->addr, b->port, f->proto), &b->addr, b->port, f->proto);
		const char *ns, *name;

		assert_true(service_builder_name(((struct world *)arg)->builder, f->service, &ns, &name));
		assert_int_equal(b->slot, name[3] == '3' ? 0 : name[3] - '0' + 1);
		assert_non_null(r);
		if (b->slot != 0)
			assert_ptr_equal(service_frontend_at(t, r->frontend[b->slot - 1]), f);
	}
}

static void
check_links(const struct frontend *f, void *arg)
{
	const struct service_table *t = ((struct world *)arg)->table;

	for (unsigned j = 0; j < f->n_backends; j++) {
		const struct backend *b = backend(f, j);
		const struct reverse *r = service_reverse(
			t, addr_hash(&b->addr, b->port, f->proto), &b->addr, b->port, f->proto);

		assert_non_null(r);
		assert_int_equal(r->n_slotless, 0);
		assert_ptr_equal(service_frontend_at(t, r->frontend[b->slot - 1]), f);
	}
}

/* The reverse table is what the backends and slots say, and the fourth frontend has no slot. */
static void
the_reverse_table_names_each_frontend_in_its_slot(void **state)
{
	struct world w = world_new();

	for (unsigned i = 0; i < 4; i++) {
		char name[8], v4[16], v6[24];

		snprintf(name, sizeof(name), "web%u", i);
		snprintf(v4, sizeof(v4), "10.96.0.%u", i + 1);
		snprintf(v6, sizeof(v6), "fd00:10:96::%u", i + 1);
		put_service(w.store, "shop", name, "app", "web", v4, v6, 80, PROTO_TCP);
		put_endpoints(
			w.store, name, v4, true, 1, 20, (struct port[]){ { "", 8080, PROTO_TCP }, { 0 } });
		put_endpoints(
			w.store, name, v6, false, 1, 20, (struct port[]){ { "", 8080, PROTO_TCP }, { 0 } });
	}
	build(&w);
	assert_int_equal(w.table->n_frontends, 8);
	assert_int_equal(w.table->n_reverses, 40);
	service_table_each(w.table, check_reverses, &w);
	world_free(&w);
}

/* What a table answers does not depend on the order in which objects came, or on tables before. */
static void
the_table_depends_on_nothing_but_the_objects(void **state)
{
	static const struct port ports[] = { { "", 8080, PROTO_TCP }, { 0 } };
	struct world w = world_new(), x = world_new();
	const struct frontend *f, *g;

	put_service(w.store, "shop", "web", "app", "web", WEB_V4, NULL, 80, PROTO_TCP);
	put_endpoints(w.store, "web", "web-a", true, 1, 5, ports);
	put_endpoints(w.store, "web", "web-b", true, 6, 5, ports);
	build(&w);
	put_endpoints(x.store, "web", "z", true, 4, 90, ports);
	put_service(x.store, "shop", "web", "app", "web", WEB_V4, NULL, 80, PROTO_TCP);
	build(&x);
	put_endpoints(x.store, "web", "z", true, 4, 7, ports);
	put_endpoints(x.store, "web", "a", true, 1, 4, ports);
	build(&x);
	f = frontend(&w, WEB_V4, 80, PROTO_TCP);
	g = frontend(&x, WEB_V4, 80, PROTO_TCP);
	assert_int_equal(f->n_backends, 10);
	assert_int_equal(g->n_backends, 10);
	assert_int_equal(f->bucket_mask, g->bucket_mask);
	for (uint32_t i = 0; i <= f->bucket_mask; i++)
		assert_memory_equal(&service_backend(f, *service_bucket(f, i))->addr,
			&service_backend(g, *service_bucket(g, i))->addr, sizeof(struct ip_addr));
	world_free(&w);
	world_free(&x);
}

/* 99.9% of random draws lie below these, by degrees of freedom. */
static double
chi_square_limit(unsigned n_backends)
{
	switch (n_backends) {
	case 2:
		return 10.83;
	case 3:
		return 13.82;
	case 7:
		return 22.46;
	default:
		return 148.2; /* 100 */
	}
}

static void
flows_spread_evenly(void **state)
{
	static const unsigned sizes[] = { 2, 3, 7, 100 };

	for (unsigned k = 0; k < 8; k++) {
		unsigned n = sizes[k / 2], counts[100] = { 0 }, n_flows = 10000;
		bool v4 = k % 2;
		struct world w = world_new();
		const struct frontend *f;
		struct ip_addr client;
		double sum = 0, expected = (double)n_flows / n;

		put_service(w.store, "shop", "web", "app", "web", v4 ? WEB_V4 : WEB_V6, NULL, 80, PROTO_TCP);
		put_endpoints(
			w.store, "web", "web", v4, 1, n, (struct port[]){ { "", 8080, PROTO_TCP }, { 0 } });
		build(&w);
		f = frontend(&w, v4 ? WEB_V4 : WEB_V6, 80, PROTO_TCP);
		assert_true(ip_addr_parse(v4 ? "10.244.1.10" : "fd00:10:244:1::a", &client));
		for (unsigned i = 0; i < n_flows; i++) {
			client.b[15] = (uint8_t)(10 + i % 8);
			counts[*service_bucket(
				f, flow_hash(&client, &f->addr, (uint16_t)(33792 + i / 8), 80, PROTO_TCP))]++;
		}
		for (unsigned i = 0; i < n; i++)
			sum += (counts[i] - expected) * (counts[i] - expected) / expected;
		print_message("%u backends, IPv%d: chi-square %.1f\n", n, v4 ? 4 : 6, sum);
		assert_true(sum < chi_square_limit(n));
		world_free(&w);
	}
}

/* What 10,000 services with ten endpoints each take, by the arithmetic of what was allocated; twice that when half of the
 * services change at once; and little more for one endpoint that leaves, since the new version shares the rest. */
static void
a_large_cluster_takes_no_more_than_64_megabytes(void **state)
{
	static const struct port ports[] = { { "", 8080, PROTO_TCP }, { 0 } };
	struct world w = world_new();
	char name[16], ip[16];
	struct service_table *next;
	size_t before;

	for (unsigned i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		snprintf(ip, sizeof(ip), "10.96.%u.%u", i >> 8, i & 255);
		put_service(w.store, "shop", name, "app", "web", ip, NULL, 80, PROTO_TCP);
		put_endpoints(w.store, name, name, true, 10 * i % 65521, 10, ports);
	}
	build(&w);
	assert_int_equal(w.table->n_frontends, 10000);
	print_message("%zu bytes\n", service_builder_books(w.builder).used_bytes);
	before = service_builder_books(w.builder).used_bytes;
	assert_true(before < 32 << 20);
	put_endpoints(w.store, "s7", "s7", true, 70, 9, ports);
	assert_int_equal(service_builder_build(w.builder, &w.facts, 1000000000u, &next), 0);
	assert_true(service_builder_books(w.builder).used_bytes - before < 256 << 10);
	service_builder_release(w.builder, w.table);
	w.table = next;
	for (unsigned i = 0; i < 10000; i += 2) {
		snprintf(name, sizeof(name), "s%u", i);
		put_endpoints(w.store, name, name, true, 10 * i % 65521, 9, ports);
		if (i + 2 < 10000)
			continue;
		assert_int_equal(service_builder_build(w.builder, &w.facts, 1000000000u, &next), 0);
		assert_true(service_builder_books(w.builder).used_bytes < 64 << 20);
		service_builder_release(w.builder, w.table);
		w.table = next;
	}
	assert_true(service_builder_books(w.builder).used_bytes < 32 << 20);
	world_free(&w);
}

static struct service_object *
exposed_service(enum service_type type, const char *external_ip, const char *ingress, bool is_proxy)
{
	static const struct service_port port = { "", 80, PROTO_TCP, .node_port = 30080 };
	struct service_object *o = service_with_ports("web", WEB_V4, 1, &port);

	o->type = type;
	o->ports[0].node_port = port.node_port;
	o->external_ips = calloc(1, sizeof(*o->external_ips));
	if (external_ip != NULL)
		assert_true(ip_addr_parse(external_ip, &o->external_ips[o->n_external_ips++]));
	o->ingress = calloc(1, sizeof(*o->ingress));
	o->ingress[0].is_proxy = is_proxy;
	if (ingress != NULL)
		assert_true(ip_addr_parse(ingress, &o->ingress[o->n_ingress++].addr));
	return o;
}

/* Which addresses a service is served at besides its cluster address, and why not. */
static void
exposed_addresses_are_served_unless_they_are_somebody_elses(void **state)
{
	static const struct {
		enum service_type type;
		const char *external_ip, *ingress;
		bool is_proxy;
		const char *served; /* NULL: none */
		uint16_t port;
		enum frontend_kind kind;
		enum refusal refusal;
	} cases[] = {
		{ SERVICE_CLUSTER_IP, NULL, NULL, false, NULL, 0, 0, REFUSED_NONE },
		{ SERVICE_NODE_PORT, NULL, NULL, false, "192.0.2.1", 30080, FRONTEND_NODE_PORT,
			REFUSED_NONE },
		{ SERVICE_LOAD_BALANCER, NULL, NULL, false, "192.0.2.1", 30080, FRONTEND_NODE_PORT,
			REFUSED_NONE },
		{ SERVICE_LOAD_BALANCER, NULL, "198.51.100.1", false, "198.51.100.1", 80,
			FRONTEND_LOAD_BALANCER, REFUSED_NONE },
		{ SERVICE_LOAD_BALANCER, NULL, "198.51.100.1", true, NULL, 0, 0, REFUSED_NONE },
		{ SERVICE_LOAD_BALANCER, NULL, "10.244.9.9", false, NULL, 0, 0, REFUSED_POD_RANGE },
		{ SERVICE_LOAD_BALANCER, NULL, "10.96.0.1", false, NULL, 0, 0, REFUSED_SERVICE_RANGE },
		{ SERVICE_LOAD_BALANCER, NULL, "192.0.2.2", false, NULL, 0, 0, REFUSED_NODE_ADDRESS },
		{ SERVICE_LOAD_BALANCER, NULL, "192.0.2.1", false, NULL, 0, 0, REFUSED_NODE_ADDRESS },
		{ SERVICE_LOAD_BALANCER, NULL, "203.0.113.50", false, "203.0.113.50", 80,
			FRONTEND_LOAD_BALANCER, REFUSED_NONE },
		{ SERVICE_LOAD_BALANCER, NULL, "169.254.169.254", false, NULL, 0, 0, REFUSED_SPECIAL },
		{ SERVICE_CLUSTER_IP, "203.0.113.9", NULL, false, "203.0.113.9", 80, FRONTEND_EXTERNAL_IP,
			REFUSED_NONE },
		{ SERVICE_CLUSTER_IP, "8.8.8.8", NULL, false, NULL, 0, 0, REFUSED_NOT_LISTED },
		{ SERVICE_CLUSTER_IP, "203.0.113.77", NULL, false, NULL, 0, 0, REFUSED_NODE_ADDRESS },
		{ SERVICE_CLUSTER_IP, "203.0.113.50", NULL, false, NULL, 0, 0, REFUSED_NODE_ADDRESS },
	};
	struct ip_prefix external, services;
	struct ip_addr own[2]; /* by which the node is known, and another */

	assert_true(ip_prefix_parse("203.0.113.0/24", &external));
	assert_true(ip_prefix_parse("10.96.0.0/16", &services));
	assert_true(ip_addr_parse("192.0.2.1", &own[0]) && ip_addr_parse("203.0.113.50", &own[1]));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world w = world_new();
		const struct refused_addr *refused;
		size_t n;

		w.facts.n_external_ranges = w.facts.n_service_cidrs = 1;
		w.facts.external_ranges = &external;
		w.facts.service_cidrs = &services;
		w.facts.n_own_addrs = 2;
		w.facts.own_addrs = own;
		put_node(w.store, "a", "192.0.2.1", "10.244.1.0/24", NULL);
		put_node(w.store, "b", "192.0.2.2", "10.244.9.0/24", NULL);
		put_node(w.store, "c", "203.0.113.77", "10.244.10.0/24", NULL);
		assert_int_equal(store_put(w.store, &exposed_service(cases[i].type, cases[i].external_ip,
							    cases[i].ingress, cases[i].is_proxy)
							     ->object),
			0);
		build(&w);
		assert_non_null(frontend(&w, WEB_V4, 80, PROTO_TCP));
		if (cases[i].served != NULL) {
			const struct frontend *f = frontend(&w, cases[i].served, cases[i].port, PROTO_TCP);

			assert_non_null(f);
			assert_int_equal(f->kind, cases[i].kind);
			assert_int_equal(f->flags, FRONTEND_EXPOSED);
		}
		assert_int_equal(w.table->n_frontends, 1 + (cases[i].served != NULL) +
							       (cases[i].type == SERVICE_LOAD_BALANCER &&
								       cases[i].kind != FRONTEND_NODE_PORT));
		refused = service_builder_refused(w.builder, "shop", "web", &n);
		assert_int_equal(n, cases[i].refusal != REFUSED_NONE);
		if (n != 0)
			assert_int_equal(refused[0].why, cases[i].refusal);
		world_free(&w);
	}
}

/* By any address of its own of the frontend's family; and again when these change. */
static void
source_ranges_say_whether_the_node_may_come(void **state)
{
	static const struct {
		const char *ingress, *range;
		bool admits;
	} cases[] = {
		{ "198.51.100.1", "192.0.2.0/24", true },
		{ "198.51.100.1", "192.0.2.2/32", false },
		{ "198.51.100.1", "2001:db8::/64", false },
		{ "2001:db8:9::1", "2001:db8::/64", true },
		{ "2001:db8:9::1", "2001:db8:1::/64", false },
		{ "2001:db8:9::1", "192.0.2.0/24", false },
	};
	struct ip_addr own[2], none[1];

	assert_true(ip_addr_parse("192.0.2.1", &own[0]) && ip_addr_parse("2001:db8::1", &own[1]));
	assert_true(ip_addr_parse("10.9.9.9", &none[0]));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct service_object *o =
			exposed_service(SERVICE_LOAD_BALANCER, NULL, cases[i].ingress, false);
		struct world w = world_new();

		o->n_source_ranges = 1;
		o->source_ranges = calloc(1, sizeof(*o->source_ranges));
		assert_true(ip_prefix_parse(cases[i].range, &o->source_ranges[0]));
		assert_int_equal(store_put(w.store, &o->object), 0);
		for (unsigned turn = 0; turn < 3; turn++) {
			const struct frontend *f;

			w.facts.own_addrs = turn == 1 ? none : own;
			w.facts.n_own_addrs = turn == 1 ? 1 : 2;
			build(&w);
			f = frontend(&w, cases[i].ingress, 80, PROTO_TCP);
			assert_non_null(f);
			assert_true(f->flags & FRONTEND_SOURCE_RANGES);
			assert_int_equal(
				(f->flags & FRONTEND_ADMITS_NODE) != 0, cases[i].admits && turn != 1);
		}
		world_free(&w);
	}
}

/* A node that comes may own what was thought to be a load balancer's. */
static void
nodes_change_what_is_refused(void **state)
{
	struct world w = world_new();
	size_t n;

	put_node(w.store, "a", "192.0.2.1", "10.244.1.0/24", NULL);
	assert_int_equal(
		store_put(w.store,
			&exposed_service(SERVICE_LOAD_BALANCER, NULL, "198.51.100.1", false)->object),
		0);
	build(&w);
	assert_int_equal(w.table->n_frontends, 3);
	put_node(w.store, "b", "198.51.100.1", "10.244.9.0/24", NULL);
	build(&w);
	assert_int_equal(w.table->n_frontends, 2);
	service_builder_refused(w.builder, "shop", "web", &n);
	assert_int_equal(n, 1);
	put_node(w.store, "a", "192.0.2.9", "10.244.1.0/24", NULL); /* NodePorts listen elsewhere */
	build(&w);
	assert_null(frontend(&w, "192.0.2.1", 30080, PROTO_TCP));
	assert_non_null(frontend(&w, "192.0.2.9", 30080, PROTO_TCP));
	world_free(&w);
}

/* The fourth frontend of a backend has no slot until one has rested. */
static void
a_slot_that_has_rested_goes_to_who_waited(void **state)
{
	struct world w = world_new();
	struct service_table *next;
	char name[8], ip[16];

	for (unsigned i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "web%u", i);
		snprintf(ip, sizeof(ip), "10.96.0.%u", i + 1);
		put_service(w.store, "shop", name, "app", "web", ip, NULL, 80, PROTO_TCP);
		put_endpoints(
			w.store, name, ip, true, 1, 2, (struct port[]){ { "", 8080, PROTO_TCP }, { 0 } });
	}
	build(&w);
	assert_int_equal(backend(frontend(&w, "10.96.0.4", 80, PROTO_TCP), 0)->slot, 0);
	assert_true(store_remove(w.store, OBJECT_SERVICE, "shop", "web1"));
	build(&w);
	assert_int_equal(backend(frontend(&w, "10.96.0.4", 80, PROTO_TCP), 0)->slot, 0);
	assert_int_equal(
		service_builder_build(w.builder, &w.facts, (SLOT_REST_S + 1) * UINT64_C(1000000000), &next),
		0);
	assert_non_null(next);
	service_builder_release(w.builder, w.table);
	w.table = next;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(backend(frontend(&w, "10.96.0.4", 80, PROTO_TCP), i)->slot, 2);
	service_table_each(w.table, check_links, &w);
	world_free(&w);
}

/* On the node's own addresses, or the one that is named, if it is one of these. */
static void
host_ports_lead_to_their_pods(void **state)
{
	struct world w = world_new();
	struct ip_addr own[4];
	struct pod_host_port ports[] = {
		{ .map = { .port = 80, .pod_port = 8080, .proto = PROTO_TCP },
			.pod_ns = "shop",
			.pod = "web-0" },
		{ .map = { .port = 53, .pod_port = 53, .proto = PROTO_UDP },
			.pod_ns = "shop",
			.pod = "dns-0" },
		{ .map = { .port = 54, .pod_port = 53, .proto = PROTO_UDP },
			.pod_ns = "shop",
			.pod = "dns-0" },
	};
	const struct frontend *f;
	const char *ns, *name;

	assert_true(ip_addr_parse("192.0.2.1", &own[0]));
	assert_true(ip_addr_parse("192.0.2.7", &own[1]));
	assert_true(ip_addr_parse("127.0.0.1", &own[2]));
	assert_true(ip_addr_parse("2001:db8::1", &own[3]));
	assert_true(ip_addr_parse("10.244.1.8", &ports[0].addrs[V4]));
	assert_true(ip_addr_parse("fd00:10:244:1::8", &ports[0].addrs[V6]));
	ports[1].addrs[V4] = ports[2].addrs[V4] = ports[0].addrs[V4];
	ports[1].map.host_addr = own[1];
	assert_true(ip_addr_parse("8.8.8.8", &ports[2].map.host_addr));
	w.facts.n_own_addrs = 4;
	w.facts.own_addrs = own;
	build(&w);
	assert_int_equal(w.table->n_frontends, 0);
	w.facts.n_host_ports = 3;
	w.facts.host_ports = ports;
	build(&w);
	assert_int_equal(w.table->n_frontends, 3 + 1);
	f = frontend(&w, "192.0.2.1", 80, PROTO_TCP);
	assert_non_null(f);
	assert_int_equal(f->kind, FRONTEND_HOST_PORT);
	assert_int_equal(f->flags, FRONTEND_EXPOSED | FRONTEND_LOCAL);
	assert_int_equal(f->n_backends, 1);
	assert_addr(&f->backends[0].addr, "10.244.1.8");
	assert_int_equal(f->backends[0].port, 8080);
	assert_int_equal(f->extra->n_outside, 1);
	assert_true(service_builder_name(w.builder, f->service, &ns, &name));
	assert_string_equal(ns, "shop");
	assert_string_equal(name, "pod/web-0");
	assert_non_null(frontend(&w, "192.0.2.7", 80, PROTO_TCP));
	assert_addr(&frontend(&w, "2001:db8::1", 80, PROTO_TCP)->backends[0].addr, "fd00:10:244:1::8");
	assert_null(frontend(&w, "192.0.2.1", 53, PROTO_UDP));
	assert_non_null(frontend(&w, "192.0.2.7", 53, PROTO_UDP));
	w.facts.n_host_ports = 1;
	build(&w);
	assert_int_equal(w.table->n_frontends, 3);
	w.facts.n_host_ports = 0;
	build(&w);
	assert_int_equal(w.table->n_frontends, 0);
	world_free(&w);
}

/* A load balancer with externalTrafficPolicy Local: who is inside uses all endpoints, who is outside those of this node. */
static void
outside_traffic_may_have_its_own_buckets(void **state)
{
	struct world w = world_new();
	struct service_object *o = exposed_service(SERVICE_LOAD_BALANCER, NULL, "198.51.100.1", false);
	const struct frontend *f;

	o->external_local = true;
	o->affinity_timeout_s = 10800;
	o->source_ranges = calloc(1, sizeof(*o->source_ranges));
	assert_true(ip_prefix_parse("192.0.2.0/24", &o->source_ranges[o->n_source_ranges++]));
	put_node(w.store, "a", "192.0.2.1", "10.244.1.0/24", NULL);
	assert_int_equal(store_put(w.store, &o->object), 0);
	put_slice(w.store, "shop", "web", "10.244.9.1", 8080, PROTO_TCP, true, "web-0", "b");
	build(&w);
	f = frontend(&w, "198.51.100.1", 80, PROTO_TCP);
	assert_int_equal(f->flags, FRONTEND_EXPOSED | FRONTEND_AFFINITY | FRONTEND_LOCAL |
					   FRONTEND_DROP_EMPTY | FRONTEND_SOURCE_RANGES);
	assert_int_equal(f->n_backends, 1);
	assert_int_equal(f->extra->n_outside, 0);
	assert_int_equal(f->extra->affinity_timeout_s, 10800);
	assert_int_equal(f->extra->n_ranges, 1);
	put_endpoints(w.store, "web", "more", true, 1, 1, (struct port[]){ { "", 8080, PROTO_TCP }, { 0 } });
	put_slice(w.store, "shop", "web", "10.244.1.7", 8080, PROTO_TCP, true, "web-1", "a");
	build(&w);
	f = frontend(&w, "198.51.100.1", 80, PROTO_TCP);
	assert_int_equal(f->flags & FRONTEND_DROP_EMPTY, 0);
	assert_int_equal(f->n_backends, 2);
	assert_int_equal(f->extra->n_outside, 1);
	for (uint32_t i = 0; i <= f->extra->outside_mask; i++)
		assert_addr(&f->backends[f->extra->outside_buckets[i]].addr, "10.244.1.7");
	world_free(&w);
}

static void
never(const char *key, const char *text, void *arg)
{
	fail_msg("%s: %s", key, text);
}

/* Where the node answers DNS, the DNS service has what is not answered; nobody else gets the address. */
static void
the_dns_service_is_at_local_addresses_too(void **state)
{
	static char *local[] = { "169.254.20.10", "fd00::53" };
	const struct dns_texts texts = { .zone = "x", .service = "shop/names", .local = { 2, local } };
	const struct port ports[] = { { "dns", 5353, PROTO_UDP }, { "dns-tcp", 5354, PROTO_TCP }, { 0 } };
	struct dns_options dns;
	struct world w = world_new();
	const struct frontend *f;
	size_t n;

	assert_int_equal(dns_options_read(&dns, &texts, never, NULL), 0);
	w.facts.dns = &dns;
	put_yaml(w.store, "{apiVersion: v1, kind: Service, metadata: {name: names, namespace: shop}, spec: "
			  "{clusterIPs: "
			  "[10.96.0.10], internalTrafficPolicy: Cluster, ports: [{name: metrics, port: "
			  "9153}, {name: dns, "
			  "port: 53, protocol: UDP}, {name: dns-tcp, port: 53}]}}");
	put_endpoints(w.store, "names", "s4", true, 0x101, 2, ports);
	put_yaml(w.store,
		"{apiVersion: v1, kind: Service, metadata: {name: other, namespace: shop, creationTimestamp: "
		"'2001-01-01T00:00:00Z'}, spec: {clusterIPs: ['fd00:10:96::b'], externalIPs: ['fd00::53'], "
		"ports: [{name: dns, port: 53, protocol: UDP}]}}");
	build(&w);
	f = frontend(&w, "169.254.20.10", 53, PROTO_UDP);
	assert_non_null(f);
	assert_int_equal(f->kind, FRONTEND_LOCAL_ADDRESS);
	assert_int_equal(f->flags & FRONTEND_EXPOSED, 0);
	assert_int_equal(f->n_backends, 2);
	assert_int_equal(f->backends[0].port, 5353);
	f = frontend(&w, "169.254.20.10", 53, PROTO_TCP);
	assert_non_null(f);
	assert_int_equal(f->backends[0].port, 5354);
	assert_null(frontend(&w, "169.254.20.10", 9153, PROTO_TCP));
	/* a family that the service does not have */
	assert_null(frontend(&w, "fd00::53", 53, PROTO_UDP));
	assert_int_equal(
		service_builder_refused(w.builder, "shop", "other", &n)[0].why, REFUSED_NODE_ADDRESS);
	assert_int_equal(n, 1);

	assert_true(store_remove(w.store, OBJECT_SERVICE, "shop", "names"));
	build(&w);
	assert_null(frontend(&w, "169.254.20.10", 53, PROTO_UDP));
	world_free(&w);
	dns_options_fini(&dns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_makes_an_empty_table),
		cmocka_unit_test(each_family_has_its_frontend_and_its_endpoints),
		cmocka_unit_test(only_ready_endpoints_serve),
		cmocka_unit_test(ports_are_matched_by_name_and_protocol),
		cmocka_unit_test(headless_services_and_second_claims_have_no_frontend),
		cmocka_unit_test(the_reverse_table_names_each_frontend_in_its_slot),
		cmocka_unit_test(the_table_depends_on_nothing_but_the_objects),
		cmocka_unit_test(flows_spread_evenly),
		cmocka_unit_test(exposed_addresses_are_served_unless_they_are_somebody_elses),
		cmocka_unit_test(source_ranges_say_whether_the_node_may_come),
		cmocka_unit_test(nodes_change_what_is_refused),
		cmocka_unit_test(a_slot_that_has_rested_goes_to_who_waited),
		cmocka_unit_test(host_ports_lead_to_their_pods),
		cmocka_unit_test(outside_traffic_may_have_its_own_buckets),
		cmocka_unit_test(a_large_cluster_takes_no_more_than_64_megabytes),
		cmocka_unit_test(the_dns_service_is_at_local_addresses_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
