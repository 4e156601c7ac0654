/* What NetworkPolicies most likely do not mean as they are written: isolation that forgets DNS, selectors with typing errors,
 * rules that are not in force. Findings are hints: nothing of them is an error to the API server. A store is all that it
 * takes, so it works with a daemon and without. One thread; the store does not change meanwhile. */
#ifndef RINGWAY_LINT_LINT_H
#define RINGWAY_LINT_LINT_H

#include <jansson.h>

#include "control/model/network_policy.h"
#include "control/model/store.h"

struct lint_finding {
	const char *kind;      /* a word for scripts: "dns" */
	const char *ns, *name; /* of the policy; the store's */
	int direction;         /* enum policy_direction; -1: the policy as a whole */
	int rule;              /* index; -1: the direction as a whole */
	char *text, *advice;   /* what is wrong; what to do */
};

struct lint {
	size_t n, room;
	struct lint_finding *findings; /* by kind of look, then by namespace and name */
	bool is_short;                 /* of memory: findings are missing */
};

/* Fills *out. False: out of memory. */
bool lint_run(struct lint *out, const struct store *store);
void lint_fini(struct lint *l);

/* As the help of `ringway policies lint` describes it. */
json_t *lint_json(const struct lint *l);

#endif
