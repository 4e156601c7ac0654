#include "control/build/nodes.h"

#include <errno.h>
#include <stdlib.h>

#include "dataplane/net/flow_key.h"
#include "dataplane/overlay/fdb_table.h"

struct mac_addr
tunnel_mac_of(const struct ip_addr *vtep)
{
	struct mac_addr mac = { { 0x0a, 0x52 } };
	uint32_t tail = ip_addr_is_v4(vtep) ? ip_addr_to_v4(vtep).raw : addr_hash(vtep, 0, 0);

	memcpy(&mac.b[2], &tail, sizeof(tail));
	return mac;
}

static struct ip_addr
first_addr(const struct node_object *node, bool v4)
{
	for (size_t i = 0; i < node->n_addrs; i++)
		if (ip_addr_is_v4(&node->addrs[i]) == v4)
			return node->addrs[i];
	return (struct ip_addr){ 0 };
}

static struct mac_addr
mac_of(const struct node_object *node, const struct ip_addr *vtep)
{
	return mac_is_zero(&node->tunnel_mac) ? tunnel_mac_of(vtep) : node->tunnel_mac;
}

static void
add_remote(const struct object *object, void *arg)
{
	struct nodes *nodes = arg;
	const struct node_object *node = (const struct node_object *)object;
	struct ip_addr vtep = first_addr(node, ip_addr_is_v4(&nodes->vtep));

	if (node == nodes->self || ip_addr_is_none(&vtep))
		return;
	nodes->remotes[nodes->n++] =
		(struct remote_node){ .object = node, .vtep = vtep, .tunnel_mac = mac_of(node, &vtep) };
}

static int
compare_remotes(const void *a, const void *b)
{
	const struct remote_node *x = a, *y = b;
	int order = ip_addr_cmp(&x->vtep, &y->vtep);

	return order != 0 ? order : strcmp(x->object->object.name, y->object->object.name);
}

/* Of two nodes that claim one address the first by name counts: one VTEP is one place. */
static void
remove_doubles(struct nodes *nodes)
{
	size_t n = 0;

	for (size_t i = 0; i < nodes->n; i++)
		if (n == 0 || !ip_addr_eq(&nodes->remotes[n - 1].vtep, &nodes->remotes[i].vtep))
			nodes->remotes[n++] = nodes->remotes[i];
	nodes->n = n;
}

int
nodes_collect(struct nodes *out, const struct store *store, const char *node_name)
{
	struct nodes nodes = { .self = (const struct node_object *)store_get(
				       store, OBJECT_NODE, "", node_name) };

	if (nodes.self != NULL) {
		nodes.vtep = first_addr(nodes.self, true);
		if (ip_addr_is_none(&nodes.vtep))
			nodes.vtep = first_addr(nodes.self, false);
		nodes.tunnel_mac = mac_of(nodes.self, &nodes.vtep);
	}
	nodes.remotes = calloc(store_count(store, OBJECT_NODE) + 1, sizeof(*nodes.remotes));
	if (nodes.remotes == NULL)
		return -ENOMEM;
	if (!ip_addr_is_none(&nodes.vtep))
		store_each(store, OBJECT_NODE, add_remote, &nodes);
	qsort(nodes.remotes, nodes.n, sizeof(*nodes.remotes), compare_remotes);
	remove_doubles(&nodes);
	*out = nodes;
	return 0;
}

void
nodes_free(struct nodes *nodes)
{
	free(nodes->remotes);
	nodes->remotes = NULL;
	nodes->n = 0;
}
