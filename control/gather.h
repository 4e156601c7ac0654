/* What the builders are told besides the cluster's objects: the configuration's ranges, the underlay, attached pods and their host
 * ports, the ports that masqueraded flows may get. Control thread only. */
#ifndef RINGWAY_GATHER_H
#define RINGWAY_GATHER_H

#include <stdbool.h>

#include "control/build/facts.h"
#include "dataplane/service/port_set.h"

struct daemon;
struct dns_options;
struct gather;
struct path_mtus;
struct uplink;

/* Reads the configuration, which config_check() has looked at, and the host's ports. Uplink and path MTUs are the caller's and
 * outlive it, like what the daemon has when facts are asked for. 0 or -ENOMEM. */
int gather_new(struct gather **out, const struct daemon *d, const struct uplink *uplink,
	const struct path_mtus *path_mtus);
void gather_free(struct gather *g);

/* The facts as they are now. What they point to lives until the next call. */
void gather_facts(struct gather *g, struct build_facts *facts);

/* What dns.* ask for, with the search suffixes that files had at the start; NULL: dns.mode is off. */
const struct dns_options *gather_dns(const struct gather *g);

/* The ports that are ours on the uplink, for good. */
const struct port_set *gather_masquerade_claim(const struct gather *g);

/* Looks which ports flows may get: none on which the host's stack has opened a socket, ever since, and none that is exposed at
 * an address of this node just now, since what comes to these is for a service. Flows that have such a port keep it, and what a
 * socket gets is punted to it. Returns whether they are others than before. */
bool gather_follow_ports(struct gather *g, const struct port_set *exposed);

#endif
