/* Load balancers' addresses and external ones for this node's own processes: as kube-proxy has it, what they send there goes
 * to the service at once, and not by the load balancer. And those at which DNS is answered on each node. Routes of a table of their own, which only the stack's own packets
 * ask (netdev_set_ways()), lead to the host port; packets that are for no port of the service go on from there as those of
 * pods do, out by the uplink under the node's address, and TCP connections that stood before go on under their own
 * (translate_may_be_older()).
 *
 * The routes stay when the daemon ends, and go with the pair. Control thread only. */
#ifndef RINGWAY_NODE_OWN_WAYS_H
#define RINGWAY_NODE_OWN_WAYS_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/net/ip_addr.h"

#define OWN_WAYS_ERROR_SIZE 256

struct exposed;
struct host;
struct netdev;
struct own_ways;

/* The netdev is the caller's. NULL if out of memory. */
struct own_ways *own_ways_new(struct netdev *netdev);
void own_ways_free(struct own_ways *o);

/* The addresses of what is exposed, sorted, each once, and the node's own not among them: how many. There is room for
 * e->n. */
size_t own_ways_choose(const struct exposed *e, struct ip_addr *out);

/* Addresses that have a way besides, in any order. */
#define OWN_WAYS_MORE_MAX 8
struct own_ways_more {
	size_t n;
	struct ip_addr addrs[OWN_WAYS_MORE_MAX];
};

/* Brings the routes in line with what is exposed (version 0: what a former process left stays), with more, and with
 * the host's pair. Cheap when none of them changed; is_due: looks at the routes themselves, which others may have removed. 0 or -errno with a message; the next
 * call tries again. */
int own_ways_follow(struct own_ways *o, const struct exposed *e, const struct own_ways_more *more,
	const struct host *host, bool is_due, char error[static OWN_WAYS_ERROR_SIZE]);

#endif
