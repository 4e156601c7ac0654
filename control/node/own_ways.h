/* Load balancers' addresses and external ones for this node's own processes: as kube-proxy has it, what they send there goes
 * to the service at once, and not by the load balancer. Routes of a table of their own, which only the stack's own packets
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

struct host;
struct own_ways;
struct tables;

/* NULL if out of memory. */
struct own_ways *own_ways_new(void);
void own_ways_free(struct own_ways *o);

/* The addresses of load balancers and external ones that services have by these tables, sorted, each once, and the node's own
 * not among them: in *out, n of them, for the caller to free. 0 or -ENOMEM. */
int own_ways_collect(const struct tables *tables, struct ip_addr **out, size_t *n);

/* Brings the routes in line with the tables in force (NULL: none yet, and what a former process left stays) and the host's
 * pair. Cheap when neither changed; is_due: looks at the routes themselves, which others may have removed. 0 or -errno with
 * a message. */
int own_ways_follow(struct own_ways *o, const struct tables *tables, const struct host *host, bool is_due,
	char error[static OWN_WAYS_ERROR_SIZE]);

#endif
