/* GET /v1/nodes: the nodes of the cluster, and what is known of the way to each. The fields are documented in the help of
 * `ringway nodes`. Control thread only. */
#ifndef RINGWAY_ADMIN_NODES_H
#define RINGWAY_ADMIN_NODES_H

#include "control/admin/admin.h"
#include "control/admin/names.h"

struct underlay;

/* NULL if out of memory. self: this node's name; underlay: knows why a next hop is missing, may be NULL. */
json_t *nodes_json(const struct names *n, const char *self, const struct underlay *underlay);

/* "02:00:0a:f4:01:02" in the caller's buffer. */
#define MAC_TEXT_SIZE 18
const char *mac_format(const struct mac_addr *mac, char buf[static MAC_TEXT_SIZE]);

admin_handler nodes_handle;

#endif
