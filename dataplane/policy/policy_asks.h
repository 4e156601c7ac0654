/* When a worker asks control whether what a pod sends belongs to a connection that its reply set does not know: it was quiet
 * for long, or is older than the policy. Each packet of such a connection would ask; control hears of one again after a
 * while only, and of few at a time, so that a pod which sends at random keeps control from nothing else. What is not asked
 * now is asked by a later packet: TCP sends again. Worker threads. */
#ifndef RINGWAY_POLICY_POLICY_ASKS_H
#define RINGWAY_POLICY_POLICY_ASKS_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_ASKS 64
#define POLICY_ASK_AGAIN_NS UINT64_C(200000000)
#define POLICY_ASK_INTERVAL_NS UINT64_C(500000) /* 2,000 per second */
#define POLICY_ASK_BURST 128

/* All zero is a valid one. */
struct policy_asks {
	uint64_t spent_until_ns;
	struct {
		uint64_t tag; /* 0: none */
		uint64_t at_ns;
	} recent[POLICY_ASKS];
};

/* Whether to ask now about the flow with this tag (policy_state.h); if so it is noted. */
static inline bool
policy_asks_take(struct policy_asks *asks, uint64_t tag, uint64_t now_ns)
{
	unsigned i = tag % POLICY_ASKS;
	uint64_t from = asks->spent_until_ns > now_ns ? asks->spent_until_ns : now_ns;

	if (asks->recent[i].tag == tag && now_ns - asks->recent[i].at_ns < POLICY_ASK_AGAIN_NS)
		return false;
	if (from - now_ns > (POLICY_ASK_BURST - 1) * POLICY_ASK_INTERVAL_NS)
		return false;
	asks->spent_until_ns = from + POLICY_ASK_INTERVAL_NS;
	asks->recent[i].tag = tag;
	asks->recent[i].at_ns = now_ns;
	return true;
}

#endif
