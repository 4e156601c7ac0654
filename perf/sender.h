/* Generates and receives the wire benchmark's traffic, with the programs of wire.bpf.c. */
#ifndef RINGWAY_PERF_SENDER_H
#define RINGWAY_PERF_SENDER_H

#include "perf/frame.h"
#include "perf/lab.h"
#include "perf/traffic.h"
#include "perf/wire_bpf.h"

struct sender;

struct sender_config {
	const struct lab *lab; /* pod 0 sends, pod 1 receives */
	const struct traffic *traffic;
	bool is_translated; /* the receiver expects backends' addresses */
	int cpu;
};

/* Loads the programs and makes them ready. NULL on failure, with a message on standard error. */
struct sender *sender_new(const struct sender_config *config);
void sender_free(struct sender *s);

/* Starts to send at this rate, packets per second (0: as fast as it goes), in a thread pinned to the configured core. 0 or
 * -errno. */
int sender_start(struct sender *s, double rate);

/* Stops, and returns what was counted since the start, once nothing arrives any more. */
void sender_stop(struct sender *s, struct wire_counts *counts);

/* What has been counted so far. */
void sender_counts(const struct sender *s, struct wire_counts *counts);

#endif
