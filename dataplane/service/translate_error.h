/* ICMP errors about translated packets (DESIGN 5.6). An error is translated as the answer to the packet that it quotes:
 * what becomes of such an answer, with nothing in it, is decided as for any other packet (translate_forward.h,
 * translate_reply.h), but as a dry run, and the error takes over the decision. So whatever is translated has its errors translated, too, in both
 * directions. Worker threads. */
#ifndef RINGWAY_SERVICE_TRANSLATE_ERROR_H
#define RINGWAY_SERVICE_TRANSLATE_ERROR_H

#include "dataplane/burst.h"
#include "dataplane/tables.h"

struct worker;

/* In the send half, for an error that a pod or the host sends: about a service's reply, or about a packet that it sent
 * to itself. It may only complain about what was sent to it. */
void translate_error_send(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p);

/* In the receive half, for an error about what a pod or the host sent to a service; from the backend, or from anybody on
 * the way but other pods of this node. */
void translate_error_receive(const struct tables *t, struct worker *w, struct burst *b, struct pkt *p);

#endif
