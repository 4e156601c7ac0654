/* Compares two answers to one question: ours, and the DNS service's. What counts are result codes, the records of the answer and the
 * SOA of the authority section as sets, and AA. What does not: order, TTLs, the letters' size in names (not in texts), a SOA's serial
 * and its TTL of negative answers, other records of authority, additional ones. Pure; any thread. */
#ifndef RINGWAY_RESOLVE_SHADOW_COMPARE_H
#define RINGWAY_RESOLVE_SHADOW_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first of these that holds. */
enum shadow_kind {
	SHADOW_SAME,
	SHADOW_NO_ANSWER, /* nothing that could be compared came */
	SHADOW_RCODE,
	SHADOW_MISSING, /* the service has records that we do not have ... */
	SHADOW_EXTRA,   /* ... or the other way round */
	SHADOW_AUTHORITY,
	N_SHADOW_KINDS,
};

/* How much of our answer there is. */
enum shadow_extent {
	SHADOW_WHOLE,
	SHADOW_CUT, /* it did not fit: records may have been left out */
	SHADOW_LEAVES, /* it ends with an alias of a name outside, and who is asked for that decides the rest and the result code */
};

/* Both in full, with the question. Ours is ours and so well-formed; TC in it does not matter. */
enum shadow_kind shadow_compare(const uint8_t *ours, size_t ours_size, enum shadow_extent extent,
	const uint8_t *theirs, size_t theirs_size);

/* Whether two answers were there, and differ. */
static inline bool
shadow_is_divergence(enum shadow_kind kind)
{
	return kind != SHADOW_SAME && kind != SHADOW_NO_ANSWER;
}

/* "same", "no_answer", "rcode", "missing", "extra", "authority". */
const char *shadow_kind_text(enum shadow_kind kind);

#endif
