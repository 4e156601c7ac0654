/* What is so now, told apart from what was so before: each look sees all facts anew, and only a fact that the former look did not
 * see is news. Facts are numbers (hashes); two that share one are as one. Pure; one thread. */
#ifndef RINGWAY_REPORT_SIGHTINGS_H
#define RINGWAY_REPORT_SIGHTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGHTINGS_MAX 4096 /* what is more is no news */

struct sightings {
	size_t n_before, n_now;
	uint64_t *before, *now; /* the former in order */
};

/* 0 or -ENOMEM. */
int sightings_init(struct sightings *s);
void sightings_fini(struct sightings *s);

/* Whether it is news. */
bool sightings_see(struct sightings *s, uint64_t fact);

/* The look is over. */
void sightings_end(struct sightings *s);

#endif
