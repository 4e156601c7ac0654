/* Notes that stages leave about a packet, for explain. Only scratch bursts carry a trace, so the cost to a
 * worker is one test per stage and packet. A trace belongs to one thread. */
#ifndef RINGWAY_TRACE_H
#define RINGWAY_TRACE_H

#include "dataplane/burst.h"

#define TRACE_MAX 32

/* What policy_stage.c found in one direction of a pod, for whoever knows rules by their numbers. */
struct trace_policy {
	struct ip_addr peer;
	uint16_t pod_port; /* port id of the local pod */
	uint8_t direction; /* enum policy_direction; of a reply the one in which it was asked for */
	uint8_t proto;
	uint16_t server_port; /* what rules with ports compare */
	uint16_t identity;    /* of the peer */
	uint32_t number;      /* of the rule that allows; else rule_table.denied; 0: none */
	bool is_allowed;
	bool is_reply; /* judged as a reply to what went the other way */
	bool is_closed, is_audit;
};

#define TRACE_POLICIES 8

struct trace {
	unsigned n;
	struct {
		const char *stage; /* static string: "route" */
		char text[192];
	} notes[TRACE_MAX];
	unsigned n_policies;
	struct trace_policy policies[TRACE_POLICIES]; /* in the order of judging */
};

void trace_note(struct trace *t, const char *stage, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void trace_policy(struct trace *t, const struct trace_policy *judged);

/* Arguments are evaluated only when somebody listens. */
#define TRACE(b, stage, ...)                                        \
	do {                                                        \
		if (__builtin_expect((b)->trace != NULL, 0))        \
			trace_note((b)->trace, stage, __VA_ARGS__); \
	} while (0)

/* At the end of a stage, for what it let pass, at the price of one test per burst; condition and arguments may use 'p'. */
#define TRACE_PASSED(b, stage, condition, ...)                                      \
	do {                                                                        \
		if (__builtin_expect((b)->trace != NULL, 0))                        \
			BURST_FOREACH_UNDECIDED (b, p)                              \
				if (condition)                                      \
					trace_note((b)->trace, stage, __VA_ARGS__); \
	} while (0)

#endif
