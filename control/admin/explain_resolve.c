#include <stdio.h>
#include <string.h>

#include "control/admin/explain.h"

/* A sender's or receiver's addresses, of which one family is chosen. */
struct candidates {
	struct ip_addr addrs[N_FAMILIES]; /* none where there is none */
	enum family_index first;          /* the family to prefer */
};

static enum family_index
family_of(const struct ip_addr *addr)
{
	return ip_addr_is_v4(addr) ? V4 : V6;
}

static struct candidates
from_list(const struct ip_addr *addrs, size_t n)
{
	struct candidates c = { .first = n == 0 ? V4 : family_of(&addrs[0]) };

	for (size_t i = n; i-- > 0;)
		c.addrs[family_of(&addrs[i])] = addrs[i];
	return c;
}

static const struct endpoint *
endpoint_of_addr(const struct tables *t, const struct ip_addr *addr)
{
	for (unsigned i = 0; i < t->endpoints->n; i++)
		if (ip_addr_eq(&t->endpoints->endpoints[i].addrs[family_of(addr)], addr))
			return &t->endpoints->endpoints[i];
	return NULL;
}

static const struct endpoint *
endpoint_of_name(const struct explain_context *c, const char *ns, const char *name)
{
	const struct view *v = c->names.view;

	for (unsigned i = 0; i < v->n_ports; i++)
		if (v->ports[i].kind == PORT_KIND_POD && strcmp(v->ports[i].ns, ns) == 0 &&
			strcmp(v->ports[i].name, name) == 0)
			return endpoint_of_port(c->names.tables->endpoints, v->ports[i].id);
	return NULL;
}

static void
set_local_sender(const struct explain_context *c, const struct endpoint *ep, struct explain_packet *out)
{
	out->sender = ep->is_host ? SENDER_HOST : SENDER_POD;
	out->in_port = ep->port;
	out->worker = c->names.tables->node->port_owner[ep->port];
	out->probe.eth_src = ep->mac;
	out->probe.eth_dst = c->names.tables->node->gateway_mac;
}

/* From another node's pod: the tunnel's outer headers as that node writes them. */
static bool
set_remote_sender(const struct explain_context *c, const struct ip_addr *src, struct explain_packet *out,
	struct admin_reply *reply)
{
	const struct tables *t = c->names.tables;
	const struct route *r = route_lookup(t->routes, src);
	const struct fdb_entry *peer;
	char text[IP_ADDR_STRLEN];

	if (r == NULL || r->kind != ROUTE_VTEP) {
		admin_fail(reply, 422,
			"`ringway pods` lists the pods of this node, `ringway nodes` the pod networks of the "
			"others; a client outside the cluster is --from outside:ADDRESS",
			"%s is not the address of a pod of this node, nor in the pod network of another",
			ip_addr_format(src, text));
		return false;
	}
	if (t->node->uplink_port[0] >= PORTS_MAX) {
		admin_fail(reply, 503, "`ringway status` tells why",
			"there is no uplink, so nothing comes from %s", ip_addr_format(src, text));
		return false;
	}
	peer = &t->fdb->entries[r->target];
	out->sender = SENDER_REMOTE;
	out->in_port = t->node->uplink_port[0];
	out->worker = t->node->port_owner[out->in_port];
	out->probe.eth_src = peer->inner;
	out->probe.eth_dst = t->node->tunnel_mac;
	out->tunnel = (struct probe_tunnel){
		.eth_src = peer->next_hop,
		.eth_dst = t->node->uplink_mac,
		.src = peer->vtep,
		.dst = t->node->vtep,
		.port = t->node->vxlan_port,
		.vni = t->node->vni,
	};
	return true;
}

/* A client outside: by the router that leads there, if its MAC is known. The pipeline says whether it is outside at all. */
static bool
set_outside_sender(const struct explain_context *c, const struct ip_addr *src, struct explain_packet *out,
	struct admin_reply *reply)
{
	static const struct mac_addr some_router = { { 0x02, 0x72, 0x77, 0x00, 0x00, 0xfe } };
	const struct tables *t = c->names.tables;
	const struct route *r = route_lookup(t->routes, src);
	char text[IP_ADDR_STRLEN];

	if (t->node->uplink_port[0] >= PORTS_MAX) {
		admin_fail(reply, 503, "`ringway status` tells why",
			"there is no uplink, so nothing comes from %s", ip_addr_format(src, text));
		return false;
	}
	out->sender = SENDER_OUTSIDE;
	out->in_port = t->node->uplink_port[0];
	out->worker = t->node->port_owner[out->in_port];
	out->probe.eth_src = r != NULL && r->kind == ROUTE_UNDERLAY && !mac_is_zero(&r->next_hop)
				     ? r->next_hop
				     : some_router;
	out->probe.eth_dst = t->node->uplink_mac;
	return true;
}

static bool
no_such_sender(const struct question *q, const char *why, struct admin_reply *reply)
{
	admin_fail(reply, 404, "`ringway pods` lists the pods of this node", "%s: %s/%s", why, q->from.ns,
		q->from.name);
	return false;
}

static bool
resolve_named_sender(const struct explain_context *c, const struct question *q, struct candidates *addrs,
	struct explain_packet *out, struct admin_reply *reply)
{
	const struct endpoint *ep = endpoint_of_name(c, q->from.ns, q->from.name);
	const struct pod_object *pod;

	if (ep != NULL) {
		set_local_sender(c, ep, out);
		*addrs = (struct candidates){ { ep->addrs[V4], ep->addrs[V6] }, V4 };
		return true;
	}
	pod = (const struct pod_object *)store_get(c->names.store, OBJECT_POD, q->from.ns, q->from.name);
	if (pod == NULL)
		return no_such_sender(q, "there is no such pod", reply);
	if (pod->host_network)
		return no_such_sender(
			q, "this pod is on its node's own network: ask there, with --from node", reply);
	if (strcmp(pod->node, c->self) == 0)
		return no_such_sender(q, "this pod of this node is not attached (yet)", reply);
	if (pod->n_addrs == 0)
		return no_such_sender(q, "this pod has no address (yet)", reply);
	*addrs = from_list(pod->addrs, pod->n_addrs);
	return set_remote_sender(c, &pod->addrs[0], out, reply);
}

static bool
resolve_from(const struct explain_context *c, const struct question *q, struct candidates *addrs,
	struct explain_packet *out, struct admin_reply *reply)
{
	const struct endpoint_table *t = c->names.tables->endpoints;
	const struct endpoint *ep;

	switch (q->from.kind) {
	case PARTY_NAME:
		return resolve_named_sender(c, q, addrs, out, reply);
	case PARTY_NODE:
		if (t->host == ENDPOINT_NONE) {
			admin_fail(reply, 503, "`ringway status` tells why",
				"the host's stack is not connected (yet)");
			return false;
		}
		set_local_sender(c, &t->endpoints[t->host], out);
		*addrs = (struct candidates){ { t->host_addrs[V4][0], t->host_addrs[V6][0] }, V4 };
		return true;
	case PARTY_ADDRESS:
		*addrs = from_list(&q->from.addr, 1);
		ep = endpoint_of_addr(c->names.tables, &q->from.addr);
		if (ep == NULL && endpoint_host_slot(t, &q->from.addr) >= 0 && t->host != ENDPOINT_NONE)
			ep = &t->endpoints[t->host];
		if (ep == NULL)
			return set_remote_sender(c, &q->from.addr, out, reply);
		set_local_sender(c, ep, out);
		return true;
	case PARTY_OUTSIDE:
		*addrs = from_list(&q->from.addr, 1);
		return set_outside_sender(c, &q->from.addr, out, reply);
	}
	return false;
}

static const struct service_port *
find_port(const struct service_object *service, const struct question *q)
{
	if (q->dport == 0 && *q->port_name == '\0' && service->n_ports == 1)
		return &service->ports[0];
	for (size_t i = 0; i < service->n_ports; i++)
		if (*q->port_name != '\0' && strcmp(service->ports[i].name, q->port_name) == 0)
			return &service->ports[i];
	return NULL;
}

static bool
no_such_port(const struct question *q, struct admin_reply *reply)
{
	admin_fail(reply, 422, "`ringway services` lists its ports", "service %s/%s has no port '%s'",
		q->to.ns, q->to.name, q->port_name);
	return false;
}

/* The port that is asked for, by the service's own number or its node port; NULL: it has none like this. */
static const struct service_port *
find_exposed_port(const struct service_object *service, const struct question *q)
{
	for (size_t i = 0; q->dport != 0 && i < service->n_ports; i++)
		if (service->ports[i].proto == q->proto &&
			(service->ports[i].port == q->dport || service->ports[i].node_port == q->dport))
			return &service->ports[i];
	return q->dport != 0 ? NULL : find_port(service, q);
}

/* From outside, a service has other addresses and ports. */
static bool
resolve_exposed_service(const struct explain_context *c, const struct service_object *service,
	const struct question *q, struct candidates *addrs, struct probe *probe, struct admin_reply *reply)
{
	const struct service_port *port = find_exposed_port(service, q);
	const struct frontend *f = explain_exposed(c, &service->object, port, ip_addr_is_v4(&q->from.addr));

	if (f == NULL) {
		admin_fail(reply, 422,
			"`ringway services NAMESPACE/NAME` shows the addresses that it has outside, and "
			"which "
			"were refused",
			"clients outside reach service %s/%s at no address of their family", q->to.ns,
			q->to.name);
		return false;
	}
	*addrs = from_list(&f->addr, 1);
	if (port == NULL)
		return q->dport != 0 || q->proto == PROTO_ICMP ? true : no_such_port(q, reply);
	probe->dport = f->port;
	probe->proto = f->proto;
	return true;
}

static bool
resolve_service(const struct service_object *service, const struct question *q, struct candidates *addrs,
	struct probe *probe, struct admin_reply *reply)
{
	const struct service_port *port;

	if (service->type == SERVICE_EXTERNAL_NAME) {
		admin_fail(reply, 422, "ask about the address that its clients resolve it to",
			"service %s/%s is another name for %s", q->to.ns, q->to.name, service->external_name);
		return false;
	}
	if (service->n_cluster_ips == 0) {
		admin_fail(reply, 422, "clients of a headless service address its pods: name one of them",
			"service %s/%s is headless", q->to.ns, q->to.name);
		return false;
	}
	*addrs = from_list(service->cluster_ips, service->n_cluster_ips);
	if (q->dport != 0 || q->proto == PROTO_ICMP)
		return true; /* a port that the service lacks is a good question, too */
	port = find_port(service, q);
	if (port == NULL)
		return no_such_port(q, reply);
	probe->dport = port->port;
	probe->proto = port->proto;
	return true;
}

/* From outside, a pod is reached by its host ports, of which one may lead to the port that is asked for. */
static void
resolve_host_port(const struct explain_context *c, const struct question *q, struct candidates *addrs,
	struct probe *probe)
{
	const struct frontend *f =
		explain_exposed_pod(c, q->to.ns, q->to.name, q->dport, ip_addr_is_v4(&q->from.addr));

	if (f == NULL || f->proto != q->proto)
		return;
	*addrs = from_list(&f->addr, 1);
	probe->dport = f->port;
}

static bool
resolve_named_target(const struct explain_context *c, const struct question *q, struct candidates *addrs,
	struct probe *probe, struct admin_reply *reply)
{
	const struct object *service = store_get(c->names.store, OBJECT_SERVICE, q->to.ns, q->to.name);
	const struct pod_object *pod;
	const struct endpoint *ep;

	if (service != NULL && q->from.kind == PARTY_OUTSIDE)
		return resolve_exposed_service(
			c, (const struct service_object *)service, q, addrs, probe, reply);
	if (service != NULL)
		return resolve_service((const struct service_object *)service, q, addrs, probe, reply);
	ep = endpoint_of_name(c, q->to.ns, q->to.name);
	pod = (const struct pod_object *)store_get(c->names.store, OBJECT_POD, q->to.ns, q->to.name);
	if (ep == NULL && (pod == NULL || pod->n_addrs == 0)) {
		admin_fail(reply, 404,
			"`ringway services` lists the services, `ringway pods` the pods of this node",
			"there is no service and no pod with an address %s/%s", q->to.ns, q->to.name);
		return false;
	}
	*addrs = ep != NULL ? (struct candidates){ { ep->addrs[V4], ep->addrs[V6] }, V4 }
			    : from_list(pod->addrs, pod->n_addrs);
	if (q->dport == 0 && q->proto != PROTO_ICMP) {
		admin_fail(reply, 422, NULL, "which port of pod %s/%s? Add it, as in %s/%s:80/tcp, or /icmp",
			q->to.ns, q->to.name, q->to.ns, q->to.name);
		return false;
	}
	if (q->from.kind == PARTY_OUTSIDE)
		resolve_host_port(c, q, addrs, probe);
	return true;
}

/* The first family that both have. */
static bool
choose_family(const struct candidates *from, const struct candidates *to, struct probe *probe,
	struct admin_reply *reply)
{
	for (unsigned i = 0; i < N_FAMILIES; i++) {
		unsigned family = i == 0 ? to->first : V4 + V6 - to->first;

		if (ip_addr_is_none(&from->addrs[family]) || ip_addr_is_none(&to->addrs[family]))
			continue;
		probe->src = from->addrs[family];
		probe->dst = to->addrs[family];
		return true;
	}
	admin_fail(reply, 422, NULL, "the sender has no address of the destination's family");
	return false;
}

bool
explain_resolve(const struct explain_context *c, const struct question *q, struct explain_packet *out,
	struct admin_reply *reply)
{
	struct candidates from = { 0 }, to = { 0 };
	struct probe *probe = &out->probe;
	unsigned least;

	memset(out, 0, sizeof(*out));
	probe->sport = q->sport;
	probe->dport = q->dport;
	probe->proto = q->proto;
	if (!resolve_from(c, q, &from, out, reply))
		return false;
	if (q->to.kind == PARTY_ADDRESS)
		to = from_list(&q->to.addr, 1);
	else if (!resolve_named_target(c, q, &to, probe, reply))
		return false;
	if (!choose_family(&from, &to, probe, reply))
		return false;
	if (probe->proto == PROTO_ICMP && !ip_addr_is_v4(&probe->dst))
		probe->proto = PROTO_ICMPV6;
	probe->tcp_flags = probe->proto == PROTO_TCP ? q->tcp_flags : 0;
	least = probe_least_size(probe);
	probe->size = (uint16_t)(q->size < least ? least : q->size);
	return true;
}
