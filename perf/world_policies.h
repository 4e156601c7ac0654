/* Policies for the made-up cluster: each pod of this node is isolated in both directions by so many rules. All pods of the
 * cluster have one of so many identities, each of which three of the rules admit. Pods share rules with the other replicas of
 * their workload, of which there are few on a node: WORLD_WORKLOADS sets of tables. Control thread. */
#ifndef RINGWAY_PERF_WORLD_POLICIES_H
#define RINGWAY_PERF_WORLD_POLICIES_H

#include "dataplane/policy/policy_table.h"
#include "perf/cluster.h"

#define WORLD_WORKLOADS 50

struct world_policies;

/* Gives the endpoints, one per pod, their state. ports: id of each pod's port. NULL: out of memory. */
struct world_policies *world_policies_new(const struct cluster *c, unsigned n_rules, unsigned n_identities,
	struct endpoint *endpoints, const uint16_t *ports);
void world_policies_free(struct world_policies *p); /* NULL is fine */

const struct policy_table *world_policies_table(const struct world_policies *p);

#endif
