#include "control/admin/status_dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/build/dns_backends.h"
#include "control/build/dns_table_build.h"
#include "control/build/endpoint_select.h"
#include "control/build/publish.h"
#include "control/daemon.h"
#include "control/resolve/resolver.h"
#include "dataplane/clock.h"
#include "dataplane/dns/dns_zone_edit.h"
#include "dataplane/net/headers.h"
#include "dataplane/tables.h"

/* Names of a Service: labels, the API server says. */
#define NAME_SIZE 254

/* Divergences of shadow mode are warned of for so long. */
#define LATELY_NS (3600 * UINT64_C(1000000000))

struct dns_status_input
dns_status_of(const struct daemon *d)
{
	return (struct dns_status_input){ &d->config, d->store, publisher_tables(d->publisher),
		publisher_dns(d->publisher), d->resolver };
}

static bool
is_on(const struct dns_status_input *in)
{
	return in->config->dns.mode == DNS_MODE_ON;
}

static bool
is_shadow(const struct dns_status_input *in)
{
	return in->config->dns.mode == DNS_MODE_SHADOW;
}

static bool
is_off(const struct dns_status_input *in)
{
	return in->config->dns.mode == DNS_MODE_OFF;
}

/* NULL: nothing is known yet. */
static const struct dns_table *
table_of(const struct dns_status_input *in)
{
	return in->tables == NULL ? NULL : in->tables->dns;
}

static const struct service_object *
find_service(const struct dns_status_input *in)
{
	const char *text = in->config->dns.service, *slash = strchr(text, '/');
	char ns[NAME_SIZE];

	if (slash == NULL)
		return NULL;
	snprintf(ns, sizeof(ns), "%.*s", (int)(slash - text), text);
	return (const struct service_object *)store_get(in->store, OBJECT_SERVICE, ns, slash + 1);
}

/* One that can be asked. */
static bool
is_server(const struct service_object *service)
{
	return service != NULL && service_is_served(service) && service->n_cluster_ips != 0 &&
	       dns_service_port(service, PROTO_UDP) != NULL;
}

static json_t *
servers_json(const struct dns_server *servers, unsigned n)
{
	json_t *list = json_array();
	char text[DNS_SERVER_STRLEN];

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, json_string(dns_server_format(&servers[i], text)));
	return list;
}

static json_t *
suffixes_json(const struct dns_table *t)
{
	json_t *list = json_array();
	char text[DNS_TEXT_SIZE];

	for (unsigned i = 0; t != NULL && i < t->n_suffixes; i++)
		json_array_append_new(list, json_string(dns_wire_format(t->suffixes[i].name, text)));
	return list;
}

/* All but the last, which is all else. */
static json_t *
stubs_json(const struct dns_table *t)
{
	json_t *list = json_array();
	char text[DNS_TEXT_SIZE];

	for (unsigned i = 0; t != NULL && i + 1 < t->n_forwards; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:o}", "zone", dns_wire_format(t->forwards[i].zone.name, text),
				      "servers", servers_json(t->forwards[i].servers, t->forwards[i].n)));
	return list;
}

struct shadow_figures {
	uint64_t n_compared, n_diverged, n_unanswered;
};

static struct shadow_figures
shadow_figures_of(const struct dns_status_input *in)
{
	static const enum resolver_counter diverged[] = { RESOLVER_SHADOW_RCODE, RESOLVER_SHADOW_MISSING,
		RESOLVER_SHADOW_EXTRA, RESOLVER_SHADOW_AUTHORITY };
	struct shadow_figures f = { 0 };

	if (!is_shadow(in) || in->resolver == NULL)
		return f;
	for (unsigned i = 0; i < sizeof(diverged) / sizeof(diverged[0]); i++)
		f.n_diverged += resolver_counter(in->resolver, diverged[i]);
	f.n_compared = f.n_diverged + resolver_counter(in->resolver, RESOLVER_SHADOW_SAME);
	f.n_unanswered = resolver_counter(in->resolver, RESOLVER_SHADOW_NO_ANSWER);
	return f;
}

json_t *
dns_status_json(const struct dns_status_input *in)
{
	const struct dns_table *t = is_off(in) ? NULL : table_of(in);
	const struct dns_zone *zone = t == NULL ? NULL : t->zone;
	const struct dns_forward *all = t == NULL ? NULL : &t->forwards[t->n_forwards - 1];
	struct piece_pool_books books = { 0 };
	const struct shadow_figures shadow = shadow_figures_of(in);
	json_t *doc;

	if (in->builder != NULL)
		books = dns_table_builder_books(in->builder);
	doc = json_pack("{s:s, s:s, s:b, s:s, s:b, s:I, s:I, s:o, s:i, s:o, s:o, s:o}", "mode",
		is_on(in)       ? "on"
		: is_shadow(in) ? "shadow"
				: "off",
		"service", in->config->dns.service, "service_found", is_server(find_service(in)), "zone",
		in->config->dns.zone, "synced", zone != NULL, "names",
		zone == NULL ? (json_int_t)0 : (json_int_t)dns_zone_count(zone), "zone_bytes",
		(json_int_t)books.used_bytes, "addresses",
		servers_json(t == NULL ? NULL : t->asked, t == NULL ? 0 : t->n_asked), "endpoints",
		t == NULL ? 0 : t->backends[V4].n + t->backends[V6].n, "upstreams",
		servers_json(all == NULL ? NULL : all->servers, all == NULL ? 0 : all->n), "stub_domains",
		stubs_json(t), "search_suffixes", suffixes_json(t));
	if (is_shadow(in)) {
		json_object_set_new(doc, "compared", json_integer((json_int_t)shadow.n_compared));
		json_object_set_new(doc, "diverged", json_integer((json_int_t)shadow.n_diverged));
	}
	return doc;
}

/* Another one that is as a DNS service is, at best where these are. */
static void
look_for_server(const struct object *object, void *arg)
{
	const struct service_object *service = (const struct service_object *)object, **found = arg;
	bool is_likely = strcmp(object->ns, "kube-system") == 0;

	if (is_server(service) && dns_service_port(service, PROTO_UDP)->port == DNS_PORT &&
		(*found == NULL || (is_likely && strcmp((*found)->object.ns, "kube-system") != 0)))
		*found = service;
}

json_t *
dns_status_problems(const struct dns_status_input *in)
{
	const struct service_object *service = find_service(in), *other = NULL;
	json_t *texts = json_array();

	if (is_off(in) || is_server(service))
		return texts;
	store_each(in->store, OBJECT_SERVICE, look_for_server, &other);
	if (service != NULL)
		json_array_append_new(texts, json_sprintf("dns.service: Service %s has no cluster address or "
							  "no UDP port 53, so its queries "
							  "are not answered here",
						     in->config->dns.service));
	else if (other != NULL)
		json_array_append_new(
			texts, json_sprintf("dns.service: there is no Service %s; is %s/%s meant?",
				       in->config->dns.service, other->object.ns, other->object.name));
	return texts;
}

const char *
dns_status_text(const struct dns_status_input *in, char buf[static DNS_STATUS_TEXT_SIZE])
{
	const struct dns_table *t = table_of(in);

	if (is_off(in))
		snprintf(buf, DNS_STATUS_TEXT_SIZE, "dns.mode is off: all queries go to the DNS service");
	else if (find_service(in) == NULL)
		snprintf(buf, DNS_STATUS_TEXT_SIZE, "there is no Service %.100s", in->config->dns.service);
	else if (t == NULL || t->zone == NULL)
		snprintf(buf, DNS_STATUS_TEXT_SIZE,
			"the names of %.100s are not all known yet: queries go to Service %.100s",
			in->config->dns.zone, in->config->dns.service);
	else if (is_shadow(in))
		snprintf(buf, DNS_STATUS_TEXT_SIZE,
			"dns.mode is shadow: what is asked of Service %.100s is compared, and not answered "
			"here",
			in->config->dns.service);
	else
		snprintf(buf, DNS_STATUS_TEXT_SIZE, "what is asked of Service %.100s is answered here",
			in->config->dns.service);
	return buf;
}

/* What changed in the cluster differs for a moment, and is no reason to warn of it for ever. */
static bool
has_diverged_lately(const struct dns_status_input *in)
{
	struct shadow_divergence *all = calloc(SHADOW_DIVERGENCES, sizeof(*all));
	uint64_t now_ns = clock_now_ns(), since_ns = now_ns > LATELY_NS ? now_ns - LATELY_NS : 0;
	bool result =
		all == NULL || shadow_diverged_since(all,
				       resolver_divergences(in->resolver, all, SHADOW_DIVERGENCES), since_ns);

	free(all);
	return result;
}

json_t *
dns_status_shadow_problems(const struct dns_status_input *in)
{
	const struct shadow_figures f = shadow_figures_of(in);
	json_t *texts = json_array();

	if (f.n_diverged != 0 && has_diverged_lately(in))
		json_array_append_new(texts,
			json_sprintf("DNS: in shadow mode, %llu of %llu answers compared diverged from "
				     "those of Service %s (`ringway dns --shadow`)",
				(unsigned long long)f.n_diverged, (unsigned long long)f.n_compared,
				in->config->dns.service));
	else if (f.n_compared == 0 && f.n_unanswered != 0)
		json_array_append_new(texts,
			json_sprintf("DNS: in shadow mode, Service %s has answered none of the %llu queries "
				     "that were to be compared (`ringway dns --shadow`)",
				in->config->dns.service, (unsigned long long)f.n_unanswered));
	return texts;
}

const char *
dns_status_shadow_text(const struct dns_status_input *in, char buf[static DNS_STATUS_TEXT_SIZE])
{
	const struct shadow_figures f = shadow_figures_of(in);

	if (!is_shadow(in))
		snprintf(buf, DNS_STATUS_TEXT_SIZE, "dns.mode is not shadow: nothing is compared");
	else if (f.n_diverged == 0)
		snprintf(buf, DNS_STATUS_TEXT_SIZE, "shadow mode is on: %llu answers compared, all the same",
			(unsigned long long)f.n_compared);
	else
		snprintf(buf, DNS_STATUS_TEXT_SIZE,
			"shadow mode is on: of %llu answers compared %llu diverged, none in the last hour",
			(unsigned long long)f.n_compared, (unsigned long long)f.n_diverged);
	return buf;
}

/* --- upstream */

static const struct upstream *
find_upstream(const struct upstream *all, unsigned n, const struct dns_server *server)
{
	for (unsigned i = 0; i < n; i++)
		if (all[i].server.port == server->port && ip_addr_eq(&all[i].server.addr, &server->addr))
			return &all[i];
	return NULL;
}

/* Since when none of the servers has answered; 0: not all of them fail. */
static uint64_t
failing_since(const struct dns_forward *f, const struct upstream *all, unsigned n)
{
	uint64_t since = 0;

	for (unsigned i = 0; i < f->n; i++) {
		const struct upstream *up = find_upstream(all, n, &f->servers[i]);

		if (up == NULL || up->failing_since_ns == 0)
			return 0;
		if (up->failing_since_ns > since)
			since = up->failing_since_ns;
	}
	return since;
}

static json_t *
problem_of(const struct dns_forward *f, uint64_t since_ns)
{
	char servers[256] = "", server[DNS_SERVER_STRLEN], zone[DNS_TEXT_SIZE];
	double silent_s = (double)(clock_now_ns() - since_ns) / 1e9;
	size_t len = 0;

	for (unsigned i = 0; i < f->n && len < sizeof(servers); i++)
		len += (size_t)snprintf(servers + len, sizeof(servers) - len, "%s%s", i == 0 ? "" : ", ",
			dns_server_format(&f->servers[i], server));
	return json_sprintf("DNS: names %s%s cannot be looked up: %s %s not answered for %.0f s",
		f->zone.len == 1 ? "outside of the cluster" : "in ",
		f->zone.len == 1 ? "" : dns_wire_format(f->zone.name, zone), servers,
		f->n == 1 ? "has" : "have", silent_s);
}

json_t *
dns_status_upstream_problems(const struct dns_status_input *in)
{
	const struct dns_table *t = is_on(in) ? table_of(in) : NULL;
	struct upstream all[UPSTREAMS_MAX];
	json_t *texts = json_array();
	unsigned n;

	if (t == NULL || in->resolver == NULL)
		return texts;
	n = resolver_upstreams(in->resolver, all, UPSTREAMS_MAX);
	for (unsigned i = 0; i < t->n_forwards; i++) {
		uint64_t since = failing_since(&t->forwards[i], all, n);

		if (since != 0)
			json_array_append_new(texts, problem_of(&t->forwards[i], since));
	}
	return texts;
}
