/* A pod's veth pair by netlink: made with the pod's end directly in its namespace, which spares the move, and
 * set up there. Nothing of the node's end is configured here: the daemon does that once its program is on it,
 * so that no packet of the pod ever sees the node's own stack. */
#ifndef RINGWAY_CNI_LINK_H
#define RINGWAY_CNI_LINK_H

#include "cni/wiring.h"

/* Opens a network namespace, which must not be the one we run in; *fd is the caller's. */
enum cni_code netns_open(const char *path, int *fd, struct cni_error *e);

/* Makes the pair and sets up the pod's end: addresses, routes, sysctls, offloads, up. *ifindex is that of the node's end, by
 * which it is told from one of that name that an ADD makes when it is repeated. When it fails, it leaves nothing, and
 * *ifindex is 0. */
enum cni_code link_create(
	const struct wiring *w, int netns, const char *ifname, unsigned *ifindex, struct cni_error *e);

/* Removes the node's end and with it the pod's; it is fine when there is none. */
void link_delete(unsigned ifindex);

/* Is the pod's end as link_create() made it? */
enum cni_code link_check(const struct wiring *w, int netns, const char *ifname, struct cni_error *e);

#endif
