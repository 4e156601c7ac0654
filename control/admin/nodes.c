#include "control/admin/nodes.h"

#include <stdio.h>

#include "control/node/underlay.h"

struct listing {
	const struct names *names;
	const char *self;
	const struct underlay *underlay;
	json_t *items;
};

const char *
mac_format(const struct mac_addr *mac, char buf[static MAC_TEXT_SIZE])
{
	const uint8_t *b = mac->b;

	snprintf(buf, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
	return buf;
}

static const struct fdb_entry *
find_vtep(const struct tables *t, const struct node_object *node)
{
	for (size_t i = 0; t != NULL && i < node->n_addrs; i++) {
		uint32_t index = fdb_lookup(t->fdb, &node->addrs[i]);

		if (index != FDB_NONE)
			return &t->fdb->entries[index];
	}
	return NULL;
}

static json_t *
addrs_json(const struct node_object *node)
{
	json_t *list = json_array();
	char buf[IP_ADDR_STRLEN];

	for (size_t i = 0; i < node->n_addrs; i++)
		json_array_append_new(list, json_string(ip_addr_format(&node->addrs[i], buf)));
	return list;
}

static json_t *
cidrs_json(const struct node_object *node)
{
	json_t *list = json_array();
	char buf[IP_PREFIX_STRLEN];

	for (size_t i = 0; i < node->n_pod_cidrs; i++)
		json_array_append_new(list, json_string(ip_prefix_format(&node->pod_cidrs[i], buf)));
	return list;
}

static const char *
why_unresolved(const struct listing *l, const struct ip_addr *vtep)
{
	switch (l->underlay == NULL ? NEXT_HOP_UNKNOWN : underlay_next_hop(l->underlay, vtep).state) {
	case NEXT_HOP_NO_ROUTE:
		return "this node has no route to its address";
	case NEXT_HOP_ELSEWHERE:
		return "the route to its address leaves by another interface than the uplink";
	case NEXT_HOP_FAILED:
		return "the next hop does not answer ARP or neighbour discovery: is it up?";
	case NEXT_HOP_RESOLVING:
	case NEXT_HOP_RESOLVED: /* the tables follow in a moment */
		return "its next hop is being resolved";
	default:
		return "its next hop is not known";
	}
}

/* Of another node: what packets to its pods need, from the end of the chain to its beginning. */
static const char *
problem_of(const struct listing *l, const struct node_object *node, const struct fdb_entry *peer)
{
	if (node->n_addrs == 0)
		return "its Node object has no InternalIP";
	if (node->n_pod_cidrs == 0)
		return "its Node object has no pod CIDR";
	if (l->names->tables == NULL)
		return "no tables are in force yet";
	if (peer == NULL)
		return "it has no address of the family that this node's tunnel uses, or its address is "
		       "another node's, too";
	if (mac_is_zero(&peer->next_hop))
		return why_unresolved(l, &peer->vtep);
	return "";
}

static json_t *
peer_json(const struct listing *l, const struct node_object *node)
{
	const struct fdb_entry *peer = find_vtep(l->names->tables, node);
	const char *problem = problem_of(l, node, peer);
	char vtep[IP_ADDR_STRLEN] = "", mac[MAC_TEXT_SIZE] = "", next_hop[MAC_TEXT_SIZE] = "";

	if (peer != NULL) {
		ip_addr_format(&peer->vtep, vtep);
		mac_format(&peer->inner, mac);
	}
	if (peer != NULL && !mac_is_zero(&peer->next_hop))
		mac_format(&peer->next_hop, next_hop);
	return json_pack("{s:s, s:b, s:o, s:o, s:s, s:s, s:s, s:s, s:i, s:s}", "name", node->object.name,
		"self", 0, "addresses", addrs_json(node), "pod_cidrs", cidrs_json(node), "vtep", vtep,
		"tunnel_mac", mac, "next_hop", next_hop, "state",
		peer == NULL        ? "unusable"
		: *next_hop == '\0' ? "resolving"
				    : "reachable",
		"mtu", peer == NULL ? 0 : (int)peer->mtu, "problem", problem);
}

static json_t *
self_json(const struct listing *l, const struct node_object *node)
{
	const struct tables *t = l->names->tables;
	char vtep[IP_ADDR_STRLEN] = "", mac[MAC_TEXT_SIZE] = "";

	if (t != NULL && !ip_addr_is_none(&t->node->vtep))
		ip_addr_format(&t->node->vtep, vtep);
	if (t != NULL)
		mac_format(&t->node->tunnel_mac, mac);
	return json_pack("{s:s, s:b, s:o, s:o, s:s, s:s, s:s, s:s, s:i, s:s}", "name", node->object.name,
		"self", 1, "addresses", addrs_json(node), "pod_cidrs", cidrs_json(node), "vtep", vtep,
		"tunnel_mac", mac, "next_hop", "", "state", "self", "mtu",
		t == NULL ? 0 : (int)t->node->pod_mtu, "problem",
		node->n_addrs == 0           ? "this Node object has no InternalIP"
		: node->n_pod_cidrs == 0     ? "this Node object has no pod CIDR: pods cannot get addresses"
		: t != NULL && *vtep == '\0' ? "there is no tunnel address"
					     : "");
}

static void
add_node(const struct object *object, void *arg)
{
	const struct node_object *node = (const struct node_object *)object;
	struct listing *l = arg;

	json_array_append_new(
		l->items, strcmp(object->name, l->self) == 0 ? self_json(l, node) : peer_json(l, node));
}

json_t *
nodes_json(const struct names *n, const char *self, const struct underlay *underlay)
{
	struct listing l = { .names = n, .self = self, .underlay = underlay, .items = json_array() };

	store_each(n->store, OBJECT_NODE, add_node, &l);
	return json_pack("{s:o}", "nodes", l.items);
}
