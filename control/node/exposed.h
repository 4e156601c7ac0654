/* The frontends that the outside reaches, as a list for those who bring something of the node in line with them: what the uplink
 * takes (uplink.h), the ways of the node's own processes (own_ports.h, own_ways.h), and the ports that these do not get
 * (reserved_ports.h). Control thread only. */
#ifndef RINGWAY_NODE_EXPOSED_H
#define RINGWAY_NODE_EXPOSED_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/net/ip_addr.h"
#include "dataplane/service/port_set.h"

struct route_table;
struct tables;

struct exposed_frontend {
	struct ip_addr addr;
	uint16_t port;
	uint8_t proto;
	bool is_own; /* an address of this node */
};

struct exposed {
	uint64_t version; /* of all below: others are greater; 0: nothing is known yet */
	size_t n;
	struct exposed_frontend *items; /* sorted by address, then protocol, then port */
	struct port_set own_ports;      /* of those at addresses of this node, in whichever protocol */

	/* what it was made from; never looked into */
	uint64_t seen_changes;
	const struct route_table *seen_routes;
};

/* Brings an *e, at first all zero, in line with the tables in force (NULL: none yet). Cheap when no frontend became exposed or
 * ended to be, and the routes, which have the node's addresses, are the same. To be called after each publication. 0, or
 * -ENOMEM with what was known before. */
int exposed_follow(struct exposed *e, const struct tables *tables);
void exposed_fini(struct exposed *e);

#endif
