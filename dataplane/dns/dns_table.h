/* DNS on this node, as the stage and the resolver read it: which addresses are asked, from what they are answered, and whom else
 * to ask. Immutable once published, but for the cache, which has its own rules (dns_cache.h); written by
 * control/build/dns_table_build.c. */
#ifndef RINGWAY_DNS_TABLE_H
#define RINGWAY_DNS_TABLE_H

#include <stdbool.h>

#include "dataplane/dns/dns_name.h"
#include "dataplane/endpoint_table.h"

#define DNS_ASKED_MAX 16
#define DNS_BACKENDS_MAX 64
#define DNS_UPSTREAMS_MAX 16
#define DNS_SUFFIXES_MAX 6

struct dns_cache;
struct dns_zone;

struct dns_server {
	struct ip_addr addr;
	uint16_t port;
};

struct dns_name_entry {
	uint8_t len, labels;         /* with the root label, and without it */
	uint8_t name[DNS_NAME_ROOM]; /* on the wire, lower case, padded */
};

/* A pod's namespace, as a label on the wire; len 0: there is no pod, or nobody knows. */
struct dns_namespace {
	uint8_t len; /* of label, with its length byte */
	uint8_t label[DNS_LABEL_MAX + 1];
};

/* Who is asked for names in a zone. */
struct dns_forward {
	struct dns_name_entry zone; /* of the last one the root (len 1): all else */
	uint16_t n;
	struct dns_server servers[DNS_UPSTREAMS_MAX];
};

struct dns_table {
	const struct dns_zone *zone; /* NULL: not synced yet, or switched off: then queries are passed on */
	struct dns_cache *cache; /* of other names; NULL: these are passed on. Lives as long as the workers */

	bool is_shadow; /* nothing is answered, some queries are compared (dns_shadow.h) */

	/* the DNS service's cluster addresses, and link-local ones at which it answers, too */
	uint8_t n_asked;
	struct dns_server asked[DNS_ASKED_MAX];

	/* the service's endpoints, by family: policies judge a query as if one of them got it */
	struct {
		uint16_t n;
		struct dns_server servers[DNS_BACKENDS_MAX];
	} backends[N_FAMILIES];

	/* the node's own search suffixes, outside of the zone: when nothing is at a.SUFFIX, nothing is below it (RFC 8020) */
	uint8_t n_suffixes;
	struct dns_name_entry suffixes[DNS_SUFFIXES_MAX];

	/* by port id, PORTS_MAX of them: whose look-ups are completed (dns_complete.h); NULL: nobody's */
	const struct dns_namespace *namespaces;

	uint8_t n_forwards; /* longest zone first */
	struct dns_forward forwards[];
};

/* Whether queries to this address and UDP port are for us. */
static inline bool
dns_table_asks(const struct dns_table *t, const struct ip_addr *addr, uint16_t port)
{
	for (unsigned i = 0; i < t->n_asked; i++)
		if (t->asked[i].port == port && ip_addr_eq(&t->asked[i].addr, addr))
			return true;
	return false;
}

#endif
