/* Reverse names: an address of a service or endpoint, with the names that have it. Each is a PTR record of its own, so what one
 * service adds and removes leaves those of others alone. Control thread only. */
#ifndef RINGWAY_BUILD_DNS_REVERSE_H
#define RINGWAY_BUILD_DNS_REVERSE_H

#include "control/build/dns_node.h"

/* The addresses of 'old' that have its name in reverse no longer do, those of 'new' do; either may be NULL. What both say stays.
 * 0 or -ENOMEM. */
int dns_reverse_change(struct dns_making *m, const struct dns_node *old, const struct dns_node *new);

#endif
