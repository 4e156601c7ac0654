/* Networks of services that the cluster tells of (ServiceCIDR objects) and cluster.serviceCIDRs lacks: the configuration alone decides
 * what is served, routed and kept from others. Control thread only. */
#ifndef RINGWAY_ADMIN_SERVICE_NETWORKS_H
#define RINGWAY_ADMIN_SERVICE_NETWORKS_H

#include <jansson.h>

#include "control/model/object.h"

struct config;
struct store;

/* What follows a network in a message, and what to do about it. */
#define SERVICE_NETWORK_PROBLEM                                                                       \
	"is a network of services, but not in cluster.serviceCIDRs: processes of nodes do not reach " \
	"services there"
#define SERVICE_NETWORK_ADVICE "add it to cluster.serviceCIDRs on every node, and restart ringwayd there"

/* Calls fn for each that is not within one network of the configuration, which config_check() has looked at; by the object's name. */
void service_networks_each_missing(const struct store *store, const struct config *config,
	void (*fn)(const struct service_cidr_object *object, const struct ip_prefix *network, void *arg),
	void *arg);

/* For status and doctor: a text for each, with the services that have addresses there which the configuration lacks. */
json_t *service_networks_texts(const struct store *store, const struct config *config);

#endif
