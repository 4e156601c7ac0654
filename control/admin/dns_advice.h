/* What the figures of DNS call for, in sentences. Pure. */
#ifndef RINGWAY_ADMIN_DNS_ADVICE_H
#define RINGWAY_ADMIN_DNS_ADVICE_H

#include "control/admin/dns_view.h"

#define DNS_ADVICE_SIZE 1024

/* Calls fn for each; pod: NULL when it is about the node. */
void dns_advise(const struct dns_view *v,
	void (*fn)(const struct dns_book_pod *pod, const char *text, void *arg), void *arg);

#endif
