#include "control/build/dns_srv.h"

static bool
wants(const struct dns_srv *s, const char *name, uint8_t proto)
{
	return s->wanted == NULL || (s->wanted->proto == proto && strcmp(s->wanted->name, name) == 0);
}

static bool
wants_slice_port(const struct dns_srv *s, const struct slice_port *port)
{
	return wants(s, port->name, port->proto);
}

/* --- endpoints */

/* Pods that share a hostname may be many, and their slices are few. */
static bool
has_slice_before(const struct dns_endpoints *e, size_t first, size_t i)
{
	for (size_t k = i; k > first; k--)
		if (e->items[k - 1].slice == e->items[i].slice)
			return true;
	return false;
}

/* Whether the target has a record with this port already: the record tells neither the port's name nor its protocol, and a set has
 * each record once (RFC 2181 section 5). index: the port's in the slice of endpoint i. */
static bool
has_port_before(const struct dns_srv *s, size_t first, size_t i, size_t index)
{
	const struct dns_endpoint *items = s->endpoints->items;
	uint16_t number = items[i].slice->ports[index].port;

	for (size_t k = first; k <= i; k++) {
		const struct slice_object *slice = items[k].slice;
		size_t n = k == i ? index : slice->n_ports;

		for (size_t p = 0; p < n; p++)
			if (slice->ports[p].port == number && wants_slice_port(s, &slice->ports[p]))
				return true;
	}
	return false;
}

/* The records that an endpoint adds to its target. Returns how many of its ports are wanted. */
static size_t
put_ports(const struct dns_srv *s, size_t first, size_t i, const struct dns_wire *target)
{
	const struct slice_object *slice = s->endpoints->items[i].slice;
	bool is_new = !has_slice_before(s->endpoints, first, i);
	size_t n = 0;

	for (size_t p = 0; p < slice->n_ports; p++) {
		if (!wants_slice_port(s, &slice->ports[p]))
			continue;
		if (is_new && !has_port_before(s, first, i, p))
			dns_making_srv(s->m, slice->ports[p].port, target);
		n++;
	}
	return n;
}

static bool
has_wanted(const struct dns_srv *s, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++) {
		const struct slice_object *slice = s->endpoints->items[i].slice;

		for (size_t p = 0; p < slice->n_ports; p++)
			if (wants_slice_port(s, &slice->ports[p]))
				return true;
	}
	return false;
}

/* A target with its records and addresses. Returns its shares of the weight. */
static size_t
put_target(const struct dns_srv *s, size_t first, size_t end)
{
	const struct dns_endpoint *items = s->endpoints->items;
	struct dns_wire target = { 0 };
	size_t n_shares = 0;

	if (!has_wanted(s, first, end) ||
		!dns_wire_label(&target, (const char *)items[first].label, items[first].label_len) ||
		!dns_wire_end(&target, s->name->bytes, s->name->len))
		return 0;
	dns_making_unit(s->m);
	for (size_t i = first; i < end; i++)
		n_shares += put_ports(s, first, i, &target);
	for (size_t i = first; i < end; i++)
		if (!dns_endpoints_repeat(s->endpoints, first, i))
			dns_making_glue(s->m, target.bytes, target.bytes[0] + 1u, s->prefix, &items[i].addr);
	return n_shares;
}

static size_t
put_targets(const struct dns_srv *s)
{
	const struct dns_endpoints *e = s->endpoints;
	const uint32_t *n = &s->m->sets[s->m->n_sets - 1].n;
	size_t n_shares = 0;

	for (size_t first = 0, end; first < e->n && *n < DNS_TARGETS_MAX; first = end) {
		end = dns_endpoints_group_end(e, first);
		n_shares += put_target(s, first, end);
	}
	return n_shares;
}

/* --- the service itself */

/* As above: the same number, for another protocol. */
static bool
has_service_port_before(const struct dns_srv *s, size_t index)
{
	const struct service_port *ports = s->service->ports;

	for (size_t i = 0; i < index; i++)
		if (ports[i].port == ports[index].port && wants(s, ports[i].name, ports[i].proto))
			return true;
	return false;
}

static size_t
put_service(const struct dns_srv *s)
{
	const struct service_object *service = s->service;
	size_t n = 0;

	if (service->n_ports == 0)
		return 0;
	dns_making_unit(s->m);
	for (size_t i = 0; i < service->n_ports; i++) {
		if (!wants(s, service->ports[i].name, service->ports[i].proto))
			continue;
		if (!has_service_port_before(s, i))
			dns_making_srv(s->m, service->ports[i].port, s->name);
		n++;
	}
	for (size_t i = 0; i < service->n_cluster_ips; i++)
		dns_making_glue(s->m, s->name->bytes, 0, s->prefix, &service->cluster_ips[i]);
	return n * service->n_cluster_ips;
}

void
dns_srv_put(const struct dns_srv *s)
{
	dns_making_set(s->m, DNS_TYPE_SRV);
	dns_making_weights(s->m, s->service->headless ? put_targets(s) : put_service(s));
}
