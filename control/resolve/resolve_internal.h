/* What the parts of the resolver share: resolve.c takes queries and turns, resolve_try.c asks servers, resolve_reply.c takes
 * what they say, resolve_tell.c answers clients. */
#ifndef RINGWAY_RESOLVE_RESOLVE_INTERNAL_H
#define RINGWAY_RESOLVE_RESOLVE_INTERNAL_H

#include "control/resolve/lookup.h"
#include "control/resolve/resolve.h"
#include "control/resolve/tokens.h"
#include "control/resolve/tries.h"
#include "dataplane/counters.h"
#include "dataplane/dns/dns_cache_edit.h"
#include "dataplane/dns/dns_cache_make.h"
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

/* --- resolve.c */

/* Nobody, or nobody else, waits for it any more: ends it, unless it may still be of use. */
void resolve_settle(struct resolve *r, struct lookup *k, uint64_t now_ns);

/* Ends a look-up, whose waiters have been told. */
void resolve_end(struct resolve *r, struct lookup *k, uint64_t now_ns);

/* Those that wait for it go on without. */
void resolve_release(struct resolve *r, struct lookup *k, uint64_t now_ns);

/* Has the look-up wait for a token, in the turns of those who want it; without anybody, ends it, unless a token can be spared. */
void resolve_wait(struct resolve *r, struct lookup *k, uint64_t now_ns);

/* --- resolve_try.c */

/* Asks a server; if there is none left, gives the look-up up. A token was taken. */
void try_next(struct resolve *r, struct lookup *k, uint64_t now_ns);

/* Asks x's server again, over TCP or without EDNS. False: that did not go. */
bool try_again(struct resolve *r, const struct try *x, bool is_tcp, bool is_plain, uint64_t now_ns);

/* The try came to nothing. It is still there if it was silent; an answer would still do. */
void try_failed(struct resolve *r, struct try *x, enum try_failure failure, uint64_t now_ns);

/* Its time is up. */
void try_timed_out(struct resolve *r, struct try *x, uint64_t now_ns);

/* Closes it and forgets it. */
void try_close(struct resolve *r, struct try *x);

/* Closes those of a look-up, but for those that are to tell about their server. */
void tries_close(struct resolve *r, struct lookup *k);
void tries_close_all(struct resolve *r);

/* The message of a try, into 'out'; returns its size. */
#define TRY_MESSAGE_MAX (DNS_HEADER_SIZE + DNS_NAME_MAX + 4 + DNS_OPT_SIZE)
uint16_t try_message(const struct lookup *k, uint16_t id, bool is_plain, uint8_t out[static TRY_MESSAGE_MAX]);

/* --- resolve_tell.c */

/* An entry for those who must not or cannot wait any longer, stale or fresh. When servers have failed, workers serve it, too, for the
 * next 30 s (RFC 8767 section 5: the failure recheck timer). NULL: there is none. */
const struct dns_entry *resolve_stale(
	struct resolve *r, const struct dns_cache_key *key, bool has_failed, uint64_t now_ns);

/* Answers the waiter, who is gone afterwards. */
void tell_entry(struct resolve *r, struct waiter *w, const struct dns_entry *e, enum dns_source source,
	uint64_t now_ns);

/* The same with stale data if there are some, else with SERVFAIL and the reason. */
void tell_failure(struct resolve *r, struct waiter *w, enum dns_source source, uint16_t ede, const char *text,
	uint64_t now_ns);

/* Answers a query that never waited. */
void tell_miss(struct resolve *r, const struct dns_miss *miss, const struct dns_entry *e, bool is_chained,
	enum dns_source source, uint64_t now_ns);
void tell_miss_failure(struct resolve *r, const struct dns_miss *miss, const struct dns_cache_key *key,
	bool is_chained, enum dns_source source, uint16_t ede, const char *text, uint64_t now_ns);

/* Reads a miss's question, with what its client said of EDNS. False: it is none. */
bool resolve_scan(const struct resolve *r, struct dns_miss *miss, struct dns_query *q);

/* For a name of the zone: what of it is outside. DNS_LEAVES: *q is the query for that. DNS_ANSWERED: it was told. DNS_PASS: it is
 * not the zone's. */
enum dns_verdict resolve_chain(struct resolve *r, const struct dns_miss *miss, struct dns_query *q);

#endif
