/* Which ports are a pod's own because it was seen to send from them (dataplane/service/roles.h). A worker asks; before the
 * bit is set, whatever the pod has in the slot of that port becomes an exception, so that no live flow breaks: the
 * sockets on the one client port which has that port in its slot. Where there is no room for an exception, the bit has to
 * wait. Learned bits end when no socket of the pod has had the port for a while. Control thread only. */
#ifndef RINGWAY_NODE_LEARN_H
#define RINGWAY_NODE_LEARN_H

#include <stdint.h>

#include "dataplane/events.h"

struct attach;
struct engine;
struct learner;
struct loop;
struct tables;

/* How long a port without a socket stays the pod's own; up to twice that. */
#define LEARNED_REST_NS (120 * UINT64_C(1000000000))

struct learner_config {
	struct loop *loop;
	const struct attach *attach;
	struct engine *engine;
	const struct tables *(*tables)(void *arg); /* in force, or NULL */
	void *arg;
};

/* NULL if out of memory. */
struct learner *learner_new(const struct learner_config *config);
void learner_free(struct learner *l); /* NULL is fine */

/* Notes an EVENT_PORT_USED, to be looked at soon together with others; what is too much is asked again by workers. */
void learner_heard(struct learner *l, const struct event *event);

#endif
