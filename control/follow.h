/* What follows from a change. Whatever happens to the cluster's objects, the underlay or the attachments ends here, once
 * per burst of changes: the underlay learns which nodes to look for, the uplink and the host port are brought in line, the
 * tables are rebuilt, roles are seeded. Control thread only. */
#ifndef RINGWAY_FOLLOW_H
#define RINGWAY_FOLLOW_H

#include <stddef.h>
#include <stdint.h>

#include "control/own_node.h"

struct daemon;
struct events;
struct follow;

/* Needs store, state, attach, engine, xdp, loop and the snapshot of the daemon; makes slots, underlay and publisher. 0 or -errno, having
 * logged what is wrong. */
int follow_new(struct follow **out, struct daemon *d, struct events *const *events, int event_fd);
void follow_free(struct follow *f);

/* The store changed. Acts at the end of the loop's round. */
void follow_changed(struct follow *f);

/* Acts at once, so that tables are in force when it returns, if they can be built. */
void follow_now(struct follow *f);

/* Until follow_release() nothing follows from changes, since the store has only a part of what there is: a pod's services
 * would look gone, and this node's links misplaced. What is in force stays. */
void follow_hold(struct follow *f);
void follow_release(struct follow *f);

/* Calls fn when nothing holds changes up: now, with what it returns, or at the first release, where a failure is logged. */
int follow_when_released(struct follow *f, int (*fn)(struct daemon *d));

/* For struct attach_config: puts the attachments in force and returns when no worker uses older tables. */
int follow_publish(void *follow);

/* What is wrong with this node (own_node.h), and last with buckets that move, or "". */
#define FOLLOW_WARNINGS (OWN_NODE_WARNINGS + 1)
const char *follow_warning(const struct follow *f, unsigned i);

#endif
