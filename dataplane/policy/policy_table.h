/* NetworkPolicy, compiled for this node (DESIGN section 6): which local pods are isolated, in which direction, and what
 * their rules admit. Immutable once published; written by control/build/policy_build.c. Nodes without isolated pods have
 * none (tables.policies is NULL), and packets cost nothing more there.
 *
 * Parts may be shared between versions: rule tables by all pods with the same rules, and the identity table, while nothing
 * of them changed. An identity that a rule table was not made for matches its rules for any peer only, so tables that a new
 * identity does not concern stay.
 *
 * Ports of rules are those of the server's side: in an ingress table the pod's own, so a named port is resolved for each set
 * of pods that agree on its number; in an egress table the peer's, so there is a rule for each number that peers have by
 * that name (struct rule). What clients outside send by way of another node has that node's reserved address for inbound
 * flows; it and the nodes' own reserved addresses have the identity of their node's address. This node's own probes need no
 * rule, nor does what a pod sends itself.
 *
 * Who judges what, and on which addresses: policy_stage.c. */
#ifndef RINGWAY_POLICY_POLICY_TABLE_H
#define RINGWAY_POLICY_POLICY_TABLE_H

#include "dataplane/endpoint_table.h"
#include "dataplane/policy/identity_table.h"
#include "dataplane/policy/rule_table.h"

/* Rules (rule_table.ids) and sets of policies (rule_table.denied) are numbered together, by control, below this. By these
 * numbers each worker counts what a rule allowed and what a set denied (struct policy_hits): from zero when the worker
 * begins, so control takes the difference to what a number had when it was given. 0 is nobody's: not counted. */
#define POLICY_NUMBERS 65536u

struct policy_state;

/* A local pod. */
struct pod_policy {
	const struct rule_table *rules[N_POLICY_DIRECTIONS]; /* NULL: not isolated in this direction */
	struct policy_state *state; /* its endpoint's (endpoint_table.h); never NULL */
	bool is_closed; /* its tables could not be made: nothing passes but what needs no policy */
	bool is_audit;  /* policy.mode: what would be dropped is counted, and passes */
};

struct policy_table {
	const struct identity_table *identities; /* never NULL */
	uint16_t n;
	uint16_t by_port
		[PORTS_MAX]; /* index into pods; ENDPOINT_NONE: no policy selects whoever has the port */
	struct pod_policy pods[];
};

/* What one worker counted, by number. Written by it alone, read at any time. */
struct policy_hits {
	uint64_t counts[POLICY_NUMBERS];
};

/* The policy of the pod behind a port, or NULL. Workers. */
static inline const struct pod_policy *
policy_of_port(const struct policy_table *t, uint16_t port)
{
	uint16_t i = t->by_port[port];

	return i == ENDPOINT_NONE ? NULL : &t->pods[i];
}

#endif
