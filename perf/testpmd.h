/* dpdk-testpmd, forwarding between "pod0" and "pod1" of the current namespace over AF_XDP, untouched (io
 * mode). */
#ifndef RINGWAY_PERF_TESTPMD_H
#define RINGWAY_PERF_TESTPMD_H

#include <stdint.h>

struct testpmd;

/* Starts it on the core and waits until it has its ports; packets flow soon after. NULL on failure, with a
 * message on standard error. */
struct testpmd *testpmd_start(int cpu);

/* Accepts NULL. */
void testpmd_stop(struct testpmd *t);

/* Processor time that it has used: nanoseconds. */
uint64_t testpmd_cpu_ns(const struct testpmd *t);

#endif
