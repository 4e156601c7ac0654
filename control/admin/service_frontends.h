/* The frontends in force, by the service to which they belong, and what an operator should know of each. Made for one
 * request. Control thread only. */
#ifndef RINGWAY_ADMIN_SERVICE_FRONTENDS_H
#define RINGWAY_ADMIN_SERVICE_FRONTENDS_H

#include <jansson.h>

#include "control/admin/names.h"

struct named_frontend {
	const char *ns, *name; /* of the service; the builder's */
	const struct frontend *frontend;
};

struct frontend_list {
	size_t n;
	struct named_frontend *items; /* by namespace, name, kind, address and port */
};

/* Without tables or a builder to name services in names, there are none. False if out of memory. */
bool frontend_list_init(struct frontend_list *l, const struct names *names);
void frontend_list_fini(struct frontend_list *l);

/* The service's: *n of them, from the one returned on. */
const struct named_frontend *frontend_list_of(
	const struct frontend_list *l, const struct object *service, size_t *n);

/* "ClusterIP", "NodePort", "LoadBalancer", "ExternalIP", "HostPort"; static storage. */
const char *frontend_kind_name(uint8_t kind);

/* Whether it is the service's port that the frontend leads to. */
bool frontend_is_of_port(const struct frontend *f, const struct service_port *port);

/* Whether one of the service's frontends can be reached from outside. */
bool frontend_list_is_exposed(const struct frontend_list *l, const struct object *service);

/* How inside and outside traffic of one of the service port's frontends uses an endpoint. */
struct backend_use {
	bool is_inside, is_outside;
	uint32_t n_buckets; /* of its ClusterIP: how many name it now */
	int slot;           /* at its ClusterIP; -1: it has none */
};
struct backend_use frontend_list_use(const struct frontend_list *l, const struct object *service,
	const struct service_port *port, const struct ip_addr *addr, uint16_t backend_port);

/* Buckets of the service port's frontends that are on their way to another backend. */
uint32_t frontend_list_moving(
	const struct frontend_list *l, const struct object *service, const struct service_port *port);

/* Lists of objects, as `ringway services --help` describes them. */
json_t *frontends_json(
	const struct frontend_list *l, const struct service_object *service, const struct service_port *port);
json_t *refused_json(const struct names *names, const struct object *service);

/* The addresses and ports that the service port asks for and another service has (service_claims.h); and the first of them in
 * words, when there is one. */
json_t *lost_json(
	const struct names *names, const struct service_object *service, const struct service_port *port);
void lost_problem(const struct names *names, const struct service_object *service,
	const struct service_port *port, char *buf, size_t size);

#endif
