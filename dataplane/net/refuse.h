/* Refusing a packet as a host does on which nobody listens: a TCP segment by a reset, anything else by ICMP port
 * unreachable, from the address that it was sent to. Worker threads. */
#ifndef RINGWAY_NET_REFUSE_H
#define RINGWAY_NET_REFUSE_H

#include "dataplane/pkt.h"

/* Settles the packet. The reason stays in pkt.drop_reason, for counters and explain; with it is dropped what may not be
 * answered: resets, ICMP errors, later fragments, and what was not from one sender to one receiver. */
void pkt_refuse(struct pkt *p, enum drop_reason reason);

/* Turns a TCP segment into the reset that answers it (RFC 9293 section 3.10.7.1), in its own frame, from the IP header
 * on. Extension headers and options are left out. */
void reset_build(struct pkt *p);

#endif
