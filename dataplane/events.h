/* What a worker tells control, asynchronously: a ring of its own per worker, and a descriptor to poll that all may share.
 * Nobody waits: what does not fit is lost. */
#ifndef RINGWAY_EVENTS_H
#define RINGWAY_EVENTS_H

#include "dataplane/net/ip_addr.h"

enum event_kind {
	EVENT_PATH_MTU, /* an underlay router told what the tunnel to a VTEP (addr) takes, of the inner packet (value) */
	EVENT_NEIGHBOUR, /* a packet waited for the MAC of a host on the uplink's segment (addr, of family value) in vain */
	EVENT_PORT_USED, /* a pod (addr) sends from a port that is not known to be its own: protocol << 16 | port (value) */
	/* the pod behind a port (port) sends from a server's TCP port to whom its policies do not let it send, and its reply set
	   (policy/policy_state.h) does not know why: local port << 16 | remote port (value), the remote address (addr). Control
	   asks the pod's sockets, and enters what is established */
	EVENT_REPLY_UNKNOWN,
	/* the same of what arrives for it from a server's TCP port, which may be a connection that it opened from there */
	EVENT_CONNECTION_UNKNOWN,
	/* policies do not let the pod behind a port (port) ask a DNS server (addr): protocol << 16 | its port (value) */
	EVENT_DNS_DENIED,
};

struct event {
	uint32_t kind; /* enum event_kind */
	uint32_t value;
	struct ip_addr addr;
	uint16_t port; /* the last two */
};

struct events;

/* fd: an eventfd, the caller's, which becomes readable. NULL if out of memory. */
struct events *events_new(int fd);
void events_free(struct events *e); /* NULL is fine; the worker has stopped */

/* The worker. NULL: nobody listens. */
void events_put(struct events *e, const struct event *event);

/* Control: false when there is nothing. */
bool events_take(struct events *e, struct event *event);

#endif
