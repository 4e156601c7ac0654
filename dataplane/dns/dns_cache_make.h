/* Writes the entry that a reply becomes: its records anew, in the order of the chain, compressed against a question of the key's
 * name, equal addresses beside each other. The entry is in the caller's memory: those who wait are answered from it
 * (dns_entry_answer()) also if it is not kept, and dns_cache_put() takes a copy. Pure; any thread. */
#ifndef RINGWAY_DNS_CACHE_MAKE_H
#define RINGWAY_DNS_CACHE_MAKE_H

#include "dataplane/dns/dns_cache.h"
#include "dataplane/dns/dns_parse.h"

/* The head, a name, a body that fills a reply, and offsets for it. */
#define DNS_ENTRY_SIZE_MAX 2304

struct dns_entry_room {
	_Alignas(DNS_CACHE_UNIT) uint8_t bytes[DNS_ENTRY_SIZE_MAX];
};

struct dns_entry_limits {
	uint32_t negative_max_s; /* how long NODATA and NXDOMAIN live at most (RFC 2308 section 5) */
	uint32_t stale_max_s; /* how long after its end an answer may still be served (RFC 8767 section 5) */
};

/* The reply's kind is ANSWER, NODATA or NXDOMAIN, and it is to the key's question. What does not fit a reply over UDP becomes an entry
 * that says TC. The entry, in *room; its life_s is 0 when nobody should keep it. */
const struct dns_entry *dns_entry_make(struct dns_entry_room *room, const struct dns_cache_key *key,
	const struct dns_parsed *reply, const struct dns_entry_limits *limits, uint64_t now_ns);

#endif
