/* GET /v1/services and /v1/endpoints: what each service port is made of, desired (the store) and in force (the tables), and
 * why nothing stands behind it. The fields are documented in the help of `ringway services` and `ringway endpoints`. Control
 * thread only. */
#ifndef RINGWAY_ADMIN_SERVICES_H
#define RINGWAY_ADMIN_SERVICES_H

#include "control/admin/admin.h"
#include "control/admin/names.h"

/* Which services to list. */
struct services_filter {
	const char *which; /* "namespace/name" or "name"; NULL: all */
	bool is_exposed;   /* only what can be reached from outside */
	bool is_brief;     /* without frontends and backends, which are most of the work */
};

/* NULL if out of memory. Without a filter: all. */
json_t *services_json(const struct names *n, const struct services_filter *filter);
json_t *endpoints_json(const struct names *n);

/* Why the service's port has no ready backend, or is not in force; "" when all is well. Returns buf. */
#define SERVICE_PROBLEM_SIZE 512
const char *services_problem(const struct names *n, const struct service_object *service,
	const struct service_port *port, char buf[static SERVICE_PROBLEM_SIZE]);

/* The same with an index at hand. */
struct service_index;
const char *services_problem_of(const struct names *n, const struct service_index *x,
	const struct service_object *service, const struct service_port *port,
	char buf[static SERVICE_PROBLEM_SIZE]);

admin_handler services_handle, endpoints_handle;

#endif
