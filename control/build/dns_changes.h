/* From the names that a service has in one version of the zone to those that it has in the next: what is gone is removed, and the
 * reverse names (dns_reverse.h) follow. Control thread only. */
#ifndef RINGWAY_BUILD_DNS_CHANGES_H
#define RINGWAY_BUILD_DNS_CHANGES_H

#include "control/build/dns_service.h"

/* built: as this left it for the last version; coming: as dns_service_build() did, which is in order then. Both empty is fine. 0 or
 * -ENOMEM. */
int dns_changes_make(
	struct dns_making *m, const struct dns_service_nodes *built, struct dns_service_nodes *coming);

#endif
