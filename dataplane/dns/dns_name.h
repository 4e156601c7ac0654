/* Names of the DNS as they are on the wire (RFC 1035 section 3.1): labels with a length byte before each, the root's empty one at
 * the end, no compression. Tables and look-ups know them in lower case (RFC 4343), padded with zeros to whole chunks, so that no
 * loop goes by single bytes. Any thread. */
#ifndef RINGWAY_DNS_NAME_H
#define RINGWAY_DNS_NAME_H

#include <smmintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DNS_NAME_MAX 255 /* bytes, with the root label */
#define DNS_LABEL_MAX 63
#define DNS_LABELS_MAX 127 /* without the root */

#define DNS_CHUNK 16
#define DNS_NAME_ROOM 256 /* of a padded name */

/* Letters become small. Length bytes are below 64, so they are none, and a name needs no look at its labels for this. */
static inline __m128i
dns_lower_chunk(__m128i bytes)
{
	__m128i is_upper = _mm_and_si128(
		_mm_cmpgt_epi8(bytes, _mm_set1_epi8('A' - 1)), _mm_cmplt_epi8(bytes, _mm_set1_epi8('Z' + 1)));

	return _mm_add_epi8(bytes, _mm_and_si128(is_upper, _mm_set1_epi8('a' - 'A')));
}

static inline uint64_t
dns_load_u64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Which bits of 16 bytes differ. */
static inline __m128i
dns_chunk_differ(const uint8_t *a, const uint8_t *b)
{
	return _mm_xor_si128(_mm_loadu_si128((const __m128i *)a), _mm_loadu_si128((const __m128i *)b));
}

/* Whether names or ends of names are the same bytes. Without a call, for they are short: by chunks, of which the last one overlaps
 * with the one before. */
static inline bool
dns_bytes_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	__m128i differ;
	size_t at = 0;

	if (len >= DNS_CHUNK) {
		differ = dns_chunk_differ(a + len - DNS_CHUNK, b + len - DNS_CHUNK);
		for (; at < len - DNS_CHUNK; at += DNS_CHUNK)
			differ = _mm_or_si128(differ, dns_chunk_differ(a + at, b + at));
		return _mm_testz_si128(differ, differ);
	}
	if (len >= sizeof(uint64_t))
		return dns_load_u64(a) == dns_load_u64(b) &&
		       dns_load_u64(a + len - 8) == dns_load_u64(b + len - 8);
	while (at < len && a[at] == b[at])
		at++;
	return at == len;
}

/* Multiplies and folds: each bit of both sides has its say in each bit of the result. */
static inline uint64_t
dns_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* A name's hash, chunk by chunk: begin, each chunk, end. Who makes services does not know the seed, so nobody can have names that
 * collide (a CRC could not keep that up: it is linear). The constants are the first digits of the square roots of 2 and 3. */
static inline uint64_t
dns_hash_chunk(uint64_t hash, __m128i chunk)
{
	return dns_fold((uint64_t)_mm_cvtsi128_si64(chunk) ^ hash,
		(uint64_t)_mm_extract_epi64(chunk, 1) ^ UINT64_C(0x6a09e667f3bcc908));
}

static inline uint64_t
dns_hash_end(uint64_t hash, unsigned len)
{
	return dns_fold(hash ^ len, UINT64_C(0xbb67ae8584caa73b));
}

/* Of a lower-case name that is padded. */
static inline uint64_t
dns_name_hash(const uint8_t *name, unsigned len, uint64_t seed)
{
	uint64_t hash = seed;

	for (unsigned at = 0; at < len; at += DNS_CHUNK)
		hash = dns_hash_chunk(hash, _mm_loadu_si128((const __m128i *)(name + at)));
	return dns_hash_end(hash, len);
}

#endif
