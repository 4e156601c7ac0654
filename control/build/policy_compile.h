/* From policies to the rule table of one direction of the pods that they isolate. Pure; control thread. */
#ifndef RINGWAY_BUILD_POLICY_COMPILE_H
#define RINGWAY_BUILD_POLICY_COMPILE_H

#include "control/build/policy_records.h"
#include "dataplane/policy/rule_table.h"

/* Policies in use that isolate in this direction, in the order in which their rules are asked, and what they need to know
 * of the pod. */
struct policy_sources {
	enum policy_direction direction;
	size_t n;
	struct policy_record *const *policies;
	const uint16_t *named; /* see policy_named_ports() */
};

/* How many named ports there are in the ingress rules of the policies; with out not NULL: the number that each is on this
 * pod, 0 where it has none by that name. group NULL: a pod of which nothing is known. */
size_t policy_named_ports(
	struct policy_record *const *policies, size_t n, const struct pod_group *group, uint16_t *out);

/* When (as identities_settled() counts) something changed last that a table of these depends on. */
uint64_t policy_sources_changed(const struct policy_sources *s);

/* 0; -ENOMEM; -E2BIG: there are too many rules. */
int policy_compile(const struct policy_sources *s, const struct identities *ids, struct rule_table **out);

#endif
