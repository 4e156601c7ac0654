/* The zone's own names: SOA and NS at its top, ns.dns with the addresses of the cluster's DNS service, dns-version, and what
 * everything else is below. Control thread only. */
#ifndef RINGWAY_BUILD_DNS_OWN_NAMES_H
#define RINGWAY_BUILD_DNS_OWN_NAMES_H

#include "control/build/dns_node.h"
#include "control/build/dns_wire.h"
#include "control/model/object.h"

/* Those that never change, for the first version. 0 or -ENOMEM. */
int dns_own_names(struct dns_making *m, const struct dns_wire *zone, bool has_pods);

/* Those that tell of the DNS service, NULL when there is none. 0 or -ENOMEM. */
int dns_own_server(struct dns_making *m, const struct dns_wire *zone, const struct service_object *server);

#endif
