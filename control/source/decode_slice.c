#include <stdlib.h>

#include "control/source/decode.h"
#include "dataplane/net/flow_key.h"

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

/* [{name: zone-a}, ...] */
static size_t
decode_names(const struct field *list, char ***out)
{
	size_t n = field_count(list);

	if (n == 0)
		return 0;
	*out = field_alloc(list, n, sizeof(**out));
	for (size_t i = 0; *out != NULL && i < n; i++) {
		struct field entry = field_element(list, i), name = field_member(&entry, "name");

		(*out)[i] = field_text(&name, NULL);
	}
	return *out == NULL ? 0 : n;
}

static struct endpoint_hints *
decode_hints(const struct field *endpoint)
{
	struct field f = field_member(endpoint, "hints");
	struct field zones = field_member(&f, "forZones"), nodes = field_member(&f, "forNodes");
	struct endpoint_hints *hints;

	if (field_count(&zones) == 0 && field_count(&nodes) == 0)
		return NULL;
	hints = field_alloc(&f, 1, sizeof(*hints));
	if (hints == NULL)
		return NULL;
	hints->n_zones = decode_names(&zones, &hints->zones);
	hints->n_nodes = decode_names(&nodes, &hints->nodes);
	return hints;
}

/* All that is asked of it is whether it is the same. */
static uint32_t
decode_uid(const struct field *target)
{
	struct field f = field_member(target, "uid");
	const char *uid = field_peek(&f);
	uint32_t hash = 0;

	if (*uid == '\0')
		return 0;
	for (; *uid != '\0'; uid++)
		hash = hash * 31 + (uint8_t)*uid;
	hash = hash_mix(hash);
	return hash == 0 ? 1 : hash;
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
	struct field zone = field_member(f, "zone"), hostname = field_member(f, "hostname");
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
	e->ready = field_flag(&ready, true);
	e->serving = field_flag(&serving, e->ready);
	e->terminating = field_flag(&terminating, false);
	e->node = field_text(&node, "");
	if (*field_peek(&zone) != '\0')
		e->zone = field_text(&zone, NULL);
	if (*field_peek(&hostname) != '\0')
		e->hostname = field_text(&hostname, NULL);
	e->hints = decode_hints(f);
	if (strcmp(field_peek(&kind), "Pod") == 0) {
		e->pod = field_text(&name, NULL);
		e->pod_uid = decode_uid(&target);
	} else {
		e->pod = strdup("");
	}
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
