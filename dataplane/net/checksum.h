/* Internet checksums: computing (RFC 1071), adjusting (RFC 1624 equation 3), pseudo-headers of both families
 * (RFC 9293 section 3.1, RFC 8200 section 8.1). A running sum is 64 bits wide and adds words as they lie in
 * memory: one's complement addition does not care about byte order, so the folded result is stored as it is.
 * Any thread. */
#ifndef RINGWAY_NET_CHECKSUM_H
#define RINGWAY_NET_CHECKSUM_H

#include "dataplane/net/headers.h"
#include "dataplane/net/ip_addr.h"

/* The sum plus len bytes, which begin at an even offset of what is summed. */
uint64_t checksum_add(uint64_t sum, const void *bytes, unsigned len);

static inline uint16_t
checksum_fold(uint64_t sum)
{
	uint32_t half;

	/* either half of the sum of a word and its swapped halves is their sum, with the carry come around in the upper */
	sum += sum << 32 | sum >> 32;
	half = (uint32_t)(sum >> 32);
	half += half << 16 | half >> 16;
	return (uint16_t)(half >> 16);
}

/* The header field that makes the data's sum come out right. */
static inline be16
checksum_finish(uint64_t sum)
{
	return (be16){ (uint16_t)~checksum_fold(sum) };
}

/* As checksum_finish(), for UDP, where 0 says that there is none (RFC 768). */
static inline be16
checksum_finish_udp(uint64_t sum)
{
	be16 field = checksum_finish(sum);

	return field.raw == 0 ? (be16){ 0xffff } : field;
}

/* An address's share of a pseudo-header: the prefix of a v4-mapped address does not count. */
static inline uint64_t
checksum_add_addr(uint64_t sum, const struct ip_addr *a, bool is_v4)
{
	sum += a->d[3];
	return is_v4 ? sum : sum + a->d[0] + a->d[1] + a->d[2];
}

/* The pseudo-header's sum; len is what the transport header and its data measure, in bytes. */
static inline uint64_t
checksum_pseudo(const struct ip_addr *src, const struct ip_addr *dst, bool is_v4, uint8_t proto, uint32_t len)
{
	uint64_t sum = __builtin_bswap32(len) + (uint64_t)__builtin_bswap32(proto);

	return checksum_add_addr(checksum_add_addr(sum, src, is_v4), dst, is_v4);
}

/* Differences, to be gathered over all changes and applied once. */
static inline uint64_t
checksum_change16(uint64_t delta, uint16_t from_raw, uint16_t to_raw)
{
	return delta + (uint16_t)~from_raw + to_raw;
}

static inline uint64_t
checksum_change_addr(uint64_t delta, const struct ip_addr *from, const struct ip_addr *to, bool is_v4)
{
	delta += (uint64_t)(uint32_t)~from->d[3] + to->d[3];
	if (is_v4)
		return delta;
	for (unsigned i = 0; i < 3; i++)
		delta += (uint64_t)(uint32_t)~from->d[i] + to->d[i];
	return delta;
}

static inline be16
checksum_apply(be16 field, uint64_t delta)
{
	return (be16){ (uint16_t)~checksum_fold((uint16_t)~field.raw + delta) };
}

/* The IPv4 header's own checksum, with its checksum field counted as zero. */
be16 checksum_ipv4(const struct ipv4_hdr *ip);

/* Of an IPv4 header with its checksum field in place: whether it is right. */
bool checksum_ipv4_is_valid(const struct ipv4_hdr *ip);

/* SCTP's CRC32C (RFC 9260 appendix A) over a whole packet, its checksum field counted as zero; as stored. */
uint32_t checksum_sctp(const void *packet, unsigned len);

#endif
