/* When a worker asks control whether what a pod sends belongs to a connection that its reply set does not know: it was quiet
 * for long, or is older than the policy. Each packet of such a connection would ask; control hears of one again after a
 * while only, and of few at a time, of each pod and of all: a pod which sends at random keeps control from nothing else, and
 * its neighbours' connections wait for none of it. What is not asked now is asked by a later packet: TCP sends again.
 * Worker threads. */
#ifndef RINGWAY_POLICY_POLICY_ASKS_H
#define RINGWAY_POLICY_POLICY_ASKS_H

#include <stdint.h>

#define POLICY_ASKS 64
#define POLICY_ASK_AGAIN_NS UINT64_C(200000000)

/* Of one pod 200 per second, and of all pods of a worker 2,000: ten of them must be noisy before others wait. */
#define POLICY_POD_ASK_INTERVAL_NS UINT64_C(5000000)
#define POLICY_POD_ASK_BURST 64
#define POLICY_ASK_INTERVAL_NS UINT64_C(500000)
#define POLICY_ASK_BURST 128

enum policy_ask {
	POLICY_ASK_NOW,
	POLICY_ASK_LATELY,   /* this was asked not long ago */
	POLICY_ASK_TOO_MANY, /* too much was asked */
};

/* All zero is a valid one. */
struct policy_asks {
	uint64_t spent_until_ns;
	struct {
		uint64_t tag; /* 0: none */
		uint64_t at_ns;
	} recent[POLICY_ASKS];
};

/* How far a budget is spent once one more is taken, or 0 when that is too far. */
static inline uint64_t
policy_ask_spend(uint64_t spent_until_ns, uint64_t now_ns, uint64_t interval_ns, unsigned burst)
{
	uint64_t from = spent_until_ns > now_ns ? spent_until_ns : now_ns;

	return from - now_ns > (burst - 1) * interval_ns ? 0 : from + interval_ns;
}

/* Whether to ask now about the flow with this tag (policy_state.h); if so it is noted. *pod_spent_until_ns is the pod's. */
static inline enum policy_ask
policy_asks_take(struct policy_asks *asks, uint64_t *pod_spent_until_ns, uint64_t tag, uint64_t now_ns)
{
	unsigned i = tag % POLICY_ASKS;
	uint64_t pod, all;

	if (asks->recent[i].tag == tag && now_ns - asks->recent[i].at_ns < POLICY_ASK_AGAIN_NS)
		return POLICY_ASK_LATELY;
	pod = policy_ask_spend(*pod_spent_until_ns, now_ns, POLICY_POD_ASK_INTERVAL_NS, POLICY_POD_ASK_BURST);
	all = policy_ask_spend(asks->spent_until_ns, now_ns, POLICY_ASK_INTERVAL_NS, POLICY_ASK_BURST);
	if (pod == 0 || all == 0)
		return POLICY_ASK_TOO_MANY;
	*pod_spent_until_ns = pod;
	asks->spent_until_ns = all;
	asks->recent[i].tag = tag;
	asks->recent[i].at_ns = now_ns;
	return POLICY_ASK_NOW;
}

#endif
