#include "control/build/wanted.h"

#include <errno.h>
#include <stdlib.h>

#include "control/build/dns_backends.h"
#include "control/build/dns_options.h"
#include "control/build/endpoint_select.h"
#include "control/build/facts.h"
#include "dataplane/net/headers.h"

int
wanted_add(struct wanted *w, const struct wanted_frontend *f)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->frontends[i].port == f->port && w->frontends[i].proto == f->proto &&
			ip_addr_eq(&w->frontends[i].addr, &f->addr))
			return 0;
	if (w->n == w->room) {
		size_t room = w->room == 0 ? 4 : 2 * w->room;
		struct wanted_frontend *frontends = realloc(w->frontends, room * sizeof(*frontends));

		if (frontends == NULL)
			return -ENOMEM;
		w->frontends = frontends;
		w->room = room;
	}
	w->frontends[w->n++] = *f;
	return 0;
}

/* One address on all of the service's ports, or on their node ports. */
static int
add_addr(struct wanted *w, const struct service_object *service, const struct ip_addr *addr,
	enum frontend_kind kind)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < service->n_ports; i++) {
		const struct service_port *port = &service->ports[i];
		struct wanted_frontend f = {
			.addr = *addr,
			.port = kind == FRONTEND_NODE_PORT ? port->node_port : port->port,
			.proto = port->proto,
			.kind = (uint8_t)kind,
			.service_port = (uint32_t)i,
		};

		if (f.port != 0 && f.proto != 0)
			result = wanted_add(w, &f);
	}
	return result;
}

static bool
is_in(const struct ip_prefix *prefixes, size_t n, const struct ip_addr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (ip_prefix_contains(&prefixes[i], addr))
			return true;
	return false;
}

static bool
is_one_of(const struct ip_addr *addrs, size_t n, const struct ip_addr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (ip_addr_eq(&addrs[i], addr))
			return true;
	return false;
}

bool
wanted_is_special(const struct ip_addr *addr)
{
	static const char *const ranges[] = { "169.254.0.0/16", "127.0.0.0/8", "0.0.0.0/8", "::1/128",
		"fe80::/10", "fd00:ec2::254/128" };

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		struct ip_prefix range;

		if (ip_prefix_parse(ranges[i], &range) && ip_prefix_contains(&range, addr))
			return true;
	}
	return ip_addr_is_multicast(addr);
}

struct node_search {
	const struct ip_addr *addr;
	enum refusal found;
};

static void
search_node(const struct object *object, void *arg)
{
	const struct node_object *node = (const struct node_object *)object;
	struct node_search *s = arg;

	if (is_one_of(node->addrs, node->n_addrs, s->addr) ||
		is_one_of(node->external_addrs, node->n_external_addrs, s->addr))
		s->found = REFUSED_NODE_ADDRESS;
	if (is_in(node->pod_cidrs, node->n_pod_cidrs, s->addr))
		s->found = REFUSED_POD_RANGE;
}

static enum refusal
judge(const struct wanted_context *c, const struct ip_addr *addr, enum frontend_kind kind)
{
	struct node_search s = { addr, REFUSED_NONE };

	if (wanted_is_special(addr))
		return REFUSED_SPECIAL;
	if (c->facts->dns != NULL && is_one_of(c->facts->dns->local, c->facts->dns->n_local, addr))
		return REFUSED_NODE_ADDRESS;
	if (is_in(c->facts->service_cidrs, c->facts->n_service_cidrs, addr))
		return REFUSED_SERVICE_RANGE;
	if (is_in(c->facts->pod_cidrs, c->facts->n_pod_cidrs, addr))
		return REFUSED_POD_RANGE;
	if (kind == FRONTEND_EXTERNAL_IP &&
		!is_in(c->facts->external_ranges, c->facts->n_external_ranges, addr))
		return REFUSED_NOT_LISTED;
	/* a balancer's may be on an interface here, of whoever holds it just now (kube-vip, keepalived), but not be one by
	 * which a node is known */
	if (kind != FRONTEND_LOAD_BALANCER && is_one_of(c->facts->own_addrs, c->facts->n_own_addrs, addr))
		return REFUSED_NODE_ADDRESS;
	store_each(c->store, OBJECT_NODE, search_node, &s);
	return s.found;
}

static int
refuse(struct wanted *w, const struct ip_addr *addr, enum refusal why)
{
	if (w->n_refused == w->refused_room) {
		size_t room = w->refused_room == 0 ? 4 : 2 * w->refused_room;
		struct refused_addr *refused = realloc(w->refused, room * sizeof(*refused));

		if (refused == NULL)
			return -ENOMEM;
		w->refused = refused;
		w->refused_room = room;
	}
	w->refused[w->n_refused++] = (struct refused_addr){ *addr, why };
	return 0;
}

static int
add_external(struct wanted *w, const struct wanted_context *c, const struct service_object *service,
	const struct ip_addr *addr, enum frontend_kind kind)
{
	enum refusal why;

	if (ip_addr_is_none(addr))
		return 0;
	why = judge(c, addr, kind);
	return why == REFUSED_NONE ? add_addr(w, service, addr, kind) : refuse(w, addr, why);
}

/* A family in which the service has no cluster address is none of its own. */
static bool
has_family(const struct service_object *service, const struct ip_addr *addr)
{
	for (size_t i = 0; i < service->n_cluster_ips; i++)
		if (ip_addr_is_v4(&service->cluster_ips[i]) == ip_addr_is_v4(addr))
			return true;
	return false;
}

/* Where DNS is answered on this node, the DNS service gets what is not, and what comes by TCP. */
static int
add_local(struct wanted *w, const struct dns_options *dns, const struct service_object *service)
{
	static const uint8_t protos[] = { PROTO_UDP, PROTO_TCP };
	int result = 0;

	if (strcmp(service->object.name, dns->service) != 0 ||
		strcmp(service->object.ns, dns->service_ns) != 0)
		return 0;
	for (unsigned i = 0; i < dns->n_local * 2 && result == 0; i++) {
		const struct service_port *port = dns_service_port(service, protos[i % 2]);
		struct wanted_frontend f = {
			.addr = dns->local[i / 2],
			.port = DNS_PORT,
			.proto = protos[i % 2],
			.kind = FRONTEND_LOCAL_ADDRESS,
			.service_port = port == NULL ? 0 : (uint32_t)(port - service->ports),
		};

		if (port != NULL && has_family(service, &f.addr))
			result = wanted_add(w, &f);
	}
	return result;
}

static bool
has_node_ports(const struct service_object *service)
{
	return service->type == SERVICE_NODE_PORT || service->type == SERVICE_LOAD_BALANCER;
}

int
wanted_collect(struct wanted *w, const struct wanted_context *c, const struct service_object *service)
{
	int result = 0;

	if (!service_is_served(service))
		return 0;
	for (size_t i = 0; result == 0 && i < service->n_cluster_ips; i++)
		if (!ip_addr_is_none(&service->cluster_ips[i]))
			result = add_addr(w, service, &service->cluster_ips[i], FRONTEND_CLUSTER_IP);
	if (result == 0 && c->facts->dns != NULL)
		result = add_local(w, c->facts->dns, service);
	for (size_t i = 0; result == 0 && has_node_ports(service) && i < c->facts->n_node_port_addrs; i++)
		if (has_family(service, &c->facts->node_port_addrs[i]))
			result = add_addr(w, service, &c->facts->node_port_addrs[i], FRONTEND_NODE_PORT);
	for (size_t i = 0; result == 0 && service->type == SERVICE_LOAD_BALANCER && i < service->n_ingress;
		i++)
		if (!service->ingress[i].is_proxy)
			result = add_external(
				w, c, service, &service->ingress[i].addr, FRONTEND_LOAD_BALANCER);
	for (size_t i = 0; result == 0 && i < service->n_external_ips; i++)
		result = add_external(w, c, service, &service->external_ips[i], FRONTEND_EXTERNAL_IP);
	return result;
}

void
wanted_fini(struct wanted *w)
{
	free(w->frontends);
	free(w->refused);
	*w = (struct wanted){ 0 };
}

bool
wanted_needs_nodes(const struct service_object *service)
{
	return service->n_ingress != 0 || service->n_external_ips != 0;
}

const char *
refusal_text(enum refusal why)
{
	static const char *const texts[N_REFUSALS] = {
		[REFUSED_NONE] = "is served",
		[REFUSED_POD_RANGE] = "is in a range of pods' addresses",
		[REFUSED_SERVICE_RANGE] = "is in a range of service addresses",
		[REFUSED_NODE_ADDRESS] = "is a node's address",
		[REFUSED_SPECIAL] = "is link-local, loopback or multicast",
		[REFUSED_NOT_LISTED] = "is in none of cluster.externalIPRanges",
	};

	return texts[why];
}
