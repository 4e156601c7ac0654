/* A child process that answers as an API server over HTTP on the loopback interface, with the objects of replay_objects.h: lists
 * in pages, WatchList, watches in which a steady stream of changes goes on once that is asked for. It does not remember changes,
 * and it has no TLS, whose cost is not looked at. Its processor time and memory are its own. */
#ifndef RINGWAY_PERF_REPLAY_H
#define RINGWAY_PERF_REPLAY_H

#include <sys/types.h>

#include "perf/replay_objects.h"

#define REPLAY_EVENTS_MAX (1u << 20)

/* Shared by both processes. */
struct replay_shared {
	uint16_t port;    /* the child's: of its socket; 0: none yet */
	bool is_churning; /* the parent's: changes are to be sent */
	uint32_t n_sent;  /* the child's: changes of slices; that many are in sent_ns. Stored with release */
	uint64_t sent_ns[REPLAY_EVENTS_MAX]; /* CLOCK_MONOTONIC */
};

struct replay_config {
	struct replay_shape shape;
	bool has_watch_list;
	double slices_per_s; /* changes of an endpoint of a slice */
	double nodes_per_s;  /* heartbeats */
};

struct replay {
	pid_t pid;
	struct replay_shared *shared;
};

/* In the caller's network namespace; before the caller has threads. Waits until it listens. 0 or -errno. */
int replay_start(struct replay *r, const struct replay_config *config);
void replay_stop(struct replay *r);

#endif
