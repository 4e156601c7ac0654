/* One address type for both families: 128 bits, IPv4 as v4-mapped (RFC 4291 section 2.5.5.2), network byte
 * order. Every table and stage keys on this, so each has one body; only reading and writing headers forks.
 * The all-zero address means "none". Any thread. */
#ifndef RINGWAY_NET_IP_ADDR_H
#define RINGWAY_NET_IP_ADDR_H

#include <smmintrin.h>
#include <stddef.h>
#include <string.h>

#include "dataplane/net/byteorder.h"

struct ip_addr {
	union {
		uint8_t b[16];
		uint32_t d[4]; /* network byte order */
		uint64_t w[2]; /* network byte order */
	};
};

/* An address with the number of leading bits that count, on the 128-bit scale (IPv4 /24 is 120). */
struct ip_prefix {
	struct ip_addr addr;
	uint8_t len;
};

#define IP_ADDR_STRLEN 46
#define IP_PREFIX_STRLEN 50

/* Made in one register and stored as a whole: what reads an address, by halves or all of it, would wait for
 * narrower stores to leave the store buffer. */
static inline struct ip_addr
ip_addr_v4(be32 v4)
{
	struct ip_addr a;

	_mm_storeu_si128(
		(__m128i *)&a, _mm_insert_epi32(_mm_set_epi32(0, (int)0xffff0000, 0, 0), (int)v4.raw, 3));
	return a;
}

static inline struct ip_addr
ip_addr_v6(const void *bytes16)
{
	struct ip_addr a;

	memcpy(&a, bytes16, sizeof(a));
	return a;
}

static inline bool
ip_addr_is_v4(const struct ip_addr *a)
{
	return a->w[0] == 0 && a->d[2] == 0xffff0000u;
}

static inline be32
ip_addr_to_v4(const struct ip_addr *a)
{
	return (be32){ a->d[3] };
}

static inline bool
ip_addr_eq(const struct ip_addr *a, const struct ip_addr *b)
{
	return ((a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1])) == 0;
}

static inline bool
ip_addr_is_none(const struct ip_addr *a)
{
	return (a->w[0] | a->w[1]) == 0;
}

static inline bool
ip_addr_is_v6_link_local(const struct ip_addr *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

static inline bool
ip_addr_is_multicast(const struct ip_addr *a)
{
	return ip_addr_is_v4(a) ? (a->b[12] & 0xf0) == 0xe0 : a->b[0] == 0xff;
}

/* The address with all bits after the first len (0..128) cleared. */
struct ip_addr ip_addr_mask(const struct ip_addr *a, unsigned len);

/* Total order by bytes, for sorting. */
int ip_addr_cmp(const struct ip_addr *a, const struct ip_addr *b);

/* Parses "10.0.0.1" or "fd00::1"; false if it is neither. */
bool ip_addr_parse(const char *text, struct ip_addr *out);

/* Writes the address as people write it (IPv4 dotted) and returns buf. */
const char *ip_addr_format(const struct ip_addr *a, char buf[static IP_ADDR_STRLEN]);

/* Parses "10.244.0.0/16" or "fd00::/64"; false if malformed. Host bits are cleared. */
bool ip_prefix_parse(const char *text, struct ip_prefix *out);

/* Writes "10.244.0.0/16" (length on the family's own scale) and returns buf. */
const char *ip_prefix_format(const struct ip_prefix *p, char buf[static IP_PREFIX_STRLEN]);

bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a);

#endif
