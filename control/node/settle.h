/* What a pod sends from a server's TCP port to whom its egress rules do not let it send is an answer only if its reply set says
 * so (dataplane/policy/policy_state.h). Entries end while a connection is quiet, and there are none for connections that are
 * older than the policy. A worker asks (EVENT_REPLY_UNKNOWN), and the pod's kernel tells: a connection of a socket that
 * listens is entered anew, so that TCP's next attempt passes.
 *
 * What arrives for a server's port is, in the same way, a connection that the pod opened, if no socket listens there
 * (EVENT_CONNECTION_UNKNOWN): a port counts as a server's as soon as somebody was let in, and a client may have one that
 * is declared. Control thread only. */
#ifndef RINGWAY_NODE_SETTLE_H
#define RINGWAY_NODE_SETTLE_H

#include "dataplane/events.h"

struct attach;
struct engine;

void settle_reply(const struct attach *attach, struct engine *engine, const struct event *event);

#endif
