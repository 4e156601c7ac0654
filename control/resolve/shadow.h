/* Comparisons of shadow mode: the DNS service is asked what a pod has asked it, and its answer is compared with ours
 * (shadow_compare.h). Tries are as for a look-up: a random id and port each, a token each, other endpoints when one is silent, or that
 * one again when there is no other, three in all, and the whole of an answer over TCP. But nothing waits for them, so a query for which
 * there is no token or no room is left out. Names come and go here and there not at the same time, so an answer is right that we would
 * have given when we asked, or give when it has come. */
#ifndef RINGWAY_RESOLVE_SHADOW_H
#define RINGWAY_RESOLVE_SHADOW_H

#include "control/resolve/resolve_state.h"

/* A copy of a worker's; q is what was read of it. */
void shadow_compare_with_service(
	struct resolve *r, const struct dns_miss *miss, const struct dns_query *q, uint64_t now_ns);

/* What comes of its tries, as in resolve.h. They may be over afterwards. */
void shadow_received(struct resolve *r, struct try *x, const uint8_t *message, size_t size, uint64_t now_ns);
void shadow_broken(struct resolve *r, struct try *x, uint64_t now_ns);
void shadow_timed_out(struct resolve *r, struct try *x, uint64_t now_ns);

#endif
