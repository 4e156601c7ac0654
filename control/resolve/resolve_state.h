/* All that the resolver's core knows; its parts are resolve_tell.h (answers to clients), resolve_life.h (the end of a look-up, or its
 * next turn), resolve_try.h (queries to servers), resolve_reply.h (what these say), and resolve.h above them. */
#ifndef RINGWAY_RESOLVE_RESOLVE_STATE_H
#define RINGWAY_RESOLVE_RESOLVE_STATE_H

#include "control/resolve/lookup.h"
#include "control/resolve/resolve_config.h"
#include "control/resolve/resolver_counters.h"
#include "control/resolve/tokens.h"
#include "control/resolve/tries.h"
#include "dataplane/counters.h"
#include "dataplane/dns/dns_cache_edit.h"
#include "dataplane/dns/dns_cache_make.h"
#include "dataplane/dns/dns_complete.h"
#include "dataplane/dns/dns_cut.h"
#include "dataplane/dns/dns_parse.h"
#include "dataplane/dns/dns_tally.h"

/* Why nobody answered. */
enum try_failure {
	FAILURE_NONE,
	FAILURE_SILENCE,
	FAILURE_NETWORK,
	FAILURE_REFUSAL,
	FAILURE_NO_SERVER,
	FAILURE_LOCAL,
};

struct resolve {
	struct resolve_config config;
	const struct dns_table *table;
	struct lookups *lookups;
	struct tries tries;
	struct upstreams upstreams;
	struct tokens tokens;
	struct entropy entropy;
	uint32_t rotation;
	struct dns_parsed parsed;   /* of the reply at hand ... */
	struct dns_entry_room made; /* ... and what is to be kept of it */
	uint64_t counters[N_RESOLVER_COUNTERS];
};

static inline void
resolve_count(struct resolve *r, enum resolver_counter which)
{
	counter_add(&r->counters[which], 1);
}

#endif
