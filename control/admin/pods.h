/* GET /v1/pods: the pods attached to this node. The fields are documented in the help of
 * `ringway pods`. Control thread only. */
#ifndef RINGWAY_ADMIN_PODS_H
#define RINGWAY_ADMIN_PODS_H

#include "control/admin/admin.h"

admin_handler pods_handle;

#endif
