/* Names of the DNS, between text and wire (RFC 1035 sections 3.1 and 5.1). Pure; any thread. */
#ifndef RINGWAY_BUILD_DNS_WIRE_H
#define RINGWAY_BUILD_DNS_WIRE_H

#include "dataplane/dns/dns_name.h"
#include "dataplane/net/ip_addr.h"

/* A name in the making: labels first, the rest at the end. Lower case. */
struct dns_wire {
	unsigned len;
	uint8_t bytes[DNS_NAME_MAX];
};

#define DNS_TEXT_SIZE (4 * DNS_NAME_MAX + 1)

/* Appends a label of n bytes, which gets lower case. False: it is empty or too long, or the name would be. */
bool dns_wire_label(struct dns_wire *w, const char *text, size_t n);

/* Appends a whole name, with its root label. False: it is too long. */
bool dns_wire_end(struct dns_wire *w, const uint8_t *name, unsigned len);

/* "web.shop.svc.cluster.local", with or without the dot at the end; "." is the root. \DDD and \X are understood. False: that
 * is no name. */
bool dns_wire_parse(const char *text, struct dns_wire *out);

/* 10.1.0.7: 7.0.1.10.in-addr.arpa (RFC 1035 section 3.5); IPv6: by nibbles in ip6.arpa (RFC 3596 section 2.5). */
void dns_wire_reverse(const struct ip_addr *addr, struct dns_wire *out);

/* The name as text, with the dot at its end. Returns buf. */
const char *dns_wire_format(const uint8_t *name, char buf[static DNS_TEXT_SIZE]);

#endif
