/* From the store and the facts to one version of all tables. Pure but for what it remembers from build to build (indexes
 * and slots, which must not change under flows). A sub-table that needs no rebuild is shared with the version before;
 * each lives as long as a version names it. All or nothing: when a build fails, the version before stays whole. */
#ifndef RINGWAY_BUILD_SNAPSHOT_BUILD_H
#define RINGWAY_BUILD_SNAPSHOT_BUILD_H

#include "control/build/facts.h"
#include "control/model/store.h"

#define BUILD_ERROR_SIZE 256

struct dns_table_builder;
struct policy_builder;
struct service_builder;
struct slots;
struct snapshot_builder;

/* What to rebuild. */
enum build_part {
	BUILD_TOPOLOGY = 1 << 0, /* node, endpoint, route and FDB: facts or Node objects changed */
	/* nothing else did; the builders of services and policies find by themselves what of them changed */
	BUILD_SERVICES = 1 << 1,
	BUILD_POLICIES = 1 << 2,
	BUILD_DNS = 1 << 3,
};

/* The store and the slots are the caller's. NULL if out of memory. */
struct snapshot_builder *snapshot_builder_new(struct store *store, struct slots *slots);

/* All versions must have been released. NULL is fine. */
void snapshot_builder_free(struct snapshot_builder *b);

/* A new version; what is not in 'parts' (enum build_part, or-ed) is shared with the last one, and the first builds all. 0;
 * -EAGAIN while this node's Node object is not known; -ENOMEM. On failure error says what is wrong. */
int snapshot_build(struct snapshot_builder *b, const struct build_facts *facts, unsigned parts,
	uint64_t now_ns, const struct tables **out, char error[static BUILD_ERROR_SIZE]);

/* What it has taken from the store (enum build_part, or-ed) that no version has, since a build failed behind it: to be built
 * though nothing changes any more. */
unsigned snapshot_owes(const struct snapshot_builder *b);

/* For names, refusals, memory. That of DNS begins with the first build; NULL: there is none, or none yet. */
struct dns_table_builder *snapshot_dns(struct snapshot_builder *b);
struct service_builder *snapshot_services(struct snapshot_builder *b);
struct policy_builder *snapshot_policies(struct snapshot_builder *b);

/* Gives a version up, after its grace period. NULL is fine. */
void snapshot_release(struct snapshot_builder *b, const struct tables *tables);

#endif
