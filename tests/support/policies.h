/* Policies for the fixture's pods, for packet tables, timelines and the fuzzer: compiled as control would, from rules as short
 * as tests can say them. Identities are of the fixture's addresses, in both families. */
#ifndef TESTS_SUPPORT_POLICIES_H
#define TESTS_SUPPORT_POLICIES_H

#include "tests/support/fixtures.h"

enum policies_peer {
	PEER_POD1 = 1,
	PEER_POD2,
	PEER_REMOTE,  /* 10.244.2.20, fd00:10:244:2::20 */
	PEER_SIBLING, /* 10.244.2.21, fd00:10:244:2::21 */
	PEER_OUTSIDE, /* 203.0.113.0/24, 2001:db8:9::/64, 2001:db8:ffff::/64 */
	PEER_NODE,    /* this node's reserved addresses */
	N_PEERS,
};

/* What a rule admits; all zero: everything. */
struct allow {
	uint8_t peer;         /* enum policies_peer; 0: any */
	uint8_t proto;        /* 0: any */
	uint16_t first, last; /* last 0: first alone; both 0: any port */
};

/* Isolates the pod in this direction, or gives it other rules there. Numbers of rules are 100, 101, ...; denied is 99. */
void policies_isolate(struct fixture *f, enum fixture_port pod, enum policy_direction d,
	const struct allow *rules, unsigned n_rules);
#define ISOLATE(f, pod, d, ...)                                            \
	policies_isolate(f, pod, d, (const struct allow[]){ __VA_ARGS__ }, \
		sizeof((const struct allow[]){ __VA_ARGS__ }) / sizeof(struct allow))

/* Nothing is allowed there. */
void policies_deny(struct fixture *f, enum fixture_port pod, enum policy_direction d);

/* What the pod's policies would drop is to pass, and to be counted. */
void policies_audit(struct fixture *f, enum fixture_port pod);
void policies_enforce(struct fixture *f, enum fixture_port pod); /* as is the default */

/* The pod's policies could not be compiled. */
void policies_close(struct fixture *f, enum fixture_port pod);

/* Gives the pod's endpoint a state, as attaching it does, for policies that a test has built itself. */
void policies_add_state(struct fixture *f, enum fixture_port pod);

/* The pod's state; the pod has a policy. */
struct policy_state *policies_state(const struct fixture *f, enum fixture_port pod);

/* By fixture_free(). */
void policies_free(struct fixture *f);

#endif
