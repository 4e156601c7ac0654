/* How look-ups and tries end, and how a look-up gets its next turn. */
#ifndef RINGWAY_RESOLVE_RESOLVE_LIFE_H
#define RINGWAY_RESOLVE_RESOLVE_LIFE_H

#include "control/resolve/resolve_state.h"

/* Nobody, or nobody else, waits for it any more: ends it, unless it may still be of use. */
void resolve_settle(struct resolve *r, struct lookup *k);

/* Ends a look-up, whose waiters have been told. */
void resolve_end(struct resolve *r, struct lookup *k);

/* Those that wait for it go on without. */
void resolve_release(struct resolve *r, struct lookup *k);

/* Has the look-up wait for a token, in the turns of those who want it; without anybody, until resolve_run() sees what is to become of
 * it. */
void resolve_wait(struct resolve *r, struct lookup *k);

/* Servers have failed somebody who waited for it: for a second they are not asked the same again. Not when it may have been for want of
 * room on this node. */
void resolve_note_failure(struct resolve *r, const struct lookup *k, uint64_t now_ns);

/* Closes it and forgets it. */
void try_close(struct resolve *r, struct try *x);

/* Closes those of a look-up, but for those that are to tell about their server. */
void tries_close(struct resolve *r, struct lookup *k);
void tries_close_all(struct resolve *r);

#endif
