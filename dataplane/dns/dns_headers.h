/* The headers around a DNS answer. Workers. */
#ifndef RINGWAY_DNS_HEADERS_H
#define RINGWAY_DNS_HEADERS_H

#include "dataplane/pkt.h"

/* Bytes from the IP header on, of a reply with this transport length (UDP header and message). */
static inline unsigned
dns_headers_size(unsigned family, unsigned l4_len)
{
	return (family == 4 ? (unsigned)sizeof(struct ipv4_hdr) : (unsigned)sizeof(struct ipv6_hdr)) + l4_len;
}

/* Of a query whose answer is in its place, with l4_len as it is now: IP and UDP headers directly in front of it, from the address
 * that was asked to who asked. What options and extension headers the query had is gone. */
void dns_headers_build(struct pkt *p);

#endif
