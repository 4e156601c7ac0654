/* A port of the node that leads to a pod's: what a container's hostPort asks for, and the runtime tells by the CNI
 * capability portMappings. Plain data. */
#ifndef RINGWAY_MODEL_HOST_PORT_H
#define RINGWAY_MODEL_HOST_PORT_H

#include "dataplane/net/ip_addr.h"

#define HOST_PORTS_MAX 128 /* of one pod */

struct host_port {
	struct ip_addr host_addr; /* none: any of the node's, of both families */
	uint16_t port, pod_port;
	uint8_t proto; /* IANA number */
};

/* Both cannot be served: one packet would be for either. */
static inline bool
host_port_conflicts(const struct host_port *a, const struct host_port *b)
{
	return a->port == b->port && a->proto == b->proto &&
	       (ip_addr_is_none(&a->host_addr) || ip_addr_is_none(&b->host_addr) ||
		       ip_addr_eq(&a->host_addr, &b->host_addr));
}

#endif
