/* All that the resolver's core knows; its parts are resolve_tell.h (answers to clients), resolve_life.h (the end of a look-up, or its
 * next turn), resolve_try.h (queries to servers), resolve_reply.h (what these say), shadow.h (comparisons), and resolve.h above
 * them. */
#ifndef RINGWAY_RESOLVE_RESOLVE_STATE_H
#define RINGWAY_RESOLVE_RESOLVE_STATE_H

#include "control/resolve/failures.h"
#include "control/resolve/lookup.h"
#include "control/resolve/resolve_config.h"
#include "control/resolve/resolver_counters.h"
#include "control/resolve/shadow_book.h"
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

/* A query that the DNS service is asked in shadow mode, under way. */
struct comparison {
	struct try *x; /* NULL: it is free */
	struct dns_miss miss;
	struct upstream *refused[DNS_UPSTREAMS_MAX];
	struct upstream *silent; /* the last one that was; NULL: none */
	uint8_t n_refused, n_tries;
	uint16_t size;            /* of ours */
	uint8_t ours_is;          /* enum shadow_extent */
	struct dns_cache_key key; /* its name is the one below */
	_Alignas(DNS_CHUNK) uint8_t name[DNS_NAME_ROOM];
	uint8_t ours[DNS_UDP_SIZE_MAX]; /* what we would have answered when it was asked */
};

#define COMPARISONS_MAX 64
#define COMPARISONS_SHARE 16 /* of one pod */

struct resolve {
	struct resolve_config config;
	const struct dns_table *table;
	struct lookups *lookups;
	struct tries tries;
	struct upstreams upstreams;
	struct tokens tokens;
	struct entropy entropy;
	struct failures failures;
	uint64_t starved_ns; /* the last time that somebody had to wait for a token or room; 0: never */
	uint32_t rotation;
	struct dns_parsed parsed;   /* of the reply at hand ... */
	struct dns_entry_room made; /* ... and what is to be kept of it */
	struct comparison compared[COMPARISONS_MAX];
	struct shadow_book shadow_book;
	uint64_t counters[N_RESOLVER_COUNTERS];
};

static inline void
resolve_count(struct resolve *r, enum resolver_counter which)
{
	counter_add(&r->counters[which], 1);
}

#endif
