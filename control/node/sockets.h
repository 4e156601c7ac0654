/* Which TCP connections exist in a network namespace, as the kernel tells (sock_diag(7)). Control thread only: a look into
 * another namespace moves the calling thread there for a moment. */
#ifndef RINGWAY_NODE_SOCKETS_H
#define RINGWAY_NODE_SOCKETS_H

#include "dataplane/net/ip_addr.h"

/* Opens a view of the namespace that the path names; NULL: our own. A descriptor for the function below, the caller's to
 * close, or -errno. */
int sockets_open(const char *netns);

/* Whether there is a TCP socket, in any state, between these ends; ports in host order. 1, 0, or -errno. */
int sockets_has_tcp(int view, const struct ip_addr *local, uint16_t local_port, const struct ip_addr *remote,
	uint16_t remote_port);

#endif
