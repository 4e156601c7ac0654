#include "dataplane/net/checksum.h"

#include <nmmintrin.h>

uint64_t
checksum_add(uint64_t sum, const void *bytes, unsigned len)
{
	const uint8_t *p = bytes;
	uint64_t other = 0;

	/* two chains of additions; 32-bit halves leave room for the carries of any packet */
	for (; len >= 16; len -= 16, p += 16) {
		uint64_t a, b;

		memcpy(&a, p, sizeof(a));
		memcpy(&b, p + 8, sizeof(b));
		sum += (a & 0xffffffff) + (a >> 32);
		other += (b & 0xffffffff) + (b >> 32);
	}
	for (; len >= 4; len -= 4, p += 4) {
		uint32_t a;

		memcpy(&a, p, sizeof(a));
		sum += a;
	}
	if (len >= 2) {
		uint16_t a;

		memcpy(&a, p, sizeof(a));
		sum += a;
		len -= 2;
		p += 2;
	}
	return sum + other + (len == 1 ? *p : 0);
}

be16
checksum_ipv4(const struct ipv4_hdr *ip)
{
	uint64_t sum = checksum_add(0, ip, (ip->version_ihl & 0xfu) * 4);

	return checksum_finish(sum + (uint16_t)~ip->checksum.raw);
}

bool
checksum_ipv4_is_valid(const struct ipv4_hdr *ip)
{
	/* without options, which is nearly always, five words are read faster than a loop is set up */
	if (ip->version_ihl == 0x45) {
		uint32_t words[5];

		memcpy(words, ip, sizeof(words));
		return checksum_fold((uint64_t)words[0] + words[1] + words[2] + words[3] + words[4]) ==
		       0xffff;
	}
	return checksum_fold(checksum_add(0, ip, (ip->version_ihl & 0xfu) * 4)) == 0xffff;
}

static uint32_t
crc32c(uint32_t crc, const uint8_t *p, unsigned len)
{
	for (; len >= 8; len -= 8, p += 8) {
		uint64_t word;

		memcpy(&word, p, sizeof(word));
		crc = (uint32_t)_mm_crc32_u64(crc, word);
	}
	for (; len > 0; len--, p++)
		crc = _mm_crc32_u8(crc, *p);
	return crc;
}

uint32_t
checksum_sctp(const void *packet, unsigned len)
{
	static const uint8_t zero[4];
	const uint8_t *p = packet;
	uint32_t crc = crc32c(~0u, p, offsetof(struct sctp_hdr, crc32c));

	crc = crc32c(crc, zero, sizeof(zero));
	return ~crc32c(crc, p + sizeof(struct sctp_hdr), len - (unsigned)sizeof(struct sctp_hdr));
}
