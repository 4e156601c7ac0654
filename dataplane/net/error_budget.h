/* How many ICMP errors a worker originates: a token bucket for each kind (RFC 4443 section 2.4(f), RFC 1812 section
 * 4.3.2.8). By kind, so that who floods us with packets that expire keeps nobody from learning what fits his way.
 * Worker threads. */
#ifndef RINGWAY_NET_ERROR_BUDGET_H
#define RINGWAY_NET_ERROR_BUDGET_H

#include "dataplane/pkt.h"

/* Per worker and kind. In the order of what Linux allows a whole machine (1,000 per second, 50 at once); more at
 * once, since a way that takes less than before is news to all that use it. */
#define ERROR_INTERVAL_NS UINT64_C(1000000)
#define ERROR_BURST 100

/* All zero is full. */
struct error_budget {
	uint64_t spent_until_ns
		[N_REPLY_KINDS]; /* in the future by one interval for each token that is missing */
};

/* Whether another error may be sent, which is then paid for. Times are the worker's. */
static inline bool
error_budget_take(struct error_budget *e, enum reply_kind kind, uint64_t now_ns)
{
	uint64_t from = e->spent_until_ns[kind] > now_ns ? e->spent_until_ns[kind] : now_ns;

	if (from - now_ns > (ERROR_BURST - 1) * ERROR_INTERVAL_NS)
		return false;
	e->spent_until_ns[kind] = from + ERROR_INTERVAL_NS;
	return true;
}

#endif
