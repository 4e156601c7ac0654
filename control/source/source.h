/* Where the daemon has the cluster's state from: a directory of manifests (files.h) or an API server (api/api_source.h).
 * Control thread only. */
#ifndef RINGWAY_SOURCE_SOURCE_H
#define RINGWAY_SOURCE_SOURCE_H

#include <stdio.h>

#include "control/daemon.h"

/* Parts of the daemon, after the store and follow: fills d->store and tells d->follow of changes, which is held until all that
 * there is has been here once. What is wrong with objects, or an API server that does not answer, is no failure, but an
 * error in force. 0 or -errno, having logged why. */
int source_start(struct daemon *d);
void source_stop(struct daemon *d);

/* Errors in force, of either source; since is CLOCK_REALTIME seconds. */
size_t source_n_problems(const struct daemon *d);
void source_each_problem(
	const struct daemon *d, void (*fn)(const char *text, int64_t since_s, void *arg), void *arg);

/* Reads everything once, for --check: writes each error, and what was found. Of an API server only what is needed to ask it.
 * Returns how many errors there are. */
size_t source_check(const struct config *config, FILE *out);

#endif
