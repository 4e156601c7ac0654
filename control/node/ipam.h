/* Addresses of this node's pod CIDRs, one range per family. A pure allocator: it knows neither clock nor disk
 * (attach.h keeps leases in the state file). Control thread only.
 *
 * Of each range the first eight addresses are the node's own: the network address (in IPv6 the subnet-router
 * anycast address, RFC 4291 section 2.6.1), HOST_ADDRS for the host's stack (DESIGN 5.2), one for what comes from outside
 * the cluster (DESIGN 5.5), and two that are spare. In IPv4 the last is the broadcast
 * address and stays unused. */
#ifndef RINGWAY_NODE_IPAM_H
#define RINGWAY_NODE_IPAM_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/endpoint_table.h"

#define IPAM_RESERVED 8
#define IPAM_RANGE_MAX 16384 /* addresses used of a larger range: a node never has so many pods */
#define IPAM_WARN_PERCENT 80

struct ipam;

struct ipam_counts {
	uint32_t total;   /* addresses for pods; 0: this family has no range */
	uint32_t used;    /* by pods */
	uint32_t cooling; /* released a short while ago */
};

/* cooldown_s: how long a released address is left alone, so that what its former owner's peers still send
 * does not reach another pod. NULL if out of memory. */
struct ipam *ipam_new(int64_t cooldown_s);
void ipam_free(struct ipam *ipam);

/* Sets a family's range, forgetting what was used in the former one; NULL: the family has none. -EINVAL when
 * it has no room for a pod, -ENOMEM; then the former range stays. */
int ipam_set_range(struct ipam *ipam, enum family_index family, const struct ip_prefix *range);

/* The range, or NULL. */
const struct ip_prefix *ipam_range(const struct ipam *ipam, enum family_index family);

/* Takes the address that was free longest; those never used count as free for ever. -ENOSPC when all are used
 * or cooling, -ENOENT when the family has no range. */
int ipam_take(struct ipam *ipam, enum family_index family, int64_t now_s, struct ip_addr *out);

/* Marks an address as used, after a restart. -ERANGE when it is in no range or reserved,
 * -EEXIST when it is used. */
int ipam_claim(struct ipam *ipam, const struct ip_addr *addr);

/* Gives an address back at the time given; also puts back what cooled when the daemon ended. Addresses of no
 * range and unused ones (other than never used ones) are ignored. Times must not fall. */
void ipam_release(struct ipam *ipam, const struct ip_addr *addr, int64_t now_s);

struct ipam_counts ipam_count(const struct ipam *ipam, enum family_index family);

/* Seconds until the next cooling address may be taken; 0 when one may now, -1 when none cools. */
int64_t ipam_next_free_s(const struct ipam *ipam, enum family_index family, int64_t now_s);

/* At least IPAM_WARN_PERCENT of the addresses are used. */
bool ipam_is_short(const struct ipam_counts *counts);

#endif
