/* A packet's whole way, in two halves. Start reading in pipeline.c. */
#ifndef RINGWAY_PIPELINE_H
#define RINGWAY_PIPELINE_H

#include "dataplane/burst.h"
#include "dataplane/tables.h"

struct worker;

/* From what was received to: decided (reply, drop), handed to another worker, or undecided and ours to go on
 * with. */
void pipeline_send_half(struct worker *w, const struct tables *t, struct burst *b);

/* From there, or from another worker's send half, to packets that are written and have their verdict. */
void pipeline_receive_half(struct worker *w, const struct tables *t, struct burst *b);

#endif
