/* Callgrind's requests: a few instructions that do nothing outside of it, and nothing at all where its headers are missing. */
#ifndef RINGWAY_PERF_CALLGRIND_H
#define RINGWAY_PERF_CALLGRIND_H

#ifdef HAVE_VALGRIND
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#define CALLGRIND_TOGGLE_COLLECT
#endif

#endif
