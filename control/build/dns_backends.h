/* Of the cluster's DNS service: by which port it is asked, and who answers there. Pure. */
#ifndef RINGWAY_BUILD_DNS_BACKENDS_H
#define RINGWAY_BUILD_DNS_BACKENDS_H

#include "control/model/object.h"
#include "dataplane/dns/dns_table.h"

struct dns_backends {
	unsigned n;
	bool are_ready;                              /* false: none is */
	struct dns_server servers[DNS_BACKENDS_MAX]; /* by address */
};

/* Whether a port may be one for DNS: 53, or called as CoreDNS's are ("dns", "dns-tcp"). */
bool dns_service_is_port(const struct service_port *port);

/* Its port 53 of a protocol, else the one with the name; NULL: none, or no service. */
const struct service_port *dns_service_port(const struct service_object *service, uint8_t proto);

/* The endpoints of each family: ready ones, or all where none is ready. 0 or -ENOMEM. */
int dns_backends_find(struct dns_backends out[static N_FAMILIES], const struct service_port *port,
	const struct slice_object *const *slices, size_t n_slices);

#endif
