/* Answers to clients, into the ring of the worker that asked. */
#ifndef RINGWAY_RESOLVE_RESOLVE_TELL_H
#define RINGWAY_RESOLVE_RESOLVE_TELL_H

#include "control/resolve/resolve_state.h"

/* An entry for those who must not or cannot wait any longer, stale or fresh. When servers have failed, workers serve it, too, for the
 * next 30 s (RFC 8767 section 5: the failure recheck timer). NULL: there is none. */
const struct dns_entry *resolve_stale(
	struct resolve *r, const struct dns_cache_key *key, bool has_failed, uint64_t now_ns);

/* Answers the waiter, who is gone afterwards; or, when it is a completion and the entry says that this name does not exist, has it go on
 * with the next one in resolve_run(). */
void tell_entry(struct resolve *r, struct waiter *w, const struct dns_entry *e, enum dns_source source,
	uint64_t now_ns);

/* The same with stale data if there are some, else with SERVFAIL and the reason. A completion ends with what the zone says of the name
 * that was asked for, and so does one in the next function. */
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
enum dns_verdict resolve_chain(
	struct resolve *r, const struct dns_miss *miss, struct dns_query *q, uint64_t now_ns);

#endif
