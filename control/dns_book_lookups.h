/* From queries back to what somebody wanted to know. A stub resolver asks for a name below each suffix of its search list in turn,
 * and last (or, when it has many dots, first) as it is, until an answer says that there is one: queries of one pod for one type whose
 * names differ only by such a suffix, each asked after the one before was answered, are one look-up. All but its final query were
 * wasted, and from the first query to the final answer is what its program waited for.
 *
 * Of a burst that was too big only some queries are told (struct dns_sample), so what came before and after these is not known. They
 * are judged each by itself: not found below a suffix of the search list was wasted.
 *
 * Memory is bounded: DNS_LOOKUPS_ROOM look-ups wait for what follows, some 1.4 MiB in all, and of one pod DNS_LOOKUPS_OF_POD; what
 * has no room ends early. Control thread only, on the samples' clock. */
#ifndef RINGWAY_DNS_BOOK_LOOKUPS_H
#define RINGWAY_DNS_BOOK_LOOKUPS_H

#include <stdbool.h>

#include "control/build/dns_wire.h"
#include "control/dns_book_names.h"
#include "dataplane/dns/dns_tally.h"

#define DNS_SEARCH_MAX 9 /* three of the cluster, and the node's */

/* The next query of a look-up comes this soon after the last answer, or is another's; and its answer comes this late at most. */
#define DNS_LOOKUP_GAP_NS UINT64_C(2000000000)
#define DNS_LOOKUP_REST_NS UINT64_C(8000000000)

#define DNS_LOOKUPS_ROOM 4096
#define DNS_LOOKUPS_OF_POD 64

/* What a pod's resolver appends, in this order. */
struct dns_search {
	unsigned n;
	struct dns_wire suffixes[DNS_SEARCH_MAX]; /* lower case */
};

/* One that is over, or a part of one. */
struct dns_lookup {
	uint32_t pod;
	struct dns_name_counts counts; /* no queries: all of them were told already */
	bool is_whole;                 /* its first query is known: */
	uint64_t first_ns, last_ns;    /* when that was received, and when the final one was answered */
	uint8_t len;
	uint8_t name[DNS_NAME_MAX]; /* that was asked for in the end; lower case */
};

struct dns_lookups;

/* ended is called for each look-up. NULL if out of memory. */
struct dns_lookups *dns_lookups_new(void (*ended)(const struct dns_lookup *lookup, void *arg), void *arg);
void dns_lookups_free(struct dns_lookups *l); /* NULL is fine; ends nothing */

/* A query was answered. pod: any number whose remainder by PORTS_MAX is the port id. */
void dns_lookups_note(struct dns_lookups *l, uint32_t pod, const struct dns_search *search,
	const struct dns_sample *sample);

/* Ends what nothing followed for DNS_LOOKUP_REST_NS; and all of a pod's. */
void dns_lookups_expire(struct dns_lookups *l, uint64_t now_ns);
void dns_lookups_forget(struct dns_lookups *l, uint32_t pod);

#endif
