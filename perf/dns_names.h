/* What a made-up cluster has for the DNS, as arithmetic: the names that pods ask for and the addresses that these have, and the
 * zone that control's builder makes of the same services. Services are spread over DNS_NAMESPACES namespaces, have an address of
 * either family and one port, "web"; outside names are of 'example.com'. Names are text without a final dot. Immutable once made;
 * any thread. */
#ifndef RINGWAY_PERF_DNS_NAMES_H
#define RINGWAY_PERF_DNS_NAMES_H

#include "control/build/dns_build.h"
#include "dataplane/endpoint_table.h"
#include "perf/cluster.h"

#define DNS_NAMESPACES 50
#define DNS_NAME_TEXT_MAX 128

/* Of names' hashes: so that every run has the same collisions. */
#define DNS_NAMES_SEED 1

/* The DNS service's own number, beyond all others'. */
#define DNS_NAMES_SERVER 1048000

struct dns_names {
	uint32_t n_services;
	struct store *store;
	struct dns_builder *builder;
	struct dns_zone *zone;
};

/* Builds the zone. NULL on failure, with a message on standard error. */
struct dns_names *dns_names_new(uint32_t n_services);
void dns_names_free(struct dns_names *n); /* NULL is fine */

/* "service-7.team-7.svc.cluster.local", its web port's SRV name, and its address. */
void dns_names_service(uint32_t service, char out[static DNS_NAME_TEXT_MAX]);
void dns_names_srv(uint32_t service, char out[static DNS_NAME_TEXT_MAX]);
struct ip_addr dns_names_addr(uint32_t service, enum family_index family);

/* What a stub resolver makes of outside name 'number' by its pod's search list before it asks for the name itself: with the suffix
 * of the namespace (0), of services (1) or of the cluster (2). None of these exists. */
void dns_names_junk(uint32_t number, unsigned suffix, char out[static DNS_NAME_TEXT_MAX]);
void dns_names_outside(uint32_t number, char out[static DNS_NAME_TEXT_MAX]);

#endif
