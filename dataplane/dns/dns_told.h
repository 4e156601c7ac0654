/* Answers of the resolver (dns_ring.h) on their way to who asked. Worker. */
#ifndef RINGWAY_DNS_TOLD_H
#define RINGWAY_DNS_TOLD_H

#include "dataplane/burst.h"
#include "dataplane/tables.h"

struct worker;

/* Takes what this worker was told, and fills an empty burst with packets that are to be replies: their headers are rewrite's. Who
 * asked may have gone since; such answers are dropped, and counted. Returns how many it took, at most max. */
unsigned dns_told_burst(const struct tables *t, struct worker *w, struct burst *b, unsigned max);

/* Whether one of these packets, which has waited for its port since, is still for who has that. */
bool dns_told_is_for(const struct tables *t, const struct pkt *p);

#endif
