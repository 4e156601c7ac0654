/* What shadow mode has found, as JSON, for GET /v1/dns. Control thread only. */
#ifndef RINGWAY_ADMIN_DNS_SHADOW_H
#define RINGWAY_ADMIN_DNS_SHADOW_H

#include <jansson.h>

#include "control/admin/dns_view.h"

/* As the help of `ringway dns` has it. NULL if out of memory. */
json_t *dns_shadow_json(const struct dns_view *v);

#endif
