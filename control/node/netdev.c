#include "control/node/netdev_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int
netdev_errno(int nl_error)
{
	switch (-nl_error) {
	case NLE_SUCCESS:
		return 0;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_EXIST:
		return -EEXIST;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_NODEV:
	case NLE_OBJ_NOTFOUND:
		return -ENODEV;
	case NLE_BUSY:
		return -EBUSY;
	default:
		return -EINVAL;
	}
}

struct netdev *
netdev_open(void)
{
	struct netdev *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->sk = nl_socket_alloc();
	if (n->sk == NULL || nl_connect(n->sk, NETLINK_ROUTE) < 0) {
		netdev_close(n);
		errno = ENOMEM;
		return NULL;
	}
	return n;
}

void
netdev_close(struct netdev *n)
{
	if (n == NULL)
		return;
	nl_socket_free(n->sk);
	free(n);
}

int
netdev_family(const struct ip_addr *a)
{
	return ip_addr_is_v4(a) ? AF_INET : AF_INET6;
}

struct nl_addr *
netdev_to_nl(const struct ip_addr *a, unsigned len)
{
	bool v4 = ip_addr_is_v4(a);
	struct nl_addr *nl = nl_addr_build(netdev_family(a), v4 ? &a->b[12] : a->b, v4 ? 4 : 16);

	if (nl != NULL)
		nl_addr_set_prefixlen(nl, (int)(v4 ? len - 96 : len));
	return nl;
}

bool
netdev_from_nl(const struct nl_addr *nl, struct ip_prefix *out)
{
	const void *bytes = nl_addr_get_binary_addr(nl);
	unsigned len = nl_addr_get_prefixlen(nl);
	be32 v4 = { 0 };

	switch (nl_addr_get_family(nl)) {
	case AF_INET:
		/* the default route's address has no bytes */
		if (nl_addr_get_len(nl) == 4)
			memcpy(&v4, bytes, 4);
		*out = (struct ip_prefix){ ip_addr_v4(v4), (uint8_t)(96 + len) };
		return true;
	case AF_INET6:
		*out = (struct ip_prefix){ .len = (uint8_t)len };
		if (nl_addr_get_len(nl) == 16)
			out->addr = ip_addr_v6(bytes);
		return true;
	default:
		return false;
	}
}

int
netdev_get(struct netdev *n, const char *name, struct netdev_link *out)
{
	struct rtnl_link *link;
	int rc = rtnl_link_get_kernel(n->sk, 0, name, &link);

	if (rc < 0)
		return netdev_errno(rc);
	*out = (struct netdev_link){
		.ifindex = rtnl_link_get_ifindex(link),
		.mtu = (uint16_t)rtnl_link_get_mtu(link),
		.is_up = (rtnl_link_get_flags(link) & IFF_UP) != 0,
	};
	if (rtnl_link_get_addr(link) != NULL && nl_addr_get_len(rtnl_link_get_addr(link)) == sizeof(out->mac))
		memcpy(&out->mac, nl_addr_get_binary_addr(rtnl_link_get_addr(link)), sizeof(out->mac));
	rtnl_link_put(link);
	return 0;
}

int
netdev_create_pair(struct netdev *n, const char *name, const char *peer_name, const struct mac_addr *peer_mac,
	uint16_t mtu)
{
	struct rtnl_link *pair = rtnl_link_veth_alloc(), *peer;
	struct nl_addr *lladdr;
	int rc;

	if (pair == NULL)
		return -ENOMEM;
	peer = rtnl_link_veth_get_peer(pair);
	lladdr = nl_addr_build(AF_LLC, peer_mac, sizeof(*peer_mac));
	rtnl_link_set_name(pair, name);
	rtnl_link_set_mtu(pair, mtu);
	rtnl_link_set_name(peer, peer_name);
	rtnl_link_set_mtu(peer, mtu);
	rtnl_link_set_addr(peer, lladdr);
	rc = rtnl_link_add(n->sk, pair, NLM_F_CREATE | NLM_F_EXCL);
	nl_addr_put(lladdr);
	rtnl_link_put(peer);
	rtnl_link_put(pair);
	return netdev_errno(rc);
}

int
netdev_delete(struct netdev *n, const char *name)
{
	struct rtnl_link *link = rtnl_link_alloc();
	int rc;

	if (link == NULL)
		return -ENOMEM;
	rtnl_link_set_name(link, name);
	rc = netdev_errno(rtnl_link_delete(n->sk, link));
	rtnl_link_put(link);
	return rc == -ENODEV ? 0 : rc;
}

/* Changes one thing of an interface: flags to set, or an MTU. */
static int
link_change(struct netdev *n, int ifindex, unsigned flags, unsigned mtu)
{
	struct rtnl_link *which = rtnl_link_alloc(), *change = rtnl_link_alloc();
	int rc = -NLE_NOMEM;

	if (which != NULL && change != NULL) {
		rtnl_link_set_ifindex(which, ifindex);
		if (flags != 0)
			rtnl_link_set_flags(change, flags);
		if (mtu != 0)
			rtnl_link_set_mtu(change, mtu);
		rc = rtnl_link_change(n->sk, which, change, 0);
	}
	rtnl_link_put(which);
	rtnl_link_put(change);
	return netdev_errno(rc);
}

int
netdev_set_up(struct netdev *n, int ifindex)
{
	return link_change(n, ifindex, IFF_UP, 0);
}

int
netdev_set_mtu(struct netdev *n, int ifindex, uint16_t mtu)
{
	return link_change(n, ifindex, 0, mtu);
}

static int
addr_add(struct netdev *n, int ifindex, const struct ip_addr *a)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local = netdev_to_nl(a, 128);
	int rc = -NLE_NOMEM;

	if (addr != NULL && local != NULL) {
		rtnl_addr_set_ifindex(addr, ifindex);
		rtnl_addr_set_local(addr, local);
		rtnl_addr_set_prefixlen(addr, ip_addr_is_v4(a) ? 32 : 128);
		if (!ip_addr_is_v4(a))
			rtnl_addr_set_flags(addr, IFA_F_NODAD);
		rc = rtnl_addr_add(n->sk, addr, NLM_F_CREATE | NLM_F_REPLACE);
	}
	rtnl_addr_put(addr);
	nl_addr_put(local);
	return netdev_errno(rc);
}

int
netdev_set_addrs(struct netdev *n, int ifindex, const struct ip_addr *addrs, size_t count)
{
	struct nl_cache *cache;
	int rc = netdev_errno(rtnl_addr_alloc_cache(n->sk, &cache));

	if (rc < 0)
		return rc;
	for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o)) {
		struct rtnl_addr *addr = (struct rtnl_addr *)o;
		struct ip_prefix found;
		bool is_wanted = false;

		if (rtnl_addr_get_ifindex(addr) != ifindex ||
			!netdev_from_nl(rtnl_addr_get_local(addr), &found) ||
			ip_addr_is_v6_link_local(&found.addr))
			continue;
		for (size_t i = 0; i < count; i++)
			is_wanted |= ip_addr_eq(&addrs[i], &found.addr);
		if (!is_wanted)
			rtnl_addr_delete(n->sk, addr, 0);
	}
	nl_cache_free(cache);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = addr_add(n, ifindex, &addrs[i]);
	return rc;
}

int
netdev_set_neighbour(struct netdev *n, int ifindex, const struct ip_addr *addr, const struct mac_addr *mac)
{
	struct rtnl_neigh *neigh = rtnl_neigh_alloc();
	struct nl_addr *dst = netdev_to_nl(addr, 128), *lladdr = nl_addr_build(AF_LLC, mac, sizeof(*mac));
	int rc = -NLE_NOMEM;

	if (neigh != NULL && dst != NULL && lladdr != NULL) {
		rtnl_neigh_set_family(neigh, netdev_family(addr));
		rtnl_neigh_set_ifindex(neigh, ifindex);
		rtnl_neigh_set_dst(neigh, dst);
		rtnl_neigh_set_lladdr(neigh, lladdr);
		rtnl_neigh_set_state(neigh, NUD_PERMANENT);
		rc = rtnl_neigh_add(n->sk, neigh, NLM_F_CREATE | NLM_F_REPLACE);
	}
	rtnl_neigh_put(neigh);
	nl_addr_put(dst);
	nl_addr_put(lladdr);
	return netdev_errno(rc);
}

static uint32_t
table_of(const struct netdev_route *r)
{
	return r->is_detour ? NETDEV_DETOUR_TABLE : RT_TABLE_MAIN;
}

struct rtnl_route *
netdev_route_describe(const struct netdev_route *r, uint32_t table)
{
	struct rtnl_route *route = rtnl_route_alloc();
	struct nl_addr *dst = netdev_to_nl(&r->dst.addr, r->dst.len);

	rtnl_route_set_family(route, (uint8_t)netdev_family(&r->dst.addr));
	rtnl_route_set_dst(route, dst);
	rtnl_route_set_protocol(route, NETDEV_PROTOCOL);
	rtnl_route_set_priority(route, r->metric);
	rtnl_route_set_table(route, table);
	nl_addr_put(dst);
	if (ip_addr_is_none(&r->via)) {
		rtnl_route_set_type(route, RTN_BLACKHOLE);
	} else {
		struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
		struct nl_addr *via = netdev_to_nl(&r->via, 128), *src = netdev_to_nl(&r->src, 128);

		rtnl_route_set_scope(route, RT_SCOPE_UNIVERSE);
		rtnl_route_nh_set_ifindex(hop, r->ifindex);
		rtnl_route_nh_set_gateway(hop, via);
		rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
		rtnl_route_add_nexthop(route, hop);
		rtnl_route_set_pref_src(route, src);
		nl_addr_put(via);
		nl_addr_put(src);
	}
	return route;
}

static bool
is_same_route(struct rtnl_route *route, const struct netdev_route *r)
{
	struct ip_prefix dst;

	return netdev_from_nl(rtnl_route_get_dst(route), &dst) && dst.len == r->dst.len &&
	       ip_addr_eq(&dst.addr, &r->dst.addr) && rtnl_route_get_priority(route) == r->metric &&
	       rtnl_route_get_table(route) == table_of(r);
}

int
netdev_set_routes(struct netdev *n, const struct netdev_route *routes, size_t count)
{
	struct nl_cache *cache;
	int rc = 0;

	/* the wanted ones first, so that there is no moment without */
	for (size_t i = 0; i < count && rc == 0; i++) {
		struct rtnl_route *route = netdev_route_describe(&routes[i], table_of(&routes[i]));

		rc = netdev_errno(rtnl_route_add(n->sk, route, NLM_F_CREATE | NLM_F_REPLACE));
		rtnl_route_put(route);
	}
	if (rc == 0)
		rc = netdev_errno(rtnl_route_alloc_cache(n->sk, AF_UNSPEC, 0, &cache));
	if (rc < 0)
		return rc;
	for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o)) {
		struct rtnl_route *route = (struct rtnl_route *)o;
		bool is_wanted = false;

		if (rtnl_route_get_protocol(route) != NETDEV_PROTOCOL ||
			(rtnl_route_get_table(route) != RT_TABLE_MAIN &&
				rtnl_route_get_table(route) != NETDEV_DETOUR_TABLE))
			continue;
		for (size_t i = 0; i < count; i++)
			is_wanted |= is_same_route(route, &routes[i]);
		if (!is_wanted)
			rtnl_route_delete(n->sk, route, 0);
	}
	nl_cache_free(cache);
	return 0;
}

int
netdev_each_route(struct netdev *n, void (*fn)(const struct ip_prefix *dst, const char *interface, void *arg),
	void *arg)
{
	struct nl_cache *cache;
	int rc = netdev_errno(rtnl_route_alloc_cache(n->sk, AF_UNSPEC, 0, &cache));

	if (rc < 0)
		return rc;
	for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o)) {
		struct rtnl_route *route = (struct rtnl_route *)o;
		struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, 0);
		char interface[IF_NAMESIZE] = "";
		struct ip_prefix dst;

		if (rtnl_route_get_protocol(route) == NETDEV_PROTOCOL ||
			rtnl_route_get_table(route) != RT_TABLE_MAIN ||
			rtnl_route_get_type(route) != RTN_UNICAST ||
			!netdev_from_nl(rtnl_route_get_dst(route), &dst))
			continue;
		if (hop != NULL)
			if_indextoname((unsigned)rtnl_route_nh_get_ifindex(hop), interface);
		fn(&dst, interface, arg);
	}
	nl_cache_free(cache);
	return 0;
}

int
netdev_disable_segmentation(const char *name)
{
	static const uint32_t commands[] = { ETHTOOL_STSO, ETHTOOL_SGSO };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	for (unsigned i = 0; i < 2 && rc == 0; i++) {
		struct ethtool_value off = { .cmd = commands[i] };
		struct ifreq request = { .ifr_data = (void *)&off };

		snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
		if (ioctl(fd, SIOCETHTOOL, &request) < 0)
			rc = -errno;
	}
	close(fd);
	return rc;
}

int
netdev_sysctl(const char *family, const char *interface, const char *key, const char *value)
{
	char path[128];
	int fd, rc = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, interface, key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}
