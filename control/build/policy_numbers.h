/* Numbers of rules and of sets of policies, by which workers count hits (policy_table.h), and what they stand for. A number
 * that was given back rests as long as there are others. Control thread only. */
#ifndef RINGWAY_BUILD_POLICY_NUMBERS_H
#define RINGWAY_BUILD_POLICY_NUMBERS_H

#include "dataplane/policy/rule_table.h"

struct policy_numbers;

struct policy_number {
	const char *ns,
		*name; /* of the policy; of a set: "", and "shop/a, shop/b": the policies that isolate */
	enum policy_direction direction;
	int rule;      /* index in the policy's list of this direction; -1: a set, whose hits are denials */
	bool is_audit; /* of a set: what it denies passes */
};

/* Who knows how often workers counted a number since they began. */
typedef uint64_t policy_counted_fn(uint32_t number, void *arg);

struct policy_numbers *policy_numbers_new(void);
void policy_numbers_free(struct policy_numbers *n); /* NULL is fine */

/* From now on; without, nothing is counted. */
void policy_numbers_count_by(struct policy_numbers *n, policy_counted_fn *counted, void *arg);

/* How often it was counted since it was taken: numbers are used again. 0 is counted never. */
uint64_t policy_numbers_hits(const struct policy_numbers *n, uint32_t number);

/* The texts are copied. 0, which is counted nowhere: all are in use, or out of memory. */
uint32_t policy_numbers_take(struct policy_numbers *n, const struct policy_number *what);
void policy_numbers_give(struct policy_numbers *n, uint32_t number); /* 0 is fine */

/* False: it stands for nothing. Valid until it is given back. */
bool policy_numbers_find(const struct policy_numbers *n, uint32_t number, struct policy_number *out);

#endif
