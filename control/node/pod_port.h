/* One pod's port: program, socket and memory for the node's end of its veth pair, which exists. Control thread only. */
#ifndef RINGWAY_NODE_POD_PORT_H
#define RINGWAY_NODE_POD_PORT_H

#include "control/node/attach.h"
#include "control/node/netdev.h"

/* Opens the port; a program that is still attached from before a restart stays and gets the new socket. Fills ifindex,
 * port, mode and roles of *pod. 0, or -errno with pod->trouble set and nothing opened: -ENODEV when the link is gone. */
int pod_port_open(struct attached *pod, const struct attach_config *config, struct netdev *netdev);

/* Closes what pod_port_open() opened. The program stays and drops what comes. */
void pod_port_close(struct attached *pod, const struct attach_config *config);

/* Removes the link, and then what was attached to it, but for the pod's memory. 0 or -errno. */
int pod_port_destroy(struct attached *pod, const struct attach_config *config, struct netdev *netdev);

/* Gives that up, too, which no tables name that a worker uses. */
void pod_memory_release(struct attached *pod, const struct attach_config *config);

/* At a start: gives up what pods had that are none of these n any more, since a former process ended before it came to do so.
 * No worker runs yet. */
void pod_memory_release_others(struct attached *const *pods, size_t n, struct arena *arena);

#endif
