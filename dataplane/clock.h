/* The clock that all of Ringway tells time by: CLOCK_MONOTONIC, which goes on over a restart of the process, until the next
 * boot. Any thread. */
#ifndef RINGWAY_CLOCK_H
#define RINGWAY_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t
clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline int64_t
clock_now_ms(void)
{
	return (int64_t)(clock_now_ns() / 1000000u);
}

#endif
