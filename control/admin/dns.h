/* GET /v1/dns: who asks for which names, from where they are answered, how long it takes, and what would help. The fields are
 * documented in the help of `ringway dns`. Control thread only. */
#ifndef RINGWAY_ADMIN_DNS_H
#define RINGWAY_ADMIN_DNS_H

#include "control/admin/admin.h"
#include "control/admin/dns_view.h"

/* NULL if out of memory. */
json_t *dns_json(const struct dns_view *v);

admin_handler dns_handle;

#endif
