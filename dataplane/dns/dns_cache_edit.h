/* The one who writes the cache. Its memory is fixed: a tenth or so for the index, the rest in segments of equal size, which are filled
 * one after the other. An entry that is replaced is a gap in its segment; and before the last free segment is begun, one is cleaned:
 *
 *   one that is half empty or more, the emptiest: all its entries move to the segment that is being filled;
 *   else the oldest: those of its entries that were used since they came there move, up to half of a segment's bytes, and the others
 *   are forgotten. That is CLOCK with segments for pages: what is asked for once does not drive out what is asked for again
 *   and again.
 *
 * A cleaned segment is filled again after a grace period. So putting costs a copy, and at times that of half a segment; nothing
 * searches, and nothing waits. NODATA and NXDOMAIN have segments of their own: more of them than their share are never held, and
 * when all are in use, who has more than his share gives. Answers that only make sense now (SERVFAIL and REFUSED) are not kept:
 * who asks upstream remembers them for a while (control/resolve/failures.h).
 * Nothing empties it: options say who is asked, for as long as the process lives; and of the DNS service, whose endpoints come and
 * go, one says what the other says.
 *
 * One thread, which may be a reader, too; what it found is not valid any more after it put something. */
#ifndef RINGWAY_DNS_CACHE_EDIT_H
#define RINGWAY_DNS_CACHE_EDIT_H

#include "dataplane/dns/dns_cache.h"
#include "dataplane/snapshot.h"

/* Less memory is made this much. */
#define DNS_CACHE_MEMORY_MIN ((size_t)256 << 10)

struct dns_cache_config {
	size_t memory_bytes;
	unsigned negative_percent; /* of it, for NODATA and NXDOMAIN; 0: they are not kept */
	uint64_t seed;             /* random */
	struct snapshot *snapshot; /* whose readers find entries */
};

/* Allocates all the memory there will be, and touches it. NULL if out of memory. */
struct dns_cache *dns_cache_new(const struct dns_cache_config *config);

/* No reader has it any more. NULL is fine. */
void dns_cache_free(struct dns_cache *c);

/* Copies the entry into the cache, in place of one with the same key. -EINVAL: it has no life; -ENOBUFS: there is no memory until
 * readers have quiesced, or none at all for its kind; then one with the same key is forgotten, too, since it is not what upstream
 * says now: it must not be served stale. */
int dns_cache_put(struct dns_cache *c, const struct dns_entry *entry);

/* Has an entry that is expired, or will be, served until then, which its stale_s bounds; what was said before with a later time stays.
 * False: there is none. */
bool dns_cache_mark_stale(struct dns_cache *c, const struct dns_cache_key *key, uint64_t until_ns);

struct dns_cache_books {
	uint64_t memory_bytes; /* in all */
	uint64_t entry_bytes;  /* of entries that can be found */
	uint64_t n_entries;    /* that can be found, whatever their life */
	uint64_t n_negatives;  /* among these */
	uint64_t n_put;        /* so many times an entry came */
	uint64_t n_replaced;   /* ... in place of an older one */
	uint64_t n_kept;       /* so many times one was moved when its segment was cleaned */
	uint64_t n_forgotten;  /* ... and one was not */
	uint64_t n_refused;    /* dns_cache_put() had no memory */
};

/* Any thread. */
struct dns_cache_books dns_cache_books(const struct dns_cache *c);

#endif
