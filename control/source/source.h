/* Where the daemon has the cluster's state from: a directory of manifests (files.h). Control thread only. */
#ifndef RINGWAY_SOURCE_SOURCE_H
#define RINGWAY_SOURCE_SOURCE_H

#include <stdio.h>

#include "control/daemon.h"

/* Parts of the daemon, after the store and follow: fills d->store and tells d->follow of changes. What is wrong
 * with manifests is no failure, but an error in force. 0 or -errno, having logged why. */
int source_start(struct daemon *d);
void source_stop(struct daemon *d);

/* Reads everything once, for --check: writes each error, and what was found. Returns how many errors there are. */
size_t source_check(const struct config *config, FILE *out);

#endif
