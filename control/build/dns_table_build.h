/* What workers and the resolver know of DNS (dataplane/dns/dns_table.h), from the DNS service and its EndpointSlices, the options,
 * and the cluster's zone, which dns_build.h makes from all services.
 *
 * The first zone of a large cluster takes a few hundred milliseconds, so a zone is made in steps, between which whoever publishes
 * has time for other things; until it is there, tables have the last one, or none. What a table says otherwise depends on nothing
 * but objects and options, with one exception: when the service has no endpoints left, policies go on judging by those that it
 * had last. Control thread only. */
#ifndef RINGWAY_BUILD_DNS_TABLE_BUILD_H
#define RINGWAY_BUILD_DNS_TABLE_BUILD_H

#include "control/build/dns_build.h"
#include "control/model/store.h"

struct dns_table_builder;

/* The store and the options are the caller's and outlive it; so does the cache, which may be NULL. seed: of names' hashes, the
 * cache's; 0: a random one. NULL if out of memory. */
struct dns_table_builder *dns_table_builder_new(
	struct store *store, const struct dns_options *options, struct dns_cache *cache, uint64_t seed);

/* All tables must have been released. NULL is fine. */
void dns_table_builder_free(struct dns_table_builder *b);

/* Whether there are changes that no step has looked at, or a zone in the making. */
bool dns_table_builder_has_work(const struct dns_table_builder *b);

/* Looks at changes and goes on with the zone for some milliseconds. 0 or -ENOMEM, and the next call tries again. */
int dns_table_builder_step(struct dns_table_builder *b);

/* Whether steps have found that a table is to be built. */
bool dns_table_builder_is_due(const struct dns_table_builder *b);

/* The pods that are attached here, the caller's: for the next build, and before each one. Nobody looks at them but when searches are
 * completed. */
struct local_pod;
void dns_table_builder_see_pods(struct dns_table_builder *b, const struct local_pod *pods, size_t n);

/* A new table in *out, or last, when that is still right; NULL: there is none. 0; -ENOMEM, and the next call tries again. */
int dns_table_builder_build(
	struct dns_table_builder *b, const struct dns_table *last, const struct dns_table **out);

/* Gives a table up, after its grace period; in any order. NULL is fine. */
void dns_table_builder_release(struct dns_table_builder *b, const struct dns_table *t);

/* Memory of all zones that are still in use. */
struct piece_pool_books dns_table_builder_books(const struct dns_table_builder *b);

#endif
