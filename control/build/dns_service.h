/* The names of one service, by the Kubernetes DNS specification 1.1; what it leaves open is as CoreDNS has it:
 *
 *   SERVICE.NS.svc.ZONE                ClusterIP: its addresses, ready endpoints or none (2.3.1); headless: those of its ready
 *                                      endpoints (2.4.1), and without one the name does not exist; ExternalName: a CNAME (2.5),
 *                                      unless that is an address. An SRV query gets all ports, named or not
 *   _PORT._PROTO.SERVICE...            SRV of each named port (2.3.2, 2.4.2), with the addresses of its targets; with headless
 *                                      services one for each endpoint, or for the first DNS_TARGETS_MAX (dns_srv.h) of them, which
 *                                      is more than any answer by UDP holds. A and AAAA are the service's
 *   HOSTNAME.SERVICE...                addresses of the endpoint; its name is its hostname or its address with dashes
 *
 * DNS_NODE_NAMED marks the names that their addresses have in reverse: of ClusterIPs (2.3.3), of headless services' endpoints
 * (2.4.3), and of endpoints with a hostname. Control thread only. */
#ifndef RINGWAY_BUILD_DNS_SERVICE_H
#define RINGWAY_BUILD_DNS_SERVICE_H

#include "control/build/dns_endpoints.h"
#include "control/build/dns_node.h"

/* A name of a service, with its hash beside it, since lists are put in its order. */
struct dns_node_item {
	uint64_t hash;
	const struct dns_node *node;
};

struct dns_node_list {
	size_t n, room;
	struct dns_node_item *items;
};

/* The name of endpoints, with a digest of all that it is made of: a service has thousands of them, of which one changes. */
struct dns_endpoint_item {
	uint64_t digest;
	const struct dns_node *node;
};

struct dns_endpoint_list {
	size_t n, room;
	struct dns_endpoint_item *items; /* by label: dns_label_compare() */
};

/* All names of a service. */
struct dns_service_nodes {
	struct dns_node_list names; /* but for those of endpoints */
	struct dns_endpoint_list endpoints;
};

void dns_service_nodes_clear(struct dns_service_nodes *n);
void dns_service_nodes_fini(struct dns_service_nodes *n);

/* Puts all names of a service into the zone that is in the making and adds them to *out, which is empty. built: those that it has in
 * the version before. What of them it has no more is not its business. 0 or -ENOMEM. scratch: kept between calls;
 * dns_endpoints_fini(). */
int dns_service_build(struct dns_making *m, const struct service_object *service,
	const struct slice_object *const *slices, size_t n_slices, struct dns_endpoints *scratch,
	const struct dns_service_nodes *built, struct dns_service_nodes *out);

#endif
