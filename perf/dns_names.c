#include "perf/dns_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/model/store.h"
#include "perf/must.h"

#define SERVER_NAMESPACE "kube-system"
#define SERVER "kube-dns"

/* --- names and addresses */

static unsigned
team(uint32_t service)
{
	return service % DNS_NAMESPACES;
}

void
dns_names_service(uint32_t service, char out[static DNS_NAME_TEXT_MAX])
{
	snprintf(out, DNS_NAME_TEXT_MAX, "service-%u.team-%u.svc." DNS_ZONE_DEFAULT, service, team(service));
}

void
dns_names_srv(uint32_t service, char out[static DNS_NAME_TEXT_MAX])
{
	snprintf(out, DNS_NAME_TEXT_MAX, "_web._tcp.service-%u.team-%u.svc." DNS_ZONE_DEFAULT, service,
		team(service));
}

void
dns_names_outside(uint32_t number, char out[static DNS_NAME_TEXT_MAX])
{
	snprintf(out, DNS_NAME_TEXT_MAX, "api-%u.example.com", number);
}

void
dns_names_junk(uint32_t number, unsigned suffix, char out[static DNS_NAME_TEXT_MAX])
{
	char below[32] = "";

	if (suffix == 0)
		snprintf(below, sizeof(below), "team-%u.svc.", team(number));
	else if (suffix == 1)
		snprintf(below, sizeof(below), "svc.");
	snprintf(out, DNS_NAME_TEXT_MAX, "api-%u.example.com.%s" DNS_ZONE_DEFAULT, number, below);
}

struct ip_addr
dns_names_addr(uint32_t service, enum family_index family)
{
	const struct cluster c = { .shape = { .ipv6 = family == V6 } };

	return cluster_service_addr(&c, service);
}

/* --- the zone */

static struct object *
namespace_object(char *name)
{
	struct namespace_object *o = must_alloc(1, sizeof(*o));

	o->object = (struct object){ .kind = OBJECT_NAMESPACE, .ns = must_alloc(1, 1), .name = name };
	return &o->object;
}

static struct object *
service_object(uint32_t service, char *ns, char *name)
{
	struct service_object *o = must_alloc(1, sizeof(*o));

	o->object = (struct object){ .kind = OBJECT_SERVICE, .ns = ns, .name = name };
	o->n_cluster_ips = N_FAMILIES;
	o->cluster_ips = must_alloc(N_FAMILIES, sizeof(*o->cluster_ips));
	for (enum family_index f = V4; f < N_FAMILIES; f++)
		o->cluster_ips[f] = dns_names_addr(service, f);
	o->n_ports = 1;
	o->ports = must_alloc(1, sizeof(*o->ports));
	o->ports[0] =
		(struct service_port){ .name = must_text("web"), .port = SERVICE_PORT, .proto = PROTO_TCP };
	return &o->object;
}

static bool
fill_store(struct store *s, uint32_t n_services)
{
	bool ok = store_put(s, namespace_object(must_text(SERVER_NAMESPACE))) == 0 &&
		  store_put(s, service_object(DNS_NAMES_SERVER, must_text(SERVER_NAMESPACE),
				       must_text(SERVER))) == 0;

	for (unsigned i = 0; ok && i < DNS_NAMESPACES; i++)
		ok = store_put(s, namespace_object(must_text("team-%u", i))) == 0;
	for (uint32_t i = 0; ok && i < n_services; i++)
		ok = store_put(s, service_object(
					  i, must_text("team-%u", team(i)), must_text("service-%u", i))) == 0;
	return ok;
}

static bool
build(struct dns_names *n)
{
	const struct dns_build_config config = {
		.zone = DNS_ZONE_DEFAULT,
		.ttl_s = DNS_TTL_DEFAULT_S,
		.pods = DNS_PODS_INSECURE,
		.server_ns = SERVER_NAMESPACE,
		.server = SERVER,
		.serial = 1,
		.seed = DNS_NAMES_SEED,
	};

	n->store = store_new();
	return n->store != NULL && fill_store(n->store, n->n_services) &&
	       dns_builder_new(&n->builder, n->store, &config) == 0 &&
	       dns_builder_build(n->builder, &n->zone) == 0 && n->zone != NULL;
}

struct dns_names *
dns_names_new(uint32_t n_services)
{
	struct dns_names *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->n_services = n_services;
	if (build(n))
		return n;
	fprintf(stderr, "cannot build a zone of %u services\n", n_services);
	dns_names_free(n);
	return NULL;
}

void
dns_names_free(struct dns_names *n)
{
	if (n == NULL)
		return;
	dns_builder_release(n->builder, n->zone);
	dns_builder_free(n->builder);
	store_free(n->store);
	free(n);
}
