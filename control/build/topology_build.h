/* Writes the tables that follow from the node, its ports and the other nodes: node, endpoint and route table. Pure. */
#ifndef RINGWAY_BUILD_TOPOLOGY_BUILD_H
#define RINGWAY_BUILD_TOPOLOGY_BUILD_H

#include "control/build/facts.h"
#include "control/build/fdb_build.h"
#include "control/build/nodes.h"

/* Each: 0 or -ENOMEM; the table is freed with free(), the route table with route_table_free(). */
int node_build(struct node_table **out, const struct nodes *nodes, const struct build_facts *facts);
int endpoint_build(struct endpoint_table **out, const struct build_facts *facts);

/* After fdb_build(), whose indexes the routes name. */
int route_build(struct route_table **out, const struct nodes *nodes, const struct fdb_indexes *indexes,
	const struct build_facts *facts);

/* By which address of this node the outside knows its pods: of the Node object's addresses the first of that family that
 * the node has, else the first that it has. None when there is no such address. */
struct ip_addr masquerade_addr_of(
	const struct nodes *nodes, const struct ip_addr *own, size_t n_own, bool is_v4);

/* What an uplink with this MTU leaves to pods, by the tunnel's family. */
uint16_t pod_mtu_of(uint16_t uplink_mtu, const struct ip_addr *vtep);

#endif
