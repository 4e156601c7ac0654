/* Ends the entries of TCP and of connected UDP sockets, exceptions and masqueraded, whose connection is gone. An entry never ages by itself, since quiet is not dead (DESIGN 5.2):
 * the client's own kernel is asked. Control thread only. */
#ifndef RINGWAY_NODE_SWEEP_H
#define RINGWAY_NODE_SWEEP_H

#include "dataplane/service/nat_flows.h"

struct attach;
struct slots;
struct worker;

/* Entries that were used more lately than this are not asked about. */
#define SWEEP_QUIET_NS (60 * UINT64_C(1000000000))

/* Whether an entry's connection still exists: 1, 0, or -errno when that cannot be told. */
typedef int sweep_ask(const struct nat_flow *x, void *arg);

/* Told of each entry that stays. */
typedef void sweep_stay(const struct nat_flow *x, void *arg);

/* Looks at all of a worker's entries and ends those that 'ask' says are gone. Returns how many. stay may be NULL. */
unsigned sweep_worker(struct worker *w, uint64_t now_ns, sweep_ask *ask, sweep_stay *stay, void *arg);

/* The real question, in the network namespace of the client: a pod's, or ours for addresses that no pod has. 'arg' is a
 * struct sweep_views, which remembers the last namespace, since entries of one client stand together. */
struct sweep_views {
	const struct attach *attach;
	struct slots *slots;
	uint64_t now_ns;
	struct ip_addr client; /* whose view it is; none: there is no view */
	int view;
};

void sweep_views_init(
	struct sweep_views *v, const struct attach *attach, struct slots *slots, uint64_t now_ns);
void sweep_views_fini(struct sweep_views *v);
sweep_ask sweep_ask_client;

/* What an entry says about its port on the wire may be a slot's, which then is nobody else's. */
sweep_stay sweep_touch_slot;

#endif
