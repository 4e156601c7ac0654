/* The cluster's nodes as this node sees them: itself, and the others with their tunnel ends and pod networks. Pure;
 * results point into the store and live until it changes. */
#ifndef RINGWAY_BUILD_NODES_H
#define RINGWAY_BUILD_NODES_H

#include "control/model/store.h"

struct remote_node {
	const struct node_object *object;
	struct ip_addr vtep;
	struct mac_addr tunnel_mac;
};

struct nodes {
	const struct node_object *self; /* NULL: its Node object is not known */
	struct ip_addr vtep;            /* ours; none: it has no address */
	struct mac_addr tunnel_mac;     /* ours */
	size_t n;

	/* sorted by VTEP, no two alike; nodes without an address of our family are left out */
	struct remote_node *remotes;
};

/* 0 or -ENOMEM. All nodes use one family for tunnels: IPv4 when this node has such an address. */
int nodes_collect(struct nodes *out, const struct store *store, const char *node_name);
void nodes_free(struct nodes *nodes);

/* The MAC of a tunnel end that no annotation sets: locally administered, from the address alone, so that every node
 * knows every other's. */
struct mac_addr tunnel_mac_of(const struct ip_addr *vtep);

#endif
