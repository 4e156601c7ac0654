#include "dataplane/counters.h"

static const struct {
	const char *label, *help;
} names[N_COUNTERS] = {
#define COUNTER(symbol, label, help) [COUNT_##symbol] = { label, help },
#include "dataplane/counters.def"
#undef COUNTER
};

static void
add_all(const uint64_t *from, uint64_t *to, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

void
counters_read(const struct counters *c, struct counters *sum)
{
	add_all(c->counts, sum->counts, N_COUNTERS);
	add_all(c->verdicts, sum->verdicts, N_VERDICTS);
	add_all(c->drops, sum->drops, N_DROP_REASONS);
}

const char *
counter_label(enum counter which)
{
	return names[which].label;
}

const char *
counter_help(enum counter which)
{
	return names[which].help;
}
