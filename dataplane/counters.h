/* What a worker counts. One writer, its worker; anybody reads, at any time, with counters_read(). Counters
 * only grow and are 64 bits wide, so a reader sees each of them torn-free, though not all of them at one
 * instant. */
#ifndef RINGWAY_COUNTERS_H
#define RINGWAY_COUNTERS_H

#include "dataplane/verdict.h"

enum counter {
#define COUNTER(symbol, label, help) COUNT_##symbol,
#include "dataplane/counters.def"
#undef COUNTER
	N_COUNTERS,
};

struct counters {
	uint64_t counts[N_COUNTERS];
	uint64_t verdicts[N_VERDICTS];
	uint64_t drops[N_DROP_REASONS];
};

/* Worker only. A plain load and a single store: x86 readers cannot see half of it. */
static inline void
counter_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline void
count(struct counters *c, enum counter which)
{
	counter_add(&c->counts[which], 1);
}

/* Adds what the worker has counted so far to *sum. Any thread. */
void counters_read(const struct counters *c, struct counters *sum);

/* Metric label and help of a counter; static storage. Any thread. */
const char *counter_label(enum counter which);
const char *counter_help(enum counter which);

#endif
