/* Of each pod CIDR the first addresses are its node's own. Where they lie is known to all nodes. Pure. */
#ifndef RINGWAY_MODEL_RESERVED_ADDRS_H
#define RINGWAY_MODEL_RESERVED_ADDRS_H

#include "dataplane/endpoint_table.h"

/* The node's own address number i < HOST_ADDRS in a pod CIDR, of this node or of another. */
struct ip_addr reserved_host_addr(const struct ip_prefix *range, unsigned i);

/* And the one by which backends know clients from outside the cluster (DESIGN 5.5). */
struct ip_addr reserved_inbound_addr(const struct ip_prefix *range);

/* The address n places after the range's first, n below 2^32. */
struct ip_addr reserved_range_addr(const struct ip_prefix *range, uint32_t n);

#endif
