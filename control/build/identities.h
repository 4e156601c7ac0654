/* Who is who to policies. What policies ask of a peer is a trait: to be among the pods of a selector, in an ipBlock, to have
 * a named port with this number. An identity is a set of traits that some address has, and a number while one has; addresses
 * that policies cannot tell apart share one. So identities are as many as there are kinds of peers, not pods.
 *
 * Follows the store: pods and namespaces that changed are evaluated again, a new trait is evaluated against all pods, and
 * pods with the same namespace, labels and named ports are evaluated once. Control thread only.
 *
 * After an -ENOMEM the whole is of no use any more: to be made anew. */
#ifndef RINGWAY_BUILD_IDENTITIES_H
#define RINGWAY_BUILD_IDENTITIES_H

#include "control/build/facts.h"
#include "control/model/network_policy.h"
#include "control/model/store.h"
#include "dataplane/policy/identity_table.h"

struct identities;

struct trait {
	unsigned id;
	/* After identities_settle(), until the next: a bit for each of the identities that have it, and when (as it counts)
	 * that changed last. */
	const uint64_t *members;
	uint64_t changed;
};

/* A name of ports, with the numbers that pods have by it. */
struct port_name {
	size_t n;
	struct port_number {
		uint16_t port;
		struct trait *trait; /* to have it */
	} * numbers;                 /* ascending */
	uint64_t changed;            /* as a trait's */
};

/* The store is the caller's and outlives it. NULL if out of memory. */
struct identities *identities_new(const struct store *store);
void identities_free(struct identities *ids); /* NULL is fine */

/* Whom a peer of a policy in this namespace means. Equal ones are one; each call is to be undone by identities_drop(). NULL if out
 * of memory. */
struct trait *identities_want(struct identities *ids, const char *ns, const struct policy_peer *peer);
void identities_drop(struct identities *ids, struct trait *trait); /* NULL is fine */

/* The same for names of ports. */
struct port_name *identities_want_port(struct identities *ids, const char *name, uint8_t proto);
void identities_drop_port(struct identities *ids, struct port_name *name);

/* The store has another object by this name, or none any more. */
int identities_pod_changed(struct identities *ids, const char *ns, const char *name);
void identities_namespace_changed(struct identities *ids, const char *ns);
void identities_nodes_changed(struct identities *ids);

/* Brings all up to date. The pods of this node have the addresses that they were given here, whatever their status says;
 * are_new: others than last time. *out: a new table, which is the caller's, or NULL when the last one is still right.
 * 0; -ENOMEM; -E2BIG: there are more than IDENTITIES_MAX. */
int identities_settle(struct identities *ids, const struct local_pod *pods, size_t n_pods, bool are_new,
	struct identity_table **out);

/* How often it was settled, and how many numbers are in use, gaps and IDENTITY_OTHER counted. */
uint64_t identities_settled(const struct identities *ids);
unsigned identities_n(const struct identities *ids);

/* What a pod of this node is to policies, by its object; NULL while there is none, or only that of a former pod of this name.
 * Valid until the next change. */
struct pod_group;
const struct pod_group *identities_group(const struct identities *ids, const struct local_pod *pod);
const struct labels *pod_group_labels(const struct pod_group *g);
/* Its number for a named port; 0: it has none by that name. */
uint16_t pod_group_port(const struct pod_group *g, const char *name, uint8_t proto);

#endif
