/* The node's interfaces, addresses, routes and neighbours, set by netlink; each call brings about what it
 * names and is fine when that is so already. Routes and addresses that we make carry our protocol number, so
 * that they can be told from others and taken away. Control thread only, in the node's network namespace. */
#ifndef RINGWAY_NODE_NETDEV_H
#define RINGWAY_NODE_NETDEV_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "dataplane/net/headers.h"
#include "dataplane/net/ip_addr.h"

#define NETDEV_PROTOCOL 114 /* 'r', rtm_protocol of our routes; free in iproute2's rt_protos */

struct netdev;

struct netdev_link {
	int ifindex;
	struct mac_addr mac;
	uint16_t mtu;
	bool is_up;
};

/* A table of routes of our own, for what netdev_set_detours() sends there. */
#define NETDEV_DETOUR_TABLE 1140

/* Another, for netdev_set_ways(). */
#define NETDEV_WAYS_TABLE 1141

/* A route in the main table, or in one of those. */
struct netdev_route {
	struct ip_prefix dst;
	struct ip_addr via; /* with 'src' and a device; none: a blackhole */
	struct ip_addr src;
	int ifindex;
	uint32_t metric;
	bool is_detour;
};

/* What the stack itself sends to an address of its own and one of these ports. */
struct netdev_detour {
	struct ip_addr addr;
	uint16_t first, last; /* host byte order */
	uint8_t proto;
};

/* NULL with errno set. */
struct netdev *netdev_open(void);
void netdev_close(struct netdev *n);

/* 0, or -ENODEV when there is no such interface. */
int netdev_get(struct netdev *n, const char *name, struct netdev_link *out);

/* Whether the other end of a pair is in the network namespace that the path names, as far as can be told. */
bool netdev_leads_to(struct netdev *n, const char *name, const char *netns);

/* A veth pair, both ends in this namespace and down. 0 or -errno. */
int netdev_create_pair(
	struct netdev *n, const char *name, const char *peer, const struct mac_addr *peer_mac, uint16_t mtu);

int netdev_delete(struct netdev *n, const char *name);
int netdev_set_up(struct netdev *n, int ifindex);
int netdev_set_mtu(struct netdev *n, int ifindex, uint16_t mtu);

/* Makes these host addresses (/32, /128) the interface's only ones, link-local ones aside. */
int netdev_set_addrs(struct netdev *n, int ifindex, const struct ip_addr *addrs, size_t count);

/* A neighbour entry that never ages. */
int netdev_set_neighbour(
	struct netdev *n, int ifindex, const struct ip_addr *addr, const struct mac_addr *mac);

/* Makes these our only routes (NETDEV_PROTOCOL). */
int netdev_set_routes(struct netdev *n, const struct netdev_route *routes, size_t count);

/* Keeps the stack from passing on to these networks what others send: it reaches them with its own packets alone. Two
 * rules for each, in force only where the networks are not the stack's own addresses. */
int netdev_shut_networks(struct netdev *n, const struct ip_prefix *networks, size_t count);

/* Makes these the only ones that take the way of NETDEV_DETOUR_TABLE (or, while that has none, the way they always took: over
 * lo). Their rules stand before the one that has local addresses looked up: all have priority 0, where the order is that of
 * coming, so that rule is put behind ours by adding it once more and only then removing the former one. There is no moment
 * without it, whenever this ends, and without detours the rules are as the kernel made them. 0 or -errno: -EBUSY when a
 * stranger's rules are in the way, for the order of the two is left as it is: new detours are then not in force. */
int netdev_set_detours(struct netdev *n, const struct netdev_detour *detours, size_t count);

/* Makes these (to single addresses, with a device) the only routes of NETDEV_WAYS_TABLE, which only what the stack itself sends
 * asks, before the main table; without any, nothing does. Sorts them. 0 or -errno. */
int netdev_set_ways(struct netdev *n, struct netdev_route *routes, size_t count);

/* How many routes and routing rules there are that carry our protocol number. */
struct netdev_owned {
	unsigned n_routes, n_rules;
};

int netdev_count_owned(struct netdev *n, struct netdev_owned *out);

/* Takes all of these away, and has the rules for local addresses as the kernel made them. 0, or -errno with some left. */
int netdev_remove_owned(struct netdev *n);

/* Calls fn for each unicast route of the main table that is not ours. */
int netdev_each_route(struct netdev *n,
	void (*fn)(const struct ip_prefix *dst, const char *interface, void *arg), void *arg);

/* Switches segmentation offload off, so that the stack sends nothing longer than the MTU. */
int netdev_disable_segmentation(const char *name);

/* Writes /proc/sys/net/<family>/conf/<interface>/<key>; -ENOENT when the kernel does not have it. */
int netdev_sysctl(const char *family, const char *interface, const char *key, const char *value);

#endif
