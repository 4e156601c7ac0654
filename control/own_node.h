/* This node's place in the cluster, brought in line with the Node objects and the underlay: the underlay learns which nodes to
 * look for, the uplink steers what is ours to the workers, the host port has its addresses. Control thread only. */
#ifndef RINGWAY_OWN_NODE_H
#define RINGWAY_OWN_NODE_H

#include "dataplane/service/port_set.h"

#define OWN_NODE_WARNING_SIZE 640

struct daemon;
struct dns_options;
struct own_node;
struct tables;
struct uplink;

/* claim: the masqueraded ports that are ours on the uplink, for good. dns: NULL where DNS is not answered. These and the uplink are
 * the caller's and outlive it, like what the daemon has when it is called. NULL if out of memory. */
struct own_node *own_node_new(const struct daemon *d, struct uplink *uplink, const struct port_set *claim,
	const struct dns_options *dns);
void own_node_free(struct own_node *o);

/* The underlay changed, or it is time to look. */
void own_node_mark(struct own_node *o);

/* Looks at the nodes when they or this node changed: a change of endpoints costs what it touches. */
void own_node_follow(struct own_node *o);

/* What the tables in force expose: to the outside, once there is an uplink, and to the node's own processes. */
void own_node_expose(struct own_node *o, const struct tables *tables);

/* The exposed ports of the node's own addresses, as far as they are known. */
const struct port_set *own_node_exposed_ports(const struct own_node *o);

/* What is wrong with the uplink (0), the host port (1), what is exposed to the outside (2) and to the node's own processes, at its
 * addresses (3) and at others (4), with what the kernel is to give to none of them (5), and with the addresses at which DNS is answered here (6),
 * or "". */
#define OWN_NODE_WARNINGS 7
const char *own_node_warning(const struct own_node *o, unsigned i);

#endif
