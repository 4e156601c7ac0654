/* Network byte order as types: a be16 is not a number, so it cannot be mixed with one by accident.
 * Wire structs (net/headers.h) use these; descriptors and tables keep ports and lengths in host order. */
#ifndef RINGWAY_NET_BYTEORDER_H
#define RINGWAY_NET_BYTEORDER_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
	uint16_t raw;
} be16;

typedef struct {
	uint32_t raw;
} be32;

static inline be16
be16_from(uint16_t host)
{
	return (be16){ __builtin_bswap16(host) };
}

static inline uint16_t
be16_host(be16 wire)
{
	return __builtin_bswap16(wire.raw);
}

static inline bool
be16_eq(be16 a, be16 b)
{
	return a.raw == b.raw;
}

static inline be32
be32_from(uint32_t host)
{
	return (be32){ __builtin_bswap32(host) };
}

static inline uint32_t
be32_host(be32 wire)
{
	return __builtin_bswap32(wire.raw);
}

static inline bool
be32_eq(be32 a, be32 b)
{
	return a.raw == b.raw;
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the swaps above are for little-endian machines");

#endif
