#include "control/build/snapshot_build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/build/fdb_build.h"
#include "control/build/nodes.h"
#include "control/build/service_build.h"
#include "control/build/topology_build.h"

enum sub_table {
	SUB_NODE,
	SUB_ENDPOINTS,
	SUB_ROUTES,
	SUB_FDB,
	SUB_SERVICES,
	N_SUB_TABLES,
};

/* A sub-table and how many versions name it. */
struct shared {
	unsigned refs;
	void *table;
	void (*free_table)(void *table);
};

struct version {
	struct tables tables; /* first: what workers see */
	struct shared *subs[N_SUB_TABLES];
};

struct snapshot_builder {
	const struct store *store;
	struct slots *slots;
	struct fdb_indexes *indexes;
	uint64_t last_number;
	const struct version *last; /* shares its sub-tables with the next; NULL after its release */
};

struct snapshot_builder *
snapshot_builder_new(const struct store *store, struct slots *slots)
{
	struct snapshot_builder *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->store = store;
	b->slots = slots;
	b->indexes = fdb_indexes_new();
	if (b->indexes == NULL) {
		free(b);
		return NULL;
	}
	return b;
}

void
snapshot_builder_free(struct snapshot_builder *b)
{
	if (b == NULL)
		return;
	fdb_indexes_free(b->indexes);
	free(b);
}

static void
free_route_table(void *table)
{
	route_table_free(table);
}

static void
free_fdb_table(void *table)
{
	fdb_table_free(table);
}

static void
free_service_table(void *table)
{
	service_table_free(table);
}

/* Takes the table over, freeing it on failure. */
static int
add_sub(struct version *v, enum sub_table which, void *table, void (*free_table)(void *table))
{
	struct shared *shared = calloc(1, sizeof(*shared));

	if (shared == NULL) {
		free_table(table);
		return -ENOMEM;
	}
	*shared = (struct shared){ .refs = 1, .table = table, .free_table = free_table };
	v->subs[which] = shared;
	return 0;
}

static void
share_sub(struct version *v, const struct version *last, enum sub_table which)
{
	v->subs[which] = last->subs[which];
	v->subs[which]->refs++;
}

static void
release(struct version *v)
{
	for (unsigned i = 0; i < N_SUB_TABLES; i++) {
		struct shared *shared = v->subs[i];

		if (shared == NULL || --shared->refs > 0)
			continue;
		shared->free_table(shared->table);
		free(shared);
	}
	free(v);
}

static int
build_topology(struct snapshot_builder *b, struct version *v, const struct nodes *nodes,
	const struct build_facts *facts, uint64_t now_ns)
{
	struct node_table *node;
	struct endpoint_table *endpoints;
	struct fdb_table *fdb;
	struct route_table *routes;

	if (node_build(&node, nodes, facts) < 0 || add_sub(v, SUB_NODE, node, free) < 0)
		return -ENOMEM;
	if (endpoint_build(&endpoints, facts) < 0 || add_sub(v, SUB_ENDPOINTS, endpoints, free) < 0)
		return -ENOMEM;
	if (fdb_build(&fdb, b->indexes, nodes, facts, now_ns) < 0 ||
		add_sub(v, SUB_FDB, fdb, free_fdb_table) < 0)
		return -ENOMEM;
	if (route_build(&routes, nodes, b->indexes, facts) < 0 ||
		add_sub(v, SUB_ROUTES, routes, free_route_table) < 0)
		return -ENOMEM;
	return 0;
}

static int
build_services(struct snapshot_builder *b, struct version *v, uint64_t now_ns)
{
	struct service_table *services;

	if (service_build(b->store, b->slots, now_ns, &services) < 0)
		return -ENOMEM;
	return add_sub(v, SUB_SERVICES, services, free_service_table);
}

static int
build_parts(struct snapshot_builder *b, struct version *v, const struct build_facts *facts, unsigned parts,
	uint64_t now_ns, char *error)
{
	struct nodes nodes;
	int result = nodes_collect(&nodes, b->store, facts->node_name);

	if (result < 0)
		goto out;
	if (nodes.self == NULL || ip_addr_is_none(&nodes.vtep)) {
		snprintf(error, BUILD_ERROR_SIZE,
			nodes.self == NULL ? "there is no Node object \"%s\"; check node.name and the source "
					     "of cluster objects"
					   : "Node object \"%s\" has no InternalIP address",
			facts->node_name);
		nodes_free(&nodes);
		return -EAGAIN;
	}
	if (b->last == NULL)
		parts = BUILD_TOPOLOGY | BUILD_SERVICES;
	if (parts & BUILD_TOPOLOGY)
		result = build_topology(b, v, &nodes, facts, now_ns);
	else
		for (unsigned i = SUB_NODE; i <= SUB_FDB; i++)
			share_sub(v, b->last, i);
	nodes_free(&nodes);
	if (result == 0 && (parts & BUILD_SERVICES))
		result = build_services(b, v, now_ns);
	else if (result == 0)
		share_sub(v, b->last, SUB_SERVICES);
out:
	if (result < 0)
		snprintf(error, BUILD_ERROR_SIZE, "out of memory while building tables");
	return result;
}

int
snapshot_build(struct snapshot_builder *b, const struct build_facts *facts, unsigned parts, uint64_t now_ns,
	const struct tables **out, char error[static BUILD_ERROR_SIZE])
{
	struct version *v = calloc(1, sizeof(*v));
	int result = -ENOMEM;

	snprintf(error, BUILD_ERROR_SIZE, "out of memory while building tables");
	if (v != NULL)
		result = build_parts(b, v, facts, parts, now_ns, error);
	if (result < 0) {
		if (v != NULL)
			release(v);
		return result;
	}
	v->tables = (struct tables){
		.version = ++b->last_number,
		.node = v->subs[SUB_NODE]->table,
		.endpoints = v->subs[SUB_ENDPOINTS]->table,
		.routes = v->subs[SUB_ROUTES]->table,
		.fdb = v->subs[SUB_FDB]->table,
		.services = v->subs[SUB_SERVICES]->table,
	};
	b->last = v;
	*out = &v->tables;
	return 0;
}

void
snapshot_release(struct snapshot_builder *b, const struct tables *tables)
{
	struct version *v = (struct version *)tables; /* its first member */

	if (v == NULL)
		return;
	if (b->last == v)
		b->last = NULL;
	release(v);
}
