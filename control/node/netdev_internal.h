/* What netdev*.c share; nobody else includes it. */
#ifndef RINGWAY_NODE_NETDEV_INTERNAL_H
#define RINGWAY_NODE_NETDEV_INTERNAL_H

#include <netlink/netlink.h>
#include <netlink/route/route.h>

#include "control/node/netdev.h"

struct netdev {
	struct nl_sock *sk;
};

/* libnl's error as ours. */
int netdev_errno(int nl_error);

/* AF_INET or AF_INET6. */
int netdev_family(const struct ip_addr *a);

/* NULL if out of memory; given back with nl_addr_put(). len as of struct ip_prefix. */
struct nl_addr *netdev_to_nl(const struct ip_addr *a, unsigned len);

/* To be given back with rtnl_route_put(). */
struct rtnl_route *netdev_route_describe(const struct netdev_route *r, uint32_t table);

/* False when it is of another family. */
bool netdev_from_nl(const struct nl_addr *nl, struct ip_prefix *out);

#endif
