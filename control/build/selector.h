/* Label selectors, as the API server's library has them. Pure; any thread. */
#ifndef RINGWAY_BUILD_SELECTOR_H
#define RINGWAY_BUILD_SELECTOR_H

#include "control/model/network_policy.h"

/* Whether the labels meet all that the selector asks for. "NotIn" is met by labels without the key. */
bool selector_matches(const struct selector *s, const struct labels *labels);

/* Whether it selects everything. */
bool selector_is_empty(const struct selector *s);

#endif
