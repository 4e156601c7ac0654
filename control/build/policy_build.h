/* The policy table: which pods of this node are isolated, and what their rules admit. A build looks at what changed, in the
 * store and in the facts; pods with the same policies share their rules, and tables that a change does not concern stay.
 *
 * A pod is closed (nothing passes) when its tables cannot be made, and while it is not known which policies select it: its
 * Pod object has not been seen, and its namespace has policies that select by labels; or what may be a policy that selects it
 * could not be read (struct unread_policy_object). Where the mode is audit, nothing is dropped, of closed pods neither.
 * Policies that select no pod of this node cost nothing but their place in a list.
 *
 * Control thread only. */
#ifndef RINGWAY_BUILD_POLICY_BUILD_H
#define RINGWAY_BUILD_POLICY_BUILD_H

#include "control/build/facts.h"
#include "control/build/policy_numbers.h"
#include "control/model/store.h"
#include "dataplane/policy/policy_table.h"

struct policy_builder;

/* The store is the caller's and outlives it. NULL if out of memory. */
struct policy_builder *policy_builder_new(struct store *store);

/* All versions must have been released. NULL is fine. */
void policy_builder_free(struct policy_builder *b);

/* Whether the store has not changed in what policies are about since the last build. Facts are the caller's to compare. */
bool policy_builder_is_idle(const struct policy_builder *b);

/* *out: a new version; or the last one, which the caller names, when it is still right; or NULL when no pod of this node is
 * isolated. 0; -ENOMEM, with the last version as it was, and the next call tries again. */
int policy_builder_build(struct policy_builder *b, const struct build_facts *facts,
	const struct policy_table *last, const struct policy_table **out);

/* Gives a version up, after its grace period. NULL is fine. */
void policy_builder_release(struct policy_builder *b, const struct policy_table *t);

/* From now on, how often workers counted a number (policy_table.h) is asked here. */
void policy_builder_count_by(struct policy_builder *b, policy_counted_fn *counted, void *arg);

/* Packets that a rule allowed, or a set of policies denied, since it has this number. */
uint64_t policy_builder_hits(const struct policy_builder *b, uint32_t number);

/* What a number of rule_table.ids or rule_table.denied stands for; false: nothing. Valid until the next build. */
bool policy_builder_number(const struct policy_builder *b, uint32_t number, struct policy_number *out);

/* Whether what policies deny a namespace's pods passes, and is only counted: as its annotation says, or the last build's facts. */
bool policy_builder_is_audit(const struct policy_builder *b, const char *ns);

/* Calls fn for each policy that isolates the pod behind a port in a direction, by namespace and name. Between builds. */
void policy_builder_each_isolating(const struct policy_builder *b, uint16_t port,
	enum policy_direction direction, void (*fn)(const char *ns, const char *name, void *arg), void *arg);

/* Which pod is behind a port; false: none is attached. Between builds. */
bool policy_builder_pod(const struct policy_builder *b, uint16_t port, const char **ns, const char **name);

/* A policy as it is in force on this node. */
struct policy_told {
	const char *ns, *name;
	bool isolates[N_POLICY_DIRECTIONS];
	size_t n_pods;  /* of this node, that it selects */
	size_t n_rules; /* 0: it selects none */
	struct rule_told {
		enum policy_direction direction;
		size_t index;
		uint32_t number;  /* by which its hits are counted; 0: they are not */
		bool has_no_peer; /* it has peers, and nobody is one */
	} * rules;
};

/* Calls fn for each policy of the cluster, by namespace and name. False: out of memory. Between builds. */
bool policy_builder_each(
	const struct policy_builder *b, void (*fn)(const struct policy_told *policy, void *arg), void *arg);

/* Pods of this node that the same policies isolate in a direction. */
struct policy_set_told {
	enum policy_direction direction;
	bool is_audit;
	const char *policies; /* "shop/a, shop/b", by name */
	uint32_t number;      /* by which denials are counted; 0: they are not */
	size_t n_pods;
	const uint16_t *ports; /* theirs */
};

/* Calls fn for each set, in no order. False: out of memory. Between builds. */
bool policy_builder_each_set(
	const struct policy_builder *b, void (*fn)(const struct policy_set_told *set, void *arg), void *arg);

/* Why the pod behind a port is closed, or NULL. Between builds. */
const char *policy_builder_closed(const struct policy_builder *b, uint16_t port);

#endif
