#include "control/build/dns_service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/build/dns_srv.h"

struct service_names {
	struct dns_making *m;
	const struct service_object *service;
	const struct slice_object *const *slices;
	size_t n_slices;
	const struct dns_endpoints *endpoints;
	const struct dns_endpoint_list *built; /* of endpoints */
	size_t n_passed;                       /* of these, before the group in hand */
	struct dns_service_nodes *out;
	struct dns_wire name; /* SERVICE.NS.svc.ZONE */
	int result;
};

void
dns_service_nodes_clear(struct dns_service_nodes *n)
{
	n->names.n = n->endpoints.n = 0;
}

void
dns_service_nodes_fini(struct dns_service_nodes *n)
{
	free(n->names.items);
	free(n->endpoints.items);
	*n = (struct dns_service_nodes){ 0 };
}

static bool
add_name(struct dns_node_list *l, const struct dns_zone *z, const struct dns_node *node)
{
	if (l->n == l->room) {
		size_t room = 2 * l->room + 4;
		struct dns_node_item *items = reallocarray(l->items, room, sizeof(*items));

		if (items == NULL)
			return false;
		l->items = items;
		l->room = room;
	}
	l->items[l->n++] = (struct dns_node_item){ dns_zone_hash(z, node->name, node->len), node };
	return true;
}

static bool
add_endpoint(struct dns_endpoint_list *l, uint64_t digest, const struct dns_node *node)
{
	if (l->n == l->room) {
		size_t room = 2 * l->room + 4;
		struct dns_endpoint_item *items = reallocarray(l->items, room, sizeof(*items));

		if (items == NULL)
			return false;
		l->items = items;
		l->room = room;
	}
	l->items[l->n++] = (struct dns_endpoint_item){ digest, node };
	return true;
}

static void
end_name(struct service_names *s)
{
	const struct dns_node *node;

	if (s->result < 0)
		return;
	s->result = dns_making_end(s->m, &node);
	if (s->result == 0 && !add_name(&s->out->names, s->m->zone, node))
		s->result = -ENOMEM;
}

/* A name below the service's. False: it would be too long to exist. */
static bool
begin_below(struct service_names *s, const uint8_t *label, unsigned len, uint8_t flags)
{
	struct dns_wire name = { 0 };

	if (!dns_wire_label(&name, (const char *)label, len) ||
		!dns_wire_end(&name, s->name.bytes, s->name.len))
		return false;
	dns_making_begin(s->m, &name, flags);
	return true;
}

/* --- addresses */

static void
put_addrs(struct service_names *s, const struct ip_addr *addrs, size_t n)
{
	dns_making_set(s->m, DNS_TYPE_A);
	for (size_t i = 0; i < n; i++)
		if (ip_addr_is_v4(&addrs[i]))
			dns_making_addr(s->m, &addrs[i]);
	dns_making_set(s->m, DNS_TYPE_AAAA);
	for (size_t i = 0; i < n; i++)
		if (!ip_addr_is_v4(&addrs[i]))
			dns_making_addr(s->m, &addrs[i]);
}

static void
put_group_addrs(struct service_names *s, size_t first, size_t end, bool is_v4)
{
	dns_making_set(s->m, is_v4 ? DNS_TYPE_A : DNS_TYPE_AAAA);
	for (size_t i = first; i < end; i++)
		if (ip_addr_is_v4(&s->endpoints->items[i].addr) == is_v4 &&
			!dns_endpoints_repeat(s->endpoints, first, i))
			dns_making_addr(s->m, &s->endpoints->items[i].addr);
}

static uint64_t
digest_group(const struct service_names *s, size_t first, size_t end, uint8_t flags)
{
	const struct dns_endpoint *e = &s->endpoints->items[first];
	_Alignas(DNS_CHUNK) uint8_t label[DNS_LABEL_MAX + 1] = { e->label_len };
	uint64_t digest = s->m->zone->seed ^ flags;

	memcpy(label + 1, e->label, e->label_len);
	for (unsigned at = 0; at <= e->label_len; at += DNS_CHUNK)
		digest = dns_hash_chunk(digest, _mm_load_si128((const __m128i *)(label + at)));
	for (size_t i = first; i < end; i++)
		if (!dns_endpoints_repeat(s->endpoints, first, i))
			digest = dns_hash_chunk(
				digest, _mm_loadu_si128((const __m128i *)&s->endpoints->items[i].addr));
	return dns_hash_end(digest, (unsigned)(end - first));
}

/* The name as it is in the version before, where it is made of the same; else NULL. Both are in order. */
static const struct dns_node *
find_built(struct service_names *s, const struct dns_endpoint *e, uint64_t digest)
{
	const struct dns_endpoint_list *built = s->built;

	while (s->n_passed < built->n) {
		const struct dns_endpoint_item *item = &built->items[s->n_passed];
		const uint8_t *name = item->node->name;

		if (item->digest == digest) {
			s->n_passed++;
			return item->node;
		}
		if (dns_label_compare(name + 1, name[0], e->label, e->label_len) >= 0)
			return NULL;
		s->n_passed++;
	}
	return NULL;
}

static void
build_endpoint(struct service_names *s, size_t first, size_t end)
{
	const struct dns_endpoint *e = &s->endpoints->items[first];
	uint8_t flags = s->service->headless || e->is_named ? DNS_NODE_NAMED : 0;
	uint64_t digest = digest_group(s, first, end, flags);
	const struct dns_node *node = find_built(s, e, digest);

	if (node == NULL) {
		if (!begin_below(s, e->label, e->label_len, flags))
			return;
		put_group_addrs(s, first, end, true);
		put_group_addrs(s, first, end, false);
		s->result = dns_making_end(s->m, &node);
	}
	if (s->result == 0 && !add_endpoint(&s->out->endpoints, digest, node))
		s->result = -ENOMEM;
}

/* --- ports */

static void
put_srv(struct service_names *s, const struct dns_port *wanted, unsigned prefix)
{
	const struct dns_srv srv = { s->m, s->service, s->endpoints, &s->name, wanted, prefix };

	dns_srv_put(&srv);
}

static const char *
proto_label(uint8_t proto)
{
	return proto == PROTO_TCP ? "_tcp" : proto == PROTO_UDP ? "_udp" : "_sctp";
}

static void
build_port(struct service_names *s, const struct dns_port *port)
{
	const char *proto = proto_label(port->proto);
	struct dns_wire name = { 0 };
	char label[DNS_LABEL_MAX + 1];
	unsigned prefix;
	int n = snprintf(label, sizeof(label), "_%s", port->name);

	if (n < 0 || (size_t)n >= sizeof(label) || !dns_wire_label(&name, label, (size_t)n) ||
		!dns_wire_label(&name, proto, strlen(proto)))
		return;
	prefix = name.len;
	if (!dns_wire_end(&name, s->name.bytes, s->name.len))
		return;
	dns_making_begin(s->m, &name, DNS_NODE_PORT);
	s->m->prefix_len = (uint8_t)prefix;
	put_srv(s, port, prefix);
	if (s->m->n_units != 0) /* else no ready endpoint has it */
		end_name(s);
}

static size_t
n_ports(const struct service_names *s)
{
	size_t n = 0;

	if (!s->service->headless)
		return s->service->n_ports;
	for (size_t i = 0; i < s->n_slices; i++)
		n += s->slices[i]->n_ports;
	return n;
}

static int
compare_ports(const void *a, const void *b)
{
	const struct dns_port *x = a, *y = b;

	return x->proto != y->proto ? x->proto - y->proto : strcmp(x->name, y->name);
}

/* By protocol and name; a headless service has those of its endpoints. */
static size_t
collect_ports(const struct service_names *s, struct dns_port *out)
{
	size_t n = 0;

	for (size_t i = 0; !s->service->headless && i < s->service->n_ports; i++)
		out[n++] = (struct dns_port){ s->service->ports[i].name, s->service->ports[i].port,
			s->service->ports[i].proto };
	for (size_t i = 0; s->service->headless && i < s->n_slices; i++)
		for (size_t k = 0; k < s->slices[i]->n_ports; k++)
			out[n++] = (struct dns_port){ s->slices[i]->ports[k].name,
				s->slices[i]->ports[k].port, s->slices[i]->ports[k].proto };
	qsort(out, n, sizeof(*out), compare_ports);
	return n;
}

/* Each named port, and the protocols, which are names because others are below them. */
static void
build_ports(struct service_names *s)
{
	size_t n = n_ports(s);
	struct dns_port *ports = calloc(n + 1, sizeof(*ports));
	uint8_t last_proto = 0;

	if (ports == NULL) {
		s->result = -ENOMEM;
		return;
	}
	n = collect_ports(s, ports);
	for (size_t i = 0; i < n && s->result == 0; i++) {
		const char *proto = proto_label(ports[i].proto);

		if (*ports[i].name == '\0' || (i > 0 && compare_ports(&ports[i], &ports[i - 1]) == 0))
			continue;
		if (ports[i].proto != last_proto &&
			begin_below(s, (const uint8_t *)proto, (unsigned)strlen(proto), 0))
			end_name(s);
		last_proto = ports[i].proto;
		build_port(s, &ports[i]);
	}
	free(ports);
}

/* --- kinds of services */

static void
build_cluster_ip(struct service_names *s)
{
	dns_making_begin(s->m, &s->name, DNS_NODE_NAMED);
	put_addrs(s, s->service->cluster_ips, s->service->n_cluster_ips);
	put_srv(s, NULL, 0);
	end_name(s);
	build_ports(s);
}

static void
build_headless(struct service_names *s)
{
	if (s->endpoints->n == 0)
		return;
	dns_making_begin(s->m, &s->name, 0);
	put_addrs(s, s->endpoints->addrs, s->endpoints->n_addrs);
	put_srv(s, NULL, 0);
	end_name(s);
	build_ports(s);
}

static void
build_endpoints(struct service_names *s)
{
	const struct dns_endpoints *e = s->endpoints;

	for (size_t first = 0, end; first < e->n && s->result == 0; first = end) {
		end = dns_endpoints_group_end(e, first);
		build_endpoint(s, first, end);
	}
}

static void
build_external(struct service_names *s)
{
	const char *text = s->service->external_name;
	struct dns_wire target;
	struct ip_addr addr;

	if (text == NULL || ip_addr_parse(text, &addr) || !dns_wire_parse(text, &target))
		return;
	dns_making_begin(s->m, &s->name, 0);
	dns_making_set(s->m, DNS_TYPE_CNAME);
	dns_making_unit(s->m);
	dns_making_record(s->m, target.bytes, target.len);
	end_name(s);
}

/* A name with a dot is none of a service: the API server refuses it. */
static bool
name_service(struct service_names *s, const struct dns_zone *z)
{
	const struct object *o = &s->service->object;

	return strchr(o->name, '.') == NULL && dns_wire_label(&s->name, o->name, strlen(o->name)) &&
	       dns_wire_label(&s->name, o->ns, strlen(o->ns)) && dns_wire_label(&s->name, "svc", 3) &&
	       dns_wire_end(&s->name, z->name, z->len);
}

int
dns_service_build(struct dns_making *m, const struct service_object *service,
	const struct slice_object *const *slices, size_t n_slices, struct dns_endpoints *scratch,
	const struct dns_service_nodes *built, struct dns_service_nodes *out)
{
	struct service_names s = { .m = m,
		.service = service,
		.slices = slices,
		.n_slices = n_slices,
		.endpoints = scratch,
		.built = &built->endpoints,
		.out = out };

	if (!name_service(&s, m->zone))
		return 0;
	if (service->type == SERVICE_EXTERNAL_NAME) {
		build_external(&s);
		return s.result;
	}
	if (!service->headless && service->n_cluster_ips == 0)
		return 0;
	if (dns_endpoints_collect(scratch, service, slices, n_slices) < 0)
		return -ENOMEM;
	if (service->headless)
		build_headless(&s);
	else
		build_cluster_ip(&s);
	build_endpoints(&s);
	return s.result;
}
