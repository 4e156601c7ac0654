#include "control/node/underlay_internal.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/nl_addr.h"

/* How often the kernel is asked to look after the neighbours that we use: well below its gc_stale_time of 60 s, after
 * which it may forget an entry that it believes unused. */
#define KEEP_FRESH_NS (15 * NS_PER_S)

/* An ARP request is repeated each second, three times; then the entry has failed and must be asked for anew. */
#define RETRY_NS (2 * NS_PER_S)

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

/* Sooner than it is set already, never later: on a busy segment there are events all the time. */
static void
schedule(struct underlay *u)
{
	uint64_t delay_ns = underlay_is_all_resolved(u) && !u->is_stale ? KEEP_FRESH_NS : RETRY_NS;
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
	if (underlay_ask_for_neighbours(u, is_due))
		loop_defer(u->config.loop, &u->announce);
	if (is_due)
		u->fresh_until_ns = clock_now_ns() + KEEP_FRESH_NS;
	schedule(u);
}

bool
underlay_read(struct underlay *u)
{
	bool news = underlay_read_facts(u), has_other_routes = false;

	if (u->has_route_news) {
		u->has_route_news = false;
		has_other_routes = underlay_read_routes(u);
		news |= has_other_routes;
	}

	for (size_t i = 0; i < u->n_ways; i++) {
		struct next_hop hop = look_up_route(u, &u->ways[i].vtep), *known = &u->ways[i].hop;

		if (hop.state == NEXT_HOP_RESOLVING && known->state >= NEXT_HOP_RESOLVING &&
			ip_addr_eq(&hop.addr, &known->addr))
			continue; /* the same next hop: what is known of it stays */
		news |= !next_hop_is_same(&hop, known);
		*known = hop;
	}
	/* The process before this one had hosts looked for, which the kernel still knows: their flows go on at once. */
	news |= underlay_read_neighbours(u, has_other_routes);
	news |= underlay_ask_for_neighbours(u, false);
	schedule(u);
	return news;
}

/* Everything anew: after a change of links, addresses, routes or VTEPs. */
static void
refresh(void *arg)
{
	struct underlay *u = arg;

	if (underlay_read(u))
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

	if (underlay_apply_neighbour(u, (struct rtnl_neigh *)object))
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
	underlay_read_facts(u);
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
	if (!underlay_is_on_segment(u, addr) || !neighbours_add(&u->hosts, addr, false))
		return;
	if (underlay_ask_for_neighbour(u, addr))
		loop_defer(u->config.loop, &u->announce);
	schedule(u);
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
