/* GET /v1/pods: the pods attached to this node, and those that are not. The fields are documented in the help of
 * `ringway pods`. Control thread only. */
#ifndef RINGWAY_ADMIN_PODS_H
#define RINGWAY_ADMIN_PODS_H

#include "control/admin/admin.h"

admin_handler pods_handle;

/* {"address" ("" for any of the node's), "port", "protocol", "pod_port"} */
struct host_port;
json_t *host_port_json(const struct host_port *p);

#endif
