/* How long the steps of attaching a pod take, for `ringway-perf cni` and the log: a few clock readings per pod. */
#ifndef RINGWAY_NODE_STEPS_H
#define RINGWAY_NODE_STEPS_H

#include "dataplane/clock.h"

#define STEPS_MAX 8

struct steps {
	uint64_t last_ns;
	unsigned n;
	struct {
		const char *name; /* static string */
		uint64_t ns;
	} all[STEPS_MAX];
};

static inline void
steps_begin(struct steps *s)
{
	s->n = 0;
	s->last_ns = clock_now_ns();
}

/* What was done since the last call is called so. */
static inline void
steps_end(struct steps *s, const char *name)
{
	uint64_t now = clock_now_ns();

	if (s->n < STEPS_MAX) {
		s->all[s->n].name = name;
		s->all[s->n++].ns = now - s->last_ns;
	}
	s->last_ns = now;
}

#endif
