#include "control/report/sightings.h"

#include <errno.h>
#include <stdlib.h>

int
sightings_init(struct sightings *s)
{
	*s = (struct sightings){
		.before = calloc(SIGHTINGS_MAX, sizeof(uint64_t)),
		.now = calloc(SIGHTINGS_MAX, sizeof(uint64_t)),
	};
	if (s->before != NULL && s->now != NULL)
		return 0;
	sightings_fini(s);
	return -ENOMEM;
}

void
sightings_fini(struct sightings *s)
{
	free(s->before);
	free(s->now);
	*s = (struct sightings){ 0 };
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

bool
sightings_see(struct sightings *s, uint64_t fact)
{
	if (s->n_now == SIGHTINGS_MAX)
		return false;
	s->now[s->n_now++] = fact;
	return bsearch(&fact, s->before, s->n_before, sizeof(fact), compare) == NULL;
}

void
sightings_end(struct sightings *s)
{
	uint64_t *spare = s->before;

	qsort(s->now, s->n_now, sizeof(*s->now), compare);
	s->before = s->now;
	s->n_before = s->n_now;
	s->now = spare;
	s->n_now = 0;
}
