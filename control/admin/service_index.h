/* What belongs together: a service's slices, by binary search, and an address's frontend. Made for one request, so that its
 * cost grows with n log n, not with the product of services and slices. Control thread only. */
#ifndef RINGWAY_ADMIN_SERVICE_INDEX_H
#define RINGWAY_ADMIN_SERVICE_INDEX_H

#include "control/model/store.h"
#include "dataplane/service/service_table.h"

struct service_index {
	size_t n_slices;
	const struct slice_object **slices;   /* by namespace and service */
	const struct service_table *services; /* NULL: none in force */
};

/* services may be NULL. False if out of memory. */
bool service_index_init(
	struct service_index *x, const struct store *store, const struct service_table *services);
void service_index_fini(struct service_index *x);

/* The service's slices: *n of them, from the one returned on. */
const struct slice_object **service_index_slices(
	const struct service_index *x, const struct service_object *service, size_t *n);

/* The frontend in force, or NULL. */
const struct frontend *service_index_frontend(
	const struct service_index *x, const struct ip_addr *addr, uint16_t port, uint8_t proto);

#endif
