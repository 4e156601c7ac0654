#include "control/build/dns_options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/dns/dns_zone.h"
#include "dataplane/service/hairpin.h"
#include "dataplane/tables.h"

#define TEXT_SIZE 512

struct reading {
	struct dns_options *out;
	const struct dns_texts *texts;
	void (*complain)(const char *key, const char *text, void *arg);
	void *arg;
};

static void fail(const struct reading *r, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void
fail(const struct reading *r, const char *key, const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	r->complain(key, text, r->arg);
}

/* --- servers */

static bool
parse_port(const char *text, uint16_t *out)
{
	char *end;
	unsigned long port = *text < '0' || *text > '9' ? 0 : strtoul(text, &end, 10);

	if (port == 0 || port > UINT16_MAX || *end != '\0')
		return false;
	*out = (uint16_t)port;
	return true;
}

bool
dns_server_parse(const char *text, struct dns_server *out)
{
	const char *port = strrchr(text, ':'), *end = port;
	char addr[IP_ADDR_STRLEN];

	*out = (struct dns_server){ .port = DNS_PORT };
	if (*text == '[') {
		text++;
		end = strchr(text, ']');
		if (end == NULL || end + 1 != port)
			return false;
	} else if (port == NULL || strchr(text, ':') != port) {
		return ip_addr_parse(text, &out->addr); /* without a port */
	}
	if ((size_t)(end - text) >= sizeof(addr) || !parse_port(port + 1, &out->port))
		return false;
	memcpy(addr, text, (size_t)(end - text));
	addr[end - text] = '\0';
	return ip_addr_parse(addr, &out->addr);
}

const char *
dns_server_format(const struct dns_server *s, char buf[static DNS_SERVER_STRLEN])
{
	char addr[IP_ADDR_STRLEN];

	ip_addr_format(&s->addr, addr);
	if (s->port == DNS_PORT)
		snprintf(buf, DNS_SERVER_STRLEN, "%s", addr);
	else
		snprintf(
			buf, DNS_SERVER_STRLEN, ip_addr_is_v4(&s->addr) ? "%s:%u" : "[%s]:%u", addr, s->port);
	return buf;
}

static bool
is_same(const struct dns_server *a, const struct dns_server *b)
{
	return a->port == b->port && ip_addr_eq(&a->addr, &b->addr);
}

static const char *
find_range(const struct dns_text_list *cidrs, const struct ip_addr *addr)
{
	struct ip_prefix prefix;

	for (size_t i = 0; i < cidrs->n; i++)
		if (ip_prefix_parse(cidrs->items[i], &prefix) && ip_prefix_contains(&prefix, addr))
			return cidrs->items[i];
	return NULL;
}

/* Adds a server to n others, unless something is wrong with it. */
static void
add_server(
	const struct reading *r, const char *key, const char *text, struct dns_server *servers, unsigned *n)
{
	struct dns_server s;

	if (!dns_server_parse(text, &s)) {
		fail(r, key,
			"\"%s\" is no server, such as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353",
			text);
		return;
	}
	if (ip_addr_is_none(&s.addr) || ip_addr_is_multicast(&s.addr) || ip_addr_is_v6_link_local(&s.addr)) {
		fail(r, key, "%s is no server's address: it is multicast, link-local or none", text);
		return;
	}
	for (unsigned i = 0; i < r->out->n_local; i++)
		if (ip_addr_eq(&s.addr, &r->out->local[i])) {
			fail(r, key, "%s is one of dns.localAddresses: this node would ask itself", text);
			return;
		}
	if (find_range(&r->texts->service_cidrs, &s.addr) != NULL) {
		fail(r, key,
			"%s is a service's address, of which queries come back to this node; name its "
			"endpoints",
			text);
		return;
	}
	for (unsigned i = 0; i < *n; i++)
		if (is_same(&servers[i], &s)) {
			fail(r, key, "%s is there twice", text);
			return;
		}
	if (*n == DNS_UPSTREAMS_MAX)
		fail(r, key, "%s is one too many: there may be %u servers", text, DNS_UPSTREAMS_MAX);
	else
		servers[(*n)++] = s;
}

/* --- names */

static void
make_entry(const struct dns_wire *w, struct dns_name_entry *out)
{
	*out = (struct dns_name_entry){ .len = (uint8_t)w->len };
	memcpy(out->name, w->bytes, w->len);
	for (const uint8_t *at = w->bytes; *at != 0; at += 1 + *at)
		out->labels++;
}

/* Whether a name is another one or below it. */
static bool
is_in(const struct dns_wire *w, const struct dns_wire *zone)
{
	for (const uint8_t *at = w->bytes;; at += 1 + *at) {
		if (w->len - (size_t)(at - w->bytes) == zone->len && memcmp(at, zone->bytes, zone->len) == 0)
			return true;
		if (*at == 0)
			return false;
	}
}

static int
read_names(const struct reading *r)
{
	struct dns_options *o = r->out;
	const char *zone = r->texts->zone, *service = r->texts->service, *slash = strchr(service, '/');

	if (!dns_wire_parse(zone, &o->zone) || o->zone.len < 2 || o->zone.len > DNS_ZONE_NAME_MAX) {
		fail(r, "dns.zone", "\"%s\" is no name that a zone can have, such as %s", zone,
			DNS_ZONE_DEFAULT);
		zone = "";
		o->zone.len = 0;
	}
	if (slash == NULL || slash == service || slash[1] == '\0' || strchr(slash + 1, '/') != NULL) {
		fail(r, "dns.service", "\"%s\" is not NAMESPACE/NAME, such as kube-system/kube-dns", service);
		slash = service = "";
	}
	o->zone_text = strdup(zone);
	o->service_ns = strndup(service, (size_t)(slash - service));
	o->service = strdup(*slash == '\0' ? "" : slash + 1);
	return o->zone_text == NULL || o->service_ns == NULL || o->service == NULL ? -ENOMEM : 0;
}

/* --- local addresses */

/* Any other would draw in what is meant for somebody else. */
static bool
is_for_links(const struct ip_addr *addr)
{
	return ip_addr_is_v4(addr) ? addr->b[12] == 169 && addr->b[13] == 254 : (addr->b[0] & 0xfe) == 0xfc;
}

/* Whose a link-local or unique local address is already, as far as all nodes know; NULL: nobody's. */
static const char *
owner_of(const struct ip_addr *addr)
{
	static const struct {
		const char *addr, *owner;
	} known[] = {
		{ GATEWAY_V4, "the pods' gateway" },
		{ "169.254.169.254", "the cloud's metadata service" },
		{ "fd00:ec2::254", "the cloud's metadata service" },
	};
	struct ip_addr a;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (ip_addr_parse(known[i].addr, &a) && ip_addr_eq(&a, addr))
			return known[i].owner;
	return hairpin_slot(addr) >= 0 ? "a pod's that reaches itself through a service" : NULL;
}

static void
add_local(const struct reading *r, const char *text)
{
	static const char key[] = "dns.localAddresses";
	struct dns_options *o = r->out;
	const char *range;
	struct ip_addr addr;

	if (!ip_addr_parse(text, &addr)) {
		fail(r, key, "\"%s\" is no address", text);
		return;
	}
	for (unsigned i = 0; i < o->n_local; i++)
		if (ip_addr_eq(&o->local[i], &addr)) {
			fail(r, key, "%s is there twice", text);
			return;
		}
	if ((range = find_range(&r->texts->pod_cidrs, &addr)) != NULL)
		fail(r, key, "%s is a pod's address: it is in %s of cluster.podCIDRs", text, range);
	else if ((range = find_range(&r->texts->service_cidrs, &addr)) != NULL)
		fail(r, key, "%s is a service's address: it is in %s of cluster.serviceCIDRs", text, range);
	else if (!is_for_links(&addr))
		fail(r, key, "%s is neither link-local (169.254.0.0/16) nor unique local (fc00::/7)%s", text,
			ip_addr_is_multicast(&addr) ? ", but multicast" : "");
	else if (owner_of(&addr) != NULL)
		fail(r, key, "%s is the address of %s", text, owner_of(&addr));
	else if (o->n_local == DNS_LOCAL_MAX)
		fail(r, key, "%s is one too many: there may be %u addresses", text, DNS_LOCAL_MAX);
	else
		o->local[o->n_local++] = addr;
}

/* --- stub domains */

static bool
is_known_stub(const struct dns_options *o, const struct dns_name_entry *zone)
{
	for (unsigned i = 0; i < o->n_stubs; i++)
		if (o->stubs[i].zone.len == zone->len &&
			memcmp(o->stubs[i].zone.name, zone->name, zone->len) == 0)
			return true;
	return false;
}

static void
add_stub_servers(const struct reading *r, const char *text, struct dns_forward *stub)
{
	char server[DNS_SERVER_STRLEN];
	unsigned n = stub->n;

	while (*text != '\0') {
		size_t len = strcspn(text, ",");

		snprintf(server, sizeof(server), "%.*s", (int)len, text);
		add_server(r, "dns.stubDomains", server, stub->servers, &n);
		text += len + (text[len] == ',');
	}
	stub->n = (uint16_t)n;
}

static void
add_stub(const struct reading *r, const char *text)
{
	static const char key[] = "dns.stubDomains";
	struct dns_options *o = r->out;
	struct dns_forward *stub = &o->stubs[o->n_stubs];
	const char *equals = strchr(text, '=');
	char name[DNS_TEXT_SIZE];
	struct dns_wire zone;

	if (equals == NULL || equals[1] == '\0') {
		fail(r, key, "\"%s\" names no server; it must be as corp.example=192.0.2.53,192.0.2.54:5353",
			text);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(equals - text), text);
	if ((size_t)(equals - text) >= sizeof(name) || !dns_wire_parse(name, &zone)) {
		fail(r, key, "\"%s\" is no name that a zone can have", name);
		return;
	}
	make_entry(&zone, &stub->zone);
	if (zone.len == 1)
		fail(r, key, "servers for all names are in dns.upstreams");
	else if (o->zone.len != 0 && is_in(&zone, &o->zone))
		fail(r, key, "%s is in dns.zone, of which this node knows all names", name);
	else if (is_known_stub(o, &stub->zone))
		fail(r, key, "%s is there twice; its servers go into one list", name);
	else if (o->n_stubs == DNS_STUBS_MAX)
		fail(r, key, "%s is one too many: there may be %u", name, DNS_STUBS_MAX);
	else {
		stub->n = 0;
		add_stub_servers(r, equals + 1, stub);
		o->n_stubs += stub->n != 0;
	}
}

/* Longest zone first: the first that holds a name is its own. */
static int
compare_stubs(const void *a, const void *b)
{
	return (int)((const struct dns_forward *)b)->zone.labels -
	       (int)((const struct dns_forward *)a)->zone.labels;
}

/* --- suffixes */

bool
dns_options_add_suffix(struct dns_options *o, const char *text)
{
	struct dns_name_entry entry;
	struct dns_wire name;

	if (!dns_wire_parse(text, &name)) {
		o->completes_searches = false; /* who knows what pods make of it */
		return false;
	}
	make_entry(&name, &entry);
	if (name.len == 1) {
		o->has_root_suffix = true;
		return true;
	}
	if (o->zone.len != 0 && is_in(&name, &o->zone)) { /* the zone's own name pods have anyway */
		o->completes_searches &= name.len == o->zone.len;
		return true;
	}
	for (unsigned i = 0; i < o->n_suffixes; i++)
		if (o->suffixes[i].len == entry.len &&
			memcmp(o->suffixes[i].name, entry.name, entry.len) == 0)
			return true;
	/* behind the root, the name as it is comes before it */
	if (o->n_suffixes == DNS_SUFFIXES_MAX || o->has_root_suffix)
		o->completes_searches = false;
	if (o->n_suffixes < DNS_SUFFIXES_MAX)
		o->suffixes[o->n_suffixes++] = entry;
	return true;
}

int
dns_options_read(struct dns_options *out, const struct dns_texts *texts,
	void (*complain)(const char *key, const char *text, void *arg), void *arg)
{
	const struct reading r = { out, texts, complain, arg };

	*out = (struct dns_options){ .ttl_s = texts->ttl_s,
		.pods = texts->pods,
		.completes_searches = texts->completes_searches,
		.is_shadow = texts->is_shadow };
	out->stubs = calloc(DNS_STUBS_MAX + 1, sizeof(*out->stubs));
	if (out->stubs == NULL || read_names(&r) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < texts->local.n; i++)
		add_local(&r, texts->local.items[i]);
	for (size_t i = 0; i < texts->upstreams.n; i++)
		add_server(&r, "dns.upstreams", texts->upstreams.items[i], out->upstreams, &out->n_upstreams);
	for (size_t i = 0; i < texts->stubs.n; i++)
		add_stub(&r, texts->stubs.items[i]);
	qsort(out->stubs, out->n_stubs, sizeof(*out->stubs), compare_stubs);
	for (size_t i = 0; i < texts->suffixes.n; i++)
		if (*texts->suffixes.items[i] != '/' &&
			!dns_options_add_suffix(out, texts->suffixes.items[i]))
			fail(&r, "dns.searchSuffixes",
				"\"%s\" is neither a name nor the path of a file as /etc/resolv.conf",
				texts->suffixes.items[i]);
	if (texts->is_shadow) /* after they were looked at: what is wrong is to be known before the mode is on */
		out->n_local = 0;
	return 0;
}

void
dns_options_fini(struct dns_options *o)
{
	free(o->zone_text);
	free(o->service_ns);
	free(o->service);
	free(o->stubs);
	*o = (struct dns_options){ 0 };
}
