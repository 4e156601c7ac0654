#include "control/model/reserved_addrs.h"

/* Ranges are aligned and n stays below 2^32, so there is no carry beyond the last four bytes. */
struct ip_addr
reserved_range_addr(const struct ip_prefix *range, uint32_t n)
{
	struct ip_addr a = range->addr;
	uint32_t low = be32_host((be32){ a.d[3] });

	a.d[3] = be32_from(low + n).raw;
	return a;
}

struct ip_addr
reserved_host_addr(const struct ip_prefix *range, unsigned i)
{
	return reserved_range_addr(range, 1 + i);
}

struct ip_addr
reserved_inbound_addr(const struct ip_prefix *range)
{
	return reserved_range_addr(range, 1 + HOST_ADDRS);
}
