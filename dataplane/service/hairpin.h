/* The source that a pod sees when it reaches itself through a service: one address per slot and family, so that its
 * answer says by itself which frontend it belongs to. IPv4: link-local. IPv6: of a unique local prefix of our own
 * (RFC 4193), since a server on an unconnected UDP socket answers a link-local address from its own link-local one
 * (RFC 6724, section 5, rule 2), which belongs to no service. Pods send both to their gateway. Any thread. */
#ifndef RINGWAY_SERVICE_HAIRPIN_H
#define RINGWAY_SERVICE_HAIRPIN_H

#include "dataplane/net/ip_addr.h"

#define HAIRPIN_SLOTS 4

/* 169.254.1.16 to 169.254.1.19 */
#define HAIRPIN_V4_BASE 0xa9fe0110u

/* fd72:696e:6777:6179::10 to ::13 */
#define HAIRPIN_V6_BASE 0x10u

static inline struct ip_addr
hairpin_addr(bool is_v4, unsigned slot)
{
	struct ip_addr a = { .b = { 0xfd, 0x72, 0x69, 0x6e, 0x67, 0x77, 0x61, 0x79 } };

	if (is_v4)
		return ip_addr_v4(be32_from(HAIRPIN_V4_BASE + slot));
	a.b[15] = (uint8_t)(HAIRPIN_V6_BASE + slot);
	return a;
}

/* The slot (0..3) that an address stands for, or -1: not one of these. */
static inline int
hairpin_slot(const struct ip_addr *a)
{
	const struct ip_addr v4 = hairpin_addr(true, 0), v6 = hairpin_addr(false, 0);
	uint64_t second = a->w[1] << 8; /* the half that tells nearly all others at once, without the slot */
	bool is_v4 = second == v4.w[1] << 8;
	unsigned slot;

	if (!is_v4 && second != v6.w[1] << 8)
		return -1;
	slot = (unsigned)a->b[15] - (is_v4 ? v4.b[15] : v6.b[15]);
	return a->w[0] == (is_v4 ? v4.w[0] : v6.w[0]) && slot < HAIRPIN_SLOTS ? (int)slot : -1;
}

#endif
