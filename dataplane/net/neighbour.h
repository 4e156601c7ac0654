/* Answers to "who has the gateway's address": ARP and neighbour discovery, built in the packet's own frame.
 * Worker threads. */
#ifndef RINGWAY_NET_NEIGHBOUR_H
#define RINGWAY_NET_NEIGHBOUR_H

#include "dataplane/net/headers.h"
#include "dataplane/pkt.h"

/* The address that a solicitation asks for, or false: it breaks a rule of RFC 4861 section 7.1.1 (that of its
 * checksum is not looked at: the answer says nothing that the question could have changed). */
bool neighbour_solicited(const struct pkt *p, struct ip_addr *target);

/* Turn the question into its answer, all but the Ethernet header. Solicitations: false when the frame has no
 * room for the option that they lacked. */
void neighbour_build_arp_reply(struct pkt *p, const struct mac_addr *mac);
bool neighbour_build_advertisement(struct pkt *p, const struct mac_addr *mac);

#endif
