/* Hashes of what identifies a flow. CRC32C (one instruction per eight bytes) tells keys apart, and a multiply
 * spreads what it says, so that any bits of the result serve as a table index. Stable over restarts and equal
 * on all machines: buckets, outer source ports and table layouts depend on nothing but the key. Whoever knows
 * the function can make keys collide, so a table keyed by what strangers choose bounds its probes. Any
 * thread.
 */
#ifndef RINGWAY_NET_FLOW_KEY_H
#define RINGWAY_NET_FLOW_KEY_H

#include <nmmintrin.h>

#include "dataplane/net/ip_addr.h"

/* Finaliser: two multiplies by odd constants with a shift between (after Stafford's variants of
 * MurmurHash3's), so that each input bit reaches each output bit. */
static inline uint32_t
hash_mix(uint64_t x)
{
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 32;
	x *= UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(x >> 32);
}

/* Of an address, a port (host order) and a protocol: frontends and backends. Also of an address and any two
 * small numbers. */
static inline uint32_t
addr_hash(const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	uint64_t crc = _mm_crc32_u64(_mm_crc32_u64(0, addr->w[0]), addr->w[1]);

	return hash_mix(crc | (uint64_t)port << 32 | (uint64_t)proto << 48);
}

/* Of a five-tuple; ports in host order. Source and destination go through chains of their own, which run side
 * by side. */
static inline uint32_t
flow_hash(const struct ip_addr *src, const struct ip_addr *dst, uint16_t sport, uint16_t dport, uint8_t proto)
{
	uint64_t ports = (uint64_t)sport << 32 | (uint64_t)dport << 16 | proto;
	uint64_t from = _mm_crc32_u64(_mm_crc32_u64(_mm_crc32_u64(0, ports), src->w[0]), src->w[1]);
	uint64_t to = _mm_crc32_u64(_mm_crc32_u64(0, dst->w[0]), dst->w[1]);

	return hash_mix(from | to << 32);
}

#endif
