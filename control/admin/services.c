#include "control/admin/services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/admin/service_frontends.h"
#include "control/admin/service_index.h"
#include "control/build/endpoint_select.h"

struct listing {
	const struct names *names;
	const struct services_filter *filter;
	struct service_index index;
	struct frontend_list frontends;
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

static json_t *
texts_json(char *const *texts, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(texts[i]));
	return list;
}

static json_t *
hints_json(const struct endpoint_hints *hints)
{
	static const struct endpoint_hints none;

	if (hints == NULL)
		hints = &none;
	return json_pack("{s:o, s:o}", "zones", texts_json(hints->zones, hints->n_zones), "nodes",
		texts_json(hints->nodes, hints->n_nodes));
}

static json_t *
backend_json(const struct listing *l, const struct service_object *service, const struct service_port *port,
	const struct slice_endpoint *e, const struct slice_port *slice_port)
{
	struct backend_use use =
		frontend_list_use(&l->frontends, &service->object, port, &e->addrs[0], slice_port->port);
	const char *node = l->names->view->node;
	char buf[IP_ADDR_STRLEN];

	return json_pack("{s:s, s:i, s:b, s:b, s:b, s:b, s:s, s:o, s:b, s:b, s:b, s:i, s:I, s:s, s:s}",
		"address", ip_addr_format(&e->addrs[0], buf), "port", (int)slice_port->port, "ready",
		e->ready, "serving", e->serving, "terminating", e->terminating, "local",
		node != NULL && strcmp(e->node, node) == 0, "zone", e->zone == NULL ? "" : e->zone, "hints",
		hints_json(e->hints), "in_force", use.is_inside || use.is_outside, "serves_inside",
		use.is_inside, "serves_outside", use.is_outside, "slot", use.slot < 0 ? 0 : use.slot,
		"buckets", (json_int_t)use.n_buckets, "pod", e->pod, "node", e->node);
}

/* Counts the service port's endpoints, and adds them to the list unless that is NULL. */
static void
collect_backends(const struct listing *l, const struct service_object *service,
	const struct service_port *port, json_t *backends, int *n_ready, int *n_total)
{
	size_t n;
	const struct slice_object **slices = service_index_slices(&l->index, service, &n);

	for (size_t i = 0; i < n; i++) {
		const struct slice_port *slice_port = endpoint_select_port(slices[i], port);

		for (size_t k = 0; slice_port != NULL && k < slices[i]->n_endpoints; k++) {
			const struct slice_endpoint *e = &slices[i]->endpoints[k];

			if (e->n_addrs == 0)
				continue;
			if (backends != NULL)
				json_array_append_new(
					backends, backend_json(l, service, port, e, slice_port));
			*n_ready += e->ready || service->publish_not_ready;
			++*n_total;
		}
	}
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

/* What concerns all ports of a service, added to a port's object. */
static void
add_policies(const struct listing *l, const struct service_object *service, json_t *object)
{
	static const char *const distributions[] = {
		[TRAFFIC_ANYWHERE] = "",
		[TRAFFIC_SAME_ZONE] = "PreferSameZone",
		[TRAFFIC_SAME_NODE] = "PreferSameNode",
	};

	json_object_set_new(object, "type", json_string(service_type_name(service->type)));
	json_object_set_new(object, "external_name",
		json_string(service->external_name == NULL ? "" : service->external_name));
	json_object_set_new(
		object, "internal_policy", json_string(service->internal_local ? "Local" : "Cluster"));
	json_object_set_new(
		object, "external_policy", json_string(service->external_local ? "Local" : "Cluster"));
	json_object_set_new(object, "affinity_s", json_integer(service->affinity_timeout_s));
	json_object_set_new(
		object, "traffic_distribution", json_string(distributions[service->distribution]));
	json_object_set_new(object, "publish_not_ready", json_boolean(service->publish_not_ready));
	json_object_set_new(object, "health_check_node_port", json_integer(service->health_check_node_port));
	json_object_set_new(object, "other_proxy", json_boolean(service->is_foreign));
	json_object_set_new(object, "refused", refused_json(l->names, &service->object));
}

static json_t *
port_json(const struct listing *l, const struct service_object *service, const struct service_port *port)
{
	int n_ready = 0, n_total = 0;
	json_int_t n_buckets;
	json_t *backends = l->filter->is_brief ? NULL : json_array(), *object;
	bool in_force = count_buckets(l, service, port, &n_buckets);
	char problem[SERVICE_PROBLEM_SIZE];

	collect_backends(l, service, port, backends, &n_ready, &n_total);
	object = json_pack("{s:s, s:s, s:s, s:i, s:s, s:o, s:o, s:b, s:b, s:i, s:i, s:I, s:s}", "namespace",
		service->object.ns, "name", service->object.name, "port_name", port->name, "port",
		(int)port->port, "protocol", port->proto == 0 ? "" : proto_name(port->proto), "target_port",
		port->target_name != NULL ? json_string(port->target_name) : json_integer(port->target_port),
		"addresses", addrs_json(service->cluster_ips, service->n_cluster_ips), "headless",
		service->headless, "in_force", in_force, "ready", n_ready, "total", n_total, "buckets",
		n_buckets, "problem", services_problem_of(l->names, &l->index, service, port, problem));
	json_object_set_new(object, "lost", lost_json(l->names, service, port));
	if (backends != NULL) {
		json_object_set_new(object, "frontends", frontends_json(&l->frontends, service, port));
		json_object_set_new(object, "backends", backends);
	}
	json_object_set_new(
		object, "moving", json_integer(frontend_list_moving(&l->frontends, &service->object, port)));
	add_policies(l, service, object);
	return object;
}

static bool
is_wanted(const struct listing *l, const struct object *service)
{
	const char *which = l->filter->which, *slash = which == NULL ? NULL : strchr(which, '/');

	if (l->filter->is_exposed && !frontend_list_is_exposed(&l->frontends, service))
		return false;
	if (which == NULL || strcmp(which, service->name) == 0)
		return true;
	return slash != NULL && strncmp(which, service->ns, (size_t)(slash - which)) == 0 &&
	       service->ns[slash - which] == '\0' && strcmp(slash + 1, service->name) == 0;
}

static void
add_service(const struct object *object, void *arg)
{
	static const struct service_port no_port = { .name = "" };
	const struct service_object *service = (const struct service_object *)object;
	struct listing *l = arg;

	if (!is_wanted(l, object))
		return;
	for (size_t i = 0; i < service->n_ports; i++)
		json_array_append_new(l->items, port_json(l, service, &service->ports[i]));
	if (service->n_ports == 0)
		json_array_append_new(l->items, port_json(l, service, &no_port));
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
listing_json(struct listing *l, enum object_kind kind, void (*add)(const struct object *object, void *arg),
	const char *field)
{
	const struct names *n = l->names;
	bool has_index =
		service_index_init(&l->index, n->store, n->tables == NULL ? NULL : n->tables->services);
	json_t *doc = NULL;

	if (has_index && frontend_list_init(&l->frontends, n)) {
		l->items = json_array();
		store_each(n->store, kind, add, l);
		doc = json_pack("{s:o}", field, l->items);
	}
	frontend_list_fini(&l->frontends);
	if (has_index)
		service_index_fini(&l->index);
	return doc;
}

json_t *
services_json(const struct names *n, const struct services_filter *filter)
{
	static const struct services_filter all;
	struct listing l = { .names = n, .filter = filter == NULL ? &all : filter };

	return listing_json(&l, OBJECT_SERVICE, add_service, "services");
}

json_t *
endpoints_json(const struct names *n)
{
	struct listing l = { .names = n };

	return listing_json(&l, OBJECT_ENDPOINT_SLICE, add_endpoints, "endpoints");
}
