/* Ends the entries of TCP and of connected UDP sockets, exceptions and masqueraded, whose connection is gone. An entry never
 * ages by itself, since quiet is not dead (DESIGN 5.2): the client's own kernel is asked (sweeper.h). That it knows no socket
 * is proof only if it did before: the connections of a virtual machine, or of another namespace inside the pod, have none that
 * it shows. So the entry of one that stands is asked about while it is young, too, and if a socket was never seen it ends like
 * any NAT's that cannot tell, after hours (NAT_FLOW_UNSEEN_IDLE_NS). In steps that are bounded whatever the tables hold, for
 * control has packets' neighbours and the runtime's requests to see to meanwhile. Control thread only. */
#ifndef RINGWAY_NODE_SWEEP_H
#define RINGWAY_NODE_SWEEP_H

#include "dataplane/service/nat_flows.h"

struct worker;

/* Entries that were used more lately than this do not end, and if all is known of them are not asked about. */
#define SWEEP_QUIET_NS (60 * UINT64_C(1000000000))

/* Questions of one step, and entries copied in one: a worker stands still meanwhile. */
#define SWEEP_AT_ONCE 64

/* Entries that are sorted by client before any is asked about: to look into another namespace costs more than to ask. */
#define SWEEP_CHUNK 1024

/* Whether an entry's connection still exists: 1, 0, or -errno when that cannot be told. */
typedef int sweep_ask(const struct nat_flow *x, void *arg);

/* Told of an entry. */
typedef void sweep_tell(const struct nat_flow *x, void *arg);

/* What a sweep asks, and whom it tells. */
struct sweep_calls {
	sweep_ask *ask;
	sweep_tell *stays;  /* each exception that does; NULL: nobody */
	sweep_tell *unseen; /* each that stands, quiet, and whose client's socket was never seen; likewise */
	void *arg;
};

/* One that is under way. */
struct sweep {
	uint64_t now_ns;
	unsigned n_ended;       /* so far */
	unsigned worker, table; /* from which entries are copied now */
	uint32_t cursor;
	bool is_copied;   /* what there is of this chunk; now they are asked about */
	unsigned n, next; /* entries, and the next one to ask about */
	struct nat_flow entries[SWEEP_CHUNK];
};

void sweep_begin(struct sweep *s, uint64_t now_ns);

/* A step: copies some entries, or asks about some and ends those that are gone. False: it is through. workers: all n of them. */
bool sweep_step(struct sweep *s, struct worker *const *workers, unsigned n, const struct sweep_calls *calls);

#endif
