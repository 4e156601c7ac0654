#include <stdlib.h>

#include "control/source/decode.h"

static void
check_twin(const struct field *entry, const struct service_object *s, const struct service_port *port)
{
	for (const struct service_port *p = s->ports; p < port; p++) {
		if (p->port == port->port && p->proto == port->proto)
			field_fail(entry, "port %u is given twice for this protocol", port->port);
		else if (p->name != NULL && port->name != NULL && strcmp(p->name, port->name) == 0)
			field_fail(entry,
				"the name \"%.60s\" is given twice; with several ports each needs its own",
				port->name);
	}
}

static void
decode_ports(const struct field *spec, struct service_object *s)
{
	struct field list = field_member(spec, "ports");
	size_t n = field_count(&list);

	if (n == 0 && !s->headless)
		field_fail(&list, "is missing: a service needs a port");
	s->ports = field_alloc(&list, n, sizeof(*s->ports));
	for (size_t i = 0; s->ports != NULL && i < n; i++) {
		struct field entry = field_element(&list, i);
		struct field name = field_member(&entry, "name"), number = field_member(&entry, "port");
		struct field proto = field_member(&entry, "protocol");
		struct service_port *port = &s->ports[s->n_ports++];

		port->name = field_text(&name, "");
		port->port = (uint16_t)field_number(&number, 1, 65535);
		port->proto = field_proto(&proto);
		check_twin(&entry, s, port);
	}
}

static void
decode_cluster_ips(const struct field *spec, struct service_object *s)
{
	struct field list = field_member(spec, "clusterIPs"), single = field_member(spec, "clusterIP");
	const char *first = field_peek(&single);
	size_t n = field_count(&list);

	if (n != 0) {
		struct field f = field_element(&list, 0);

		if (*first != '\0' && strcmp(first, field_peek(&f)) != 0)
			field_fail(&f, "must be clusterIP, %.60s", first);
		first = field_peek(&f);
	}
	s->cluster_ips = field_alloc(&list, n + 1, sizeof(*s->cluster_ips));
	if (s->cluster_ips == NULL)
		return;
	if (*first == '\0') {
		field_fail(&single, "is missing: nothing assigns addresses to services of a file; give one, "
				    "or None for a headless "
				    "service");
	} else if (strcmp(first, "None") == 0) {
		s->headless = true;
		if (n > 1)
			field_fail(&list, "has None and an address");
	} else if (n == 0) {
		s->cluster_ips[s->n_cluster_ips++] = field_addr(&single);
	} else {
		for (size_t i = 0; i < n; i++) {
			struct field f = field_element(&list, i);

			s->cluster_ips[s->n_cluster_ips++] = field_addr(&f);
		}
	}
	if (s->n_cluster_ips > 2 || (s->n_cluster_ips == 2 && ip_addr_is_v4(&s->cluster_ips[0]) ==
								      ip_addr_is_v4(&s->cluster_ips[1])))
		field_fail(&list, "must hold at most one address of each family");
}

bool
service_decode(const struct field *root, struct service_object *s)
{
	struct field spec = field_member(root, "spec"), type = field_member(&spec, "type");
	struct field selector = field_member(&spec, "selector");
	struct field not_ready = field_member(&spec, "publishNotReadyAddresses");

	if (spec.value == NULL)
		field_fail(&spec, "is missing");
	/* a name in DNS, without address and endpoints */
	if (strcmp(field_peek(&type), "ExternalName") == 0)
		return false;
	decode_cluster_ips(&spec, s);
	decode_ports(&spec, s);
	labels_decode(&selector, &s->selector);
	s->publish_not_ready = field_bool(&not_ready, false);
	return true;
}

static void
decode_slice_ports(const struct field *root, struct slice_object *slice)
{
	struct field list = field_member(root, "ports");
	size_t n = field_count(&list);

	slice->ports = field_alloc(&list, n, sizeof(*slice->ports));
	for (size_t i = 0; slice->ports != NULL && i < n; i++) {
		struct field entry = field_element(&list, i);
		struct field name = field_member(&entry, "name"), number = field_member(&entry, "port");
		struct field proto = field_member(&entry, "protocol");
		struct slice_port *port = &slice->ports[slice->n_ports];

		if (number.value == NULL)
			continue; /* "all ports": means nothing to a service */
		slice->n_ports++;
		port->name = field_text(&name, "");
		port->port = (uint16_t)field_number(&number, 1, 65535);
		port->proto = field_proto(&proto);
	}
}

static void
decode_endpoint(const struct field *f, uint8_t family, struct slice_endpoint *e)
{
	struct field addresses = field_member(f, "addresses"), conditions = field_member(f, "conditions");
	struct field ready = field_member(&conditions, "ready"),
		     serving = field_member(&conditions, "serving");
	struct field terminating = field_member(&conditions, "terminating");
	struct field node = field_member(f, "nodeName"), target = field_member(f, "targetRef");
	struct field kind = field_member(&target, "kind"), name = field_member(&target, "name");
	size_t n = field_count(&addresses);

	if (n == 0)
		field_fail(&addresses, "must hold an address");
	e->addrs = field_alloc(&addresses, n, sizeof(*e->addrs));
	for (size_t i = 0; e->addrs != NULL && i < n; i++) {
		struct field addr = field_element(&addresses, i);

		e->addrs[e->n_addrs] = field_addr(&addr);
		if (ip_addr_is_v4(&e->addrs[e->n_addrs]) != (family == 4))
			field_fail(&addr, "%.60s is not of the slice's addressType, IPv%u", field_peek(&addr),
				family);
		e->n_addrs++;
	}
	/* the API's defaults: nil ready is ready, nil serving is as ready */
	e->ready = field_bool(&ready, true);
	e->serving = field_bool(&serving, e->ready);
	e->terminating = field_bool(&terminating, false);
	e->node = field_text(&node, "");
	if (strcmp(field_peek(&kind), "Pod") == 0)
		e->pod = field_text(&name, NULL);
	else
		e->pod = strdup("");
	if (e->pod == NULL)
		field_fail(&target, "out of memory");
}

bool
slice_decode(const struct field *root, struct slice_object *slice)
{
	struct field metadata = field_member(root, "metadata"), labels = field_member(&metadata, "labels");
	struct field service = field_member(&labels, "kubernetes.io/service-name");
	struct field type = field_member(root, "addressType"), list = field_member(root, "endpoints");
	const char *family = field_peek(&type);
	size_t n = field_count(&list);

	if (strcmp(family, "FQDN") == 0)
		return false;
	if (strcmp(family, "IPv4") != 0 && strcmp(family, "IPv6") != 0)
		field_fail(&type, "must be IPv4 or IPv6");
	slice->family = strcmp(family, "IPv6") == 0 ? 6 : 4;
	slice->service = field_text(&service, "");
	decode_slice_ports(root, slice);
	slice->endpoints = field_alloc(&list, n, sizeof(*slice->endpoints));
	for (size_t i = 0; slice->endpoints != NULL && i < n; i++) {
		struct field endpoint = field_element(&list, i);

		decode_endpoint(&endpoint, slice->family, &slice->endpoints[slice->n_endpoints++]);
	}
	return true;
}
