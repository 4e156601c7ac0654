/* From an address to its identity: a number, local to this node, for all that policies can tell apart about a peer
 * (DESIGN section 6). One hash for all prefix lengths, longest first: a pod's address is a prefix of its full length,
 * and most look-ups end there; an ipBlock costs a probe per length in use.
 *
 * Longest match wins, so the builder gives a prefix the identity that says membership in every ipBlock: its cidr
 * contains the prefix, and none of its excepts does. An 'except' is a prefix of its own. A pod whose address lies in
 * ipBlocks has that in its own identity, as the nodes' reserved addresses have those of their nodes. Immutable once
 * published; written by control/build/identities.c. */
#ifndef RINGWAY_POLICY_IDENTITY_TABLE_H
#define RINGWAY_POLICY_IDENTITY_TABLE_H

#include "dataplane/net/ip_addr.h"
#include "dataplane/net/prefix_lens.h"
#include "dataplane/pkt.h"

/* What no prefix holds: only rules for any peer match it. */
#define IDENTITY_OTHER 0
#define IDENTITIES_MAX 65536u

/* Two to a cache line. */
struct identity_entry {
	_Alignas(32) struct ip_addr prefix; /* host bits clear */
	uint8_t len;                        /* 0..128; IPv4 counts from 96 */
	bool is_used;
	uint16_t identity;
};
static_assert(sizeof(struct identity_entry) == 32, "two entries per line");

struct identity_table {
	struct prefix_lens v4, v6;
	uint32_t n_entries;
	uint32_t room; /* entries that it was made for */
	uint32_t mask; /* slots - 1 */
	struct identity_entry slots[];
};

/* Room for n entries, at a load of at most one half; NULL if out of memory. The caller adds them before publishing. */
struct identity_table *identity_table_new(uint32_t n);
void identity_table_free(struct identity_table *t); /* NULL is fine */

/* Adds a prefix, or gives the one that is there another identity. Not more than the table was made for. A pod's address
 * has length 128. */
void identity_table_add(struct identity_table *t, const struct ip_prefix *prefix, uint16_t identity);

static inline uint32_t
identity_slot(const struct identity_table *t, const struct ip_addr *prefix, uint8_t len)
{
	return prefix_hash(prefix, len) & t->mask;
}

static inline bool
identity_is_of(const struct identity_entry *e, const struct ip_addr *prefix, uint8_t len)
{
	return e->len == len && ip_addr_eq(&e->prefix, prefix);
}

/* Where the look-up of an address begins: what to prefetch. */
static inline const struct identity_entry *
identity_first(const struct identity_table *t, const struct ip_addr *a)
{
	return &t->slots[identity_slot(t, a, 128)];
}

/* From the place after the first on. */
uint16_t identity_from_next(
	const struct identity_table *t, const struct identity_entry *first, const struct ip_addr *a);

/* The identity of the longest prefix that holds the address, or IDENTITY_OTHER; first is identity_first(). Workers. */
static inline uint16_t
identity_from(const struct identity_table *t, const struct identity_entry *first, const struct ip_addr *a)
{
	if (__builtin_expect(identity_is_of(first, a, 128), 1))
		return first->identity;
	return identity_from_next(t, first, a);
}

static inline uint16_t
identity_of(const struct identity_table *t, const struct ip_addr *a)
{
	return identity_from(t, identity_first(t, a), a);
}

#endif
