#include "dataplane/policy/rule_vectors.h"

#include <errno.h>
#include <nmmintrin.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/net/flow_key.h"
#include "dataplane/pkt.h"

#define PLACES_MIN 64u
#define LINE_WORDS ((unsigned)(CACHE_LINE / sizeof(uint64_t)))

struct place {
	uint32_t number;
	uint32_t n_words; /* packed, the summary included; 0: free */
};

static uint32_t
hash_of(const uint64_t *packed, unsigned n_words)
{
	uint64_t crc = 0;

	for (unsigned i = 0; i < n_words; i++)
		crc = _mm_crc32_u64(crc, packed[i]);
	return hash_mix(crc);
}

static const uint64_t *
at(const struct rule_vectors *v, uint32_t number)
{
	return &v->words[((size_t)number << v->unit_shift) / sizeof(uint64_t)];
}

static bool
grow_places(struct rule_vectors *v)
{
	uint32_t n_places = v->places == NULL ? PLACES_MIN : (v->mask + 1) * 2;
	struct place *places = calloc(n_places, sizeof(*places));

	if (places == NULL)
		return false;
	for (uint32_t k = 0; v->places != NULL && k <= v->mask; k++) {
		const struct place *p = &v->places[k];
		uint32_t i;

		if (p->n_words == 0)
			continue;
		i = hash_of(at(v, p->number), p->n_words) & (n_places - 1);
		while (places[i].n_words != 0)
			i = (i + 1) & (n_places - 1);
		places[i] = *p;
	}
	free(v->places);
	v->places = places;
	v->mask = n_places - 1;
	return true;
}

static bool
grow_words(struct rule_vectors *v, unsigned n)
{
	uint64_t *words;

	if (v->used + n <= v->room)
		return true;
	v->room = (v->used + n) * 2;
	words = realloc(v->words, v->room * sizeof(*words));
	if (words == NULL)
		return false;
	v->words = words;
	return true;
}

/* Leaves out the groups without a bit; returns how many words remain. */
static unsigned
pack(const struct rule_vectors *v, const uint64_t *vector)
{
	unsigned n = 1, size = 1u << v->group_shift;

	v->packed[0] = 0;
	for (unsigned group = 0; group * size < v->n_words; group++) {
		uint64_t any = 0;

		for (unsigned i = 0; i < size; i++) {
			unsigned word = group * size + i;

			v->packed[n + i] = word < v->n_words ? vector[word] : 0;
			any |= v->packed[n + i];
		}
		if (any == 0)
			continue;
		v->packed[0] |= UINT64_C(1) << group;
		n += size;
	}
	return n;
}

int
rule_vectors_intern(struct rule_vectors *v, const uint64_t *vector, uint32_t *number)
{
	unsigned n_words = pack(v, vector), unit = (1u << v->unit_shift) / sizeof(uint64_t);
	unsigned n_used = (n_words + unit - 1) / unit * unit, line_left = LINE_WORDS - v->used % LINE_WORDS;
	uint32_t i;

	if ((v->places == NULL || v->n * 2 > v->mask) && !grow_places(v))
		return -ENOMEM;
	i = hash_of(v->packed, n_words) & v->mask;
	for (; v->places[i].n_words != 0; i = (i + 1) & v->mask)
		if (v->places[i].n_words == n_words &&
			memcmp(at(v, v->places[i].number), v->packed, n_words * sizeof(uint64_t)) == 0) {
			*number = v->places[i].number;
			return 0;
		}
	if (n_used > line_left && n_used <= LINE_WORDS)
		v->used += line_left;
	if (!grow_words(v, n_used))
		return -ENOMEM;
	*number = v->used / unit;
	memset(&v->words[v->used], 0, n_used * sizeof(uint64_t)); /* an empty vector has a word, too */
	memcpy(&v->words[v->used], v->packed, n_words * sizeof(uint64_t));
	v->places[i] = (struct place){ *number, n_words };
	v->used += n_used;
	v->n++;
	return 0;
}

void
rule_vectors_clear(struct rule_vectors *v)
{
	v->n = v->used = 0;
	if (v->places != NULL)
		memset(v->places, 0, (v->mask + 1) * sizeof(*v->places));
}

void
rule_vectors_end(struct rule_vectors *v)
{
	free(v->places);
	free(v->words);
	free(v->packed);
}
