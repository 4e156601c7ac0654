/* Medians and percentiles. A histogram keeps any 64-bit value to within 1/32 of itself, in constant space, so
 * that long runs cost no memory. Not thread-safe: one per thread, merged afterwards. */
#ifndef RINGWAY_PERF_STATS_H
#define RINGWAY_PERF_STATS_H

#include <stddef.h>
#include <stdint.h>

#define HIST_SUB_BITS 5
#define HIST_BINS ((64 - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
	uint64_t n; /* values noted */
	uint64_t bins[HIST_BINS];
};

/* The bin of a value, and the least value of a bin. */
unsigned hist_bin(uint64_t value);
uint64_t hist_bin_floor(unsigned bin);

void hist_add(struct hist *h, uint64_t value, uint64_t times);
void hist_merge(struct hist *into, const struct hist *from);

/* The value that a share (0..1) of all values do not exceed, taken at its bin's middle; 0 when empty. */
double hist_quantile(const struct hist *h, double share);

/* The median of n values, which are left sorted; 0 when there are none. */
double median(double *values, size_t n);

#endif
