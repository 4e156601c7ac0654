#include "control/admin/names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/build/service_build.h"
#include "control/model/reserved_addrs.h"

struct search {
	const struct ip_addr *addr;
	const struct object *found;
};

const char *
proto_name(uint8_t proto)
{
	switch (proto) {
	case PROTO_TCP:
		return "tcp";
	case PROTO_UDP:
		return "udp";
	case PROTO_SCTP:
		return "sctp";
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return "icmp";
	default:
		return "other";
	}
}

static bool
has_addr(const struct ip_addr *addrs, size_t n, const struct ip_addr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (ip_addr_eq(&addrs[i], addr))
			return true;
	return false;
}

static void
match_pod(const struct object *object, void *arg)
{
	const struct pod_object *pod = (const struct pod_object *)object;
	struct search *s = arg;

	/* pods on the host's network have their node's address, which is the node's */
	if (s->found == NULL && !pod->host_network && has_addr(pod->addrs, pod->n_addrs, s->addr))
		s->found = object;
}

static void
match_service(const struct object *object, void *arg)
{
	const struct service_object *service = (const struct service_object *)object;
	struct search *s = arg;

	if (s->found == NULL && has_addr(service->cluster_ips, service->n_cluster_ips, s->addr))
		s->found = object;
}

static bool
has_ingress(const struct service_object *service, const struct ip_addr *addr)
{
	for (size_t i = 0; i < service->n_ingress; i++)
		if (!service->ingress[i].is_proxy && ip_addr_eq(&service->ingress[i].addr, addr))
			return true;
	return false;
}

static void
match_exposed_service(const struct object *object, void *arg)
{
	const struct service_object *service = (const struct service_object *)object;
	struct search *s = arg;

	if (s->found == NULL && (has_addr(service->external_ips, service->n_external_ips, s->addr) ||
					has_ingress(service, s->addr)))
		s->found = object;
}

static void
match_node(const struct object *object, void *arg)
{
	const struct node_object *node = (const struct node_object *)object;
	struct search *s = arg;

	if (s->found == NULL && has_addr(node->addrs, node->n_addrs, s->addr))
		s->found = object;
}

/* By an address that the node has in its pod network. */
static void
match_node_inside(const struct object *object, void *arg)
{
	const struct node_object *node = (const struct node_object *)object;
	struct search *s = arg;

	for (size_t i = 0; s->found == NULL && i < node->n_pod_cidrs; i++)
		for (unsigned k = 0; k <= HOST_ADDRS; k++) {
			struct ip_addr own = k < HOST_ADDRS ? reserved_host_addr(&node->pod_cidrs[i], k)
							    : reserved_inbound_addr(&node->pod_cidrs[i]);

			if (ip_addr_eq(&own, s->addr))
				s->found = object;
		}
}

static const struct object *
find(const struct names *n, enum object_kind kind, void (*match)(const struct object *object, void *arg),
	const struct ip_addr *addr)
{
	struct search s = { addr, NULL };

	store_each(n->store, kind, match, &s);
	return s.found;
}

const struct pod_object *
names_find_pod(const struct names *n, const struct ip_addr *addr)
{
	if (n->pod_of_addr != NULL)
		return n->pod_of_addr(addr, n->arg);
	return (const struct pod_object *)find(n, OBJECT_POD, match_pod, addr);
}

/* By an external or load balancer address, if it is in force: who asks for a node's address in vain has it not. */
static const struct object *
find_exposed_service(const struct names *n, const struct ip_addr *addr)
{
	if (n->tables == NULL || !service_table_has_addr(n->tables->services, addr) ||
		find(n, OBJECT_NODE, match_node, addr) != NULL)
		return NULL;
	return find(n, OBJECT_SERVICE, match_exposed_service, addr);
}

const struct service_object *
names_find_service(const struct names *n, const struct ip_addr *addr)
{
	const struct object *service = find(n, OBJECT_SERVICE, match_service, addr);

	return (const struct service_object *)(service != NULL ? service : find_exposed_service(n, addr));
}

const struct node_object *
names_find_node(const struct names *n, const struct ip_addr *addr)
{
	return (const struct node_object *)find(n, OBJECT_NODE, match_node, addr);
}

const char *
names_of_port(const struct names *n, uint16_t port, char buf[static NAME_TEXT_SIZE])
{
	static const char *const kinds[N_PORT_KINDS] = {
		[PORT_KIND_HOST] = "the host's stack",
		[PORT_KIND_UPLINK] = "the uplink",
	};

	*buf = '\0';
	for (unsigned i = 0; i < n->view->n_ports; i++) {
		const struct port_view *p = &n->view->ports[i];
		char name[PORT_NAME_SIZE];

		if (p->id != port)
			continue;
		if (p->kind == PORT_KIND_POD)
			snprintf(buf, NAME_TEXT_SIZE, "pod %s", port_view_name(p, name));
		else
			snprintf(buf, NAME_TEXT_SIZE, "%s", kinds[p->kind]);
		break;
	}
	return buf;
}

static bool
name_local(const struct names *n, const struct ip_addr *addr, char *buf)
{
	const struct endpoint_table *t = n->tables == NULL ? NULL : n->tables->endpoints;
	unsigned family = ip_addr_is_v4(addr) ? V4 : V6;

	if (t == NULL)
		return false;
	if (ip_addr_eq(&n->tables->node->gateway[family], addr)) {
		snprintf(buf, NAME_TEXT_SIZE, "the gateway");
		return true;
	}
	if (endpoint_host_slot(t, addr) >= 0) {
		snprintf(buf, NAME_TEXT_SIZE, "this node");
		return true;
	}
	for (unsigned i = 0; i < t->n; i++)
		if (!t->endpoints[i].is_host && ip_addr_eq(&t->endpoints[i].addrs[family], addr))
			return *names_of_port(n, t->endpoints[i].port, buf) != '\0';
	return false;
}

bool
names_of_addr(const struct names *n, const struct ip_addr *addr, char buf[static NAME_TEXT_SIZE])
{
	const struct object *o;

	*buf = '\0';
	if (ip_addr_is_none(addr))
		return false;
	if (name_local(n, addr, buf))
		return true;
	if ((o = (const struct object *)names_find_pod(n, addr)) != NULL)
		snprintf(buf, NAME_TEXT_SIZE, "pod %s/%s", o->ns, o->name);
	else if ((o = find(n, OBJECT_SERVICE, match_service, addr)) != NULL ||
		 (o = find_exposed_service(n, addr)) != NULL)
		snprintf(buf, NAME_TEXT_SIZE, "service %s/%s", o->ns, o->name);
	else if ((o = find(n, OBJECT_NODE, match_node, addr)) != NULL ||
		 (o = find(n, OBJECT_NODE, match_node_inside, addr)) != NULL)
		snprintf(buf, NAME_TEXT_SIZE, "node %s", o->name);
	return o != NULL;
}

const char *
names_of_vtep(const struct names *n, uint32_t vtep, char buf[static NAME_TEXT_SIZE])
{
	const struct object *o = NULL;

	*buf = '\0';
	if (n->tables != NULL && vtep < n->tables->fdb->n)
		o = find(n, OBJECT_NODE, match_node, &n->tables->fdb->entries[vtep].vtep);
	if (o != NULL)
		snprintf(buf, NAME_TEXT_SIZE, "%s", o->name);
	return buf;
}

/* The longest address that the text begins with; 0 when it begins with none. */
static size_t
leading_addr(const char *text, struct ip_addr *addr)
{
	size_t len = strspn(text, "0123456789abcdefABCDEF:.");
	char copy[IP_ADDR_STRLEN];

	for (; len >= 2 && len < sizeof(copy); len--) { /* a colon or full stop may follow */
		memcpy(copy, text, len);
		copy[len] = '\0';
		if (ip_addr_parse(copy, addr))
			return len;
		if (isalnum((unsigned char)text[len - 1]) && strchr(copy, ':') == NULL)
			return 0;
	}
	return 0;
}

/* ":80" or "]:80" behind an address, so that the name comes after it. */
static size_t
following_port(const char *text)
{
	size_t len = *text == ']';

	if (text[len] != ':' || !isdigit((unsigned char)text[len + 1]))
		return 0;
	return len + 1 + strspn(text + len + 1, "0123456789");
}

/* "port 5", "service 12": a word and a number; 0 when the text begins with anything else. */
static size_t
leading_number(const char *text, const char *word, unsigned long *number)
{
	size_t len = strlen(word);
	char *end;

	if (strncmp(text, word, len) != 0 || text[len] != ' ' || !isdigit((unsigned char)text[len + 1]))
		return 0;
	*number = strtoul(text + len + 1, &end, 10);
	return (size_t)(end - text);
}

static bool
name_service(const struct names *n, unsigned long number, char *buf)
{
	const char *ns, *name;

	if (n->builder == NULL || number > UINT32_MAX ||
		!service_builder_name(n->builder, (uint32_t)number, &ns, &name))
		return false;
	snprintf(buf, NAME_TEXT_SIZE, "%s/%s", ns, name);
	return true;
}

/* What the text begins with, if that may have a name: its length, and its name. */
static size_t
leading_named(const struct names *n, const char *text, char *name, bool *is_named)
{
	struct ip_addr addr;
	unsigned long number;
	size_t taken = leading_addr(text, &addr);

	if (taken != 0) {
		*is_named = names_of_addr(n, &addr, name);
		return taken + following_port(text + taken);
	}
	if ((taken = leading_number(text, "port", &number)) != 0 && number < PORTS_MAX)
		*is_named = *names_of_port(n, (uint16_t)number, name) != '\0';
	else if ((taken = leading_number(text, "service", &number)) != 0)
		*is_named = name_service(n, number, name);
	return taken;
}

void
names_annotate(const struct names *n, const char *text, char *out, size_t size)
{
	char name[NAME_TEXT_SIZE];
	bool is_word_start = true;
	size_t len = 0;

	while (*text != '\0' && len + 1 < size) {
		bool is_named = false;
		size_t taken = is_word_start ? leading_named(n, text, name, &is_named) : 0;

		if (taken == 0)
			taken = 1;
		is_word_start = !isalnum((unsigned char)text[taken - 1]);
		len += (size_t)snprintf(
			out + len, size - len, is_named ? "%.*s (%s)" : "%.*s", (int)taken, text, name);
		if (len >= size)
			len = size - 1;
		text += taken;
	}
	out[len] = '\0';
}
