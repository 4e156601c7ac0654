#include "control/admin/service_frontends.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/build/dns_backends.h"
#include "control/build/host_ports.h"
#include "control/build/service_build.h"

struct collection {
	struct frontend_list *list;
	const struct names *names;
};

static void
add_frontend(const struct frontend *f, void *arg)
{
	struct collection *c = arg;
	struct named_frontend *item = &c->list->items[c->list->n];

	if (service_builder_name(c->names->builder, f->service, &item->ns, &item->name)) {
		item->frontend = f;
		c->list->n++;
	}
}

static int
compare_service(const struct named_frontend *x, const char *ns, const char *name)
{
	int order = strcmp(x->ns, ns);

	return order != 0 ? order : strcmp(x->name, name);
}

static int
compare(const void *a, const void *b)
{
	const struct named_frontend *x = a, *y = b;
	int order = compare_service(x, y->ns, y->name);

	if (order == 0)
		order = (int)x->frontend->kind - (int)y->frontend->kind;
	if (order == 0)
		order = ip_addr_cmp(&x->frontend->addr, &y->frontend->addr);
	if (order == 0)
		order = (int)x->frontend->port - (int)y->frontend->port;
	return order != 0 ? order : (int)x->frontend->proto - (int)y->frontend->proto;
}

bool
frontend_list_init(struct frontend_list *l, const struct names *names)
{
	const struct service_table *t = names->tables == NULL ? NULL : names->tables->services;
	struct collection c = { l, names };

	*l = (struct frontend_list){ 0 };
	if (t == NULL || names->builder == NULL)
		return true;
	l->items = calloc((size_t)t->n_frontends + 1, sizeof(*l->items));
	if (l->items == NULL)
		return false;
	service_table_each(t, add_frontend, &c);
	qsort(l->items, l->n, sizeof(*l->items), compare);
	return true;
}

void
frontend_list_fini(struct frontend_list *l)
{
	free(l->items);
	*l = (struct frontend_list){ 0 };
}

const struct named_frontend *
frontend_list_of(const struct frontend_list *l, const struct object *service, size_t *n)
{
	size_t low = 0, high = l->n, end;

	while (low < high) { /* the first that is not before the key */
		size_t middle = (low + high) / 2;

		if (compare_service(&l->items[middle], service->ns, service->name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < l->n && compare_service(&l->items[end], service->ns, service->name) == 0; end++)
		;
	*n = end - low;
	return l->n == 0 ? NULL : l->items + low;
}

static bool
is_of_port(uint8_t kind, uint8_t proto, uint16_t number, const struct service_port *port)
{
	if (kind == FRONTEND_LOCAL_ADDRESS)
		return proto == port->proto && dns_service_is_port(port);
	return proto == port->proto && number == (kind == FRONTEND_NODE_PORT ? port->node_port : port->port);
}

bool
frontend_is_of_port(const struct frontend *f, const struct service_port *port)
{
	return is_of_port(f->kind, f->proto, f->port, port);
}

bool
frontend_list_is_exposed(const struct frontend_list *l, const struct object *service)
{
	size_t n;
	const struct named_frontend *f = frontend_list_of(l, service, &n);

	for (size_t i = 0; i < n; i++)
		if ((f[i].frontend->flags & FRONTEND_EXPOSED) != 0)
			return true;
	return false;
}

/* Backends for outside traffic alone stand behind the others. */
static uint32_t
count_all_backends(const struct frontend *f)
{
	return f->n_backends + (f->extra == NULL ? 0 : f->extra->n_outside_only + f->extra->n_leaving);
}

static uint32_t
count_outside(const struct frontend *f)
{
	if ((f->flags & FRONTEND_EXPOSED) == 0)
		return 0;
	return (f->flags & FRONTEND_LOCAL) != 0 && f->extra != NULL ? f->extra->n_outside : f->n_backends;
}

static uint32_t
count_buckets_of(const struct frontend *f, uint32_t backend)
{
	uint32_t n = 0;

	for (uint32_t i = 0; service_has_buckets(f) && i <= f->bucket_mask; i++)
		n += f->buckets[i] == backend;
	return n;
}

static uint32_t
count_moving(const struct frontend *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; (f->flags & FRONTEND_MOVING) && i <= f->bucket_mask; i++)
		n += service_next_bucket(f, i) != f->buckets[i];
	return n;
}

uint32_t
frontend_list_moving(
	const struct frontend_list *l, const struct object *service, const struct service_port *port)
{
	uint32_t moving = 0;
	size_t n;
	const struct named_frontend *items = frontend_list_of(l, service, &n);

	for (size_t i = 0; i < n; i++)
		if (frontend_is_of_port(items[i].frontend, port))
			moving += count_moving(items[i].frontend);
	return moving;
}

struct backend_use
frontend_list_use(const struct frontend_list *l, const struct object *service,
	const struct service_port *port, const struct ip_addr *addr, uint16_t backend_port)
{
	struct backend_use use = { .slot = -1 };
	size_t n;
	const struct named_frontend *items = frontend_list_of(l, service, &n);

	for (size_t i = 0; i < n; i++) {
		const struct frontend *f = items[i].frontend;
		bool is_exposed = (f->flags & FRONTEND_EXPOSED) != 0;
		/* behind them are those that only leave */
		uint32_t n_serving = f->n_backends + (f->extra == NULL ? 0 : f->extra->n_outside_only);

		if (!frontend_is_of_port(f, port) || ip_addr_is_v4(&f->addr) != ip_addr_is_v4(addr))
			continue;
		for (uint32_t k = 0; k < count_all_backends(f); k++) {
			const struct backend *b = &f->backends[k];

			if (b->port != backend_port || !ip_addr_eq(&b->addr, addr))
				continue;
			use.is_inside |= k < f->n_backends;
			use.is_outside |=
				is_exposed && k < n_serving &&
				((f->flags & FRONTEND_LOCAL) == 0 || (b->flags & BACKEND_OUTSIDE) != 0);
			if (f->kind == FRONTEND_CLUSTER_IP) {
				use.slot = b->slot;
				use.n_buckets = count_buckets_of(f, k);
			}
		}
	}
	return use;
}

const char *
frontend_kind_name(uint8_t kind)
{
	static const char *const names[N_FRONTEND_KINDS] = {
		[FRONTEND_CLUSTER_IP] = "ClusterIP",
		[FRONTEND_NODE_PORT] = "NodePort",
		[FRONTEND_LOAD_BALANCER] = "LoadBalancer",
		[FRONTEND_EXTERNAL_IP] = "ExternalIP",
		[FRONTEND_HOST_PORT] = "HostPort",
		[FRONTEND_LOCAL_ADDRESS] = "LocalAddress",
	};

	return kind < N_FRONTEND_KINDS ? names[kind] : "";
}

static json_t *
ranges_json(const struct frontend *f)
{
	json_t *list = json_array();
	char text[IP_PREFIX_STRLEN];

	for (uint32_t i = 0; (f->flags & FRONTEND_SOURCE_RANGES) != 0 && i < f->extra->n_ranges; i++)
		json_array_append_new(list, json_string(ip_prefix_format(&f->extra->ranges[i], text)));
	return list;
}

/* What a client hears from whom no backend is there for. */
static const char *
without_backends(const struct frontend *f)
{
	bool is_empty = f->n_backends == 0 || ((f->flags & FRONTEND_EXPOSED) != 0 && count_outside(f) == 0);

	return !is_empty ? "" : (f->flags & FRONTEND_DROP_EMPTY) != 0 ? "drop" : "reject";
}

json_t *
frontends_json(
	const struct frontend_list *l, const struct service_object *service, const struct service_port *port)
{
	json_t *list = json_array();
	size_t n;
	const struct named_frontend *items = frontend_list_of(l, &service->object, &n);
	char text[IP_ADDR_STRLEN];

	for (size_t i = 0; i < n; i++) {
		const struct frontend *f = items[i].frontend;

		if (!frontend_is_of_port(f, port))
			continue;
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:i, s:s, s:b, s:I, s:I, s:I, s:s, s:b, s:o}", "kind",
				frontend_kind_name(f->kind), "address", ip_addr_format(&f->addr, text),
				"port", (int)f->port, "protocol", proto_name(f->proto), "exposed",
				(f->flags & FRONTEND_EXPOSED) != 0, "backends", (json_int_t)f->n_backends,
				"backends_outside", (json_int_t)count_outside(f), "buckets",
				(json_int_t)(f->n_backends == 0 ? 0 : f->bucket_mask + 1), "empty",
				without_backends(f), "keeps_client", (f->flags & FRONTEND_LOCAL) != 0,
				"source_ranges", ranges_json(f)));
	}
	return list;
}

json_t *
refused_json(const struct names *names, const struct object *service)
{
	json_t *list = json_array();
	size_t n = 0;
	const struct refused_addr *refused = names->builder == NULL ? NULL
								    : service_builder_refused(names->builder,
									      service->ns, service->name, &n);
	char text[IP_ADDR_STRLEN];

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s}", "address", ip_addr_format(&refused[i].addr, text),
				      "reason", refusal_text(refused[i].why)));
	return list;
}

/* What a service port does not get, each said in a text. */
struct losses {
	const struct service_port *port;
	json_t *list;
};

static void
add_loss(const struct lost_claim *claim, void *arg)
{
	const struct wanted_frontend *w = claim->frontend;
	struct losses *l = arg;
	bool is_host_port = host_ports_is_name(claim->name);
	const char *name = is_host_port ? strchr(claim->name, '/') + 1 : claim->name;
	char addr[IP_ADDR_STRLEN], place[IP_ADDR_STRLEN + 16];

	if (!is_of_port(w->kind, w->proto, w->port, l->port))
		return;
	ip_addr_format(&w->addr, addr);
	snprintf(place, sizeof(place), ip_addr_is_v4(&w->addr) ? "%s:%u/%s" : "[%s]:%u/%s", addr, w->port,
		proto_name(w->proto));
	json_array_append_new(l->list,
		json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:o}", "kind", frontend_kind_name(w->kind),
			"address", addr, "port", (int)w->port, "protocol", proto_name(w->proto),
			"holder_kind", is_host_port ? "pod" : "service", "holder_namespace", claim->ns,
			"holder", name, "text",
			json_sprintf("%s %s is that of %s %s/%s, %s", frontend_kind_name(w->kind), place,
				is_host_port ? "host port of pod" : "service", claim->ns, name,
				claim->is_by_age ? "which is older"
						 : "which comes first by namespace and name")));
}

json_t *
lost_json(const struct names *names, const struct service_object *service, const struct service_port *port)
{
	struct losses l = { port, json_array() };

	if (names->builder != NULL)
		service_builder_each_lost(
			names->builder, service->object.ns, service->object.name, add_loss, &l);
	return l.list;
}

void
lost_problem(const struct names *names, const struct service_object *service, const struct service_port *port,
	char *buf, size_t size)
{
	json_t *list = lost_json(names, service, port);
	size_t n = json_array_size(list);

	if (n != 0)
		snprintf(buf, size, "%s%s",
			json_string_value(json_object_get(json_array_get(list, 0), "text")),
			n > 1 ? ", and others likewise" : "");
	json_decref(list);
}
