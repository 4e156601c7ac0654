#include "control/offline/census.h"

#include <errno.h>
#include <stdlib.h>

static void
add_holder(struct census *c, const struct census_holder *holder)
{
	c->holders[c->n_holders++] = *holder;
}

static void
add_node_addrs(struct census *c, const char *node, const struct ip_addr *addrs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_holder(
			c, &(struct census_holder){ .addr = addrs[i], .pod = CENSUS_NOBODY, .node = node });
}

static void
add_node(const struct object *object, void *arg)
{
	const struct node_object *node = (const struct node_object *)object;

	add_node_addrs(arg, object->name, node->addrs, node->n_addrs);
}

static void
add_pod(const struct object *object, void *arg)
{
	const struct pod_object *pod = (const struct pod_object *)object;
	struct census *c = arg;
	struct census_pod *known = &c->pods[c->n_pods];

	if (pod->host_network)
		add_node_addrs(c, pod->node, pod->addrs, pod->n_addrs);
	if (pod->host_network || pod->has_ended || pod->n_addrs == 0)
		return;
	known->object = pod;
	for (size_t i = pod->n_addrs; i-- > 0;)
		known->addrs[ip_addr_is_v4(&pod->addrs[i]) ? V4 : V6] = pod->addrs[i];
	for (unsigned family = 0; family < N_FAMILIES; family++)
		if (!ip_addr_is_none(&known->addrs[family]))
			add_holder(
				c, &(struct census_holder){ .addr = known->addrs[family], .pod = c->n_pods });
	c->n_pods++;
}

static void
add_service(const struct object *object, void *arg)
{
	const struct service_object *s = (const struct service_object *)object;
	struct census *c = arg;

	for (size_t i = 0; i < s->n_cluster_ips; i++)
		add_holder(c, &(struct census_holder){
				      .addr = s->cluster_ips[i], .pod = CENSUS_NOBODY, .service = s });
}

struct addr_counts {
	size_t nodes, pods, services;
};

static void
count_addrs(const struct object *object, void *arg)
{
	struct addr_counts *n = arg;

	if (object->kind == OBJECT_NODE)
		n->nodes += ((const struct node_object *)object)->n_addrs;
	else if (object->kind == OBJECT_POD)
		n->pods += ((const struct pod_object *)object)->n_addrs;
	else
		n->services += ((const struct service_object *)object)->n_cluster_ips;
}

static int
compare_holders(const void *a, const void *b)
{
	return ip_addr_cmp(
		&((const struct census_holder *)a)->addr, &((const struct census_holder *)b)->addr);
}

int
census_take(struct census *c, const struct store *store)
{
	struct addr_counts n = { 0 };

	*c = (struct census){ .store = store };
	store_each(store, OBJECT_NODE, count_addrs, &n);
	store_each(store, OBJECT_POD, count_addrs, &n);
	store_each(store, OBJECT_SERVICE, count_addrs, &n);
	c->pods = calloc(store_count(store, OBJECT_POD) + 1, sizeof(*c->pods));
	c->holders = calloc(n.nodes + n.pods + n.services + 1, sizeof(*c->holders));
	if (c->pods == NULL || c->holders == NULL)
		return -ENOMEM;
	store_each(store, OBJECT_NODE, add_node, c);
	store_each(store, OBJECT_POD, add_pod, c);
	store_each(store, OBJECT_SERVICE, add_service, c);
	qsort(c->holders, c->n_holders, sizeof(*c->holders), compare_holders);
	return 0;
}

void
census_fini(struct census *c)
{
	free(c->pods);
	free(c->holders);
	*c = (struct census){ 0 };
}

const struct census_holder *
census_find(const struct census *c, const struct ip_addr *addr)
{
	const struct census_holder key = { .addr = *addr };

	return bsearch(&key, c->holders, c->n_holders, sizeof(key), compare_holders);
}

bool
census_is_disputed(const struct census *c, const struct ip_addr *addr)
{
	const struct census_holder *h = census_find(c, addr), *end = c->holders + c->n_holders;
	size_t n = 0, n_pods = 0;

	if (h == NULL)
		return false;
	while (h > c->holders && ip_addr_eq(&h[-1].addr, addr))
		h--;
	for (; h < end && ip_addr_eq(&h->addr, addr); h++, n++)
		n_pods += h->pod != CENSUS_NOBODY;
	return n_pods != 0 && n > 1;
}

size_t
census_find_pod(const struct census *c, const char *ns, const char *name)
{
	size_t low = 0, high = c->n_pods;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct object *o = &c->pods[middle].object->object;
		int order = strcmp(o->ns, ns);

		if (order == 0)
			order = strcmp(o->name, name);
		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return CENSUS_NOBODY;
}
