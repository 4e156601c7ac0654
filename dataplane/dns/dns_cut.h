/* Names below a node's search suffix: with the search lists that pods have from their node, each name that they look up is first
 * looked up below it, too. When nothing is at a.SUFFIX, nothing is at any x.a.SUFFIX (RFC 8020), so that one name is asked for ahead
 * of all others: the cut. It is asked and kept as a question for addresses (A) without DO and CD, whatever was asked below it.
 * Workers and the resolver. */
#ifndef RINGWAY_DNS_CUT_H
#define RINGWAY_DNS_CUT_H

#include "dataplane/dns/dns_cache.h"
#include "dataplane/dns/dns_table.h"

struct dns_cut {
	struct dns_cache_key key; /* its name is the one below */
	_Alignas(DNS_CHUNK) uint8_t name[DNS_NAME_ROOM];
};

/* The cut above a lower-case name. False: it is not two labels or more below a suffix, or it is in a zone below the cut that has
 * servers of its own. */
bool dns_cut_above(
	const struct dns_table *t, const uint8_t *name, unsigned len, uint64_t seed, struct dns_cut *out);

/* Whether an entry of the cut's key says that nothing is below it. With a CNAME in it the name is there: what is not is the one that
 * the alias leads to. Of one that was too large for a datagram nobody knows. */
static inline bool
dns_cut_is_nothing(const struct dns_entry *e)
{
	return e->rcode == DNS_RCODE_NXDOMAIN && e->n_answers == 0 && !(e->flags & DNS_ENTRY_TRUNCATED);
}

#endif
