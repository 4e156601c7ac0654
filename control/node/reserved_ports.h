/* Exposed ports that the kernel shall give to no process: what comes to such a port of an address of this node is a
 * service's, so a connection that the node itself opened from there would hear no answer. They are added to
 * net.ipv4.ip_local_reserved_ports (of this network namespace; it holds for IPv6, too), beside those that the administrator
 * has there, which stay his. Which are ours is in the state file, before they are in the kernel's list: who starts after a
 * crash takes the right ones back.
 *
 * A list that somebody writes anew without ours is all his; ours are added again. They stay when the daemon ends. Control
 * thread only. */
#ifndef RINGWAY_NODE_RESERVED_PORTS_H
#define RINGWAY_NODE_RESERVED_PORTS_H

#include <stdbool.h>

#include "dataplane/service/port_set.h"

#define RESERVED_PORTS_ERROR_SIZE 256

struct exposed;
struct reserved_ports;
struct state;

/* Those that are ours by the state file, as a former process left them. 0 or -errno. */
int reserved_ports_read(struct state *state, struct port_set *ours);

/* Those that the kernel's list has, whose ever. 0 or -errno. */
int reserved_ports_listed(struct port_set *listed);

/* The state is the caller's. NULL if out of memory, or when it cannot be read. */
struct reserved_ports *reserved_ports_new(struct state *state);
void reserved_ports_free(struct reserved_ports *r);

/* Has those reserved that are exposed at addresses of this node (version 0: what a former process left stays). Cheap when they
 * are what they were; is_due: looks at the list itself, which others may have written. 0 or -errno with a message; the next
 * call tries again. */
int reserved_ports_follow(struct reserved_ports *r, const struct exposed *e, bool is_due,
	char error[static RESERVED_PORTS_ERROR_SIZE]);

#endif
