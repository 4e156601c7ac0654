/* The SRV records of a service's name, or of one of its ports' names: where the ports are (RFC 2782). A service with a ClusterIP is its
 * own only target; of a headless one each endpoint's name is one, with its addresses as glue. Pure. */
#ifndef RINGWAY_BUILD_DNS_SRV_H
#define RINGWAY_BUILD_DNS_SRV_H

#include "control/build/dns_endpoints.h"
#include "control/build/dns_node.h"

/* More would hardly fit into any message: a target is 38 bytes at least. */
#define DNS_TARGETS_MAX 128

/* A port as a service or a slice has it. */
struct dns_port {
	const char *name;
	uint16_t number;
	uint8_t proto;
};

struct dns_srv {
	struct dns_making *m; /* has begun the name */
	const struct service_object *service;
	const struct dns_endpoints *endpoints; /* of a headless service */
	const struct dns_wire *name;           /* the service's */
	const struct dns_port *wanted;         /* NULL: all ports */
	unsigned prefix;                       /* bytes of the question before the service's name */
};

/* A set of them, which goes when there is nothing to put into it. */
void dns_srv_put(const struct dns_srv *s);

#endif
