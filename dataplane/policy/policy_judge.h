/* What becomes of one packet, once its rules are looked up: policy_stage.c has the bursts, this has the cases. Worker
 * threads. */
#ifndef RINGWAY_POLICY_POLICY_JUDGE_H
#define RINGWAY_POLICY_POLICY_JUDGE_H

#include "dataplane/burst.h"
#include "dataplane/counters.h"
#include "dataplane/policy/policy_flow.h"
#include "dataplane/policy/policy_state.h"

struct worker;

/* What the reply set is asked. */
enum reply_step {
	STEP_NONE,
	STEP_WRITE,
	STEP_FIND,
};

/* For a bit: the rules were not looked up yet. */
#define POLICY_NOT_LOOKED (-2)

/* A packet that its own direction does not simply let go on. */
struct candidate {
	struct pkt *pkt;
	struct policy_flow flow;
	uint64_t tag;  /* in the reply set: of a candidate that has a step */
	int other_bit; /* of the other direction's rules: which allows, -1: none, or POLICY_NOT_LOOKED */
	uint8_t own;   /* enum policy_direction: in which it travels */
	uint8_t step;  /* enum reply_step */
	bool is_allowed;
	bool is_answer; /* to a client outside, by a reserved address of this node */
};

static inline enum policy_direction
policy_opposite(enum policy_direction d)
{
	return d == POLICY_INGRESS ? POLICY_EGRESS : POLICY_INGRESS;
}

/* The port that rules of a direction compare. */
static inline uint16_t
policy_server_port(const struct policy_flow *f, enum policy_direction d)
{
	return d == POLICY_INGRESS ? f->local_port : f->remote_port;
}

static inline bool
policy_is_isolated(const struct policy_flow *f, enum policy_direction d)
{
	return f->pod->rules[d] != NULL || f->pod->is_closed;
}

/* Counts for control what a rule allowed or a set of policies denied. hits may be NULL. */
static inline void
policy_hit(struct policy_hits *hits, uint32_t number)
{
	if (hits != NULL)
		counter_add(&hits->counts[(uint16_t)number], 1);
}

/* Judges by the direction in which the packet travels, of whose rules 'bit' allows it (-1: none does), and finds out what the
 * reply set is to be asked. Returns whether policy_settle() has something to do. */
bool policy_judge(struct burst *b, struct candidate *c, int bit);

/* The step between, for n candidates: finds out where in the reply sets to look, and has that fetched. */
void policy_fetch_replies(struct candidate *c, unsigned n);

/* Asks the reply set, and drops what is not allowed. */
void policy_settle(struct worker *w, struct burst *b, struct candidate *c);

/* Drops what a direction of the pod denies, or a closed pod; false: it goes on, since the pod's policies are in audit mode, and
 * is counted: by the set of policies each time, as a packet that would be dropped once. */
bool policy_deny(struct worker *w, struct burst *b, struct pkt *p, const struct pod_policy *pod,
	enum policy_direction d);

/* Of a direction's rules the one that allows the flow, or -1. */
int policy_find_rule(const struct policy_flow *f, enum policy_direction d);

/* The same, and counted as a hit. */
int policy_find_hit(struct worker *w, const struct policy_flow *f, enum policy_direction d);

/* Whether a direction, which need not be that in which the packet travels, allows the flow. is_reply: for explain. */
bool policy_allows(struct burst *b, const struct policy_flow *f, enum policy_direction d, bool is_reply);

/* What policies say of a datagram that need not reach whom it is for. */
struct policy_opinion {
	struct candidate candidate; /* flow.pod: NULL when they have nothing to say */
	int bit; /* of the rule that allows; -1: none, and the pod's policies are in audit mode */
};

/* Whether a pod's datagram may go to a server in whose place this node answers it, by the rules for that server. Nothing is
 * counted before policy_note_sent(): once it is answered. t may be NULL; *server is to stay until then. */
bool policy_lets_send(const struct policy_table *t, struct pkt *p, const struct ip_addr *server,
	uint16_t port, struct policy_opinion *out);
void policy_note_sent(struct worker *w, struct burst *b, const struct policy_opinion *opinion);

#endif
