#include "control/offline/ends.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SERVICE_PREFIX "service:"
#define NAME_SIZE 254

struct name {
	char ns[NAME_SIZE], name[NAME_SIZE];
};

static bool fail(char *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool
fail(char *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, ENDS_ERROR_SIZE, format, args);
	va_end(args);
	return false;
}

/* "shop/api" */
static bool
read_name(const char *text, struct name *out)
{
	const char *slash = strchr(text, '/');

	if (slash == NULL || slash == text || slash[1] == '\0' || strchr(slash + 1, '/') != NULL ||
		(size_t)(slash - text) >= NAME_SIZE || strlen(slash + 1) >= NAME_SIZE)
		return false;
	snprintf(out->ns, NAME_SIZE, "%.*s", (int)(slash - text), text);
	snprintf(out->name, NAME_SIZE, "%s", slash + 1);
	return true;
}

static void
take_addrs(struct end *e, const struct ip_addr *addrs, size_t n)
{
	e->first = n == 0 || ip_addr_is_v4(&addrs[0]) ? V4 : V6;
	for (size_t i = n; i-- > 0;)
		e->addrs[ip_addr_is_v4(&addrs[i]) ? V4 : V6] = addrs[i];
}

static bool
find_pod(const struct census *all, const struct name *n, struct end *out, char *error)
{
	const struct pod_object *pod =
		(const struct pod_object *)store_get(all->store, OBJECT_POD, n->ns, n->name);

	if (pod->has_ended)
		return fail(error, "pod %.80s/%.80s has ended, so it has no address", n->ns, n->name);
	*out = (struct end){ .kind = pod->host_network ? END_NODE : END_POD,
		.object = pod,
		.node = pod->node,
		.pod = census_find_pod(all, n->ns, n->name) };
	take_addrs(out, pod->addrs, pod->n_addrs);
	return true;
}

static bool
find_service(const struct census *all, const struct name *n, struct end *out, char *error)
{
	const struct service_object *s =
		(const struct service_object *)store_get(all->store, OBJECT_SERVICE, n->ns, n->name);

	if (s == NULL)
		return fail(error, "there is no service %.80s/%.80s", n->ns, n->name);
	if (s->type == SERVICE_EXTERNAL_NAME)
		return fail(error, "service %.80s/%.80s is another name for %.60s: name an address of that",
			n->ns, n->name, s->external_name);
	if (s->n_cluster_ips == 0)
		return fail(error, "service %.80s/%.80s has no address of its own: name one of its pods",
			n->ns, n->name);
	*out = (struct end){ .kind = END_SERVICE, .service = s };
	take_addrs(out, s->cluster_ips, s->n_cluster_ips);
	return true;
}

static bool
find_addr(const struct census *all, const struct ip_addr *addr, struct end *out)
{
	const struct census_holder *h = census_find(all, addr);

	*out = (struct end){ .kind = END_ADDRESS };
	if (h != NULL && h->service != NULL) {
		out->kind = END_SERVICE;
		out->service = h->service;
	} else if (h != NULL && h->node != NULL) {
		out->kind = END_NODE;
		out->node = h->node;
	} else if (h != NULL) {
		out->kind = END_POD;
		out->pod = h->pod;
		out->object = all->pods[h->pod].object;
	}
	take_addrs(out, addr, 1);
	return true;
}

static bool
find_end(const struct census *all, const char *text, struct end *out, char *error)
{
	struct ip_addr addr;
	struct name n;

	if (ip_addr_parse(text, &addr)) {
		if (ip_addr_is_none(&addr) || ip_addr_is_multicast(&addr))
			return fail(error, "%.60s is nobody's address", text);
		return find_addr(all, &addr, out);
	}
	if (strncmp(text, SERVICE_PREFIX, strlen(SERVICE_PREFIX)) == 0) {
		if (!read_name(text + strlen(SERVICE_PREFIX), &n))
			return fail(error, "\"%.80s\" is not service:NAMESPACE/NAME", text);
		return find_service(all, &n, out, error);
	}
	if (!read_name(text, &n))
		return fail(error, "\"%.80s\" is neither NAMESPACE/POD nor an address", text);
	if (store_get(all->store, OBJECT_POD, n.ns, n.name) != NULL)
		return find_pod(all, &n, out, error);
	if (store_get(all->store, OBJECT_SERVICE, n.ns, n.name) != NULL)
		return find_service(all, &n, out, error);
	return fail(error, "there is no pod %.80s/%.80s in the manifests", n.ns, n.name);
}

/* --- ports */

static bool
find_service_port(const struct service_object *s, const struct policy_case *c, uint16_t *out, char *error)
{
	for (size_t i = 0; i < s->n_ports; i++)
		if (s->ports[i].proto == c->proto && strcmp(s->ports[i].name, c->port_name) == 0) {
			*out = s->ports[i].port;
			return true;
		}
	return fail(error, "service %.60s/%.60s has no %s port by the name \"%.40s\"", s->object.ns,
		s->object.name, case_proto_name(c->proto), c->port_name);
}

static bool
find_pod_port(const struct pod_object *pod, const struct policy_case *c, uint16_t *out, char *error)
{
	for (size_t i = 0; i < pod->n_ports; i++)
		if (pod->ports[i].proto == c->proto && strcmp(pod->ports[i].name, c->port_name) == 0) {
			*out = pod->ports[i].port;
			return true;
		}
	return fail(error, "pod %.60s/%.60s has no %s port by the name \"%.40s\"", pod->object.ns,
		pod->object.name, case_proto_name(c->proto), c->port_name);
}

static bool
find_port(const struct end *to, const struct policy_case *c, uint16_t *out, char *error)
{
	*out = c->port;
	if (c->port_name == NULL)
		return true;
	if (to->kind == END_SERVICE)
		return find_service_port(to->service, c, out, error);
	if (to->object != NULL)
		return find_pod_port(to->object, c, out, error);
	return fail(error, "an address has no port by the name \"%.40s\": give its number", c->port_name);
}

/* The first family that both have. */
static bool
choose_family(struct connection *c, char *error)
{
	for (unsigned i = 0; i < N_FAMILIES; i++) {
		unsigned family = i == 0 ? c->to.first : V4 + V6 - c->to.first;

		if (ip_addr_is_none(&c->from.addrs[family]) || ip_addr_is_none(&c->to.addrs[family]))
			continue;
		c->src = c->from.addrs[family];
		c->dst = c->to.addrs[family];
		return true;
	}
	return fail(error, "one end has IPv4 only, and the other IPv6 only");
}

/* Then nobody knows whose policies count. */
static bool
is_undisputed(const struct census *all, const struct ip_addr *addr, char *error)
{
	char text[IP_ADDR_STRLEN];

	return !census_is_disputed(all, addr) ||
	       fail(error, "several pods of the manifests have the address %s", ip_addr_format(addr, text));
}

bool
ends_find(const struct census *all, const struct policy_case *c, struct connection *out,
	char error[static ENDS_ERROR_SIZE])
{
	*out = (struct connection){ .proto = c->proto };
	if (!find_end(all, c->from, &out->from, error) || !find_end(all, c->to, &out->to, error))
		return false;
	if (out->from.kind == END_SERVICE)
		return fail(error, "\"from\" is a service, which sends nothing: name one of its pods");
	if (!find_port(&out->to, c, &out->port, error) || !choose_family(out, error))
		return false;
	if (!is_undisputed(all, &out->src, error) || !is_undisputed(all, &out->dst, error))
		return false;
	if (out->proto == PROTO_ICMP && !ip_addr_is_v4(&out->dst))
		out->proto = PROTO_ICMPV6;
	return true;
}
