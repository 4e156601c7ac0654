/* GET /healthz: is this process of use at all; GET /readyz: do packets flow and can pods be attached. 200, or 503 with the
 * reason as text. Control thread only. */
#ifndef RINGWAY_ADMIN_HEALTH_H
#define RINGWAY_ADMIN_HEALTH_H

#include "control/admin/admin.h"

admin_handler healthz_handle, readyz_handle;

/* Whether every worker makes progress; for whoever else answers for this node. */
bool health_workers_alive(struct daemon *d);

/* Whether packets flow and pods can be attached. */
bool health_is_ready(struct daemon *d);

#endif
