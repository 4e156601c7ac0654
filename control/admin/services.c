#include "control/admin/services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/admin/service_index.h"

struct listing {
	const struct names *names;
	struct service_index index;
	json_t *items;
};

static json_t *
addrs_json(const struct ip_addr *addrs, size_t n)
{
	json_t *list = json_array();
	char buf[IP_ADDR_STRLEN];

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(ip_addr_format(&addrs[i], buf)));
	return list;
}

/* The frontend of the endpoint's family, if it is in force. */
static const struct frontend *
frontend_for(const struct listing *l, const struct service_object *service, const struct service_port *port,
	const struct ip_addr *endpoint)
{
	for (size_t i = 0; i < service->n_cluster_ips; i++)
		if (ip_addr_is_v4(&service->cluster_ips[i]) == ip_addr_is_v4(endpoint))
			return service_index_frontend(
				&l->index, &service->cluster_ips[i], port->port, port->proto);
	return NULL;
}

static json_t *
backend_json(const struct listing *l, const struct service_object *service, const struct service_port *port,
	const struct slice_endpoint *e, const struct slice_port *slice_port)
{
	const struct frontend *f = frontend_for(l, service, port, &e->addrs[0]);
	int slot = f == NULL ? -1 : service_index_slot(f, &e->addrs[0], slice_port->port);
	char buf[IP_ADDR_STRLEN];

	return json_pack("{s:s, s:i, s:b, s:b, s:b, s:b, s:i, s:s, s:s}", "address",
		ip_addr_format(&e->addrs[0], buf), "port", (int)slice_port->port, "ready", e->ready,
		"serving", e->serving, "terminating", e->terminating, "in_force", slot >= 0, "slot",
		slot < 0 ? 0 : slot, "pod", e->pod, "node", e->node);
}

static json_t *
backends_json(const struct listing *l, const struct service_object *service, const struct service_port *port,
	int *n_ready)
{
	size_t n;
	const struct slice_object **slices = service_index_slices(&l->index, service, &n);
	json_t *backends = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct slice_port *slice_port = service_index_port(slices[i], port);

		for (size_t k = 0; slice_port != NULL && k < slices[i]->n_endpoints; k++) {
			const struct slice_endpoint *e = &slices[i]->endpoints[k];

			if (e->n_addrs == 0)
				continue;
			json_array_append_new(backends, backend_json(l, service, port, e, slice_port));
			*n_ready += e->ready || service->publish_not_ready;
		}
	}
	return backends;
}

/* Sums over the service's addresses; false when one of them is not in force. */
static bool
count_buckets(const struct listing *l, const struct service_object *service, const struct service_port *port,
	json_int_t *n)
{
	bool all = true;

	*n = 0;
	for (size_t i = 0; i < service->n_cluster_ips; i++) {
		const struct frontend *f =
			service_index_frontend(&l->index, &service->cluster_ips[i], port->port, port->proto);

		all &= f != NULL;
		if (f != NULL && f->n_backends != 0)
			*n += f->bucket_mask + 1;
	}
	return all;
}

static json_t *
port_json(const struct listing *l, const struct service_object *service, const struct service_port *port)
{
	int n_ready = 0;
	json_int_t n_buckets;
	json_t *backends = backends_json(l, service, port, &n_ready);
	bool in_force = count_buckets(l, service, port, &n_buckets);
	char problem[SERVICE_PROBLEM_SIZE];

	return json_pack("{s:s, s:s, s:s, s:i, s:s, s:o, s:b, s:b, s:i, s:i, s:I, s:s, s:o}", "namespace",
		service->object.ns, "name", service->object.name, "port_name", port->name, "port",
		(int)port->port, "protocol", proto_name(port->proto), "addresses",
		addrs_json(service->cluster_ips, service->n_cluster_ips), "headless", service->headless,
		"in_force", in_force, "ready", n_ready, "total", (int)json_array_size(backends), "buckets",
		n_buckets, "problem", services_problem_of(l->names, &l->index, service, port, problem),
		"backends", backends);
}

static void
add_service(const struct object *object, void *arg)
{
	const struct service_object *service = (const struct service_object *)object;
	struct listing *l = arg;

	for (size_t i = 0; i < service->n_ports; i++)
		json_array_append_new(l->items, port_json(l, service, &service->ports[i]));
}

/* How packets get to an endpoint from here. */
static void
print_way(const struct names *n, const struct ip_addr *addr, char *text, size_t size)
{
	const struct tables *t = n->tables;
	const struct route *r = t == NULL ? NULL : route_lookup(t->routes, addr);
	char name[IP_ADDR_STRLEN];

	switch (r == NULL ? ROUTE_NONE : (enum route_kind)r->kind) {
	case ROUTE_ENDPOINT:
		snprintf(text, size, "port %u", t->endpoints->endpoints[r->target].port);
		break;
	case ROUTE_VTEP:
		snprintf(text, size, "VTEP %s", ip_addr_format(&t->fdb->entries[r->target].vtep, name));
		break;
	case ROUTE_HOST:
		snprintf(text, size, "this node's stack");
		break;
	default:
		snprintf(text, size, "%s", t == NULL ? "no tables in force yet" : "no route");
		break;
	}
}

static void
add_endpoints(const struct object *object, void *arg)
{
	const struct slice_object *slice = (const struct slice_object *)object;
	struct listing *l = arg;

	for (size_t i = 0; i < slice->n_endpoints; i++)
		for (size_t k = 0; k < slice->n_ports && slice->endpoints[i].n_addrs != 0; k++) {
			const struct slice_endpoint *e = &slice->endpoints[i];
			char addr[IP_ADDR_STRLEN], via[64];

			print_way(l->names, &e->addrs[0], via, sizeof(via));
			json_array_append_new(l->items,
				json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:b, s:b, s:b, s:s, s:s, s:s}",
					"namespace", object->ns, "service", slice->service, "address",
					ip_addr_format(&e->addrs[0], addr), "port", (int)slice->ports[k].port,
					"port_name", slice->ports[k].name, "protocol",
					proto_name(slice->ports[k].proto), "ready", e->ready, "serving",
					e->serving, "terminating", e->terminating, "pod", e->pod, "node",
					e->node, "via", via));
		}
}

static json_t *
listing_json(const struct names *n, enum object_kind kind,
	void (*add)(const struct object *object, void *arg), const char *field)
{
	struct listing l = { .names = n, .items = json_array() };

	if (!service_index_init(&l.index, n->store, n->tables == NULL ? NULL : n->tables->services)) {
		json_decref(l.items);
		return NULL;
	}
	store_each(n->store, kind, add, &l);
	service_index_fini(&l.index);
	return json_pack("{s:o}", field, l.items);
}

json_t *
services_json(const struct names *n)
{
	return listing_json(n, OBJECT_SERVICE, add_service, "services");
}

json_t *
endpoints_json(const struct names *n)
{
	return listing_json(n, OBJECT_ENDPOINT_SLICE, add_endpoints, "endpoints");
}
