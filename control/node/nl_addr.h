/* Addresses between libnl's form and ours. Control thread only. */
#ifndef RINGWAY_NODE_NL_ADDR_H
#define RINGWAY_NODE_NL_ADDR_H

#include <netlink/addr.h>
#include <sys/socket.h>

#include "dataplane/net/ip_addr.h"

/* NULL if out of memory; given back with nl_addr_put(). */
static inline struct nl_addr *
nl_addr_make(const struct ip_addr *a)
{
	bool v4 = ip_addr_is_v4(a);

	return nl_addr_build(v4 ? AF_INET : AF_INET6, v4 ? a->b + 12 : a->b, v4 ? 4 : 16);
}

/* False, with *to as it was, when it is no IP address; NULL is none. */
static inline bool
nl_addr_read(struct nl_addr *from, struct ip_addr *to)
{
	be32 v4;

	if (from == NULL)
		return false;
	if (nl_addr_get_family(from) == AF_INET6 && nl_addr_get_len(from) == sizeof(*to)) {
		*to = ip_addr_v6(nl_addr_get_binary_addr(from));
		return true;
	}
	if (nl_addr_get_family(from) != AF_INET || nl_addr_get_len(from) != sizeof(v4))
		return false;
	memcpy(&v4.raw, nl_addr_get_binary_addr(from), sizeof(v4.raw));
	*to = ip_addr_v4(v4);
	return true;
}

#endif
