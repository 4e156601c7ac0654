/* What policies do with the first packet of each case's connection: at the sender, where egress is judged, and at the receiver,
 * where ingress is. Both must let it pass. Towards a service, each of its backends is asked for, and all must be as
 * expected: it is denied if any is, where allow is expected, and if all but the sender itself are, where deny is. One thread. */
#ifndef RINGWAY_OFFLINE_JUDGE_H
#define RINGWAY_OFFLINE_JUDGE_H

#include <jansson.h>

#include "control/offline/cases.h"
#include "control/offline/world.h"

struct outcome {
	bool is_denied;
	bool is_mixed; /* it is not, and deny was expected; but some of the service's backends are */
	/* What was found, as `ringway explain --help` describes "policies"; of what is denied, where it first was. NULL: nobody
	 * wants to know, or no pod is concerned. */
	json_t *policies;
	json_t *advice; /* allowed was expected: what would help, as described there too; NULL: nothing known */
	char *why;      /* it is denied, though not by policies; else NULL */
};

/* Fills in an outcome for each case of the list. Reasons are kept where the outcome is another than expected, or all.
 * Cases whose ends are unknown are errors of the list, written to 'errors'; when there are any, nothing is judged. 0; or
 * -errno, with a line in 'errors': manifests are too large for the tables, or out of memory. */
int judge_cases(
	struct world *w, struct case_list *cases, bool keeps_all, struct outcome *outcomes, FILE *errors);

static inline bool
outcome_is_expected(const struct outcome *o, const struct policy_case *c)
{
	return o->is_denied != c->is_allow_expected;
}

void outcomes_free(struct outcome *outcomes, size_t n); /* NULL is fine */

#endif
