/* ICMP and ICMPv6 that we originate: errors and echo replies, built in the packet's own frame. Worker
 * threads. */
#ifndef RINGWAY_NET_ICMP_H
#define RINGWAY_NET_ICMP_H

#include "dataplane/pkt.h"

/* TTL of what we originate */
#define OWN_TTL 64

/* Whether an error may be sent about this packet: not about errors, later fragments, or what was not from one
 * sender to one receiver (RFC 1122 section 3.2.2, RFC 4443 section 2.4(e)). */
bool icmp_may_answer(const struct pkt *p);

/* Puts IP and ICMP headers for pkt.reply in front of the packet, which is quoted as its sender sent it, up to
 * 576 bytes in all for IPv4 (RFC 1812 section 4.3.2.3) and 1280 for IPv6 (RFC 4443 section 2.4(c)). Leaves
 * room for an Ethernet header at data, l3_off and len set, and the header itself to be written. False when
 * the frame has no room in front. */
bool icmp_build_error(struct pkt *p, const struct ip_addr *source);

/* Turns an echo request into its reply, from the IP header on. */
void icmp_build_echo_reply(struct pkt *p);

#endif
