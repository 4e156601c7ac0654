/* What the service to whose frontend a packet goes has to tell: which endpoints are chosen and why, or why there is none. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/admin/explain.h"
#include "control/admin/service_frontends.h"
#include "control/admin/service_index.h"
#include "control/admin/services.h"
#include "control/build/endpoint_select.h"
#include "control/build/host_ports.h"
#include "control/build/service_build.h"

#define SERVICE_TEXT_SIZE 768

/* Grows as it is written to; what does not fit is cut off. */
struct text {
	char *at;
	size_t room;
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
add(struct text *t, const char *fmt, ...)
{
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = (size_t)vsnprintf(t->at, t->room, fmt, args);
	va_end(args);
	if (len >= t->room)
		len = t->room == 0 ? 0 : t->room - 1;
	t->at += len;
	t->room -= len;
}

static const struct service_port *
port_of_frontend(const struct service_object *service, const struct frontend *f)
{
	for (size_t i = 0; service != NULL && i < service->n_ports; i++)
		if (frontend_is_of_port(f, &service->ports[i]))
			return &service->ports[i];
	return NULL;
}

struct explain_service
explain_service_find(const struct explain_context *c, const struct explain_packet *packet)
{
	const struct probe *p = &packet->probe;
	struct explain_service s = { .is_from_outside = packet->sender == SENDER_OUTSIDE };
	const struct frontend *f = service_frontend(c->names.tables->services,
		addr_hash(&p->dst, p->dport, p->proto), &p->dst, p->dport, p->proto);

	/* what comes by the tunnel is translated already */
	if (f == NULL || packet->sender == SENDER_REMOTE || c->names.builder == NULL ||
		(s.is_from_outside && !(f->flags & FRONTEND_EXPOSED)) ||
		!service_builder_name(c->names.builder, f->service, &s.ns, &s.name))
		return s;
	s.frontend = f;
	s.service = (const struct service_object *)store_get(c->names.store, OBJECT_SERVICE, s.ns, s.name);
	s.port = port_of_frontend(s.service, f);
	return s;
}

/* Which endpoints the builder chose. */
struct choice {
	struct endpoint_selection selection;
	size_t n_endpoints; /* of the frontend's family, whose slices have the port */
	uint32_t n_used;
	size_t n_here;      /* of n_endpoints, on this node */
	bool is_local;      /* only this node's may be used */
	bool is_draining;   /* used for want of ready ones */
	const char *zone;   /* this node's, or "" */
	char elsewhere[64]; /* a node that has a ready endpoint; "": none has */
};

static void
count_endpoints(struct choice *choice, const struct endpoint_question *q)
{
	for (size_t i = 0; i < q->n_slices; i++)
		for (size_t k = 0;
			endpoint_select_port(q->slices[i], q->port) != NULL && k < q->slices[i]->n_endpoints;
			k++) {
			const struct slice_endpoint *e = &q->slices[i]->endpoints[k];
			bool is_here = e->node != NULL && strcmp(e->node, q->node) == 0;

			if (e->n_addrs == 0 || ip_addr_is_v4(&e->addrs[0]) != q->is_v4)
				continue;
			choice->n_endpoints++;
			choice->n_here += is_here;
			if (!is_here && e->ready && e->node != NULL)
				snprintf(choice->elsewhere, sizeof(choice->elsewhere), "%s", e->node);
		}
}

/* False if out of memory. */
static bool
choose(const struct explain_context *c, const struct explain_service *s, struct choice *out)
{
	const struct node_object *self =
		(const struct node_object *)store_get(c->names.store, OBJECT_NODE, "", c->self);
	uint8_t side = s->is_from_outside ? SELECTED_OUTSIDE : SELECTED_INSIDE;
	struct endpoint_question q = {
		.service = s->service,
		.port = s->port,
		.is_v4 = ip_addr_is_v4(&s->frontend->addr),
		.is_exposed = frontend_kind_is_exposed(s->frontend->kind),
		.node = c->self,
		.zone = self == NULL ? "" : node_zone(self),
	};
	struct selected_endpoint *selected;
	struct service_index index;

	*out = (struct choice){ .zone = q.zone };
	if (!service_index_init(&index, c->names.store, NULL))
		return false;
	q.slices = service_index_slices(&index, s->service, &q.n_slices);
	selected = calloc(endpoint_select_room(&q) + 1, sizeof(*selected));
	if (selected != NULL) {
		out->selection = endpoint_select(&q, selected);
		count_endpoints(out, &q);
	}
	for (uint32_t i = 0; selected != NULL && i < out->selection.n; i++)
		out->is_draining |=
			(selected[i].flags & side) != 0 && (selected[i].flags & SELECTED_DRAINING) != 0;
	out->n_used = s->is_from_outside ? out->selection.n_outside : out->selection.n_inside;
	out->is_local =
		s->is_from_outside ? out->selection.is_local : !q.is_exposed && s->service->internal_local;
	free(selected);
	service_index_fini(&index);
	return selected != NULL;
}

/* Hints do not matter where a Local policy chooses, nor to endpoints that terminate. */
static enum endpoint_hint_use
hints_used(const struct choice *choice)
{
	return choice->is_local || choice->is_draining ? HINTS_UNUSED : choice->selection.hints;
}

static void
add_choice(struct text *t, const struct explain_service *s, const struct choice *choice)
{
	add(t, ": %u of its %zu endpoints %s new flows from %s", choice->n_used, choice->n_endpoints,
		choice->n_used == 1 ? "gets" : "get", s->is_from_outside ? "outside" : "inside");
	if (choice->is_local)
		add(t, "; only those of this node, as %sTrafficPolicy is Local%s",
			s->is_from_outside ? "external" : "internal",
			s->is_from_outside ? ", and they see the client's own address" : "");
	if (hints_used(choice) == HINTS_ZONE)
		add(t, "; those that hints give to this node's zone %s", choice->zone);
	else if (hints_used(choice) == HINTS_NODE)
		add(t, "; those that hints give to this node");
	if (choice->is_draining)
		add(t, "; none is ready, so those that terminate but still serve take their place");
	if (s->service->publish_not_ready)
		add(t, "; ready or not, as publishNotReadyAddresses says");
	if (choice->n_used == 0)
		add(t, "; so it is %s",
			choice->selection.drops_empty ? "dropped: another node may have one" : "refused");
}

static void
add_flags(struct text *t, const struct explain_service *s)
{
	const struct frontend *f = s->frontend;
	char range[IP_PREFIX_STRLEN];

	if (f->flags & FRONTEND_AFFINITY)
		add(t, "; session affinity: a client keeps its backend for %u s",
			f->extra->affinity_timeout_s);
	if (f->flags & FRONTEND_MOVING)
		add(t, "; its backends are changing: what is open stays, what opens goes by the new choice");
	for (uint32_t i = 0; (f->flags & FRONTEND_SOURCE_RANGES) && i < f->extra->n_ranges; i++)
		add(t, "%s %s", i == 0 ? "; only for clients of" : ",",
			ip_prefix_format(&f->extra->ranges[i], range));
}

json_t *
explain_service_json(const struct explain_context *c, const struct explain_service *s)
{
	static const char *const hints[] = {
		[HINTS_UNUSED] = "", [HINTS_ZONE] = "zone", [HINTS_NODE] = "node"
	};
	char buf[SERVICE_TEXT_SIZE];
	struct text t = { buf, sizeof(buf) };
	const struct frontend *f = s->frontend;
	struct choice choice = { .n_used = 1, .n_endpoints = 1 }; /* of a host port: its pod */

	if (f == NULL)
		return json_null();
	add(&t, "%s %u/%s of %s/%s", frontend_kind_name(f->kind), f->port, proto_name(f->proto), s->ns,
		s->name);
	if (s->port != NULL && choose(c, s, &choice))
		add_choice(&t, s, &choice);
	add_flags(&t, s);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:b, s:s, s:b, s:b, s:I, s:s}", "namespace", s->ns,
		"name", s->name, "kind", frontend_kind_name(f->kind), "from",
		s->is_from_outside ? "outside" : "inside", "endpoints", (json_int_t)choice.n_endpoints,
		"used", (json_int_t)choice.n_used, "terminating", choice.is_draining, "hints",
		hints[hints_used(&choice)], "local", choice.is_local, "moving",
		(f->flags & FRONTEND_MOVING) != 0, "affinity_timeout_s",
		(json_int_t)(f->flags & FRONTEND_AFFINITY ? f->extra->affinity_timeout_s : 0), "text", buf);
}

/* Where clients outside reach something. */

static const struct frontend *
best_exposed(const struct explain_context *c, const struct object *service, const struct service_port *port,
	uint16_t backend_port, bool is_v4)
{
	static const uint8_t ranks[N_FRONTEND_KINDS] = {
		[FRONTEND_LOAD_BALANCER] = 4,
		[FRONTEND_EXTERNAL_IP] = 3,
		[FRONTEND_NODE_PORT] = 2,
		[FRONTEND_HOST_PORT] = 1,
	};
	const struct frontend *best = NULL;
	struct frontend_list list;
	const struct named_frontend *items;
	size_t n;

	if (!frontend_list_init(&list, &c->names))
		return NULL;
	items = frontend_list_of(&list, service, &n);
	for (size_t i = 0; i < n; i++) {
		const struct frontend *f = items[i].frontend;

		if (!(f->flags & FRONTEND_EXPOSED) || ip_addr_is_v4(&f->addr) != is_v4 ||
			(port != NULL && !frontend_is_of_port(f, port)))
			continue;
		if (backend_port != 0 && (f->n_backends == 0 || f->backends[0].port != backend_port) &&
			f->port != backend_port)
			continue;
		if (best == NULL || ranks[f->kind] > ranks[best->kind])
			best = f;
	}
	frontend_list_fini(&list);
	return best;
}

const struct frontend *
explain_exposed(const struct explain_context *c, const struct object *service,
	const struct service_port *port, bool is_v4)
{
	return best_exposed(c, service, port, 0, is_v4);
}

const struct frontend *
explain_exposed_pod(
	const struct explain_context *c, const char *ns, const char *name, uint16_t port, bool is_v4)
{
	const struct pod_host_port host_port = { .pod_ns = ns, .pod = name };
	char record[HOST_PORTS_NAME_SIZE];
	struct object object = { .ns = (char *)ns };

	object.name = (char *)host_ports_name(&host_port, record);
	return best_exposed(c, &object, NULL, port, is_v4);
}

/* Why not. */

/* The ports that the service does have: "port 81/tcp is not among those of default/web: 80/tcp 443/tcp". */
static void
print_ports(const struct service_object *service, const struct probe *p, char *text, size_t size)
{
	struct text t = { text, size };

	add(&t, "port %u/%s is not among those of %s/%s:", p->dport, proto_name(p->proto), service->object.ns,
		service->object.name);
	for (size_t i = 0; i < service->n_ports; i++)
		add(&t, " %u/%s", service->ports[i].port, proto_name(service->ports[i].proto));
}

static bool
print_problem(const struct explain_context *c, const struct service_object *service,
	const struct service_port *port, char *text, size_t size)
{
	char problem[SERVICE_PROBLEM_SIZE];

	services_problem(&c->names, service, port, problem);
	snprintf(text, size, "%s/%s: %s", service->object.ns, service->object.name, problem);
	return *problem != '\0';
}

/* Nobody here, but elsewhere: the client should ask there. */
static bool
print_not_here(const struct explain_context *c, const struct explain_service *s, char *text, size_t size)
{
	struct choice choice;

	if (!s->is_from_outside || !choose(c, s, &choice) || !choice.is_local || choice.n_used != 0 ||
		*choice.elsewhere == '\0')
		return false;
	snprintf(text, size,
		"%s/%s: %zu of its %zu endpoints %s on this node, none of them ready, and "
		"externalTrafficPolicy is "
		"Local; node %s has a ready one",
		s->ns, s->name, choice.n_here, choice.n_endpoints, choice.n_here == 1 ? "is" : "are",
		choice.elsewhere);
	return true;
}

struct refusal_search {
	const struct explain_context *context;
	const struct ip_addr *addr;
	char *text;
	size_t size;
	bool is_found;
};

static void
match_refusal(const struct object *object, void *arg)
{
	struct refusal_search *s = arg;
	size_t n = 0;
	const struct refused_addr *refused =
		service_builder_refused(s->context->names.builder, object->ns, object->name, &n);

	for (size_t i = 0; !s->is_found && i < n; i++) {
		if (!ip_addr_eq(&refused[i].addr, s->addr))
			continue;
		snprintf(s->text, s->size, "service %s/%s asks for this address, but it %s", object->ns,
			object->name, refusal_text(refused[i].why));
		s->is_found = true;
	}
}

/* Why a client outside does not reach what is there. */
static bool
print_unexposed(const struct explain_context *c, const struct probe *p, char *text, size_t size)
{
	struct refusal_search s = { c, &p->dst, text, size, false };
	const struct service_object *service = names_find_service(&c->names, &p->dst);
	const struct frontend *f = service_frontend(c->names.tables->services,
		addr_hash(&p->dst, p->dport, p->proto), &p->dst, p->dport, p->proto);

	if (c->names.builder != NULL)
		store_each(c->names.store, OBJECT_SERVICE, match_refusal, &s);
	if (s.is_found)
		return true;
	if (f != NULL && service != NULL)
		snprintf(text, size,
			"this address of %s/%s is for pods and nodes; clients outside need a NodePort, a "
			"load balancer or "
			"an external address",
			service->object.ns, service->object.name);
	else if (service != NULL)
		print_ports(service, p, text, size);
	return service != NULL;
}

bool
explain_service_hint(const struct explain_context *c, const struct explain_packet *packet,
	const struct explain_service *s, char *text, size_t size)
{
	const struct probe *p = &packet->probe;
	const struct service_object *service;

	if (packet->sender == SENDER_REMOTE ||
		(p->proto != PROTO_TCP && p->proto != PROTO_UDP && p->proto != PROTO_SCTP))
		return false;
	if (s->port != NULL)
		return print_not_here(c, s, text, size) || print_problem(c, s->service, s->port, text, size);
	if (s->frontend != NULL)
		return false;
	if (s->is_from_outside)
		return print_unexposed(c, p, text, size);
	service = names_find_service(&c->names, &p->dst);
	if (service == NULL)
		return false;
	for (size_t i = 0; i < service->n_ports; i++)
		if (service->ports[i].port == p->dport && service->ports[i].proto == p->proto)
			return print_problem(c, service, &service->ports[i], text, size);
	print_ports(service, p, text, size);
	return true;
}
