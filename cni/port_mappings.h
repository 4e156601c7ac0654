/* The capability portMappings: which ports of the node a pod wants (a container's hostPort). */
#ifndef RINGWAY_CNI_PORT_MAPPINGS_H
#define RINGWAY_CNI_PORT_MAPPINGS_H

#include "cni/netconf.h"

/* runtimeConfig.portMappings of a network configuration (NULL: none) as a list for the daemon: {"hostAddress" ("" for any),
 * "hostPort", "podPort", "protocol": "tcp", "udp" or "sctp"}. Returns the code in e; *out is the caller's to release when it
 * is CNI_OK. */
enum cni_code port_mappings_parse(const json_t *config, json_t **out, struct cni_error *e);

#endif
