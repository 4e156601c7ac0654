/* SipHash (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012): a keyed hash that who does not have the key can
 * neither predict nor steer. Written from the paper, section 2; any number of rounds. Any thread. */
#ifndef RINGWAY_POLICY_SIPHASH_H
#define RINGWAY_POLICY_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
siphash_rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline void
siphash_rounds(struct siphash *s, unsigned n)
{
	for (; n > 0; n--) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = siphash_rotate(s->v1, 13) ^ s->v0;
		s->v3 = siphash_rotate(s->v3, 16) ^ s->v2;
		s->v0 = siphash_rotate(s->v0, 32) + s->v3;
		s->v2 += s->v1;
		s->v1 = siphash_rotate(s->v1, 17) ^ s->v2;
		s->v3 = siphash_rotate(s->v3, 21) ^ s->v0;
		s->v2 = siphash_rotate(s->v2, 32);
	}
}

/* The constants are the paper's: "somepseudorandomlygeneratedbytes". */
static inline struct siphash
siphash_begin(const uint64_t key[2])
{
	return (struct siphash){
		.v0 = key[0] ^ UINT64_C(0x736f6d6570736575),
		.v1 = key[1] ^ UINT64_C(0x646f72616e646f6d),
		.v2 = key[0] ^ UINT64_C(0x6c7967656e657261),
		.v3 = key[1] ^ UINT64_C(0x7465646279746573),
	};
}

static inline void
siphash_word(struct siphash *s, uint64_t word, unsigned rounds)
{
	s->v3 ^= word;
	siphash_rounds(s, rounds);
	s->v0 ^= word;
}

static inline uint64_t
siphash_end(struct siphash *s, unsigned rounds)
{
	s->v2 ^= 0xff;
	siphash_rounds(s, rounds);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* SipHash-c-d of n whole words and up to seven bytes of 'rest', the lowest ones: a message of 8 * n + n_rest bytes, read in
 * little-endian order. */
static inline uint64_t
siphash(const uint64_t key[2], const uint64_t *words, size_t n, uint64_t rest, unsigned n_rest, unsigned c,
	unsigned d)
{
	struct siphash s = siphash_begin(key);

	for (size_t i = 0; i < n; i++)
		siphash_word(&s, words[i], c);
	siphash_word(&s, (uint64_t)(8 * n + n_rest) << 56 | rest, c);
	return siphash_end(&s, d);
}

#endif
