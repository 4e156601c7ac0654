/* What the node's network has that could get in the way. */
#include <dirent.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/preflight.h"
#include "control/node/cni_conf_file.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/ip_addr.h"

#define POD_MTU_LEAST 1280 /* RFC 8200 section 5 */

/* The kernel's links, addresses and routes, read once per check. */
struct network {
	struct nl_sock *socket;
	struct nl_cache *links, *addrs, *routes;
};

static bool
network_read(struct network *n)
{
	memset(n, 0, sizeof(*n));
	n->socket = nl_socket_alloc();
	return n->socket != NULL && nl_connect(n->socket, NETLINK_ROUTE) == 0 &&
	       rtnl_link_alloc_cache(n->socket, AF_UNSPEC, &n->links) == 0 &&
	       rtnl_addr_alloc_cache(n->socket, &n->addrs) == 0 &&
	       rtnl_route_alloc_cache(n->socket, AF_UNSPEC, 0, &n->routes) == 0;
}

static void
network_free(struct network *n)
{
	nl_cache_free(n->routes);
	nl_cache_free(n->addrs);
	nl_cache_free(n->links);
	nl_socket_free(n->socket);
}

/* false for what is no IP prefix. A default route is ::/0 or 0.0.0.0/0. */
static bool
prefix_of(struct nl_addr *a, struct ip_prefix *out)
{
	be32 v4;

	if (a == NULL)
		return false;
	if (nl_addr_get_family(a) == AF_INET) {
		memset(&v4, 0, sizeof(v4));
		memcpy(&v4, nl_addr_get_binary_addr(a), nl_addr_get_len(a));
		out->addr = ip_addr_v4(v4);
		out->len = (uint8_t)(96 + nl_addr_get_prefixlen(a));
		return true;
	}
	if (nl_addr_get_family(a) == AF_INET6) {
		memset(&out->addr, 0, sizeof(out->addr));
		memcpy(&out->addr, nl_addr_get_binary_addr(a), nl_addr_get_len(a));
		out->len = (uint8_t)nl_addr_get_prefixlen(a);
		return true;
	}
	return false;
}

static bool
is_default(const struct ip_prefix *p)
{
	return ip_addr_is_v4(&p->addr) ? p->len == 96 : p->len == 0;
}

static bool
overlaps(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return ip_prefix_contains(a, &b->addr) || ip_prefix_contains(b, &a->addr);
}

/* The interface of the default route, IPv4's first; 0: there is none. */
static int
default_interface(const struct network *n)
{
	int found = 0;

	for (struct nl_object *o = nl_cache_get_first(n->routes); o != NULL; o = nl_cache_get_next(o)) {
		struct rtnl_route *route = (struct rtnl_route *)o;
		struct ip_prefix dst;
		struct rtnl_nexthop *hop;

		if (rtnl_route_get_table(route) != RT_TABLE_MAIN || rtnl_route_get_nnexthops(route) == 0 ||
			rtnl_route_get_type(route) != RTN_UNICAST)
			continue;
		if (!prefix_of(rtnl_route_get_dst(route), &dst) ||
			nl_addr_get_prefixlen(rtnl_route_get_dst(route)) != 0)
			continue;
		hop = rtnl_route_nexthop_n(route, 0);
		if (rtnl_route_get_family(route) == AF_INET)
			return rtnl_route_nh_get_ifindex(hop);
		found = rtnl_route_nh_get_ifindex(hop);
	}
	return found;
}

static void
check_uplink(const struct preflight *p, struct check_result *r)
{
	const char *name = p->uplink;
	struct network n;
	struct rtnl_link *link = NULL;
	unsigned mtu, pod_mtu;

	if (!network_read(&n)) {
		check_say(r, CHECK_FAIL, "run as root", "the kernel does not tell its links and routes");
		goto out;
	}
	link = *name != '\0' ? rtnl_link_get_by_name(n.links, name)
			     : rtnl_link_get(n.links, default_interface(&n));
	if (link == NULL && *name != '\0') {
		check_say(r, CHECK_FAIL, "set uplink.interface to an interface of this node",
			"there is no interface %s", name);
		goto out;
	}
	if (link == NULL) {
		check_say(r, CHECK_WARN,
			"set uplink.interface, unless this node's Node object has an address that tells it",
			"no uplink.interface is configured and there is no default route");
		goto out;
	}
	mtu = rtnl_link_get_mtu(link);
	pod_mtu = p->overlay_mtu != 0 ? p->overlay_mtu : mtu - VXLAN_OVERHEAD_V6;
	if ((rtnl_link_get_flags(link) & IFF_UP) == 0)
		check_say(r, CHECK_FAIL, "bring it up", "the uplink %s is down", rtnl_link_get_name(link));
	else if (pod_mtu + VXLAN_OVERHEAD_V4 > mtu)
		check_say(r, CHECK_FAIL, "lower overlay.mtu, or raise the uplink's MTU",
			"overlay.mtu %u and the tunnel's %u bytes do not fit the MTU %u of the uplink %s",
			pod_mtu, VXLAN_OVERHEAD_V4, mtu, rtnl_link_get_name(link));
	else if (pod_mtu < POD_MTU_LEAST)
		check_say(r, CHECK_FAIL, "raise the uplink's MTU: IPv6 takes no less than 1280 for pods",
			"the MTU %u of the uplink %s leaves pods %u", mtu, rtnl_link_get_name(link), pod_mtu);
	else
		check_say(r, CHECK_OK, NULL, "uplink %s, MTU %u: %u for pods over IPv4, %u over IPv6",
			rtnl_link_get_name(link), mtu, mtu - VXLAN_OVERHEAD_V4, mtu - VXLAN_OVERHEAD_V6);
out:
	rtnl_link_put(link);
	network_free(&n);
}

/* Is it one of the daemon's own interfaces, whose addresses and routes are in the pod CIDRs by right? */
static bool
is_ours(const struct preflight *p, const struct network *n, int ifindex)
{
	char name[IF_NAMESIZE] = "";

	rtnl_link_i2name(n->links, ifindex, name, sizeof(name));
	return strcmp(name, p->host_interface) == 0;
}

static bool
find_address(const struct preflight *p, const struct network *n, const struct ip_prefix *cidr, char *text,
	size_t size)
{
	for (struct nl_object *o = nl_cache_get_first(n->addrs); o != NULL; o = nl_cache_get_next(o)) {
		struct rtnl_addr *addr = (struct rtnl_addr *)o;
		struct ip_prefix own;
		char buf[IP_ADDR_STRLEN], name[IF_NAMESIZE] = "";

		if (!prefix_of(rtnl_addr_get_local(addr), &own) || is_ours(p, n, rtnl_addr_get_ifindex(addr)))
			continue;
		if (!ip_prefix_contains(cidr, &own.addr))
			continue;
		snprintf(text, size, "address %s of %s", ip_addr_format(&own.addr, buf),
			rtnl_link_i2name(n->links, rtnl_addr_get_ifindex(addr), name, sizeof(name)));
		return true;
	}
	return false;
}

/* Blackholes are ours: the service CIDRs have them, so that nothing leaks when the daemon is away. */
static bool
find_route(const struct preflight *p, const struct network *n, const struct ip_prefix *cidr, char *text,
	size_t size)
{
	for (struct nl_object *o = nl_cache_get_first(n->routes); o != NULL; o = nl_cache_get_next(o)) {
		struct rtnl_route *route = (struct rtnl_route *)o;
		struct ip_prefix dst;
		char buf[IP_PREFIX_STRLEN], name[IF_NAMESIZE] = "";
		int ifindex;

		if (rtnl_route_get_table(route) != RT_TABLE_MAIN ||
			rtnl_route_get_type(route) != RTN_UNICAST || rtnl_route_get_nnexthops(route) == 0 ||
			!prefix_of(rtnl_route_get_dst(route), &dst) || is_default(&dst) ||
			nl_addr_get_prefixlen(rtnl_route_get_dst(route)) == 0)
			continue;
		ifindex = rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(route, 0));
		if (is_ours(p, n, ifindex) || !overlaps(cidr, &dst))
			continue;
		snprintf(text, size, "route %s by %s", ip_prefix_format(&dst, buf),
			rtnl_link_i2name(n->links, ifindex, name, sizeof(name)));
		return true;
	}
	return false;
}

static bool
find_conflict(const struct preflight *p, const struct network *n, const struct network_list *cidrs,
	struct check_result *r)
{
	for (size_t i = 0; i < cidrs->n; i++) {
		struct ip_prefix cidr;
		char what[160];

		if (!ip_prefix_parse(cidrs->items[i], &cidr))
			continue; /* the configuration's own check says so */
		if (find_address(p, n, &cidr, what, sizeof(what)) ||
			find_route(p, n, &cidr, what, sizeof(what))) {
			check_say(r, CHECK_FAIL,
				"choose another network for the cluster, or remove the other one: what is "
				"behind "
				"it cannot be reached from pods",
				"%s overlaps with %s", cidrs->items[i], what);
			return true;
		}
	}
	return false;
}

static void
check_overlap(const struct preflight *p, struct check_result *r)
{
	const struct network_list *pods = &p->pod_cidrs, *services = &p->service_cidrs;
	struct network n;

	if (!network_read(&n))
		check_say(r, CHECK_FAIL, "run as root", "the kernel does not tell its addresses and routes");
	else if (pods->n + services->n == 0)
		check_say(r, CHECK_WARN,
			"set cluster.podCIDRs and cluster.serviceCIDRs, or name the file with --config",
			"no pod and service networks are configured: nothing to compare with");
	else if (!find_conflict(p, &n, pods, r) && !find_conflict(p, &n, services, r))
		check_say(r, CHECK_OK, NULL,
			"pod and service networks overlap with no address and route of this node");
	network_free(&n);
}

/* Runtimes take the first file by name, so whatever sorts before ours wins. */
static void
check_cni(const struct preflight *p, struct check_result *r)
{
	DIR *dir = opendir(p->cni_dir);
	char before[256] = "";
	size_t len = 0, n_after = 0;
	bool has_ours = false;

	if (dir == NULL && errno == ENOENT) {
		check_say(r, CHECK_OK, NULL, "%s does not exist yet", p->cni_dir);
		return;
	}
	if (dir == NULL) {
		check_say(r, CHECK_WARN, "run as root", "%s cannot be read: %s", p->cni_dir, strerror(errno));
		return;
	}
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		int order = strcmp(e->d_name, CNI_CONF_NAME);

		if (!cni_conf_is_name(e->d_name))
			continue;
		if (order < 0 && len < sizeof(before))
			len += (size_t)snprintf(before + len, sizeof(before) - len, " %s", e->d_name);
		has_ours |= order == 0;
		n_after += order > 0;
	}
	closedir(dir);
	if (len != 0)
		check_say(r, CHECK_FAIL,
			"move these files away: the container runtime takes the first by name",
			"sorted before %s in %s:%.200s", CNI_CONF_NAME, p->cni_dir, before);
	else if (n_after != 0)
		check_say(r, CHECK_WARN,
			"pods that the other plugin attached keep its network until they are made anew; its "
			"DEL needs its file",
			"%zu files of other plugins in %s, sorted after ours%s", n_after, p->cni_dir,
			has_ours ? "" : ", which is not there yet");
	else
		check_say(r, CHECK_OK, NULL, "no other plugin in %s", p->cni_dir);
}

/* Does a line of the command's output hold the text? The commands are constants of this file. */
static bool
output_has(const char *command, const char *text)
{
	FILE *f = popen(command, "re");
	char line[512];
	bool found = false;

	if (f == NULL)
		return false;
	while (fgets(line, sizeof(line), f) != NULL)
		found |= strstr(line, text) != NULL;
	pclose(f);
	return found;
}

static void
check_kube_proxy(const struct preflight *p, struct check_result *r)
{
	const char *what = NULL;

	if (if_nametoindex("kube-ipvs0") != 0)
		what = "the interface kube-ipvs0 (IPVS mode)";
	else if (output_has("iptables-save -t nat 2>/dev/null", ":KUBE-SERVICES"))
		what = "iptables chains KUBE-*";
	else if (output_has("ip6tables-save -t nat 2>/dev/null", ":KUBE-SERVICES"))
		what = "ip6tables chains KUBE-*";
	else if (output_has("nft list tables 2>/dev/null", "kube-proxy"))
		what = "nftables tables kube-proxy";
	if (what == NULL)
		check_say(r, CHECK_OK, NULL, "no rules of kube-proxy");
	else
		check_say(r, CHECK_WARN,
			"stop kube-proxy and remove its rules (kube-proxy --cleanup): they would translate "
			"what node processes "
			"send to services before we see it",
			"kube-proxy runs here or left %s", what);
}

const struct check network_checks[] = {
	{ "uplink", check_uplink },
	{ "network overlap", check_overlap },
	{ "cni configuration", check_cni },
	{ "kube-proxy", check_kube_proxy },
	{ NULL, NULL },
};
