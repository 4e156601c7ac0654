/* Answers of the resolver on their way out: sent at once, or as soon as their port takes them. Worker. */
#ifndef RINGWAY_WORKER_TOLD_H
#define RINGWAY_WORKER_TOLD_H

#include "dataplane/worker.h"

/* Sends what the resolver has answered, no more than can wait if its port does not take it. These packets began here, so no verdict is
 * counted. Returns how many answers there were. */
unsigned worker_tell(struct worker *w, const struct tables *t);

#endif
