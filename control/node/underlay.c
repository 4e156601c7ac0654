#include "control/node/underlay.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "control/log.h"
#include "control/loop.h"
#include "control/node/neighbours.h"
#include "control/node/nl_addr.h"
#include "control/node/underlay_routes.h"

/* How often the kernel is asked to look after the neighbours that we use: well below its gc_stale_time of 60 s, after
 * which it may forget an entry that it believes unused. */
#define KEEP_FRESH_NS (15 * NS_PER_S)

/* An ARP request is repeated each second, three times; then the entry has failed and must be asked for anew. */
#define RETRY_NS (2 * NS_PER_S)

#define NUD_HAS_MAC (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

struct way {
	struct ip_addr vtep;
	struct next_hop hop;
};

struct underlay {
	struct underlay_config config;
	char interface[IF_NAMESIZE]; /* as configured; "" */
	struct underlay_facts facts;
	size_t n_ways;
	struct way *ways; /* sorted by VTEP */
	struct underlay_routes routes;
	struct neighbours hosts; /* gateways, and what packets asked for */

	struct nl_sock *query;  /* requests and their answers */
	struct nl_sock *events; /* multicast groups */
	struct loop_fd *events_fd;
	struct loop_timer *timer;
	uint64_t fresh_until_ns; /* when all entries are to be asked for again */
	uint64_t timer_ns;       /* when the timer is due; 0: it is not set */
	bool is_stale;           /* the kernel could not be read: to be tried again */
	bool has_route_news;     /* links, addresses or routes changed since they were read */
	struct loop_task refresh, announce;
};

/* The uplink and the node's addresses. */

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
};

static void
note_addr(struct nl_object *object, void *arg)
{
	struct addr_search *search = arg;
	struct rtnl_addr *addr = (struct rtnl_addr *)object;
	struct ip_addr a;

	if (!nl_addr_read(rtnl_addr_get_local(addr), &a) || !is_usable(&a))
		return;
	if (search->facts->n_addrs < UNDERLAY_ADDRS_MAX)
		search->facts->addrs[search->facts->n_addrs++] = a;
	if (ip_addr_eq(&a, &search->node_addr))
		search->ifindex_of_node_addr = rtnl_addr_get_ifindex(addr);
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

static bool
read_facts(struct underlay *u)
{
	struct underlay_facts facts = { 0 };
	struct addr_search search = { .facts = &facts, .node_addr = u->config.node_addr };
	struct nl_cache *addrs;
	bool differs;

	/* what was known stays: without it, the uplink would close */
	u->is_stale = rtnl_addr_alloc_cache(u->query, &addrs) < 0;
	if (u->is_stale)
		return false;
	nl_cache_foreach(addrs, note_addr, &search);
	nl_cache_free(addrs);
	if (u->interface[0] != '\0')
		read_link(u, &facts, 0, u->interface);
	else if (search.ifindex_of_node_addr != 0)
		read_link(u, &facts, search.ifindex_of_node_addr, NULL);
	/* Padding that differs costs a build, and no more: NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
	differs = memcmp(&facts, &u->facts, sizeof(facts)) != 0;
	u->facts = facts;
	return differs;
}

/* Routes: where the kernel would send a packet to this VTEP. */

static struct next_hop
look_up_route(struct underlay *u, const struct ip_addr *vtep)
{
	struct next_hop hop = { .state = NEXT_HOP_NO_ROUTE, .addr = *vtep };
	struct nl_addr *dst = nl_addr_make(vtep);
	struct rtnl_route *route;
	struct rtnl_nexthop *next;

	if (dst == NULL || rtnl_route_lookup(u->query, dst, &route) < 0) {
		nl_addr_put(dst);
		return hop;
	}
	next = rtnl_route_get_type(route) == RTN_UNICAST ? rtnl_route_nexthop_n(route, 0) : NULL;
	if (next != NULL) {
		nl_addr_read(rtnl_route_nh_get_gateway(next), &hop.addr);
		hop.state = (unsigned)rtnl_route_nh_get_ifindex(next) == u->facts.ifindex
				    ? NEXT_HOP_RESOLVING
				    : NEXT_HOP_ELSEWHERE;
	}
	rtnl_route_put(route);
	nl_addr_put(dst);
	return hop;
}

/* Neighbours. */

static bool
is_same_hop(const struct next_hop *a, const struct next_hop *b)
{
	return a->state == b->state && ip_addr_eq(&a->addr, &b->addr) &&
	       memcmp(&a->mac, &b->mac, sizeof(a->mac)) == 0;
}

/* What the neighbour table's entry says. */
static struct next_hop
read_neighbour(struct rtnl_neigh *neigh, const struct ip_addr *addr)
{
	struct nl_addr *mac = rtnl_neigh_get_lladdr(neigh);
	int state = rtnl_neigh_get_state(neigh);
	struct next_hop hop = { .addr = *addr };

	if (state > 0 && (state & NUD_HAS_MAC) && mac != NULL && nl_addr_get_len(mac) == sizeof(hop.mac)) {
		hop.state = NEXT_HOP_RESOLVED;
		memcpy(&hop.mac, nl_addr_get_binary_addr(mac), sizeof(hop.mac));
	} else {
		hop.state = state == NUD_FAILED ? NEXT_HOP_FAILED : NEXT_HOP_RESOLVING;
	}
	return hop;
}

static bool
has_next_hop(const struct way *way, const struct ip_addr *addr)
{
	return way->hop.state >= NEXT_HOP_RESOLVING && ip_addr_eq(&way->hop.addr, addr);
}

/* True when it is news to some way or host. */
static bool
apply_neighbour(struct underlay *u, struct rtnl_neigh *neigh)
{
	struct ip_addr addr;
	struct next_hop hop;
	bool news = false;

	if ((unsigned)rtnl_neigh_get_ifindex(neigh) != u->facts.ifindex ||
		!nl_addr_read(rtnl_neigh_get_dst(neigh), &addr))
		return false;
	hop = read_neighbour(neigh, &addr);
	for (size_t i = 0; i < u->n_ways; i++) {
		if (!has_next_hop(&u->ways[i], &addr) || is_same_hop(&hop, &u->ways[i].hop))
			continue;
		u->ways[i].hop = hop;
		news = true;
	}
	if (hop.state != NEXT_HOP_RESOLVING)
		news |= neighbours_learn(&u->hosts, &addr, hop.state == NEXT_HOP_RESOLVED ? &hop.mac : NULL);
	return news;
}

/* Asks the kernel to use the entry as it would for a packet of its own (NTF_USE): resolve it, or probe a stale one. */
static void
ask_for_neighbour(struct underlay *u, const struct ip_addr *addr)
{
	struct rtnl_neigh *neigh = rtnl_neigh_alloc();
	struct nl_addr *dst = nl_addr_make(addr);

	if (neigh != NULL && dst != NULL) {
		rtnl_neigh_set_ifindex(neigh, (int)u->facts.ifindex);
		rtnl_neigh_set_dst(neigh, dst);
		rtnl_neigh_set_flags(neigh, NTF_USE);
		rtnl_neigh_set_state(neigh, NUD_NONE);
		rtnl_neigh_add(u->query, neigh, NLM_F_CREATE);
	}
	nl_addr_put(dst);
	rtnl_neigh_put(neigh);
}

static bool
read_neighbours(struct underlay *u)
{
	struct nl_cache *cache;
	bool news = false;

	if (rtnl_neigh_alloc_cache(u->query, &cache) < 0)
		return false;
	for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o))
		news |= apply_neighbour(u, (struct rtnl_neigh *)o);
	nl_cache_free(cache);
	return news;
}

/* Of all ways, or of those that need it. Many nodes behind one gateway are one question: neighbours in the array, as VTEPs
 * of one subnet are, share it. */
static void
ask_for_neighbours(struct underlay *u, bool all)
{
	const struct ip_addr *asked = NULL;

	for (size_t i = 0; i < u->n_ways; i++) {
		const struct next_hop *hop = &u->ways[i].hop;

		if (hop->state < NEXT_HOP_RESOLVING || (hop->state == NEXT_HOP_RESOLVED && !all) ||
			(asked != NULL && ip_addr_eq(asked, &hop->addr)))
			continue;
		ask_for_neighbour(u, &hop->addr);
		asked = &hop->addr;
	}
	for (size_t i = 0; i < u->hosts.n; i++)
		if (all || !u->hosts.all[i].is_resolved)
			ask_for_neighbour(u, &u->hosts.all[i].addr);
}

static bool
is_all_resolved(const struct underlay *u)
{
	for (size_t i = 0; i < u->n_ways; i++)
		if (u->ways[i].hop.state != NEXT_HOP_RESOLVED)
			return false;
	for (size_t i = 0; i < u->hosts.n; i++)
		if (!u->hosts.all[i].is_resolved)
			return false;
	return true;
}

/* Sooner than it is set already, never later: on a busy segment there are events all the time. */
static void
schedule(struct underlay *u)
{
	uint64_t delay_ns = is_all_resolved(u) && !u->is_stale ? KEEP_FRESH_NS : RETRY_NS;
	uint64_t due_ns = clock_now_ns() + delay_ns;

	if (u->timer_ns != 0 && u->timer_ns <= due_ns)
		return;
	u->timer_ns = due_ns;
	loop_timer_set(u->timer, delay_ns, 0);
}

static void
on_timer(void *arg)
{
	struct underlay *u = arg;
	bool is_due = clock_now_ns() >= u->fresh_until_ns;

	u->timer_ns = 0;
	if (u->is_stale) {
		u->has_route_news = true;
		loop_defer(u->config.loop, &u->refresh);
	}
	ask_for_neighbours(u, is_due);
	if (is_due)
		u->fresh_until_ns = clock_now_ns() + KEEP_FRESH_NS;
	schedule(u);
}

/* The node's routes. */

/* The one that the node would take to an address; NULL: none. */
static const struct underlay_route *
find_route(const struct underlay *u, const struct ip_addr *addr)
{
	const struct underlay_route *best = NULL;

	for (size_t i = 0; i < u->routes.n; i++) {
		const struct underlay_route *r = &u->routes.routes[i];

		if (ip_addr_is_v4(&r->dst.addr) == ip_addr_is_v4(addr) && ip_prefix_contains(&r->dst, addr) &&
			(best == NULL || r->dst.len > best->dst.len))
			best = r;
	}
	return best;
}

static bool
is_on_segment(const struct underlay *u, const struct ip_addr *addr)
{
	const struct underlay_route *r = find_route(u, addr);

	return r != NULL && r->way == WAY_SEGMENT;
}

static bool
is_still_on_segment(struct neighbour *n, void *arg)
{
	n->is_gateway = false; /* until a route says so again */
	return ip_addr_is_v6_link_local(&n->addr) || is_on_segment(arg, &n->addr);
}

static bool
is_gateway_or_global(struct neighbour *n, void *arg)
{
	return n->is_gateway || !ip_addr_is_v6_link_local(&n->addr);
}

/* True when they changed. */
static bool
read_routes(struct underlay *u)
{
	bool changed;

	if (underlay_routes_read(&u->routes, u->query, u->facts.ifindex, &changed) < 0) {
		u->is_stale = true;
		return false;
	}
	if (!changed)
		return false;
	if (u->routes.is_cut)
		log_warn("the node has more than %u routes: only so many are followed for traffic out of the "
			 "cluster",
			UNDERLAY_ROUTES_MAX);
	neighbours_filter(&u->hosts, is_still_on_segment, u);
	for (size_t i = 0; i < u->routes.n; i++)
		if (u->routes.routes[i].way == WAY_GATEWAY)
			neighbours_add(&u->hosts, &u->routes.routes[i].gateway, true);
	neighbours_filter(&u->hosts, is_gateway_or_global, NULL);
	return true;
}

/* Everything anew: after a change of links, addresses, routes or VTEPs. */
static void
refresh(void *arg)
{
	struct underlay *u = arg;
	bool news = read_facts(u);

	if (u->has_route_news) {
		u->has_route_news = false;
		news |= read_routes(u);
	}

	for (size_t i = 0; i < u->n_ways; i++) {
		struct next_hop hop = look_up_route(u, &u->ways[i].vtep), *known = &u->ways[i].hop;

		if (hop.state == NEXT_HOP_RESOLVING && known->state >= NEXT_HOP_RESOLVING &&
			ip_addr_eq(&hop.addr, &known->addr))
			continue; /* the same next hop: what is known of it stays */
		news |= !is_same_hop(&hop, known);
		*known = hop;
	}
	news |= read_neighbours(u);
	ask_for_neighbours(u, false);
	schedule(u);
	if (news)
		loop_defer(u->config.loop, &u->announce);
}

static void
announce(void *arg)
{
	struct underlay *u = arg;

	u->config.changed(u->config.arg);
}

/* Events. */

static void
on_parsed(struct nl_object *object, void *arg)
{
	struct underlay *u = arg;

	if (apply_neighbour(u, (struct rtnl_neigh *)object))
		loop_defer(u->config.loop, &u->announce);
}

static int
on_message(struct nl_msg *message, void *arg)
{
	struct underlay *u = arg;
	int type = nlmsg_hdr(message)->nlmsg_type;

	if (type == RTM_NEWNEIGH)
		nl_msg_parse(message, on_parsed, u);
	else
		loop_defer(u->config.loop, &u->refresh);
	u->has_route_news |= type != RTM_NEWNEIGH && type != RTM_DELNEIGH;
	return NL_OK;
}

static void
on_readable(uint32_t events, void *arg)
{
	struct underlay *u = arg;
	int err = nl_recvmsgs_default(u->events);

	if (err == -NLE_NOMEM || err == -NLE_AGAIN) { /* overrun (ENOBUFS): events were lost */
		u->has_route_news = true;
		loop_defer(u->config.loop, &u->refresh);
	}
	schedule(u);
}

static int
open_sockets(struct underlay *u)
{
	u->query = nl_socket_alloc();
	u->events = nl_socket_alloc();
	if (u->query == NULL || u->events == NULL)
		return -ENOMEM;
	nl_socket_disable_seq_check(u->events);
	nl_socket_modify_cb(u->events, NL_CB_VALID, NL_CB_CUSTOM, on_message, u);
	if (nl_connect(u->query, NETLINK_ROUTE) < 0 || nl_connect(u->events, NETLINK_ROUTE) < 0)
		return -EPROTO;
	if (nl_socket_add_memberships(u->events, RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR,
		    RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, 0) < 0)
		return -EPROTO;
	return nl_socket_set_nonblocking(u->events) < 0 ? -EPROTO : 0;
}

int
underlay_new(struct underlay **out, const struct underlay_config *config)
{
	struct underlay *u = calloc(1, sizeof(*u));
	int err;

	if (u == NULL)
		return -ENOMEM;
	u->config = *config;
	strncpy(u->interface, config->interface, sizeof(u->interface) - 1);
	u->refresh = (struct loop_task){ .fn = refresh, .arg = u };
	u->announce = (struct loop_task){ .fn = announce, .arg = u };
	err = open_sockets(u);
	if (err == 0) {
		u->timer = loop_timer_new(config->loop, on_timer, u);
		u->events_fd =
			loop_fd_add(config->loop, nl_socket_get_fd(u->events), EPOLLIN, on_readable, u);
		if (u->timer == NULL || u->events_fd == NULL)
			err = -errno;
	}
	if (err < 0) {
		underlay_free(u);
		return err;
	}
	read_facts(u);
	u->has_route_news = true;
	loop_defer(config->loop, &u->refresh);
	*out = u;
	return 0;
}

void
underlay_free(struct underlay *u)
{
	if (u == NULL)
		return;
	loop_cancel(u->config.loop, &u->refresh);
	loop_cancel(u->config.loop, &u->announce);
	loop_fd_remove(u->events_fd);
	loop_timer_free(u->timer);
	nl_socket_free(u->query);
	nl_socket_free(u->events);
	underlay_routes_free(&u->routes);
	free(u->ways);
	free(u);
}

const struct underlay_facts *
underlay_facts(const struct underlay *u)
{
	return &u->facts;
}

void
underlay_set_node_addr(struct underlay *u, const struct ip_addr *node_addr)
{
	if (ip_addr_eq(node_addr, &u->config.node_addr))
		return;
	u->config.node_addr = *node_addr;
	u->has_route_news = true; /* another uplink, perhaps */
	loop_defer(u->config.loop, &u->refresh);
}

static int
compare_ways(const void *a, const void *b)
{
	return ip_addr_cmp(&((const struct way *)a)->vtep, &((const struct way *)b)->vtep);
}

static const struct way *
find_way(const struct underlay *u, const struct ip_addr *vtep)
{
	struct way key = { .vtep = *vtep };

	return u->n_ways == 0 ? NULL : bsearch(&key, u->ways, u->n_ways, sizeof(key), compare_ways);
}

int
underlay_set_vteps(struct underlay *u, const struct ip_addr *vteps, size_t n)
{
	struct way *ways = calloc(n + 1, sizeof(*ways));
	bool differs = n != u->n_ways;

	if (ways == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct way *known = find_way(u, &vteps[i]);

		ways[i].vtep = vteps[i];
		ways[i].hop = known != NULL ? known->hop
					    : (struct next_hop){ NEXT_HOP_NO_ROUTE, vteps[i], { { 0 } } };
		differs |= known == NULL;
	}
	qsort(ways, n, sizeof(*ways), compare_ways);
	free(u->ways);
	u->ways = ways;
	u->n_ways = n;
	if (differs)
		loop_defer(u->config.loop, &u->refresh);
	return 0;
}

struct next_hop
underlay_next_hop(const struct underlay *u, const struct ip_addr *vtep)
{
	const struct way *way = find_way(u, vtep);

	return way != NULL ? way->hop : (struct next_hop){ NEXT_HOP_UNKNOWN, *vtep, { { 0 } } };
}

void
underlay_find_host(struct underlay *u, const struct ip_addr *addr)
{
	if (!is_on_segment(u, addr) || !neighbours_add(&u->hosts, addr, false))
		return;
	ask_for_neighbour(u, addr);
	schedule(u);
}

static struct way_out
way_of_route(const struct underlay *u, const struct underlay_route *r)
{
	static const enum route_kind kinds[] = {
		[WAY_GATEWAY] = ROUTE_UNDERLAY,
		[WAY_SEGMENT] = ROUTE_SEGMENT,
		[WAY_ELSEWHERE] = ROUTE_ELSEWHERE,
		[WAY_REFUSED] = ROUTE_NOBODY,
	};
	struct way_out way = { .dst = r->dst, .kind = kinds[r->way] };
	const struct neighbour *gateway =
		r->way == WAY_GATEWAY ? neighbours_find(&u->hosts, &r->gateway) : NULL;

	if (gateway != NULL)
		way.next_hop = gateway->mac;
	return way;
}

static struct way_out
way_of_host(const struct ip_addr *addr, const struct mac_addr *mac)
{
	return (struct way_out){
		.dst = { .addr = *addr, .len = 128 }, .kind = ROUTE_UNDERLAY, .next_hop = *mac
	};
}

size_t
underlay_ways_out(const struct underlay *u, struct way_out *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < u->routes.n && n < max; i++)
		out[n++] = way_of_route(u, &u->routes.routes[i]);
	/* other nodes on the segment are found already, for their tunnels */
	for (size_t i = 0; i < u->n_ways && n < max; i++) {
		const struct way *way = &u->ways[i];

		if (way->hop.state == NEXT_HOP_RESOLVED && ip_addr_eq(&way->hop.addr, &way->vtep))
			out[n++] = way_of_host(&way->vtep, &way->hop.mac);
	}
	for (size_t i = 0; i < u->hosts.n && n < max; i++) {
		const struct neighbour *host = &u->hosts.all[i];

		if (host->is_resolved && is_on_segment(u, &host->addr))
			out[n++] = way_of_host(&host->addr, &host->mac);
	}
	return n;
}

const char *
next_hop_state_label(enum next_hop_state state)
{
	static const char *const labels[] = {
		[NEXT_HOP_UNKNOWN] = "unknown",
		[NEXT_HOP_NO_ROUTE] = "no-route",
		[NEXT_HOP_ELSEWHERE] = "other-interface",
		[NEXT_HOP_RESOLVING] = "resolving",
		[NEXT_HOP_FAILED] = "failed",
		[NEXT_HOP_RESOLVED] = "resolved",
	};

	return labels[state];
}
