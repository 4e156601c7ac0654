/* Has workers forget flows to backends that are no more: pins, exceptions, flows from outside. Control thread only. */
#ifndef RINGWAY_NODE_FORGET_H
#define RINGWAY_NODE_FORGET_H

#include <stddef.h>

struct backend_end;
struct engine;

/* Returns when all n are done; each worker stands still for a bounded slice at a time. */
void flows_forget(struct engine *engine, const struct backend_end *ends, size_t n);

#endif
