/* What 'ringway-perf sync' is asked for and what it found; for its own files. */
#ifndef RINGWAY_PERF_BENCH_SYNC_H
#define RINGWAY_PERF_BENCH_SYNC_H

#include "perf/replay.h"
#include "perf/stats.h"

struct sync_args {
	struct replay_shape shape;
	bool in_pages; /* lists in pages: the server has no WatchList */
	double changes_per_s, heartbeat_s, seconds;
	const char *saved;       /* what is known is saved there; NULL: nowhere */
	const char *json, *html; /* NULL: none; "-": standard output */
};

/* Processor time is that of the control thread, in seconds; memory is in bytes. */
struct sync_result {
	/* from the first request until all is listed; and until tables are published */
	double listed_s, published_s;
	double receive_cpu_s, decode_cpu_s, store_cpu_s; /* of decoding, what the store's own index took */
	double build_cpu_s, publish_cpu_s;
	uint64_t n_objects, n_bytes;
	uint64_t store, list_peak, peak, settled; /* beyond what there was before the first request */
	/* while changes come */
	double churn_s, churn_cpu_s;
	uint64_t churn_bytes, n_changes, n_builds;
	struct hist *
		latency_ns; /* from the moment a change was sent to that at which tables with it are published */
};

/* Over the defaults; exits with a message, like argp, when an argument is wrong. */
void sync_args_parse(int argc, char **argv, struct sync_args *args);

/* Prints the table, and writes the files that are asked for. 0 or -errno. */
int sync_report(const struct sync_args *args, const struct sync_result *r);

#endif
