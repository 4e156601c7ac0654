#include "control/node/host.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/log.h"
#include "dataplane/engine.h"
#include "dataplane/tables.h"

#define XDP_NAME "host"
#define ROUTE_METRIC 0            /* the kernel makes it 1024 for IPv6 */
#define ROUTE_METRIC_V6 1024      /* said, so that a route is found again as it was asked for */
#define BLACKHOLE_METRIC 42949672 /* worse than any that people choose */
#define CIDRS_MAX 32

static const struct mac_addr gateway_mac = GATEWAY_MAC;

static int
fail(char error[static HOST_ERROR_SIZE], int rc, const char *format, ...)
{
	char what[HOST_ERROR_SIZE / 2];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(error, HOST_ERROR_SIZE, "host port: %s: %s", what, strerror(-rc));
	return rc;
}

static void
peer_name(const struct host_config *config, char out[static IF_NAMESIZE])
{
	snprintf(out, IF_NAMESIZE, "%.*s-x", IF_NAMESIZE - 3, config->interface);
}

/* A route of the node that leads elsewhere what pods and services are told by. */
static void
conflict_note(const struct ip_prefix *dst, const char *interface, void *arg)
{
	struct host *h = arg;
	const struct host_config *c = h->config;
	char route[IP_PREFIX_STRLEN], ours[IP_PREFIX_STRLEN];
	unsigned family_len = ip_addr_is_v4(&dst->addr) ? 96 : 0;

	/* a default route overlaps with everything, and is no conflict; nor is what lies on our own pair */
	if (dst->len == family_len || strcmp(interface, c->interface) == 0 ||
		ip_addr_is_v6_link_local(&dst->addr))
		return;
	for (size_t i = 0; i < c->n_pod_cidrs + c->n_service_cidrs; i++) {
		bool is_pod = i < c->n_pod_cidrs;
		const struct ip_prefix *cidr =
			is_pod ? &c->pod_cidrs[i] : &c->service_cidrs[i - c->n_pod_cidrs];

		if (!ip_prefix_contains(cidr, &dst->addr) && !ip_prefix_contains(dst, &cidr->addr))
			continue;
		if (h->n_conflicts == HOST_CONFLICTS_MAX)
			return;
		snprintf(h->conflicts[h->n_conflicts++], HOST_CONFLICT_SIZE,
			"the node's route to %s over %s overlaps with the %s network %s",
			ip_prefix_format(dst, route), interface, is_pod ? "pod" : "service",
			ip_prefix_format(cidr, ours));
	}
}

static void
conflicts_find(struct host *h)
{
	h->n_conflicts = 0;
	netdev_each_route(h->netdev, conflict_note, h);
	for (unsigned i = 0; i < h->n_conflicts; i++)
		log_warn("%s: addresses in both reach only one of them; choose other networks in "
			 "cluster.podCIDRs and "
			 "cluster.serviceCIDRs",
			h->conflicts[i]);
}

/* Finds the pair or makes it, and gives it the MTU. */
static int
pair_setup(struct host *h, uint16_t mtu, char error[static HOST_ERROR_SIZE])
{
	const char *name = h->config->interface;
	struct netdev_link ours, theirs;
	char peer[IF_NAMESIZE];
	int rc;

	peer_name(h->config, peer);
	if (netdev_get(h->netdev, name, &ours) < 0 || netdev_get(h->netdev, peer, &theirs) < 0) {
		rc = netdev_create_pair(h->netdev, name, peer, &gateway_mac, mtu);
		if (rc == -EEXIST)
			return fail(error, rc,
				"an interface called %s or %s exists and is not ours (host.interface can be "
				"changed)",
				name, peer);
		if (rc < 0)
			return fail(error, rc, "cannot make the pair %s and %s", name, peer);
		if ((rc = netdev_get(h->netdev, name, &ours)) < 0 ||
			(rc = netdev_get(h->netdev, peer, &theirs)) < 0)
			return fail(error, rc, "the pair %s and %s is gone again", name, peer);
	}
	if (ours.mtu != mtu && (rc = netdev_set_mtu(h->netdev, ours.ifindex, mtu)) < 0)
		return fail(error, rc, "cannot give %s an MTU of %u", name, mtu);
	if (theirs.mtu != mtu && (rc = netdev_set_mtu(h->netdev, theirs.ifindex, mtu)) < 0)
		return fail(error, rc, "cannot give %s an MTU of %u", peer, mtu);
	h->ifindex = ours.ifindex;
	h->peer_ifindex = theirs.ifindex;
	h->mac = ours.mac;
	h->mtu = mtu;
	return 0;
}

/* What the stack must not do with the two ends: guess addresses, take advertisements, doubt where packets
 * come from, or speak at all on the dataplane's end. A kernel without IPv6 lacks some; that is fine. */
static void
sysctls_set(const struct host *h)
{
	static const struct {
		const char *family, *key, *value;
		bool is_peer;
	} wanted[] = {
		{ "ipv6", "accept_ra", "0", false },
		{ "ipv6", "autoconf", "0", false },
		{ "ipv6", "accept_dad", "0", false },
		/* loose: the larger one of this and that of "all" is in force, and strict would refuse our answers */
		{ "ipv4", "rp_filter", "2", false },
		{ "ipv4", "accept_local", "1", false },
		{ "ipv6", "disable_ipv6", "1", true },
		{ "ipv4", "rp_filter", "0", true },
		{ "ipv4", "forwarding", "0", true },
	};
	char peer[IF_NAMESIZE];

	peer_name(h->config, peer);
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		const char *interface = wanted[i].is_peer ? peer : h->config->interface;
		int rc = netdev_sysctl(wanted[i].family, interface, wanted[i].key, wanted[i].value);

		if (rc < 0 && rc != -ENOENT)
			log_warn("cannot set net.%s.conf.%s.%s to %s: %s", wanted[i].family, interface,
				wanted[i].key, wanted[i].value, strerror(-rc));
	}
}

/* Program before socket before "up": no packet ever takes another way. */
static int
port_setup(struct host *h, char error[static HOST_ERROR_SIZE])
{
	struct engine_port_config config = {
		.origin = ORIGIN_HOST,
		.ifindex = (unsigned)h->peer_ifindex,
		.worker = -1,
		.mtu = h->mtu,
	};
	char why[XDP_ERROR_SIZE];
	int rc = xdp_attach_pod(
		h->config->xdp, config.ifindex, XDP_NAME, h->config->xdp_choice, &h->mode, why);

	if (rc < 0) {
		snprintf(error, HOST_ERROR_SIZE, "host port: %.240s", why);
		return rc;
	}
	if (h->mode == XDP_MODE_SKB && (rc = netdev_disable_segmentation(h->config->interface)) < 0)
		log_warn("cannot switch off segmentation offload of %s: %s", h->config->interface,
			strerror(-rc));
	if ((rc = netdev_set_up(h->netdev, h->peer_ifindex)) < 0 ||
		(rc = netdev_set_up(h->netdev, h->ifindex)) < 0)
		return fail(error, rc, "cannot switch %s on", h->config->interface);
	if (h->port != NULL)
		return 0;
	rc = engine_add_port(h->config->engine, &config, &h->port);
	if (rc < 0) {
		h->port = NULL;
		return fail(
			error, rc, "cannot open an AF_XDP socket on %s's other end", h->config->interface);
	}
	rc = xdp_set_socket(h->config->xdp, XDP_NAME, 0, engine_port_fd(h->port));
	if (rc < 0) {
		engine_remove_port(h->config->engine, h->port);
		h->port = NULL;
		return fail(error, rc, "cannot put the socket into the program's map");
	}
	return 0;
}

struct netdev_route
host_route(const struct host *h, const struct ip_prefix *dst)
{
	bool v4 = ip_addr_is_v4(&dst->addr);
	struct netdev_route route = {
		.dst = *dst,
		.src = h->addrs[v4 ? V4 : V6],
		.ifindex = h->ifindex,
		.metric = v4 ? ROUTE_METRIC : ROUTE_METRIC_V6,
	};

	ip_addr_parse(v4 ? GATEWAY_V4 : GATEWAY_V6, &route.via);
	return route;
}

/* The route to a network, and the blackhole below it. Returns how many were filled in. */
static size_t
routes_describe(const struct host *h, const struct ip_prefix *cidr, struct netdev_route out[static 2])
{
	size_t n = 0;

	if (!ip_addr_is_none(&h->addrs[ip_addr_is_v4(&cidr->addr) ? V4 : V6]))
		out[n++] = host_route(h, cidr);
	out[n++] = (struct netdev_route){ .dst = *cidr, .metric = BLACKHOLE_METRIC };
	return n;
}

/* The way of what the stack sends to its own addresses, where those are services': see own_ports.h. */
static size_t
detours_describe(const struct host *h, struct netdev_route out[static N_FAMILIES])
{
	static const char *const all[N_FAMILIES] = { "0.0.0.0/0", "::/0" };
	size_t n = 0;

	for (unsigned f = 0; f < N_FAMILIES; f++) {
		struct ip_prefix any;

		if (ip_addr_is_none(&h->addrs[f]) || !ip_prefix_parse(all[f], &any))
			continue;
		out[n] = host_route(h, &any);
		out[n++].is_detour = true;
	}
	return n;
}

/* A stack that forwards would hand us what strangers send, with this node's own address as their source, perhaps; which
 * IPv6 takes from anywhere. */
static void
rules_setup(const struct host *h)
{
	struct ip_prefix networks[2 * CIDRS_MAX];
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < h->config->n_pod_cidrs && i < CIDRS_MAX; i++)
		networks[n++] = h->config->pod_cidrs[i];
	for (size_t i = 0; i < h->config->n_service_cidrs && i < CIDRS_MAX; i++)
		networks[n++] = h->config->service_cidrs[i];
	rc = netdev_shut_networks(h->netdev, networks, n);
	if (rc < 0)
		log_warn("cannot keep this node's stack from passing on packets to pods: %s", strerror(-rc));
}

static int
routes_setup(struct host *h, char error[static HOST_ERROR_SIZE])
{
	static const char *const gateways[N_FAMILIES] = { GATEWAY_V4, GATEWAY_V6 };
	struct netdev_route routes[2 * CIDRS_MAX + N_FAMILIES];
	struct ip_addr addrs[N_FAMILIES];
	size_t n_addrs = 0, n_routes = 0;
	int rc;

	for (unsigned f = 0; f < N_FAMILIES; f++) {
		struct ip_addr gateway;

		if (ip_addr_is_none(&h->addrs[f]))
			continue;
		addrs[n_addrs++] = h->addrs[f];
		ip_addr_parse(gateways[f], &gateway);
		rc = netdev_set_neighbour(h->netdev, h->ifindex, &gateway, &gateway_mac);
		if (rc < 0)
			return fail(error, rc, "cannot set the neighbour %s", gateways[f]);
	}
	rc = netdev_set_addrs(h->netdev, h->ifindex, addrs, n_addrs);
	if (rc < 0)
		return fail(error, rc, "cannot give %s its addresses", h->config->interface);
	for (size_t i = 0; i < h->config->n_pod_cidrs && n_routes + 2 <= 2 * CIDRS_MAX; i++)
		n_routes += routes_describe(h, &h->config->pod_cidrs[i], &routes[n_routes]);
	for (size_t i = 0; i < h->config->n_service_cidrs && n_routes + 2 <= 2 * CIDRS_MAX; i++)
		n_routes += routes_describe(h, &h->config->service_cidrs[i], &routes[n_routes]);
	n_routes += detours_describe(h, &routes[n_routes]);
	rules_setup(h);
	rc = netdev_set_routes(h->netdev, routes, n_routes);
	return rc < 0 ? fail(error, rc, "cannot set the routes to pods and services") : 0;
}

int
host_setup(struct host *h, const struct host_config *config, struct netdev *netdev,
	const struct ip_addr addrs[N_FAMILIES], uint16_t mtu, char error[static HOST_ERROR_SIZE])
{
	int former_ifindex = h->peer_ifindex, rc;

	h->config = config;
	h->netdev = netdev;
	conflicts_find(h);
	rc = pair_setup(h, mtu, error);
	if (rc < 0)
		return rc;
	if (h->port != NULL && h->peer_ifindex != former_ifindex) {
		engine_remove_port(config->engine, h->port);
		h->port = NULL;
	}
	for (unsigned f = 0; f < N_FAMILIES; f++)
		h->addrs[f] = addrs[f];
	sysctls_set(h);
	rc = port_setup(h, error);
	return rc < 0 ? rc : routes_setup(h, error);
}

bool
host_is_intact(const struct host *h)
{
	struct netdev_link ours, theirs;
	char peer[IF_NAMESIZE];

	if (h->port == NULL)
		return false;
	peer_name(h->config, peer);
	return netdev_get(h->netdev, h->config->interface, &ours) == 0 && ours.ifindex == h->ifindex &&
	       ours.is_up && netdev_get(h->netdev, peer, &theirs) == 0 && theirs.ifindex == h->peer_ifindex &&
	       theirs.is_up;
}
