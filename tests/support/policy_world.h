/* A small made-up cluster whose policies, pods and namespaces are random, and change at random; the same seed makes the same.
 * Names, labels, networks and ports are few, so that they meet often. Only tests. */
#ifndef RINGWAY_TESTS_POLICY_WORLD_H
#define RINGWAY_TESTS_POLICY_WORLD_H

#include "control/build/facts.h"
#include "control/model/store.h"
#include "dataplane/policy/rule_table.h"
#include "tests/support/policy_oracle.h"

#define WORLD_LOCALS 8 /* pods of this node, at most; their ports are 0 to 7 */

struct policy_world {
	uint64_t seed;
	struct store *store;
	size_t n_locals;
	struct local_pod locals[WORLD_LOCALS];
	char names[WORLD_LOCALS][2][16];
	bool are_locals_fixed; /* they are the caller's to choose */
	unsigned policies_max;
	enum policy_mode mode; /* of the cluster; namespaces have their own, some of them */
};

/* A question to a pod of this node. */
struct policy_question {
	const struct local_pod *pod;
	enum policy_direction direction;
	struct ip_addr remote;
	uint8_t proto;
	uint16_t port; /* of the server's side; 0 where the protocol has none */
};

void policy_world_init(struct policy_world *w, uint64_t seed, unsigned policies_max);
void policy_world_fini(struct policy_world *w);

/* One object or one attachment comes, goes or changes. */
void policy_world_change(struct policy_world *w);

/* The attachment of the cluster's i-th pod, whose names are written down at 'at'. Pods go round three nodes: number 0 has the
 * first address of this node, 10.244.1.10 and fd00:10:244:1::10, and number 3 the next. */
struct local_pod policy_world_pod(struct policy_world *w, size_t at, uint32_t i);

/* False: there is no pod to ask. */
bool policy_world_ask(struct policy_world *w, struct policy_question *out);

uint32_t policy_world_draw(struct policy_world *w, uint32_t below);

#endif
