/* Hosts on the uplink's segment whose MAC addresses are wanted: the gateways of the node's routes, and those that packets
 * asked for. Bounded: who scans a segment finds no more room for questions than NEIGHBOURS_PENDING_MAX, and what does not
 * answer is forgotten. A plain set; underlay.c does the asking. Control thread only. */
#ifndef RINGWAY_NODE_NEIGHBOURS_H
#define RINGWAY_NODE_NEIGHBOURS_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/net/headers.h"
#include "dataplane/net/ip_addr.h"

#define NEIGHBOURS_MAX 1024
#define NEIGHBOURS_PENDING_MAX 256

struct neighbour {
	struct ip_addr addr;
	struct mac_addr mac; /* with is_resolved */
	bool is_resolved;
	bool is_gateway; /* wanted for good; others until they no longer answer */
};

struct neighbours {
	size_t n;
	size_t n_pending; /* not gateways, and not resolved */
	size_t victim;    /* whose place the next one takes when all are taken */
	struct neighbour all[NEIGHBOURS_MAX];
};

/* Wants this address. True when that is news, and the address is to be asked for; false also when there is no room. */
bool neighbours_add(struct neighbours *s, const struct ip_addr *addr, bool is_gateway);

/* What became known of an address: its MAC, or with NULL that it does not answer. True when that is news. */
bool neighbours_learn(struct neighbours *s, const struct ip_addr *addr, const struct mac_addr *mac);

/* Keeps those for which keep() is true; true when some went. */
bool neighbours_filter(struct neighbours *s, bool (*keep)(struct neighbour *n, void *arg), void *arg);

/* NULL: not wanted. */
const struct neighbour *neighbours_find(const struct neighbours *s, const struct ip_addr *addr);

#endif
