/* Reads one frame's headers into its descriptor, with every length checked: Ethernet, one VLAN tag, ARP, IPv4
 * with options, IPv6 with extension headers, fragments, TCP, UDP, SCTP, ICMP, ICMPv6. Worker threads.
 *
 * Before: what "set by io" names, in_port, origin, flags (of io and decap) and verdict. After: all that "set
 * by parse" names, the new_ fields equal to the old ones, and len cut to the end of the IP packet, without
 * Ethernet padding. A frame that breaks a rule gets its drop verdict, and then only io's fields count.
 *
 * What is decided here:
 *   - A VLAN tag is accepted in front of underlay packets only (a trunk towards the node), and once.
 *   - The IPv4 header checksum is verified on what came over a wire, outer and inner (RFC 1812
 * section 5.2.2). A local sender's is not: it is only ever adjusted, so a wrong one arrives wrong.
 *   - Transport checksums are not verified; they are end to end. Whether a local sender left one partial is
 *     noted in PKT_CHECKSUM_PARTIAL.
 *   - An IPv6 packet with a fragment header, yet in one piece (RFC 6946), is not a fragment.
 *   - PKT_TO_LINK is noted of what gateway_stage.c may have to say something about: to 169.254/16, fe80::/10, multicast or
 *     broadcast, of either layer; ARP; neighbour discovery.
 *   - ARP fills src and dst with the sender's and the target's IPv4 address, tcp_flags with the operation. */
#ifndef RINGWAY_NET_PARSE_H
#define RINGWAY_NET_PARSE_H

#include "dataplane/pkt.h"

/* More of them than any sane sender chains (RFC 8504 section 5.3 has hosts limit them, too). */
#define IPV6_EXTENSIONS_MAX 8

void parse_pkt(struct pkt *p);

#endif
