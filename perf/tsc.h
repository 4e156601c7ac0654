/* The time-stamp counter as a stopwatch. Reads are fenced, so that the work between a tsc_start() and a
 * tsc_stop() lies wholly between the two. The counter must run at a constant rate (constant_tsc), which all
 * machines do that AF_XDP runs on. Any thread. */
#ifndef RINGWAY_PERF_TSC_H
#define RINGWAY_PERF_TSC_H

#include <stdint.h>
#include <x86intrin.h>

static inline uint64_t
tsc_start(void)
{
	uint64_t t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

static inline uint64_t
tsc_stop(void)
{
	unsigned cpu;
	uint64_t t = __rdtscp(&cpu);

	_mm_lfence();
	return t;
}

/* Ticks per second, measured against CLOCK_MONOTONIC for 50 ms. */
double tsc_measure_hz(void);

/* Ticks that a start and a stop with nothing between them take: the median of many. */
uint64_t tsc_measure_overhead(void);

#endif
