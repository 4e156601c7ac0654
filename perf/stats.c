#include "perf/stats.h"

#include <stdlib.h>

#define SUB (1u << HIST_SUB_BITS)

unsigned
hist_bin(uint64_t value)
{
	unsigned shift;

	if (value < SUB)
		return (unsigned)value;
	shift = 63u - (unsigned)__builtin_clzll(value) - HIST_SUB_BITS;
	return ((shift + 1) << HIST_SUB_BITS) + (unsigned)(value >> shift) - SUB;
}

uint64_t
hist_bin_floor(unsigned bin)
{
	unsigned octave = bin >> HIST_SUB_BITS;
	uint64_t sub = bin & (SUB - 1);

	return octave == 0 ? sub : (sub + SUB) << (octave - 1);
}

void
hist_add(struct hist *h, uint64_t value, uint64_t times)
{
	h->bins[hist_bin(value)] += times;
	h->n += times;
}

void
hist_merge(struct hist *into, const struct hist *from)
{
	for (unsigned i = 0; i < HIST_BINS; i++)
		into->bins[i] += from->bins[i];
	into->n += from->n;
}

static double
bin_middle(unsigned bin)
{
	uint64_t floor = hist_bin_floor(bin);
	uint64_t width = bin + 1 < HIST_BINS ? hist_bin_floor(bin + 1) - floor : 1;

	return (double)floor + (double)(width - 1) / 2;
}

double
hist_quantile(const struct hist *h, double share)
{
	uint64_t below = 0, wanted = (uint64_t)(share * (double)h->n + 0.5);

	if (h->n == 0)
		return 0;
	if (wanted == 0)
		wanted = 1;
	for (unsigned i = 0; i < HIST_BINS; i++) {
		below += h->bins[i];
		if (below >= wanted)
			return bin_middle(i);
	}
	return bin_middle(HIST_BINS - 1);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
median(double *values, size_t n)
{
	if (n == 0)
		return 0;
	qsort(values, n, sizeof(values[0]), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}
