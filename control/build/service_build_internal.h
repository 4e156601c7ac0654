/* What service_build.c (the builder's life), service_changes.c (what changed since the last build) and service_rebuild.c (the
 * build of what did) share; nobody else includes it. */
#ifndef RINGWAY_BUILD_SERVICE_BUILD_INTERNAL_H
#define RINGWAY_BUILD_SERVICE_BUILD_INTERNAL_H

#include "control/build/facts.h"
#include "control/build/frontend_build.h"
#include "control/build/service_build.h"
#include "control/build/service_records.h"
#include "control/model/store.h"
#include "control/model/watch.h"

/* What all services depend on: when it changes, all are looked at. */
struct service_common {
	char *node, *zone;
	struct ip_addr node_port_addrs[2 * N_FAMILIES];
	size_t n_node_port_addrs;
	uint64_t ranges; /* digest of configured ranges and of the node's own addresses */
};

struct service_builder {
	struct store *store;
	struct slots *slots;
	struct store_watch *watch;
	struct piece_pool *pool;
	struct service_records records;
	struct frontend_builder frontends;
	struct gone_pods *gone;
	struct service_common common;
	uint64_t nodes;      /* digest of all nodes' addresses and pod ranges */
	uint64_t host_ports; /* digest */
	bool nodes_changed;
	bool is_started;    /* some build succeeded */
	bool out_of_memory; /* a change could not be noted: all is looked at next time */
	uint32_t n_blocked;
	struct service_table *last; /* NULL after its release */
	struct moves *moves;
	size_t n_former, former_room;
	struct slot_record *former;   /* until the first build */
	struct service_slices slices; /* scratch */
};

void service_common_fini(struct service_common *c);

/* Notes what changed since the last build: in the store, in facts. 0 or -ENOMEM. */
int service_changes_find(struct service_builder *b, const struct build_facts *facts);

/* Notes the services that wait for a slot: one that has rested may be what they waited for. */
void service_changes_slotless(struct service_builder *b);

/* Notes pods that are gone: buckets that wait for them wait no longer. */
void service_changes_gone(struct service_builder *b);

/* Builds what was noted into a new version, *out. 0; -ENOMEM, with everything as it was. */
int service_rebuild(struct service_builder *b, const struct build_facts *facts, struct service_table **out);

#endif
