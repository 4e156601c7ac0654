#include "cni/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cni/offload.h"
#include "cni/steps.h"

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif

static struct nl_sock *
netlink_open(void)
{
	struct nl_sock *sk = nl_socket_alloc();

	if (sk != NULL && nl_connect(sk, NETLINK_ROUTE) < 0) {
		nl_socket_free(sk);
		sk = NULL;
	}
	return sk;
}

enum cni_code
netns_open(const char *path, int *fd, struct cni_error *e)
{
	struct stat ours, theirs;
	struct statfs fs;

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return cni_fail(e, errno == ENOENT ? CNI_UNKNOWN_CONTAINER : CNI_IO_FAILURE, NULL,
			"cannot open the pod's network namespace %s: %s", path, strerror(errno));
	if (fstatfs(*fd, &fs) == 0 && fs.f_type == NSFS_MAGIC && fstat(*fd, &theirs) == 0 &&
		stat("/proc/self/ns/net", &ours) == 0) {
		if (ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev)
			return CNI_OK;
		cni_fail(e, CNI_BAD_ENVIRONMENT, "A pod in the host's network needs no CNI plugin.",
			"CNI_NETNS %s is the node's own network namespace", path);
	} else {
		cni_fail(e, CNI_BAD_ENVIRONMENT, NULL, "CNI_NETNS %s is not a network namespace", path);
	}
	close(*fd);
	*fd = -1;
	return e->code;
}

/* Goes to a namespace and back. */
static int
netns_enter(int netns)
{
	int back = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (back >= 0 && setns(netns, CLONE_NEWNET) < 0) {
		int saved = errno;

		close(back);
		errno = saved;
		return -1;
	}
	return back;
}

static void
netns_leave(int back)
{
	/* cannot fail: the descriptor was just ours, and we had the right to leave it */
	if (setns(back, CLONE_NEWNET) < 0)
		abort();
	close(back);
}

static void
link_describe(struct rtnl_link *link, const char *name, const uint8_t mac[static 6], unsigned mtu)
{
	struct nl_addr *lladdr = nl_addr_build(AF_LLC, mac, 6);

	rtnl_link_set_name(link, name);
	rtnl_link_set_addr(link, lladdr);
	rtnl_link_set_mtu(link, mtu);
	nl_addr_put(lladdr);
}

static enum cni_code
pair_create(const struct wiring *w, int netns, const char *ifname, struct cni_error *e)
{
	struct nl_sock *sk = netlink_open();
	struct rtnl_link *pair = rtnl_link_veth_alloc();
	struct rtnl_link *peer;
	int rc = -NLE_NOMEM;

	if (sk != NULL && pair != NULL) {
		peer = rtnl_link_veth_get_peer(pair);
		link_describe(pair, w->link, w->node_mac, w->mtu);
		link_describe(peer, ifname, w->mac, w->mtu);
		rtnl_link_set_ns_fd(peer, netns);
		rc = rtnl_link_add(sk, pair, NLM_F_CREATE | NLM_F_EXCL);
		rtnl_link_put(peer);
	}
	if (rc == -NLE_EXIST && if_nametoindex(w->link) == 0)
		cni_fail(e, CNI_FAILED,
			"Another plugin of the chain, or an attachment under another container id, made it.",
			"the pod's namespace already has an interface %s", ifname);
	else if (rc == -NLE_EXIST)
		cni_fail(e, CNI_FAILED, "Remove it if nothing uses it.",
			"the node already has an interface %s", w->link);
	else if (rc == -NLE_PERM)
		cni_fail(e, CNI_FAILED, "It needs CAP_NET_ADMIN and CAP_SYS_ADMIN.",
			"not permitted to make interfaces");
	else if (rc < 0)
		cni_fail(e, CNI_FAILED, NULL, "cannot make the pod's interface: %s", nl_geterror(rc));
	if (pair != NULL)
		rtnl_link_put(pair);
	nl_socket_free(sk);
	return rc < 0 ? e->code : CNI_OK;
}

/* Writes the daemon's sysctls; those of a family that the kernel lacks are not sent. */
static enum cni_code
sysctls_write(const struct wiring *w, struct cni_error *e)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)w->sysctls, key, value) {
		const char *text = json_string_value(value);
		char path[256];
		int fd;

		if (text == NULL || strstr(key, "..") != NULL || strncmp(key, "net/", 4) != 0 ||
			snprintf(path, sizeof(path), "/proc/sys/%s", key) >= (int)sizeof(path))
			return cni_fail(e, CNI_DECODE_FAILURE, NULL,
				"ringwayd sent a sysctl that is none: %.64s", key);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, text, strlen(text)) < 0) {
			cni_fail(e, CNI_FAILED,
				"Is /proc/sys writable, and IPv6 not compiled out of the kernel?",
				"cannot set %s to \"%s\" in the pod: %s", path, text, strerror(errno));
			if (fd >= 0)
				close(fd);
			return e->code;
		}
		close(fd);
	}
	return CNI_OK;
}

static void
offloads_disable(const struct wiring *w, const char *ifname)
{
	const json_t *feature;
	size_t i;

	/* a feature that this kernel lacks needs no switching off */
	json_array_foreach (w->features_off, i, feature)
		if (json_is_string(feature))
			offload_disable(ifname, json_string_value(feature));
}

static int
link_up(struct nl_sock *sk, int ifindex)
{
	struct rtnl_link *which = rtnl_link_alloc(), *change = rtnl_link_alloc();
	int rc = -NLE_NOMEM;

	if (which != NULL && change != NULL) {
		rtnl_link_set_ifindex(which, ifindex);
		rtnl_link_set_flags(change, IFF_UP);
		rc = rtnl_link_change(sk, which, change, 0);
	}
	rtnl_link_put(which);
	rtnl_link_put(change);
	return rc;
}

static int
addr_add(struct nl_sock *sk, int ifindex, const struct wiring_addr *a)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local;
	int rc = nl_addr_parse(a->addr, a->family, &local);

	if (addr == NULL || rc < 0)
		return rc < 0 ? rc : -NLE_NOMEM;
	rtnl_addr_set_ifindex(addr, ifindex);
	rtnl_addr_set_local(addr, local);
	rtnl_addr_set_prefixlen(addr, a->family == AF_INET ? 32 : 128);
	/* the daemon hands each address out once: nothing to detect (and detection would delay the pod by a
	 * second) */
	if (a->family == AF_INET6)
		rtnl_addr_set_flags(addr, IFA_F_NODAD);
	rc = rtnl_addr_add(sk, addr, NLM_F_CREATE | NLM_F_EXCL);
	rtnl_addr_put(addr);
	nl_addr_put(local);
	return rc;
}

/* The default route, over a gateway that no prefix covers. */
static int
route_add(struct nl_sock *sk, int ifindex, const struct wiring_addr *a)
{
	struct rtnl_route *route = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	struct nl_addr *gateway = NULL, *all = NULL;
	int rc = -NLE_NOMEM;

	if (route != NULL && hop != NULL && nl_addr_parse(a->gateway, a->family, &gateway) == 0 &&
		nl_addr_parse("default", a->family, &all) == 0) {
		rtnl_route_nh_set_ifindex(hop, ifindex);
		rtnl_route_nh_set_gateway(hop, gateway);
		rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
		rtnl_route_set_family(route, (uint8_t)a->family);
		rtnl_route_set_dst(route, all);
		rtnl_route_set_protocol(route, RTPROT_STATIC);
		rtnl_route_add_nexthop(route, hop);
		hop = NULL; /* the route's now */
		rc = rtnl_route_add(sk, route, NLM_F_CREATE | NLM_F_EXCL);
	}
	if (hop != NULL)
		rtnl_route_nh_free(hop);
	rtnl_route_put(route);
	nl_addr_put(gateway);
	nl_addr_put(all);
	return rc;
}

/* Inside the pod's namespace. */
static enum cni_code
pod_configure(const struct wiring *w, const char *ifname, struct cni_error *e)
{
	struct nl_sock *sk = netlink_open();
	const char *step = "netlink";
	int ifindex = (int)if_nametoindex(ifname);
	int rc = sk == NULL ? -NLE_NOMEM : 0;

	if (sysctls_write(w, e) != CNI_OK) {
		nl_socket_free(sk);
		return e->code;
	}
	steps_mark("sysctls");
	offloads_disable(w, ifname);
	steps_mark("offloads");
	if (rc == 0) {
		step = "switch on lo";
		rc = link_up(sk, (int)if_nametoindex("lo"));
	}
	for (unsigned i = 0; i < w->n_addrs && rc == 0; i++) {
		step = w->addrs[i].addr;
		rc = addr_add(sk, ifindex, &w->addrs[i]);
	}
	if (rc == 0) {
		step = "switch on the interface";
		rc = link_up(sk, ifindex);
	}
	for (unsigned i = 0; i < w->n_addrs && rc == 0; i++) {
		step = "default route";
		rc = route_add(sk, ifindex, &w->addrs[i]);
	}
	nl_socket_free(sk);
	steps_mark("addresses");
	return rc == 0 ? CNI_OK
		       : cni_fail(e, CNI_FAILED, NULL, "cannot set up %s in the pod: %s: %s", ifname, step,
				 nl_geterror(rc));
}

enum cni_code
link_create(const struct wiring *w, int netns, const char *ifname, unsigned *ifindex, struct cni_error *e)
{
	int back;

	*ifindex = 0;
	if (pair_create(w, netns, ifname, e) != CNI_OK)
		return e->code;
	*ifindex = if_nametoindex(w->link);
	steps_mark("pair");
	back = netns_enter(netns);
	if (back < 0) {
		cni_fail(
			e, CNI_FAILED, NULL, "cannot enter the pod's network namespace: %s", strerror(errno));
	} else {
		pod_configure(w, ifname, e);
		netns_leave(back);
	}
	if (e->code != CNI_OK) {
		link_delete(*ifindex);
		*ifindex = 0;
	}
	return e->code;
}

void
link_delete(unsigned ifindex)
{
	struct nl_sock *sk = ifindex == 0 ? NULL : netlink_open();
	struct rtnl_link *link = rtnl_link_alloc();

	if (sk != NULL && link != NULL) {
		rtnl_link_set_ifindex(link, (int)ifindex);
		rtnl_link_delete(sk, link);
	}
	rtnl_link_put(link);
	nl_socket_free(sk);
}

/* Counts addresses of the pod's end that are among those attached. */
static unsigned
addrs_count(struct nl_sock *sk, int ifindex, const struct wiring *w)
{
	struct nl_cache *cache;
	unsigned n = 0;

	if (rtnl_addr_alloc_cache(sk, &cache) < 0)
		return 0;
	for (unsigned i = 0; i < w->n_addrs; i++) {
		struct nl_addr *local;
		struct rtnl_addr *found;

		if (nl_addr_parse(w->addrs[i].addr, w->addrs[i].family, &local) < 0)
			continue;
		found = rtnl_addr_get(cache, ifindex, local);
		if (found != NULL) {
			n++;
			rtnl_addr_put(found);
		}
		nl_addr_put(local);
	}
	nl_cache_free(cache);
	return n;
}

/* Counts default routes over this interface. */
static unsigned
defaults_count(struct nl_sock *sk, int ifindex)
{
	struct nl_cache *cache;
	unsigned n = 0;

	if (rtnl_route_alloc_cache(sk, AF_UNSPEC, 0, &cache) < 0)
		return 0;
	for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o)) {
		struct rtnl_route *route = (struct rtnl_route *)o;
		struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, 0);

		if (hop != NULL && rtnl_route_nh_get_ifindex(hop) == ifindex &&
			nl_addr_get_prefixlen(rtnl_route_get_dst(route)) == 0 &&
			rtnl_route_get_table(route) == RT_TABLE_MAIN &&
			rtnl_route_get_type(route) == RTN_UNICAST)
			n++;
	}
	nl_cache_free(cache);
	return n;
}

static enum cni_code
pod_check(const struct wiring *w, const char *ifname, struct cni_error *e)
{
	struct nl_sock *sk = netlink_open();
	struct rtnl_link *link = NULL;
	int ifindex = (int)if_nametoindex(ifname);

	if (sk == NULL || ifindex == 0 || rtnl_link_get_kernel(sk, ifindex, NULL, &link) < 0)
		cni_fail(e, CNI_CHECK_MISMATCH, NULL, "the pod has no interface %s", ifname);
	else if ((rtnl_link_get_flags(link) & IFF_UP) == 0)
		cni_fail(e, CNI_CHECK_MISMATCH, NULL, "the pod's %s is down", ifname);
	else if (rtnl_link_get_addr(link) == NULL ||
		 memcmp(nl_addr_get_binary_addr(rtnl_link_get_addr(link)), w->mac, 6) != 0)
		cni_fail(e, CNI_CHECK_MISMATCH, NULL, "the pod's %s has not the MAC %s", ifname, w->mac_text);
	else if (addrs_count(sk, ifindex, w) != w->n_addrs)
		cni_fail(e, CNI_CHECK_MISMATCH, NULL, "the pod's %s lacks an address that was given to it",
			ifname);
	else if (defaults_count(sk, ifindex) < w->n_addrs)
		cni_fail(e, CNI_CHECK_MISMATCH, NULL, "the pod lacks a default route over %s", ifname);
	if (link != NULL)
		rtnl_link_put(link);
	nl_socket_free(sk);
	return e->code;
}

enum cni_code
link_check(const struct wiring *w, int netns, const char *ifname, struct cni_error *e)
{
	int back;

	if (if_nametoindex(w->link) == 0)
		return cni_fail(e, CNI_CHECK_MISMATCH, NULL, "the node has no interface %s", w->link);
	back = netns_enter(netns);
	if (back < 0)
		return cni_fail(
			e, CNI_FAILED, NULL, "cannot enter the pod's network namespace: %s", strerror(errno));
	pod_check(w, ifname, e);
	netns_leave(back);
	return e->code;
}
