/* Where the time of an ADD goes, for `ringway-perf cni`: when RINGWAY_CNI_STEPS names an open descriptor, one line is written to it
 * at the end, "START_NS NAME=NS NAME=NS ...", with the clock CLOCK_MONOTONIC when main() began and how long each step took, those of
 * the daemon included. Costs nothing else. */
#ifndef RINGWAY_CNI_STEPS_H
#define RINGWAY_CNI_STEPS_H

#include <jansson.h>

/* At the beginning of main(). */
void steps_start(void);

/* What was done since the last call is called so; name is a static string. */
void steps_mark(const char *name);

/* The daemon's share of the step just marked: its "steps" of a reply, in ns, or NULL. */
void steps_take(const json_t *daemon_steps);

/* Writes the line. */
void steps_write(void);

#endif
