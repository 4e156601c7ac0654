#include "control/offline/complete.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/build/endpoint_select.h"
#include "control/offline/made_up.h"

/* A service that has slices of its own. */
struct sliced {
	const char *ns, *service;
};

struct completing {
	struct store *store;
	bool is_for_dns;
	struct made_up made_up;
	size_t n_pods, n_sliced;
	struct pod_object **pods; /* by namespace and name */
	struct sliced *sliced;    /* sorted */
	int result;
};

/* The objects are this store's, and nobody has built from them yet. */
static void *
change(const struct object *object)
{
	return (void *)object;
}

/* --- addresses */

/* Two addresses of its own, in place of the list that it has. */
static void
make_up(struct completing *c, struct ip_addr **addrs, size_t *n)
{
	struct ip_addr *list = reallocarray(*addrs, N_FAMILIES, sizeof(*list));

	if (list == NULL) {
		c->result = -ENOMEM;
		return;
	}
	*addrs = list;
	for (unsigned family = 0; family < N_FAMILIES; family++)
		if (!made_up_take(&c->made_up, (enum family_index)family, &list[family])) {
			c->result = -E2BIG;
			return;
		}
	*n = N_FAMILIES;
}

/* The node's own count, whatever the pod's status says. */
static void
take_node_addrs(struct completing *c, struct pod_object *pod)
{
	const struct node_object *node = *pod->node == '\0' ? NULL
							    : (const struct node_object *)store_get(
								      c->store, OBJECT_NODE, "", pod->node);
	struct ip_addr *addrs;

	if (node == NULL || node->n_addrs == 0)
		return;
	addrs = reallocarray(pod->addrs, node->n_addrs, sizeof(*addrs));
	if (addrs == NULL) {
		c->result = -ENOMEM;
		return;
	}
	memcpy(addrs, node->addrs, node->n_addrs * sizeof(*addrs));
	pod->addrs = addrs;
	pod->n_addrs = node->n_addrs;
}

static void
complete_pod(const struct object *object, void *arg)
{
	struct completing *c = arg;
	struct pod_object *pod = change(object);

	c->pods[c->n_pods++] = pod;
	if (c->result < 0 || pod->has_ended)
		return;
	if (pod->host_network)
		take_node_addrs(c, pod);
	if (c->result == 0 && pod->n_addrs == 0)
		make_up(c, &pod->addrs, &pod->n_addrs);
}

/* What clients inside send to a load balancer is translated where it begins, as for a ClusterIP. */
static void
add_balancer(struct completing *c, struct service_object *s)
{
	struct ip_addr *addrs =
		reallocarray(s->cluster_ips, s->n_cluster_ips + s->n_ingress + 1, sizeof(*addrs));

	if (addrs == NULL) {
		c->result = -ENOMEM;
		return;
	}
	s->cluster_ips = addrs;
	for (size_t i = 0; i < s->n_ingress; i++)
		if (!s->ingress[i].is_proxy)
			addrs[s->n_cluster_ips++] = s->ingress[i].addr;
	s->n_ingress = 0;
}

static bool
has_endpoints(const struct service_object *s)
{
	return s->type != SERVICE_EXTERNAL_NAME;
}

static bool
has_cluster_ip(const struct service_object *s)
{
	return has_endpoints(s) && !s->headless;
}

static void
complete_service(const struct object *object, void *arg)
{
	struct completing *c = arg;
	struct service_object *s = change(object);

	if (c->result < 0 || !(c->is_for_dns ? has_cluster_ip(s) : service_is_served(s)))
		return;
	if (s->n_cluster_ips == 0)
		make_up(c, &s->cluster_ips, &s->n_cluster_ips);
	if (c->is_for_dns)
		return;
	s->internal_local = s->external_local = s->topology_auto = false;
	s->distribution = TRAFFIC_ANYWHERE;
	s->affinity_timeout_s = 0;
	s->n_external_ips = 0;
	if (c->result == 0)
		add_balancer(c, s);
}

/* --- endpoints */

static int
compare_sliced(const void *a, const void *b)
{
	const struct sliced *x = a, *y = b;
	int order = strcmp(x->ns, y->ns);

	return order != 0 ? order : strcmp(x->service, y->service);
}

static void
note_slice(const struct object *object, void *arg)
{
	const struct slice_object *slice = (const struct slice_object *)object;
	struct completing *c = arg;

	c->sliced[c->n_sliced++] = (struct sliced){ slice->object.ns, slice->service };
}

static bool
is_selected(const struct service_object *s, const struct pod_object *pod)
{
	if (pod->has_ended || pod->n_addrs == 0)
		return false;
	for (size_t i = 0; i < s->selector.n; i++) {
		const char *value = labels_get(&pod->labels, s->selector.items[i].key);

		if (value == NULL || strcmp(value, s->selector.items[i].value) != 0)
			return false;
	}
	return true;
}

/* 0: the pod has no port by this name. */
static uint16_t
target_port(const struct pod_object *pod, const struct service_port *port)
{
	if (port->target_name == NULL)
		return port->target_port != 0 ? port->target_port : port->port;
	for (size_t i = 0; i < pod->n_ports; i++)
		if (pod->ports[i].proto == port->proto && strcmp(pod->ports[i].name, port->target_name) == 0)
			return pod->ports[i].port;
	return 0;
}

static bool
fill_slice(struct slice_object *slice, const struct service_object *s, const struct pod_object *pod,
	const struct ip_addr *addr)
{
	struct slice_endpoint *e;

	slice->object = (struct object){ .kind = OBJECT_ENDPOINT_SLICE, .ns = strdup(s->object.ns) };
	slice->service = strdup(s->object.name);
	slice->family = ip_addr_is_v4(addr) ? 4 : 6;
	slice->ports = calloc(s->n_ports + 1, sizeof(*slice->ports));
	slice->endpoints = calloc(1, sizeof(*slice->endpoints));
	/* no other object can have such a name */
	if (asprintf(&slice->object.name, "%s/%s/%u", s->object.name, pod->object.name, slice->family) < 0)
		slice->object.name = NULL;
	if (slice->ports == NULL || slice->endpoints == NULL)
		return false;
	for (size_t i = 0; i < s->n_ports; i++) {
		uint16_t number = target_port(pod, &s->ports[i]);
		struct slice_port *port = &slice->ports[slice->n_ports];

		if (number == 0)
			continue;
		*port = (struct slice_port){ strdup(s->ports[i].name), number, s->ports[i].proto };
		slice->n_ports++;
		if (port->name == NULL)
			return false;
	}
	e = &slice->endpoints[slice->n_endpoints++];
	*e = (struct slice_endpoint){ .n_addrs = 1, .ready = true, .serving = true };
	e->addrs = calloc(1, sizeof(*e->addrs));
	e->node = strdup(pod->node);
	e->pod = strdup(pod->object.name);
	if (e->addrs == NULL || e->node == NULL || e->pod == NULL)
		return false;
	e->addrs[0] = *addr;
	/* as the controller that writes slices does */
	if (pod->hostname != NULL && pod->subdomain != NULL && strcmp(pod->subdomain, s->object.name) == 0) {
		e->hostname = strdup(pod->hostname);
		if (e->hostname == NULL)
			return false;
	}
	return slice->object.ns != NULL && slice->object.name != NULL && slice->service != NULL;
}

static int
put_slice(struct store *store, const struct service_object *s, const struct pod_object *pod,
	const struct ip_addr *addr)
{
	struct slice_object *slice = calloc(1, sizeof(*slice));

	if (slice == NULL)
		return -ENOMEM;
	if (!fill_slice(slice, s, pod, addr)) {
		object_free(&slice->object);
		return -ENOMEM;
	}
	return store_put(store, &slice->object);
}

/* The first pod that is not before the namespace. */
static size_t
first_pod(const struct completing *c, const char *ns)
{
	size_t low = 0, high = c->n_pods;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(c->pods[middle]->object.ns, ns) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
select_endpoints(const struct object *object, void *arg)
{
	struct completing *c = arg;
	const struct service_object *s = (const struct service_object *)object;
	const struct sliced key = { object->ns, object->name };

	if (!(c->is_for_dns ? has_endpoints(s) : service_is_served(s)) || s->selector.n == 0 ||
		(c->n_sliced != 0 &&
			bsearch(&key, c->sliced, c->n_sliced, sizeof(key), compare_sliced) != NULL))
		return;
	for (size_t i = first_pod(c, object->ns);
		i < c->n_pods && strcmp(c->pods[i]->object.ns, object->ns) == 0; i++)
		for (size_t k = 0; k < c->pods[i]->n_addrs && c->result == 0; k++)
			if (is_selected(s, c->pods[i]))
				c->result = put_slice(c->store, s, c->pods[i], &c->pods[i]->addrs[k]);
}

/* --- namespaces */

static int
put_namespace(struct store *store, const char *name)
{
	struct namespace_object *o = calloc(1, sizeof(*o));
	struct label *label = calloc(1, sizeof(*label));

	if (o == NULL || label == NULL) {
		free(o);
		free(label);
		return -ENOMEM;
	}
	*label = (struct label){ strdup(NAMESPACE_NAME_LABEL), strdup(name) };
	o->object = (struct object){ .kind = OBJECT_NAMESPACE, .ns = strdup(""), .name = strdup(name) };
	o->labels = (struct labels){ 1, label };
	if (o->object.ns != NULL && o->object.name != NULL && label->key != NULL && label->value != NULL)
		return store_put(store, &o->object);
	object_free(&o->object);
	return -ENOMEM;
}

/* Whether policies are enforced yet is another question than what they say. */
static void
enforce(const struct object *object, void *arg)
{
	struct namespace_object *o = change(object);

	o->has_policy_mode = false;
}

static void
complete_namespace(const struct object *object, void *arg)
{
	struct completing *c = arg;

	if (c->result == 0 && store_get(c->store, OBJECT_NAMESPACE, "", object->ns) == NULL)
		c->result = put_namespace(c->store, object->ns);
}

static void
complete_namespaces(struct completing *c)
{
	if (c->is_for_dns) {
		store_each(c->store, OBJECT_SERVICE, complete_namespace, c);
		store_each(c->store, OBJECT_POD, complete_namespace, c);
		return;
	}
	store_each(c->store, OBJECT_NAMESPACE, enforce, NULL);
	for (size_t i = 0; i < c->n_pods && c->result == 0; i++)
		if (store_get(c->store, OBJECT_NAMESPACE, "", c->pods[i]->object.ns) == NULL)
			c->result = put_namespace(c->store, c->pods[i]->object.ns);
}

static int
complete(struct store *store, bool is_for_dns)
{
	struct completing c = { .store = store, .is_for_dns = is_for_dns };

	c.pods = calloc(store_count(store, OBJECT_POD) + 1, sizeof(*c.pods));
	c.sliced = calloc(store_count(store, OBJECT_ENDPOINT_SLICE) + 1, sizeof(*c.sliced));
	c.result = c.pods == NULL || c.sliced == NULL ? -ENOMEM : made_up_init(&c.made_up, store);
	if (c.result == 0) {
		store_each(store, OBJECT_POD, complete_pod, &c);
		store_each(store, OBJECT_SERVICE, complete_service, &c);
		store_each(store, OBJECT_ENDPOINT_SLICE, note_slice, &c);
		qsort(c.sliced, c.n_sliced, sizeof(*c.sliced), compare_sliced);
		complete_namespaces(&c);
	}
	/* new slices are not to be walked over while they are put */
	if (c.result == 0)
		store_each(store, OBJECT_SERVICE, select_endpoints, &c);
	made_up_fini(&c.made_up);
	free(c.pods);
	free(c.sliced);
	return c.result;
}

int
manifests_complete(struct store *store)
{
	return complete(store, false);
}

int
manifests_complete_for_dns(struct store *store)
{
	return complete(store, true);
}
