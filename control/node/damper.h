/* How often something is done that somebody else undoes: the first time at once, and ever more seldom while it goes on. */
#ifndef RINGWAY_NODE_DAMPER_H
#define RINGWAY_NODE_DAMPER_H

#include <stdint.h>

#define DAMPER_FIRST_NS (UINT64_C(1) * 1000000000)
#define DAMPER_MOST_NS (UINT64_C(60) * 1000000000)

/* All zero at first. */
struct damper {
	uint64_t done_ns; /* when it was done last */
	uint64_t gap_ns;  /* it is not done again before this has passed */
};

/* For how long it must not be done yet; 0: it may be. */
static inline uint64_t
damper_wait_ns(const struct damper *d, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns - d->done_ns;

	return passed_ns < d->gap_ns ? d->gap_ns - passed_ns : 0;
}

/* It is done: what lasted long enough was no fight. */
static inline void
damper_note(struct damper *d, uint64_t now_ns)
{
	if (d->done_ns == 0 || now_ns - d->done_ns >= d->gap_ns + DAMPER_MOST_NS)
		d->gap_ns = DAMPER_FIRST_NS;
	else
		d->gap_ns = 2 * d->gap_ns < DAMPER_MOST_NS ? 2 * d->gap_ns : DAMPER_MOST_NS;
	d->done_ns = now_ns;
}

#endif
