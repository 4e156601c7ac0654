#include "control/build/topology_build.h"

#include <errno.h>
#include <stdlib.h>

#include "control/build/dns_options.h"

uint16_t
pod_mtu_of(uint16_t uplink_mtu, const struct ip_addr *vtep)
{
	unsigned overhead = ip_addr_is_v4(vtep) ? VXLAN_OVERHEAD_V4 : VXLAN_OVERHEAD_V6;

	return (uint16_t)(uplink_mtu > overhead ? uplink_mtu - overhead : 0);
}

static bool
is_among(const struct ip_addr *a, const struct ip_addr *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ip_addr_eq(a, &all[i]))
			return true;
	return false;
}

struct ip_addr
masquerade_addr_of(const struct nodes *nodes, const struct ip_addr *own, size_t n_own, bool is_v4)
{
	for (size_t i = 0; i < nodes->self->n_addrs; i++)
		if (ip_addr_is_v4(&nodes->self->addrs[i]) == is_v4 &&
			is_among(&nodes->self->addrs[i], own, n_own))
			return nodes->self->addrs[i];
	for (size_t i = 0; i < n_own; i++)
		if (ip_addr_is_v4(&own[i]) == is_v4)
			return own[i];
	return (struct ip_addr){ 0 };
}

/* A worker sends by a queue of its own where it has one, and shares the others' where there are fewer queues. */
static uint16_t
uplink_port_of(const struct build_facts *facts, unsigned worker)
{
	for (size_t i = 0; i < facts->n_uplinks; i++)
		if (facts->uplinks[i].owner == worker)
			return facts->uplinks[i].port;
	return facts->n_uplinks == 0 ? PORTS_MAX : facts->uplinks[worker % facts->n_uplinks].port;
}

int
node_build(struct node_table **out, const struct nodes *nodes, const struct build_facts *facts)
{
	struct node_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->vtep = nodes->vtep;
	t->uplink_mac = facts->uplink_mac;
	t->tunnel_mac = nodes->tunnel_mac;
	t->gateway_mac = (struct mac_addr)GATEWAY_MAC;
	ip_addr_parse(GATEWAY_V4, &t->gateway[V4]);
	ip_addr_parse(GATEWAY_V6, &t->gateway[V6]);
	t->vxlan_port = facts->vxlan_port;
	t->vni = facts->vni;
	t->uplink_mtu = facts->uplink_mtu;
	t->pod_mtu = facts->pod_mtu != 0 ? facts->pod_mtu : pod_mtu_of(facts->uplink_mtu, &nodes->vtep);
	t->n_workers = facts->n_workers;
	if (facts->masquerade_claim != NULL) {
		t->masquerade[V4] = masquerade_addr_of(nodes, facts->own_addrs, facts->n_own_addrs, true);
		t->masquerade[V6] = masquerade_addr_of(nodes, facts->own_addrs, facts->n_own_addrs, false);
		t->masquerade_ports = *facts->masquerade_ports;
		t->masquerade_claim = *facts->masquerade_claim;
	}
	for (unsigned w = 0; w < WORKERS_MAX; w++)
		t->uplink_port[w] = uplink_port_of(facts, w);
	for (size_t i = 0; i < facts->n_uplinks; i++)
		t->port_owner[facts->uplinks[i].port] = facts->uplinks[i].owner;
	for (size_t i = 0; i < facts->n_endpoints; i++)
		t->port_owner[facts->endpoints[i].port] = facts->endpoints[i].owner;
	*out = t;
	return 0;
}

int
endpoint_build(struct endpoint_table **out, const struct build_facts *facts)
{
	struct endpoint_table *t = calloc(1, sizeof(*t) + facts->n_endpoints * sizeof(t->endpoints[0]));

	if (t == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < PORTS_MAX; i++)
		t->by_port[i] = ENDPOINT_NONE;
	t->host = ENDPOINT_NONE;
	t->n = (uint16_t)facts->n_endpoints;
	memcpy(t->host_addrs, facts->host_addrs, sizeof(t->host_addrs));
	memcpy(t->inbound_addrs, facts->inbound_addrs, sizeof(t->inbound_addrs));
	for (uint16_t i = 0; i < t->n; i++) {
		t->endpoints[i] = facts->endpoints[i];
		t->by_port[t->endpoints[i].port] = i;
		if (t->endpoints[i].is_host)
			t->host = i;
	}
	*out = t;
	return 0;
}

static void
add_host_route(struct route_table *t, const struct ip_addr *addr, enum route_kind kind, uint32_t target)
{
	struct ip_prefix prefix = { .addr = *addr, .len = 128 };

	if (!ip_addr_is_none(addr))
		route_table_add(t, &prefix, kind, target);
}

static size_t
count_routes(const struct nodes *nodes, const struct build_facts *facts)
{
	size_t n = facts->n_service_cidrs + facts->n_pod_cidrs + facts->n_ways_out +
		   facts->n_non_masquerade_cidrs + facts->n_own_addrs +
		   (size_t)N_FAMILIES * (HOST_ADDRS + 1) + N_FAMILIES * facts->n_endpoints +
		   nodes->self->n_addrs + (facts->dns == NULL ? 0 : facts->dns->n_local);

	for (size_t i = 0; i < nodes->n; i++)
		n += nodes->remotes[i].object->n_pod_cidrs;
	return n;
}

static bool
is_in(const struct ip_prefix *inner, const struct ip_prefix *cidrs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ip_addr_is_v4(&inner->addr) == ip_addr_is_v4(&cidrs[i].addr) &&
			inner->len >= cidrs[i].len && ip_prefix_contains(&cidrs[i], &inner->addr))
			return true;
	return false;
}

static bool
is_inside(const struct ip_prefix *p, const struct build_facts *facts)
{
	return is_in(p, facts->pod_cidrs, facts->n_pod_cidrs) ||
	       is_in(p, facts->service_cidrs, facts->n_service_cidrs);
}

static void
add_way_out(struct route_table *t, const struct ip_prefix *dst, const struct way_out *way, uint8_t flags)
{
	if (way->kind == ROUTE_NOBODY)
		route_table_add(t, dst, ROUTE_NOBODY, 0);
	else
		route_table_add_outside(t, dst, way->kind, &way->next_hop, flags);
}

/* The way that a whole network takes, as far as none of its parts has another; NULL: none. */
static const struct way_out *
find_way(const struct build_facts *facts, const struct ip_prefix *network)
{
	const struct way_out *best = NULL;

	for (size_t i = 0; i < facts->n_ways_out; i++) {
		const struct way_out *way = &facts->ways_out[i];

		if (is_in(network, &way->dst, 1) && (best == NULL || way->dst.len > best->dst.len))
			best = way;
	}
	return best;
}

/* What the node routes inside the cluster's networks is not asked. Networks that are not masqueraded are the same ways with
 * a mark, so that the look-up that finds the way also tells this. */
static void
add_ways_out(struct route_table *t, const struct build_facts *facts)
{
	for (size_t i = 0; i < facts->n_non_masquerade_cidrs; i++) {
		const struct ip_prefix *network = &facts->non_masquerade_cidrs[i];
		const struct way_out *way = find_way(facts, network);

		if (way != NULL && !is_inside(network, facts))
			add_way_out(t, network, way, ROUTE_NATIVE);
	}
	for (size_t i = 0; i < facts->n_ways_out; i++) {
		const struct way_out *way = &facts->ways_out[i];

		if (!is_inside(&way->dst, facts))
			add_way_out(t, &way->dst, way,
				is_in(&way->dst, facts->non_masquerade_cidrs, facts->n_non_masquerade_cidrs)
					? ROUTE_NATIVE
					: 0);
	}
}

int
route_build(struct route_table **out, const struct nodes *nodes, const struct fdb_indexes *indexes,
	const struct build_facts *facts)
{
	struct route_table *t = route_table_new((uint32_t)count_routes(nodes, facts));

	if (t == NULL)
		return -ENOMEM;
	add_ways_out(t, facts);
	for (size_t i = 0; i < facts->n_pod_cidrs; i++)
		route_table_add(t, &facts->pod_cidrs[i], ROUTE_NOBODY, 0);
	for (size_t i = 0; i < facts->n_service_cidrs; i++)
		route_table_add(t, &facts->service_cidrs[i], ROUTE_SERVICE, 0);
	for (unsigned i = 0; facts->dns != NULL && i < facts->dns->n_local; i++)
		add_host_route(t, &facts->dns->local[i], ROUTE_SERVICE, 0);
	for (size_t i = 0; i < nodes->n; i++) {
		const struct remote_node *node = &nodes->remotes[i];

		for (size_t c = 0; c < node->object->n_pod_cidrs; c++)
			route_table_add(t, &node->object->pod_cidrs[c], ROUTE_VTEP,
				fdb_index_of(indexes, &node->vtep));
	}
	for (size_t i = 0; i < nodes->self->n_addrs; i++)
		add_host_route(t, &nodes->self->addrs[i], ROUTE_HOST, 0);
	for (size_t i = 0; i < facts->n_own_addrs; i++)
		add_host_route(t, &facts->own_addrs[i], ROUTE_HOST, 0);
	for (unsigned family = 0; family < N_FAMILIES; family++)
		for (unsigned i = 0; i < HOST_ADDRS; i++)
			add_host_route(t, &facts->host_addrs[family][i], ROUTE_HOST, 0);
	for (unsigned family = 0; family < N_FAMILIES; family++)
		add_host_route(t, &facts->inbound_addrs[family], ROUTE_INBOUND, 0);
	/* last, so that a pod's own address wins over whatever else claims it */
	for (size_t i = 0; i < facts->n_endpoints; i++)
		for (unsigned family = 0; family < N_FAMILIES && !facts->endpoints[i].is_host; family++)
			add_host_route(t, &facts->endpoints[i].addrs[family], ROUTE_ENDPOINT, (uint32_t)i);
	*out = t;
	return 0;
}
