/* What servers say, and what follows from it. */
#ifndef RINGWAY_RESOLVE_RESOLVE_REPLY_H
#define RINGWAY_RESOLVE_RESOLVE_REPLY_H

#include "control/resolve/resolve_state.h"

/* A message that came on the socket of x. It may be anybody's; the try may be over afterwards. */
void reply_take(struct resolve *r, struct try *x, const uint8_t *message, size_t size, uint64_t now_ns);

#endif
