/* The uplink as ports: the steering program on the interface, and a socket per receive queue, queue i with worker i. It
 * follows the underlay: an interface that comes, goes or is exchanged. The program and its links stay when the daemon
 * ends. Control thread only. */
#ifndef RINGWAY_NODE_UPLINK_H
#define RINGWAY_NODE_UPLINK_H

#include "control/build/facts.h"
#include "control/node/underlay.h"
#include "xdp/loader.h"

#define UPLINK_QUEUES_MAX 64

struct engine;
struct exposed;
struct port;
struct uplink;

/* Engine and XDP are the caller's. NULL if out of memory. */
struct uplink *uplink_new(struct engine *engine, struct xdp *xdp, enum xdp_choice choice);
void uplink_free(struct uplink *u);

/* Brings about what the underlay and our addresses ask for; cheap when nothing changed. steer: what is ours on the uplink,
 * its queues aside; the ports that it points to never change. True in *changed when ports came or went. 0 or -errno with a
 * message; then there is no uplink, and the next call tries again. */
int uplink_follow(struct uplink *u, const struct underlay_facts *facts, const struct xdp_uplink_config *steer,
	bool *changed, char error[static XDP_ERROR_SIZE]);

/* Has the program on the uplink take what is exposed (version 0: what a former process set stays); after uplink_follow(). Cheap
 * when nothing changed. 0 or -errno; the next call tries again. */
int uplink_expose(struct uplink *u, const struct exposed *e);

/* The ports, for the builders; valid until the next uplink_follow(). */
size_t uplink_queues(const struct uplink *u, const struct uplink_queue **out);

#endif
