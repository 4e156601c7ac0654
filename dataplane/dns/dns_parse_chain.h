/* Which records of a reply belong to its question: see dns_parse.h. Any thread; allocates nothing. */
#ifndef RINGWAY_DNS_PARSE_CHAIN_H
#define RINGWAY_DNS_PARSE_CHAIN_H

#include "dataplane/dns/dns_parsed.h"

/* The records have been read and checked, and the result code is NOERROR or NXDOMAIN: sets what is taken of them, ttl_s and last. */
enum dns_kind dns_parse_chain(struct dns_parsed *p);

#endif
