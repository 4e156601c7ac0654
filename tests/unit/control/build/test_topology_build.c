/* Nodes, FDB, routes, endpoints and the node's own table, from the store and the facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "control/build/topology_build.h"

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

static struct ip_prefix
prefix(const char *text)
{
	struct ip_prefix p;

	assert_true(ip_prefix_parse(text, &p));
	return p;
}

static void
put_node(struct store *s, const char *name, const char *v4, const char *v6, const char *cidr4,
	const char *cidr6)
{
	struct node_object *n = calloc(1, sizeof(*n));

	n->object = (struct object){ .kind = OBJECT_NODE, .ns = strdup(""), .name = strdup(name) };
	n->addrs = calloc(2, sizeof(*n->addrs));
	n->pod_cidrs = calloc(2, sizeof(*n->pod_cidrs));
	if (v4 != NULL)
		n->addrs[n->n_addrs++] = addr(v4);
	if (v6 != NULL)
		n->addrs[n->n_addrs++] = addr(v6);
	if (cidr4 != NULL)
		n->pod_cidrs[n->n_pod_cidrs++] = prefix(cidr4);
	if (cidr6 != NULL)
		n->pod_cidrs[n->n_pod_cidrs++] = prefix(cidr6);
	assert_int_equal(store_put(s, &n->object), 0);
}

static struct store *
three_nodes(void)
{
	struct store *s = store_new();

	put_node(s, "a", "192.0.2.1", "2001:db8::1", "10.244.1.0/24", "fd00:1::/64");
	put_node(s, "b", "192.0.2.2", "2001:db8::2", "10.244.2.0/24", "fd00:2::/64");
	put_node(s, "c", "192.0.2.3", NULL, "10.244.3.0/24", NULL);
	return s;
}

static void
test_this_node_is_told_from_the_others(void **state)
{
	struct store *s = three_nodes();
	struct ip_addr b = addr("192.0.2.2");
	struct nodes nodes;
	struct mac_addr expected = tunnel_mac_of(&b);

	put_node(s, "double", "192.0.2.2", NULL, "10.244.9.0/24", NULL);
	put_node(s, "no-v4", NULL, "2001:db8::7", NULL, "fd00:7::/64");
	assert_int_equal(nodes_collect(&nodes, s, "a"), 0);
	assert_string_equal(nodes.self->object.name, "a");
	assert_true(ip_addr_eq(&nodes.vtep, &nodes.self->addrs[0]));
	assert_int_equal(nodes.n, 2);
	assert_string_equal(nodes.remotes[0].object->object.name, "b");
	assert_memory_equal(&nodes.remotes[0].tunnel_mac, &expected, sizeof(expected));
	assert_string_equal(nodes.remotes[1].object->object.name, "c");
	nodes_free(&nodes);

	/* a node with an IPv6 address alone has tunnels to those that have one too */
	assert_int_equal(nodes_collect(&nodes, s, "no-v4"), 0);
	assert_int_equal(nodes.n, 2);
	assert_string_equal(nodes.remotes[1].object->object.name, "b");
	nodes_free(&nodes);

	assert_int_equal(nodes_collect(&nodes, s, "stranger"), 0);
	assert_null(nodes.self);
	assert_int_equal(nodes.n, 0);
	nodes_free(&nodes);
	store_free(s);
}

static void
test_tunnel_macs_are_local_and_differ(void **state)
{
	struct ip_addr a = addr("192.0.2.1"), b = addr("192.0.2.2"), c = addr("2001:db8::1"),
		       d = addr("2001:db8::2");
	const struct mac_addr macs[] = { tunnel_mac_of(&a), tunnel_mac_of(&b), tunnel_mac_of(&c),
		tunnel_mac_of(&d) };

	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(macs[i].b[0] & 3, 2); /* locally administered, unicast */
		for (unsigned j = i + 1; j < 4; j++)
			assert_memory_not_equal(&macs[i], &macs[j], sizeof(macs[i]));
	}
}

static struct mac_addr
next_hop(const struct ip_addr *vtep, void *arg)
{
	return (struct mac_addr){ { 2, 0, 0, 0, 0, vtep->b[15] } };
}

static uint16_t
path_mtu(const struct ip_addr *vtep, void *arg)
{
	return vtep->b[15] == 3 ? 1350 : 0;
}

static const struct build_facts facts = {
	.node_name = "a",
	.vxlan_port = 4789,
	.vni = 1,
	.uplink_mtu = 1500,
	.next_hop = next_hop,
	.path_mtu = path_mtu,
	.n_workers = 3,
};

static void
test_fdb_entries_follow_the_nodes(void **state)
{
	struct store *s = three_nodes();
	struct fdb_indexes *x = fdb_indexes_new();
	struct ip_addr b = addr("192.0.2.2"), c = addr("192.0.2.3"), d = addr("192.0.2.4"),
		       e = addr("192.0.2.5");
	struct nodes nodes;
	struct fdb_table *t;
	uint32_t index_of_b, index_of_c;

	nodes_collect(&nodes, s, "a");
	assert_int_equal(fdb_build(&t, x, &nodes, &facts, 0), 0);
	index_of_b = fdb_lookup(t, &b);
	index_of_c = fdb_lookup(t, &c);
	assert_int_equal(t->entries[index_of_b].mtu, 1450);
	assert_int_equal(t->entries[index_of_c].mtu, 1350);
	assert_int_equal(t->entries[index_of_b].next_hop.b[5], 2);
	assert_int_equal(index_of_b, fdb_index_of(x, &b));
	fdb_table_free(t);
	nodes_free(&nodes);

	/* b leaves: c keeps its index, and b's is not given out at once */
	assert_true(store_remove(s, OBJECT_NODE, "", "b"));
	put_node(s, "d", "192.0.2.4", NULL, NULL, NULL);
	nodes_collect(&nodes, s, "a");
	assert_int_equal(fdb_build(&t, x, &nodes, &facts, 1000), 0);
	assert_int_equal(fdb_lookup(t, &b), FDB_NONE);
	assert_int_equal(fdb_index_of(x, &b), FDB_NONE);
	assert_int_equal(fdb_lookup(t, &c), index_of_c);
	assert_int_not_equal(fdb_lookup(t, &d), index_of_b);
	assert_true(ip_addr_is_none(&t->entries[index_of_b].vtep));
	fdb_table_free(t);
	nodes_free(&nodes);

	put_node(s, "e", "192.0.2.5", NULL, NULL, NULL);
	nodes_collect(&nodes, s, "a");
	assert_int_equal(fdb_build(&t, x, &nodes, &facts, 1000 + FDB_INDEX_QUARANTINE_NS), 0);
	assert_int_equal(fdb_lookup(t, &e), index_of_b);
	fdb_table_free(t);
	nodes_free(&nodes);
	fdb_indexes_free(x);
	store_free(s);
}

static void
check_route(const struct route_table *t, const char *to, enum route_kind kind, uint32_t target)
{
	struct ip_addr a = addr(to);
	const struct route *r = route_lookup(t, &a);

	assert_int_equal(r == NULL ? ROUTE_NONE : r->kind, kind);
	if (r != NULL)
		assert_int_equal(r->target, target);
}

static uint8_t
flags_of(const struct route_table *t, const char *to)
{
	struct ip_addr a = addr(to);

	return route_lookup(t, &a)->flags;
}

static void
test_routes(void **state)
{
	struct store *s = three_nodes();
	struct fdb_indexes *x = fdb_indexes_new();
	const struct ip_prefix services[] = { prefix("10.96.0.0/16"), prefix("fd00:96::/112") };
	const struct ip_addr own[] = { addr("192.0.2.1"), addr("203.0.113.9") };
	const struct endpoint endpoints[] = {
		{ .addrs = { addr("10.244.1.1"), addr("fd00:1::1") },
			.port = 5,
			.owner = 0,
			.is_host = true },
		{ .addrs = { addr("10.244.1.10"), addr("fd00:1::10") }, .port = 6, .owner = 2 },
		{ .addrs = { addr("10.244.1.11") }, .port = 7, .owner = 1 }, /* IPv4 only */
	};
	struct build_facts f = facts;
	struct ip_addr b = addr("192.0.2.2");
	struct nodes nodes;
	struct fdb_table *fdb;
	struct route_table *t;

	/* as the node has them: what lies inside the cluster's networks does not count */
	const struct ip_prefix pods[] = { prefix("10.244.0.0/16"), prefix("fd00::/16") };
	const struct mac_addr gateway = { { 2, 0, 0, 0, 0, 99 } };
	const struct way_out ways[] = {
		{ prefix("0.0.0.0/0"), ROUTE_UNDERLAY, gateway },
		{ prefix("::/0"), ROUTE_ELSEWHERE, { { 0 } } },
		{ prefix("192.0.2.0/24"), ROUTE_SEGMENT, { { 0 } } },
		{ prefix("192.0.2.70/32"), ROUTE_UNDERLAY, gateway },
		{ prefix("10.244.1.0/24"), ROUTE_UNDERLAY, gateway },
		{ prefix("10.96.4.0/24"), ROUTE_ELSEWHERE, { { 0 } } },
		{ prefix("192.0.2.1/32"), ROUTE_UNDERLAY, gateway },
	};

	f.n_service_cidrs = 2;
	f.service_cidrs = services;
	f.n_own_addrs = 2;
	f.own_addrs = own;
	f.n_endpoints = 3;
	f.endpoints = endpoints;
	for (unsigned i = 0; i < HOST_ADDRS; i++) {
		f.host_addrs[V4][i] = addr("10.244.1.1");
		f.host_addrs[V4][i].b[15] = (uint8_t)(1 + i);
	}
	nodes_collect(&nodes, s, "a");
	assert_int_equal(fdb_build(&fdb, x, &nodes, &f, 0), 0);
	assert_int_equal(route_build(&t, &nodes, x, &f), 0);
	check_route(t, "10.244.1.10", ROUTE_ENDPOINT, 1);
	check_route(t, "fd00:1::10", ROUTE_ENDPOINT, 1);
	check_route(t, "10.244.1.11", ROUTE_ENDPOINT, 2);
	check_route(t, "10.244.1.12", ROUTE_NONE, 0);
	check_route(t, "10.244.2.77", ROUTE_VTEP, fdb_index_of(x, &b));
	check_route(t, "fd00:2::77", ROUTE_VTEP, fdb_index_of(x, &b));
	check_route(t, "10.244.1.3", ROUTE_HOST, 0);
	check_route(t, "203.0.113.9", ROUTE_HOST, 0);
	check_route(t, "2001:db8::1", ROUTE_HOST, 0);
	check_route(t, "10.96.4.4", ROUTE_SERVICE, 0);
	check_route(t, "fd00:96::9", ROUTE_SERVICE, 0);
	check_route(t, "198.51.100.1", ROUTE_NONE, 0);
	check_route(t, "::", ROUTE_NONE, 0);
	route_table_free(t);

	f.n_pod_cidrs = 2;
	f.pod_cidrs = pods;
	f.n_ways_out = sizeof(ways) / sizeof(ways[0]);
	f.ways_out = ways;
	assert_int_equal(route_build(&t, &nodes, x, &f), 0);
	check_route(t, "198.51.100.1", ROUTE_UNDERLAY, 0);
	assert_memory_equal(&route_lookup(t, &(struct ip_addr){ .w = { 0, 0xffff0000 } })->next_hop, &gateway,
		sizeof(gateway));
	check_route(t, "2600::1", ROUTE_ELSEWHERE, 0);
	check_route(t, "192.0.2.71", ROUTE_SEGMENT, 0);
	check_route(t, "192.0.2.70", ROUTE_UNDERLAY, 0);
	check_route(t, "192.0.2.1", ROUTE_HOST, 0);
	check_route(t, "10.244.1.12", ROUTE_NOBODY, 0);
	check_route(t, "10.244.99.1", ROUTE_NOBODY, 0);
	check_route(t, "fd00:99::1", ROUTE_NOBODY, 0);
	check_route(t, "10.244.2.77", ROUTE_VTEP, fdb_index_of(x, &b));
	check_route(t, "10.96.4.4", ROUTE_SERVICE, 0);
	route_table_free(t);

	/* networks that know pods: a part of a way, a whole one, and what lies in it */
	const struct ip_prefix native[] = { prefix("198.51.100.0/25"), prefix("192.0.2.0/24"),
		prefix("10.244.5.0/24") };

	f.n_non_masquerade_cidrs = 3;
	f.non_masquerade_cidrs = native;
	assert_int_equal(route_build(&t, &nodes, x, &f), 0);
	assert_int_equal(flags_of(t, "198.51.100.1"), ROUTE_NATIVE);
	assert_int_equal(flags_of(t, "198.51.100.200"), 0);
	assert_int_equal(flags_of(t, "192.0.2.70"), ROUTE_NATIVE);
	assert_int_equal(flags_of(t, "192.0.2.71"), ROUTE_NATIVE);
	check_route(t, "198.51.100.1", ROUTE_UNDERLAY, 0);
	check_route(t, "192.0.2.71", ROUTE_SEGMENT, 0);
	check_route(t, "10.244.5.1", ROUTE_NOBODY, 0);
	route_table_free(t);
	fdb_table_free(fdb);
	nodes_free(&nodes);
	fdb_indexes_free(x);
	store_free(s);
}

static void
test_ports_and_workers(void **state)
{
	struct store *s = three_nodes();
	const struct uplink_queue uplinks[] = { { .port = 1, .owner = 0 }, { .port = 2, .owner = 1 } };
	const struct endpoint endpoints[] = {
		{ .port = 5, .owner = 0, .is_host = true },
		{ .port = 900, .owner = 2 },
	};
	struct build_facts f = facts;
	struct endpoint_table *e;
	struct node_table *t;
	struct nodes nodes;

	f.n_uplinks = 2;
	f.uplinks = uplinks;
	f.n_endpoints = 2;
	f.endpoints = endpoints;
	nodes_collect(&nodes, s, "a");
	assert_int_equal(node_build(&t, &nodes, &f), 0);
	assert_int_equal(t->uplink_port[0], 1);
	assert_int_equal(t->uplink_port[1], 2);
	assert_int_equal(t->uplink_port[2], 1); /* has no queue of its own */
	assert_int_equal(t->port_owner[2], 1);
	assert_int_equal(t->port_owner[900], 2);
	assert_true(ip_addr_is_none(&t->masquerade[V4]));
	assert_int_equal(t->pod_mtu, 1450);
	free(t);

	/* the outside knows pods by the Node object's address where the node has it, else by any that it has */
	const struct ip_addr own[] = { addr("203.0.113.9"), addr("192.0.2.1"), addr("2001:db8:5::9") };
	const struct port_set ports = { { [300] = 7 } };

	f.own_addrs = own;
	f.n_own_addrs = 3;
	f.masquerade_ports = f.masquerade_claim = &ports;
	assert_int_equal(node_build(&t, &nodes, &f), 0);
	assert_true(ip_addr_eq(&t->masquerade[V4], &own[1]));
	assert_true(ip_addr_eq(&t->masquerade[V6], &own[2]));
	assert_true(port_set_has(&t->masquerade_ports, 300 * 64 + 2));
	free(t);

	f.n_uplinks = 0;
	f.pod_mtu = 1280;
	assert_int_equal(node_build(&t, &nodes, &f), 0);
	assert_int_equal(t->uplink_port[0], PORTS_MAX);
	assert_int_equal(t->pod_mtu, 1280);
	free(t);

	assert_int_equal(endpoint_build(&e, &f), 0);
	assert_int_equal(e->host, 0);
	assert_ptr_equal(endpoint_of_port(e, 900), &e->endpoints[1]);
	assert_null(endpoint_of_port(e, 901));
	free(e);
	nodes_free(&nodes);
	store_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_this_node_is_told_from_the_others),
		cmocka_unit_test(test_tunnel_macs_are_local_and_differ),
		cmocka_unit_test(test_fdb_entries_follow_the_nodes),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_ports_and_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
