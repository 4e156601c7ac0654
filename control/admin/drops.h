/* GET /v1/drops: every drop reason, with its meaning, what each worker counted, and whose packets they were.
 * The fields are documented in the help of `ringway drops`. Control thread only. */
#ifndef RINGWAY_ADMIN_DROPS_H
#define RINGWAY_ADMIN_DROPS_H

#include "control/admin/admin.h"
#include "control/admin/view.h"

/* NULL if out of memory. */
json_t *drops_json(const struct view *v);

/* {REASON: COUNT} of what was received from a port and dropped, without zeros. */
json_t *drops_of_port(const struct port_stats *stats);

admin_handler drops_handle;

/* Pods that policies isolate, and the packets that these denied: as the help of `ringway policies` describes "sets". */
json_t *drops_by_policies_json(const struct view *v);

#endif
