/* Making versions of the zone. A version is made new, or from the last one; names are put into it and removed; the commit makes
 * it immutable, and then it is published. What two versions share is freed with the last of them: names and shards that a
 * version does not have any more go when the one before it is freed. So versions are freed in the order in which they were made,
 * but for a last one that is given up before its commit.
 *
 * Why not a tree, or one large hash: a change of a service touches a handful of names, each in a shard of a few kilobytes, which
 * is copied; that costs microseconds at any size of the cluster and leaves look-ups two dependent loads. Control thread only. */
#ifndef RINGWAY_DNS_ZONE_EDIT_H
#define RINGWAY_DNS_ZONE_EDIT_H

#include "dataplane/dns/dns_zone.h"
#include "dataplane/service/piece_pool.h"

struct dns_zone_config {
	const uint8_t *name; /* the zone's, on the wire, lower case; at most DNS_ZONE_NAME_MAX bytes */
	uint32_t ttl_s;      /* of the SOA, and of negative answers */
	uint32_t serial;     /* of the first version; each one adds one */
	uint64_t seed;       /* random */
};

/* A version without names. The pool is the caller's and outlives all versions. NULL if out of memory. */
struct dns_zone *dns_zone_new(const struct dns_zone_config *config, struct piece_pool *pool);

/* A version with the names of the last one, which is committed. NULL if out of memory. */
struct dns_zone *dns_zone_next(struct dns_zone *last);

/* Memory for a name, of node->size bytes; it goes with the version if that is not committed. NULL if out of memory. */
struct dns_node *dns_zone_node_new(struct dns_zone *z, size_t size);

/* Puts a name in place of the one there may be. 0 or -ENOMEM. */
int dns_zone_put(struct dns_zone *z, const struct dns_node *node);

/* Removes a name that is there. 0 or -ENOMEM. */
int dns_zone_remove(struct dns_zone *z, const struct dns_node *node);

/* Whether anything was put or removed. Before the commit. */
bool dns_zone_is_changed(const struct dns_zone *z);

/* From now on it does not change. */
void dns_zone_commit(struct dns_zone *z);

/* NULL is fine. */
void dns_zone_free(struct dns_zone *z);

/* How many names there are. */
size_t dns_zone_count(const struct dns_zone *z);

#endif
