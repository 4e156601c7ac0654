/* Entries that keep flows where they are. A flow in a slot is in nobody's memory but the client's own kernel: its backend is
 * what the buckets say, its port on the wire what the slot says. Before either changes for it, an entry is made that
 * says the same (DESIGN 5.2, 5.4). Control thread only. */
#ifndef RINGWAY_NODE_PINS_H
#define RINGWAY_NODE_PINS_H

#include "control/node/sockets.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/tables.h"

struct worker;

/* How a socket's flow towards a frontend is translated now, by the tables in force alone: in *flow, and the slot, 1 to 3.
 * 0 when no slot is in use for it, since the flow has an entry of its own or none can be: for a client port outside the
 * range, a backend without a slot, a source that is not the client's. 'client' is a pod or the host; a socket that is
 * bound to no address has the client's one. */
unsigned pins_flow(const struct tables *t, const struct endpoint *client, const struct socket_seen *socket,
	const struct frontend *frontend, struct nat_flow *flow);

/* Calls fn for each frontend that the socket's flows go to: the one it is connected to, if it is one, or all of the
 * protocol, when the socket is connected to nobody. */
void pins_each_frontend(const struct tables *t, const struct socket_seen *socket,
	void (*fn)(const struct frontend *frontend, void *arg), void *arg);

/* Flows that wait to become entries of one worker. */
#define PINS_AT_ONCE 64 /* the worker stands still meanwhile */

struct pins {
	struct worker *worker;
	unsigned n;
	unsigned n_added, n_refused; /* so far; those that had an entry are neither */
	/* called for each that found no room; is_own_fault: what its client has itself is in the way
	 * (nat_flows_is_own_fault()); may be NULL */
	void (*refused)(const struct nat_flow *flow, bool is_own_fault, void *arg);
	void *arg;
	uint64_t is_refused, is_own_fault; /* of the flows below, a bit each */
	struct nat_flow flows[PINS_AT_ONCE];
};

/* Collects; those that are there go to the worker when there is no more room, and with pins_flush(). */
void pins_add(struct pins *p, const struct nat_flow *flow);
void pins_flush(struct pins *p);

#endif
