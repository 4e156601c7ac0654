/* Host ports of this node's pods as services of their own, which have one endpoint: the pod. Their records are named
 * "pod/<name>", which no Service can be. Pure. */
#ifndef RINGWAY_BUILD_HOST_PORTS_H
#define RINGWAY_BUILD_HOST_PORTS_H

#include "control/build/facts.h"
#include "control/build/wanted.h"

#define HOST_PORTS_NAME_SIZE 300

/* What stands for a host port where a service is asked for. Points into itself, the port and the node's name. */
struct host_port_service {
	struct service_object service;
	struct service_port port;
	struct slice_object slice;
	struct slice_port slice_port;
	struct slice_endpoint endpoint;
	struct ip_addr addr;
};

bool host_ports_is_name(const char *name);

/* The record's name; its namespace is the pod's. Returns buf. */
const char *host_ports_name(const struct pod_host_port *p, char buf[static HOST_PORTS_NAME_SIZE]);

/* Whether the record has a host port still. */
bool host_ports_exist(const struct build_facts *facts, const char *ns, const char *name);

/* Adds the frontends of a record to *out: on the address that a port names if it is this node's, else on all that the node
 * has, but for loopback and link-local ones. wanted_frontend.service_port is the index into the facts' host ports. 0 or
 * -ENOMEM. */
int host_ports_collect(struct wanted *out, const struct build_facts *facts, const char *ns, const char *name);

/* Describes a host port for the addresses of one family: open to the outside, with clients' addresses kept. */
void host_port_describe(struct host_port_service *out, const struct pod_host_port *p,
	enum family_index family, const char *node);

/* Changes with the list. */
uint64_t host_ports_digest(const struct build_facts *facts);

#endif
