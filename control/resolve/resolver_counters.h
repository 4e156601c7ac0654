/* What the resolver counts: resolver_counters.def as an enum and as strings. */
#ifndef RINGWAY_RESOLVE_RESOLVER_COUNTERS_H
#define RINGWAY_RESOLVE_RESOLVER_COUNTERS_H

enum resolver_counter {
#define RESOLVER_COUNTER(symbol, label, help) RESOLVER_##symbol,
#include "control/resolve/resolver_counters.def"
#undef RESOLVER_COUNTER
	N_RESOLVER_COUNTERS,
};

/* Metric label and help; static storage. Any thread. */
const char *resolver_counter_label(enum resolver_counter which);
const char *resolver_counter_help(enum resolver_counter which);

#endif
