#include "dataplane/net/checksum.h"

#include <nmmintrin.h>

/* The last n of the 16 bytes before 'end', as the first of 16, and zeros. */
static __m128i
load_last(const uint8_t *end, unsigned n)
{
	static const uint8_t from[32] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 128, 128, 128,
		128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128 };

	return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(end - 16)),
		_mm_loadu_si128((const __m128i *)(from + 16 - n)));
}

/* For 16 bytes and more. Four sums of 32-bit words in 64 bits, which leaves room for the carries of any packet; what is left at
 * the end is taken without a branch for each of its lengths. */
static uint64_t
add_chunks(const uint8_t *p, unsigned len)
{
	const __m128i low = _mm_set1_epi64x(0xffffffff);
	const uint8_t *end = p + len;
	__m128i even = _mm_setzero_si128(), odd = even, chunk;

	for (; end - p >= 16; p += 16) {
		chunk = _mm_loadu_si128((const __m128i *)p);
		even = _mm_add_epi64(even, _mm_and_si128(chunk, low));
		odd = _mm_add_epi64(odd, _mm_srli_epi64(chunk, 32));
	}
	chunk = load_last(end, (unsigned)(end - p));
	even = _mm_add_epi64(even, _mm_and_si128(chunk, low));
	odd = _mm_add_epi64(odd, _mm_srli_epi64(chunk, 32));
	even = _mm_add_epi64(even, odd);
	return (uint64_t)_mm_cvtsi128_si64(even) + (uint64_t)_mm_extract_epi64(even, 1);
}

uint64_t
checksum_add(uint64_t sum, const void *bytes, unsigned len)
{
	const uint8_t *p = bytes;

	if (len >= 16)
		return sum + add_chunks(p, len);
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
	return sum + (len == 1 ? *p : 0);
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
