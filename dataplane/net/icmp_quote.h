/* The packet that an ICMP or ICMPv6 error quotes: reading it, to find the flow that the error is about, and rewriting it
 * along with the error. Quotes are often cut short, so all that is needed of one is its IP header and eight bytes of what
 * follows (RFC 792). Worker threads. */
#ifndef RINGWAY_NET_ICMP_QUOTE_H
#define RINGWAY_NET_ICMP_QUOTE_H

#include "dataplane/pkt.h"

struct icmp_quote {
	struct ip_addr src, dst; /* as quoted: src is who is told by the error */
	uint16_t sport, dport;
	uint8_t proto;   /* TCP, UDP or SCTP, if it was read by icmp_quote_read() */
	uint16_t l3_off; /* of the quoted packet, from pkt.data */
	uint16_t l4_off;
};

/* False when the error quotes nothing that has ports: it came in fragments, the quote is too short, malformed, of
 * another family, a later fragment, or of another protocol. p has PKT_ICMP_ERROR. */
bool icmp_quote_read(const struct pkt *p, struct icmp_quote *q);

/* The same, but also for an echo request, whose identifier is both sport and dport. */
bool icmp_quote_read_flow(const struct pkt *p, struct icmp_quote *q);

/* The same for any protocol: of an echo, sport and dport are the identifier; without ports they are 0. */
bool icmp_quote_read_any(const struct pkt *p, struct icmp_quote *q);

/* For rewrite, of a translated error (see pkt.h), whose IP header is written already: rewrites the quoted packet's
 * addresses, ports and checksums, and the error's own checksum. delta: what the new addresses did to the sum of the
 * error's pseudo-header. */
void icmp_quote_write(struct pkt *p, uint64_t delta);

#endif
