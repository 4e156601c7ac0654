#include "perf/world_tables.h"

#include <stdio.h>
#include <stdlib.h>

#include "control/build/service_build.h"
#include "control/build/topology_build.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/service/roles.h"
#include "perf/traffic.h"
#include "perf/world_store.h"

#define UPLINK_MTU 1500
#define VXLAN_PORT 4789
#define VNI 1

struct world_tables {
	struct store *store;
	struct tables tables;
	struct nodes nodes;
	struct fdb_indexes *indexes;
	struct slots *slots;
	struct node_table *node;
	struct endpoint_table *local;
	struct route_table *routes;
	struct fdb_table *fdb;
	struct service_builder *builder;
	struct service_table *services;
	unsigned n_workers;
	struct endpoint endpoints[CLUSTER_PODS];
	struct uplink_queue uplinks[WORKERS_MAX];
	struct nat_flows *exceptions[WORKERS_MAX];
};

static struct mac_addr
next_hop(const struct ip_addr *vtep, void *arg)
{
	const struct cluster *c = arg;

	return cluster_next_hop(cluster_find_node(c, vtep));
}

static bool
make_endpoint(struct world_tables *t, const struct cluster *c, uint32_t pod, uint16_t port)
{
	struct endpoint *e = &t->endpoints[pod];

	e->addrs[c->shape.ipv6 ? V6 : V4] = cluster_pod_addr(c, 0, pod);
	e->mac = cluster_pod_mac(pod);
	e->port = port;
	e->mtu = UPLINK_MTU - VXLAN_OVERHEAD_V4;
	e->owner = (uint8_t)(pod % t->n_workers);
	e->roles = aligned_alloc(CACHE_LINE, sizeof(*e->roles));
	if (e->roles == NULL)
		return false;
	memset(e->roles, 0, sizeof(*e->roles));
	roles_adopt(e->roles);
	return true;
}

static bool
make_exceptions(struct world_tables *t, unsigned worker)
{
	const struct nat_flows_config config = { .capacity = EXCEPTIONS_DEFAULT,
		.quota = EXCEPTIONS_QUOTA_DEFAULT };
	size_t size = nat_flows_size(EXCEPTIONS_DEFAULT);
	struct nat_flows *e = aligned_alloc(CACHE_LINE, size);

	if (e == NULL)
		return false;
	memset(e, 0, size);
	nat_flows_adopt(e, &config, 0);
	t->exceptions[worker] = e;
	return true;
}

static bool
build(struct world_tables *t, const struct cluster *c)
{
	const struct ip_prefix service_cidr = {
		.addr = cluster_service_addr(c, 0),
		.len = c->shape.ipv6 ? 108 : 96 + 12,
	};
	const struct ip_addr own = cluster_node_addr(0);
	struct ip_prefix masked = { .addr = ip_addr_mask(&service_cidr.addr, service_cidr.len),
		.len = service_cidr.len };
	struct build_facts facts = {
		.node_name = WORLD_NODE,
		.vxlan_port = VXLAN_PORT,
		.vni = VNI,
		.n_service_cidrs = 1,
		.service_cidrs = &masked,
		.uplink_mac = cluster_next_hop(0),
		.uplink_mtu = UPLINK_MTU,
		.n_own_addrs = 1,
		.own_addrs = &own,
		.next_hop = next_hop,
		.arg = (void *)c,
		.n_workers = (uint8_t)t->n_workers,
		.n_uplinks = t->n_workers,
		.uplinks = t->uplinks,
		.n_endpoints = c->shape.n_pods,
		.endpoints = t->endpoints,
	};
	int err = nodes_collect(&t->nodes, t->store, WORLD_NODE);

	if (err == 0)
		err = fdb_build(&t->fdb, t->indexes, &t->nodes, &facts, 0);
	if (err == 0)
		err = node_build(&t->node, &t->nodes, &facts);
	if (err == 0)
		err = endpoint_build(&t->local, &facts);
	if (err == 0)
		err = route_build(&t->routes, &t->nodes, t->indexes, &facts);
	if (err == 0)
		err = service_builder_build(t->builder, &facts, 0, &t->services);
	if (err < 0) {
		fprintf(stderr, "cannot build the tables: %s\n", strerror(-err));
		return false;
	}
	t->tables = (struct tables){
		.version = 1,
		.node = t->node,
		.endpoints = t->local,
		.services = t->services,
		.routes = t->routes,
		.fdb = t->fdb,
	};
	return true;
}

struct world_tables *
world_tables_new(const struct cluster *c, unsigned n_workers, const uint16_t *ports)
{
	struct world_tables *t = calloc(1, sizeof(*t));
	bool ok = t != NULL;

	if (!ok)
		return NULL;
	t->n_workers = n_workers;
	for (uint32_t pod = 0; ok && pod < c->shape.n_pods; pod++)
		ok = make_endpoint(t, c, pod, ports[pod]);
	for (unsigned i = 0; ok && i < n_workers; i++) {
		t->uplinks[i] =
			(struct uplink_queue){ .port = (uint16_t)(TRAFFIC_UPLINK + i), .owner = (uint8_t)i };
		ok = make_exceptions(t, i);
	}
	if (ok) {
		t->store = world_store_new(c);
		t->indexes = fdb_indexes_new();
		t->slots = slots_new();
		t->builder = t->store == NULL ? NULL : service_builder_new(t->store, t->slots);
		ok = t->builder != NULL && t->indexes != NULL && t->slots != NULL && build(t, c);
	}
	if (ok)
		return t;
	world_tables_free(t);
	return NULL;
}

void
world_tables_free(struct world_tables *t)
{
	if (t == NULL)
		return;
	if (t->builder != NULL)
		service_builder_release(t->builder, t->services);
	service_builder_free(t->builder);
	route_table_free(t->routes);
	free(t->local);
	free(t->node);
	fdb_table_free(t->fdb);
	nodes_free(&t->nodes);
	fdb_indexes_free(t->indexes);
	slots_free(t->slots);
	store_free(t->store);
	for (unsigned i = 0; i < t->n_workers; i++)
		free(t->exceptions[i]);
	for (unsigned i = 0; i < CLUSTER_PODS; i++)
		free(t->endpoints[i].roles);
	free(t);
}

const struct tables *
world_tables_get(const struct world_tables *t)
{
	return &t->tables;
}

struct nat_flows *
world_tables_exceptions(const struct world_tables *t, unsigned worker)
{
	return t->exceptions[worker];
}
