/* What tables share that find the longest prefix of an address by a hash per prefix length: which lengths there are, and where a
 * prefix's slot is. Who fills a table has it to himself; look-ups change nothing. */
#ifndef RINGWAY_PREFIX_LENS_H
#define RINGWAY_PREFIX_LENS_H

#include <nmmintrin.h>

#include "dataplane/net/ip_addr.h"

/* The prefix lengths that a family uses, longest first, with the masks that keep so many bits. */
struct prefix_lens {
	unsigned n;
	struct {
		struct ip_addr mask;
		uint8_t len; /* 0..128; IPv4 counts from 96 */
	} by_rank[129];
};

/* From now on there is one of this length. */
void prefix_lens_note(struct prefix_lens *l, uint8_t len);

static inline struct ip_addr
prefix_masked(const struct ip_addr *a, const struct ip_addr *mask)
{
	return (struct ip_addr){ .w = { a->w[0] & mask->w[0], a->w[1] & mask->w[1] } };
}

/* CRC32C alone: it keeps neighbouring prefixes apart, and who adds prefixes is no adversary. */
static inline uint32_t
prefix_hash(const struct ip_addr *prefix, uint8_t len)
{
	return (uint32_t)_mm_crc32_u64(_mm_crc32_u64(len, prefix->w[0]), prefix->w[1]);
}

#endif
