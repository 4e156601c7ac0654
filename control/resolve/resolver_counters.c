#include "control/resolve/resolver_counters.h"

const char *
resolver_counter_label(enum resolver_counter which)
{
	static const char *const labels[N_RESOLVER_COUNTERS] = {
#define RESOLVER_COUNTER(symbol, label, help) [RESOLVER_##symbol] = label,
#include "control/resolve/resolver_counters.def"
#undef RESOLVER_COUNTER
	};

	return labels[which];
}

const char *
resolver_counter_help(enum resolver_counter which)
{
	static const char *const helps[N_RESOLVER_COUNTERS] = {
#define RESOLVER_COUNTER(symbol, label, help) [RESOLVER_##symbol] = help,
#include "control/resolve/resolver_counters.def"
#undef RESOLVER_COUNTER
	};

	return helps[which];
}
