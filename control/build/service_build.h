/* The service table, from Services and EndpointSlices: pure but for the slots, which must not change under flows.
 *
 * Each ClusterIP of each port is a frontend, except of headless services. Its backends are the ready endpoints of the
 * service's slices of that family (of any readiness, if the service publishes those), on the port with the service
 * port's name and protocol; the first address of an endpoint counts. The order of backends and so the buckets depend
 * on nothing but these objects. When two services claim one address, port and protocol, the first by namespace and
 * name has it.
 *
 * frontend.service is the service's place among all Services in store_each()'s order, backend.endpoint the backend's
 * among all of the table. */
#ifndef RINGWAY_BUILD_SERVICE_BUILD_H
#define RINGWAY_BUILD_SERVICE_BUILD_H

#include "control/build/slots.h"
#include "control/model/store.h"
#include "dataplane/service/service_table.h"

/* now_ns: for the rest of released slots; see slots_begin(). 0; -ENOMEM, with *out as it was and no slot released. The
 * table is the caller's, for service_table_free(). */
int service_build(
	const struct store *store, struct slots *slots, uint64_t now_ns, struct service_table **out);

#endif
