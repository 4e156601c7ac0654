/* Flows with entries of their own, as after moves of buckets (DESIGN 5.4): the first ones of a scenario, each pinned to where it
 * goes anyway. So the others pay for there being entries at all, and these for being found among them. */
#ifndef RINGWAY_PERF_PINNED_H
#define RINGWAY_PERF_PINNED_H

#include "perf/world.h"

/* Before workers run. Those that can have none, as to the client itself, have none. False when there is no room for n. */
bool pinned_put(struct world *w, const struct traffic *t, uint32_t n);

#endif
