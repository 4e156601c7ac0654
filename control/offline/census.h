/* Who has which address in a cluster, for asking often. Pure; the store is the caller's, outlives it and must not change. Any
 * thread. */
#ifndef RINGWAY_OFFLINE_CENSUS_H
#define RINGWAY_OFFLINE_CENSUS_H

#include "control/model/store.h"
#include "dataplane/endpoint_table.h"

#define CENSUS_NOBODY SIZE_MAX

/* A pod with addresses of its own: not on its node's network, and not ended. */
struct census_pod {
	const struct pod_object *object;
	struct ip_addr addrs[N_FAMILIES]; /* none of a family that it lacks */
};

/* Whose an address is: one of these three. */
struct census_holder {
	struct ip_addr addr;
	size_t pod;                           /* its number; CENSUS_NOBODY: no pod's */
	const struct service_object *service; /* its ClusterIP */
	const char *node; /* its own, or that of a pod on its network; "" while that is not scheduled */
};

struct census {
	const struct store *store;
	size_t n_pods, n_holders;
	struct census_pod *pods;       /* by namespace and name; their number is their place */
	struct census_holder *holders; /* by address */
};

/* 0 or -ENOMEM; census_fini() in either case. */
int census_take(struct census *c, const struct store *store);
void census_fini(struct census *c);

/* The pod's number, or CENSUS_NOBODY. */
size_t census_find_pod(const struct census *c, const char *ns, const char *name);

/* NULL: nobody has it. */
const struct census_holder *census_find(const struct census *c, const struct ip_addr *addr);

/* Whether a pod has it, and somebody else too. */
bool census_is_disputed(const struct census *c, const struct ip_addr *addr);

#endif
