/* The bit vectors of a rule table in the making (rule_table.h): packed, each kept once, and in one cache line if it is no
 * larger. Control. */
#ifndef RINGWAY_POLICY_RULE_VECTORS_H
#define RINGWAY_POLICY_RULE_VECTORS_H

#include <stdint.h>

struct place;

/* All zero but for what the user sets is one without vectors. */
struct rule_vectors {
	uint64_t *words;
	uint32_t n;           /* vectors */
	uint32_t used, room;  /* words */
	struct place *places; /* open addressing */
	uint32_t mask;        /* places - 1 */
	unsigned n_words;     /* of a vector that is not packed */
	unsigned group_shift;
	unsigned unit_shift;
	uint64_t *packed; /* the one in hand */
};

/* The number of a vector of n_words: where it begins, in units of 1 << unit_shift bytes. 0 or -ENOMEM. */
int rule_vectors_intern(struct rule_vectors *v, const uint64_t *vector, uint32_t *number);

/* Forgets all vectors, so that units may change. */
void rule_vectors_clear(struct rule_vectors *v);

void rule_vectors_end(struct rule_vectors *v);

#endif
