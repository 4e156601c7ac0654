/* What would let pass what policies deny: a NetworkPolicy of its own, with one rule, as narrow as labels allow. It selects the
 * denied pod by the labels that its workload has, and its peer by those and its namespace, or by its address where that is
 * no pod's. Nothing that is there is changed by it, since policies add up. Control thread only. */
#ifndef RINGWAY_BUILD_POLICY_ADVICE_H
#define RINGWAY_BUILD_POLICY_ADVICE_H

#include "control/build/policy_build.h"
#include "control/model/network_policy.h"

/* As policies judged it (struct trace_policy). */
struct policy_denied {
	uint16_t port; /* id: of the pod of this node that was denied something */
	enum policy_direction direction;
	struct ip_addr peer;
	uint8_t proto;
	uint16_t server_port; /* the pod's own (ingress) or the peer's; of TCP, UDP and SCTP */
};

#define POLICY_ADVICE_NOTE_SIZE 1024

struct policy_advice {
	struct network_policy_object *policy; /* by a name that none has; object_free() */
	char note[POLICY_ADVICE_NOTE_SIZE];   /* sentences about what else it does, or "" */
	size_t n_isolated; /* pods that it would isolate in this direction, and that no policy isolates now */
	bool is_peer_pod;
};

/* Between builds. 0; -ENOENT: the runtime did not say which pod it is; -ENOMEM. */
int policy_builder_advise(
	const struct policy_builder *b, const struct policy_denied *denied, struct policy_advice *out);

#endif
