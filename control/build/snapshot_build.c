#include "control/build/snapshot_build.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/build/dns_table_build.h"
#include "control/build/fdb_build.h"
#include "control/build/nodes.h"
#include "control/build/policy_build.h"
#include "control/build/service_build.h"
#include "control/build/topology_build.h"

enum sub_table {
	SUB_NODE,
	SUB_ENDPOINTS,
	SUB_ROUTES,
	SUB_FDB,
	SUB_POLICIES,
	SUB_DNS,
	SUB_SERVICES,
	N_SUB_TABLES,
};

/* A sub-table and how many versions name it. */
struct shared {
	unsigned refs;
	void *table;
	void (*free_table)(void *table, void *arg);
	void *arg;
};

struct version {
	struct tables tables; /* first: what workers see */
	struct shared *subs[N_SUB_TABLES];
};

struct snapshot_builder {
	struct store *store;
	struct service_builder *services;
	struct policy_builder *policies;
	struct dns_table_builder *dns; /* NULL: not yet, or not at all */
	struct fdb_indexes *indexes;
	uint64_t last_number;
	const struct version *last; /* shares its sub-tables with the next; NULL after its release */
	/* the builder of policies has taken changes from the store that no version has, since a build failed behind it */
	bool owes_policies;
};

struct snapshot_builder *
snapshot_builder_new(struct store *store, struct slots *slots)
{
	struct snapshot_builder *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->store = store;
	b->services = service_builder_new(store, slots);
	b->policies = policy_builder_new(store);
	b->indexes = fdb_indexes_new();
	if (b->services == NULL || b->policies == NULL || b->indexes == NULL) {
		snapshot_builder_free(b);
		return NULL;
	}
	return b;
}

void
snapshot_builder_free(struct snapshot_builder *b)
{
	if (b == NULL)
		return;
	service_builder_free(b->services);
	policy_builder_free(b->policies);
	dns_table_builder_free(b->dns);
	fdb_indexes_free(b->indexes);
	free(b);
}

static void
free_plain_table(void *table, void *arg)
{
	free(table);
}

static void
free_route_table(void *table, void *arg)
{
	route_table_free(table);
}

static void
free_fdb_table(void *table, void *arg)
{
	fdb_table_free(table);
}

static void
free_policy_table(void *table, void *arg)
{
	policy_builder_release(arg, table);
}

static void
free_dns_table(void *table, void *arg)
{
	dns_table_builder_release(arg, table);
}

static void
free_service_table(void *table, void *arg)
{
	service_builder_release(arg, table);
}

/* Takes the table over, freeing it on failure. */
static int
add_sub(struct version *v, enum sub_table which, void *table, void (*free_table)(void *table, void *arg))
{
	struct shared *shared = calloc(1, sizeof(*shared));

	if (shared == NULL) {
		free_table(table, NULL);
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
		shared->free_table(shared->table, shared->arg);
		free(shared);
	}
	free(v);
}

static int
build_from_nodes(struct snapshot_builder *b, struct version *v, const struct nodes *nodes,
	const struct build_facts *facts, uint64_t now_ns)
{
	struct node_table *node;
	struct endpoint_table *endpoints;
	struct fdb_table *fdb;
	struct route_table *routes;

	if (node_build(&node, nodes, facts) < 0 || add_sub(v, SUB_NODE, node, free_plain_table) < 0)
		return -ENOMEM;
	if (endpoint_build(&endpoints, facts) < 0 ||
		add_sub(v, SUB_ENDPOINTS, endpoints, free_plain_table) < 0)
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
build_topology(struct snapshot_builder *b, struct version *v, const struct build_facts *facts,
	uint64_t now_ns, char *error)
{
	struct nodes nodes;
	int result = nodes_collect(&nodes, b->store, facts->node_name);

	if (result < 0)
		return result;
	if (nodes.self == NULL || ip_addr_is_none(&nodes.vtep)) {
		snprintf(error, BUILD_ERROR_SIZE,
			nodes.self == NULL ? "there is no Node object \"%s\"; check node.name and the source "
					     "of cluster objects"
					   : "Node object \"%s\" has no InternalIP address",
			facts->node_name);
		result = -EAGAIN;
	} else {
		result = build_from_nodes(b, v, &nodes, facts, now_ns);
	}
	nodes_free(&nodes);
	return result;
}

static int
build_policies(struct snapshot_builder *b, struct version *v, const struct build_facts *facts, unsigned parts)
{
	const struct policy_table *last = b->last == NULL ? NULL : b->last->tables.policies, *policies;
	struct shared *shared;

	if (b->last != NULL && !b->owes_policies && !(parts & (BUILD_TOPOLOGY | BUILD_POLICIES))) {
		share_sub(v, b->last, SUB_POLICIES);
		return 0;
	}
	shared = calloc(1, sizeof(*shared));
	b->owes_policies = true;
	if (shared == NULL || policy_builder_build(b->policies, facts, last, &policies) < 0) {
		free(shared);
		return -ENOMEM;
	}
	if (b->last != NULL && policies == last) {
		free(shared);
		share_sub(v, b->last, SUB_POLICIES);
		return 0;
	}
	*shared = (struct shared){
		.refs = 1, .table = (void *)policies, .free_table = free_policy_table, .arg = b->policies
	};
	v->subs[SUB_POLICIES] = shared;
	return 0;
}

/* The builder looks by itself whether there is anything to do. */
static int
build_dns(struct snapshot_builder *b, struct version *v, const struct build_facts *facts)
{
	const struct dns_table *last = b->last == NULL ? NULL : b->last->tables.dns, *dns;
	struct shared *shared;

	if (facts->dns == NULL)
		return 0;
	if (b->dns == NULL)
		b->dns = dns_table_builder_new(b->store, facts->dns, facts->dns_cache, facts->dns_seed);
	if (b->dns != NULL)
		dns_table_builder_see_pods(b->dns, facts->pods, facts->n_pods);
	shared = calloc(1, sizeof(*shared));
	if (b->dns == NULL || shared == NULL || dns_table_builder_build(b->dns, last, &dns) < 0) {
		free(shared);
		return -ENOMEM;
	}
	if (b->last != NULL && dns == last) {
		free(shared);
		share_sub(v, b->last, SUB_DNS);
		return 0;
	}
	*shared = (struct shared){
		.refs = 1, .table = (void *)dns, .free_table = free_dns_table, .arg = b->dns
	};
	v->subs[SUB_DNS] = shared;
	return 0;
}

/* Last: once there is a new version of this table, nothing may fail, since the one before is part of it. */
static int
build_services(
	struct snapshot_builder *b, struct version *v, const struct build_facts *facts, uint64_t now_ns)
{
	struct shared *shared = calloc(1, sizeof(*shared));
	struct service_table *services;

	if (shared == NULL || service_builder_build(b->services, facts, now_ns, &services) < 0) {
		free(shared);
		return -ENOMEM;
	}
	if (services == NULL) {
		free(shared);
		assert(b->last != NULL); /* the first build always makes one */
		share_sub(v, b->last, SUB_SERVICES);
		return 0;
	}
	*shared = (struct shared){
		.refs = 1, .table = services, .free_table = free_service_table, .arg = b->services
	};
	v->subs[SUB_SERVICES] = shared;
	return 0;
}

/* error says "out of memory" already. */
static int
build_parts(struct snapshot_builder *b, struct version *v, const struct build_facts *facts, unsigned parts,
	uint64_t now_ns, char *error)
{
	int result = 0;

	if (b->last == NULL || (parts & BUILD_TOPOLOGY))
		result = build_topology(b, v, facts, now_ns, error);
	else
		for (unsigned i = SUB_NODE; i <= SUB_FDB; i++)
			share_sub(v, b->last, i);
	if (result == 0)
		result = build_policies(b, v, facts, parts);
	if (result == 0)
		result = build_dns(b, v, facts);
	return result < 0 ? result : build_services(b, v, facts, now_ns);
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
		.policies = v->subs[SUB_POLICIES]->table,
		.dns = v->subs[SUB_DNS] == NULL ? NULL : v->subs[SUB_DNS]->table,
		.services = v->subs[SUB_SERVICES]->table,
	};
	b->last = v;
	b->owes_policies = false;
	*out = &v->tables;
	return 0;
}

unsigned
snapshot_owes(const struct snapshot_builder *b)
{
	return b->owes_policies ? BUILD_POLICIES : 0;
}

struct service_builder *
snapshot_services(struct snapshot_builder *b)
{
	return b->services;
}

struct policy_builder *
snapshot_policies(struct snapshot_builder *b)
{
	return b->policies;
}

struct dns_table_builder *
snapshot_dns(struct snapshot_builder *b)
{
	return b->dns;
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
