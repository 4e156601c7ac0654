/* The cluster's zone (dataplane/dns/dns_zone.h), from Namespaces, Services, EndpointSlices and, where pod records are verified,
 * Pods. A build looks at what changed in the store and makes a version that shares all other names with the one before. What a
 * version says depends on nothing but the objects, whatever came before.
 *
 * Names of a service: dns_service.h; reverse names: dns_reverse.h; pod records: dns_pods.h. Besides, there are the zone's own SOA
 * and NS (ns.dns.ZONE, with the addresses of the cluster's DNS service), dns-version, and a name for each namespace, without
 * which what is in it does not exist. Control thread only. */
#ifndef RINGWAY_BUILD_DNS_BUILD_H
#define RINGWAY_BUILD_DNS_BUILD_H

#include "control/build/dns_options.h"
#include "control/build/dns_pods.h"

struct dns_build_config {
	const char *zone;
	uint32_t ttl_s;
	enum dns_pod_records pods;
	const char *server_ns, *server; /* the cluster's DNS service */
	uint32_t serial;                /* of the first version */
	uint64_t seed;                  /* of names' hashes; 0: a random one */
};

struct dns_builder;

/* Fills *out. The store is the caller's and outlives it. 0; -EINVAL: the zone is no name that a zone can have; -ENOMEM. */
int dns_builder_new(struct dns_builder **out, struct store *store, const struct dns_build_config *config);

/* All versions must have been released. NULL is fine. */
void dns_builder_free(struct dns_builder *b);

/* Whether a build would find nothing to do. */
bool dns_builder_is_idle(const struct dns_builder *b);

/* A new version in *out, or NULL when the last one is still right. 0; -ENOMEM, with the last version as it was, and the next
 * call tries again. */
int dns_builder_build(struct dns_builder *b, struct dns_zone **out);

/* The same in steps, for whoever cannot wait: goes on with the coming version for about so many names of services, or pods. What changes in the store
 * between steps is in that version or in the next one. 0: that was the last step, with *out as above; -EAGAIN: call again;
 * -ENOMEM as above. */
int dns_builder_step(struct dns_builder *b, unsigned n_names, struct dns_zone **out);

/* Gives a version up, after its grace period; in the order in which they were built. Without the last one, nothing is left but to
 * free the builder. NULL is fine. */
void dns_builder_release(struct dns_builder *b, struct dns_zone *z);

/* Memory of all versions that were not released. */
struct piece_pool_books dns_builder_books(const struct dns_builder *b);

#endif
