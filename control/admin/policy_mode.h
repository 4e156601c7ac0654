/* Where NetworkPolicies drop nothing but are tried out (policy.mode, and namespaces' annotations), so that nobody forgets it.
 * Control thread only. */
#ifndef RINGWAY_ADMIN_POLICY_MODE_H
#define RINGWAY_ADMIN_POLICY_MODE_H

#include <jansson.h>

#include "control/admin/names.h"

/* As the help of `ringway status` describes "policy_mode". NULL if out of memory. */
json_t *policy_mode_json(const struct names *n);

/* {"packets", "reasons": [{"reason", "help", "packets"}]} of what went on because of it, without zeros. */
json_t *policy_mode_would_drop_json(const struct view *v);

#endif
