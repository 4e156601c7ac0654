#include "control/node/underlay_internal.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "control/node/nl_addr.h"

static bool
is_usable(const struct ip_addr *a)
{
	bool loopback = ip_addr_is_v4(a) ? a->b[12] == 127 : a->w[0] == 0 && a->b[15] == 1;

	return !loopback && !ip_addr_is_v6_link_local(a);
}

struct addr_search {
	struct underlay_facts *facts;
	struct ip_addr node_addr;
	int ifindex_of_node_addr;
	unsigned rank; /* of those that are noted now */
};

static void
find_node_addr(struct nl_object *object, void *arg)
{
	struct addr_search *search = arg;
	struct rtnl_addr *addr = (struct rtnl_addr *)object;
	struct ip_addr a;

	if (nl_addr_read(rtnl_addr_get_local(addr), &a) && is_usable(&a) &&
		ip_addr_eq(&a, &search->node_addr))
		search->ifindex_of_node_addr = rtnl_addr_get_ifindex(addr);
}

/* The first are those that the node has for itself: on the uplink, and with a network. One without is often lent, as a load
 * balancer's is by kube-vip. */
static unsigned
rank_of(const struct underlay_facts *facts, struct rtnl_addr *addr, const struct ip_addr *a)
{
	if (facts->ifindex != (unsigned)rtnl_addr_get_ifindex(addr))
		return 2;
	return rtnl_addr_get_prefixlen(addr) == (ip_addr_is_v4(a) ? 32 : 128);
}

#define RANKS 3

static void
note_addr(struct nl_object *object, void *arg)
{
	struct addr_search *search = arg;
	struct rtnl_addr *addr = (struct rtnl_addr *)object;
	struct underlay_facts *facts = search->facts;
	struct ip_addr a;

	if (!nl_addr_read(rtnl_addr_get_local(addr), &a) || !is_usable(&a) ||
		rank_of(facts, addr, &a) != search->rank)
		return;
	if (facts->n_addrs < UNDERLAY_ADDRS_MAX)
		facts->addrs[facts->n_addrs++] = a;
}

/* Queues in use; a driver without channels has those it was made with. */
static uint32_t
count_queues(const char *name, struct rtnl_link *link)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq request = { .ifr_data = (void *)&channels };
	uint32_t made_with = rtnl_link_get_num_rx_queues(link);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has_channels;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	has_channels = fd >= 0 && ioctl(fd, SIOCETHTOOL, &request) == 0;
	if (fd >= 0)
		close(fd);
	if (has_channels && channels.rx_count + channels.combined_count > 0)
		return channels.rx_count + channels.combined_count;
	return made_with > 0 ? made_with : 1;
}

static void
read_link(struct underlay *u, struct underlay_facts *facts, int ifindex, const char *name)
{
	struct rtnl_link *link;
	struct nl_addr *mac;

	if (rtnl_link_get_kernel(u->query, ifindex, name, &link) < 0)
		return;
	mac = rtnl_link_get_addr(link);
	facts->ifindex = (unsigned)rtnl_link_get_ifindex(link);
	strncpy(facts->name, rtnl_link_get_name(link), sizeof(facts->name) - 1);
	if (mac != NULL && nl_addr_get_len(mac) == sizeof(facts->mac))
		memcpy(&facts->mac, nl_addr_get_binary_addr(mac), sizeof(facts->mac));
	facts->mtu = (uint16_t)(rtnl_link_get_mtu(link) > UINT16_MAX ? UINT16_MAX : rtnl_link_get_mtu(link));
	facts->is_up = (rtnl_link_get_flags(link) & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
	facts->n_queues = count_queues(facts->name, link);
	rtnl_link_put(link);
}

bool
underlay_read_facts(struct underlay *u)
{
	struct underlay_facts facts = { 0 };
	struct addr_search search = { .facts = &facts, .node_addr = u->config.node_addr };
	struct nl_cache *addrs;
	bool differs;

	/* what was known stays: without it, the uplink would close */
	u->is_stale = rtnl_addr_alloc_cache(u->query, &addrs) < 0;
	if (u->is_stale)
		return false;
	nl_cache_foreach(addrs, find_node_addr, &search);
	if (u->interface[0] != '\0')
		read_link(u, &facts, 0, u->interface);
	else if (search.ifindex_of_node_addr != 0)
		read_link(u, &facts, search.ifindex_of_node_addr, NULL);
	for (search.rank = 0; search.rank < RANKS; search.rank++)
		nl_cache_foreach(addrs, note_addr, &search);
	nl_cache_free(addrs);
	/* Padding that differs costs a build, and no more: NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
	differs = memcmp(&facts, &u->facts, sizeof(facts)) != 0;
	u->facts = facts;
	return differs;
}
