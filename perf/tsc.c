#include "perf/tsc.h"

#include <stdlib.h>
#include <time.h>

#define CALIBRATE_NS 50000000u
#define OVERHEAD_READS 1001

static uint64_t
monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

double
tsc_measure_hz(void)
{
	uint64_t from_ns = monotonic_ns(), from = tsc_start(), ns;

	do {
		ns = monotonic_ns() - from_ns;
	} while (ns < CALIBRATE_NS);
	return (double)(tsc_stop() - from) * 1e9 / (double)ns;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t
tsc_measure_overhead(void)
{
	uint64_t reads[OVERHEAD_READS];

	for (unsigned i = 0; i < OVERHEAD_READS; i++) {
		uint64_t from = tsc_start();

		reads[i] = tsc_stop() - from;
	}
	qsort(reads, OVERHEAD_READS, sizeof(reads[0]), compare);
	return reads[OVERHEAD_READS / 2];
}
