/* What a listing of clients' sockets (mover.h) does when something goes wrong for one of them. No connection is cut
 * without need: what we ourselves lack is waited for. But no single client holds up for long, by what is its own,
 * what all others wait for. Pure. */
#ifndef RINGWAY_NODE_LISTING_H
#define RINGWAY_NODE_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/service/nat_flows.h"
#include "dataplane/service/service_table.h"

/* Looks at one client, and the time between them. */
#define LISTING_TRIES 4
#define LISTING_AGAIN_NS UINT64_C(250000000)

/* Whether sockets_open() of a pod's namespace failed because there is no such pod any more: its path is gone, or what is
 * left there is a plain file that no namespace is mounted on. */
bool listing_is_gone(int error);

enum listing_next {
	LISTING_ON,    /* to the next client */
	LISTING_AGAIN, /* this one once more, after LISTING_AGAIN_NS */
	LISTING_SKIP,  /* on without this one, whose connections may be cut: to be told */
	LISTING_WAIT,  /* give this listing up, and begin another one later: to be told once */
};

/* What follows a client's n_tries-th look (1 is the first), which ended with 0 or -errno. What the daemon itself or the node
 * is short of, as descriptors or memory, says nothing of the client. */
enum listing_next listing_after(int result, unsigned n_tries);

/* Whether a flow's bucket has to stay because the flow found no room for an entry. Not if that is its client's own fault: it
 * is its own loss then, not that of all who share the bucket. And datagrams need not stay with a backend that serves no
 * more. 'f': the flow's frontend, with buckets; 'hash': of the flow, as service_flow() has it. */
bool listing_keeps_bucket(
	const struct frontend *f, uint32_t hash, const struct nat_flow *flow, bool is_own_fault);

#endif
