/* GET /v1/policies: the cluster's NetworkPolicies as this node has them in force. The fields are documented in the help of
 * `ringway policies`. Control thread only. */
#ifndef RINGWAY_ADMIN_POLICIES_H
#define RINGWAY_ADMIN_POLICIES_H

#include "control/admin/admin.h"

admin_handler policies_handle;

/* GET /v1/policies/lint: as the help of `ringway policies lint` describes it. */
admin_handler policies_lint_handle;

#endif
