/* Names that are not the cluster's, from the cache or by the resolver, who is there. Workers. */
#ifndef RINGWAY_DNS_OUTSIDE_H
#define RINGWAY_DNS_OUTSIDE_H

#include "dataplane/dns/dns_asking.h"
#include "dataplane/dns/dns_ring.h"

/* Gives the resolver the query, whose payload is as it came. False: there is no room for more. */
bool asking_tell_resolver(const struct asking *a, enum dns_miss_kind kind);

/* The payload is as it came. */
void asking_outside(struct asking *a);

/* The same for a name of the cluster that leads out of it: what dns_answer() left in payload and reply. */
void asking_leave(struct asking *a, struct dns_reply *reply);

#endif
