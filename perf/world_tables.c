#include "perf/world_tables.h"

#include <stdio.h>
#include <stdlib.h>

#include "control/build/service_build.h"
#include "control/build/slots.h"
#include "control/build/snapshot_build.h"
#include "dataplane/clock.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/service/roles.h"
#include "perf/traffic.h"
#include "perf/world_policies.h"
#include "perf/world_store.h"

#define UPLINK_MTU 1500
#define VXLAN_PORT 4789
#define VNI 1

struct world_tables {
	struct store *store;
	struct slots *slots;
	struct snapshot_builder *builder;
	struct build_facts facts;
	const struct tables *tables;     /* the newest */
	struct world_policies *policies; /* NULL: none */
	struct tables judged;            /* the first, with policies */
	uint64_t first_build_ns;
	unsigned n_workers;
	struct ip_prefix service_cidr;
	struct ip_addr own_addr;
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

static void
make_facts(struct world_tables *t, const struct cluster *c)
{
	const struct ip_addr first = cluster_service_addr(c, 0);

	t->service_cidr.len = c->shape.ipv6 ? 108 : 96 + 12;
	t->service_cidr.addr = ip_addr_mask(&first, t->service_cidr.len);
	t->own_addr = cluster_node_addr(0);
	t->facts = (struct build_facts){
		.node_name = WORLD_NODE,
		.vxlan_port = VXLAN_PORT,
		.vni = VNI,
		.n_service_cidrs = 1,
		.service_cidrs = &t->service_cidr,
		.uplink_mac = cluster_next_hop(0),
		.uplink_mtu = UPLINK_MTU,
		.n_own_addrs = 1,
		.own_addrs = &t->own_addr,
		.next_hop = next_hop,
		.arg = (void *)c,
		.n_workers = (uint8_t)t->n_workers,
		.n_uplinks = t->n_workers,
		.uplinks = t->uplinks,
		.n_endpoints = c->shape.n_pods,
		.endpoints = t->endpoints,
	};
}

const struct tables *
world_tables_build(struct world_tables *t)
{
	char error[BUILD_ERROR_SIZE];
	const struct tables *next;

	if (snapshot_build(t->builder, &t->facts, BUILD_SERVICES, clock_now_ns(), &next, error) < 0) {
		fprintf(stderr, "cannot build the tables: %s\n", error);
		return NULL;
	}
	t->tables = next;
	return next;
}

void
world_tables_release(struct world_tables *t, const struct tables *tables)
{
	snapshot_release(t->builder, tables);
}

static bool
build_first(struct world_tables *t)
{
	uint64_t start = clock_now_ns();
	bool ok = world_tables_build(t) != NULL;

	t->first_build_ns = clock_now_ns() - start;
	return ok;
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
	if (ok && c->shape.n_rules != 0) {
		t->policies =
			world_policies_new(c, c->shape.n_rules, c->shape.n_identities, t->endpoints, ports);
		ok = t->policies != NULL;
	}
	if (ok) {
		t->store = world_store_new(c);
		t->slots = slots_new();
		t->builder = t->store == NULL ? NULL : snapshot_builder_new(t->store, t->slots);
		make_facts(t, c);
		ok = t->slots != NULL && t->builder != NULL && build_first(t);
	}
	if (ok && t->policies != NULL) {
		t->judged = *t->tables;
		t->judged.policies = world_policies_table(t->policies);
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
		snapshot_release(t->builder, t->tables);
	snapshot_builder_free(t->builder);
	slots_free(t->slots);
	store_free(t->store);
	world_policies_free(t->policies);
	for (unsigned i = 0; i < t->n_workers; i++)
		free(t->exceptions[i]);
	for (unsigned i = 0; i < CLUSTER_PODS; i++)
		free(t->endpoints[i].roles);
	free(t);
}

const struct tables *
world_tables_get(const struct world_tables *t)
{
	return t->policies != NULL ? &t->judged : t->tables;
}

struct nat_flows *
world_tables_exceptions(const struct world_tables *t, unsigned worker)
{
	return t->exceptions[worker];
}

struct store *
world_tables_store(struct world_tables *t)
{
	return t->store;
}

uint64_t
world_tables_first_build_ns(const struct world_tables *t)
{
	return t->first_build_ns;
}

size_t
world_tables_service_bytes(const struct world_tables *t)
{
	return service_builder_books(snapshot_services(t->builder)).used_bytes;
}
