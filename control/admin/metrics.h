/* GET /metrics: Prometheus' text exposition format, version 0.0.4, made from the vocabularies (counters.def,
 * drop_reasons.def, verdicts), so that nothing that is counted can be missing. Control thread only. */
#ifndef RINGWAY_ADMIN_METRICS_H
#define RINGWAY_ADMIN_METRICS_H

#include "control/admin/admin.h"
#include "control/admin/view.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The whole text, the caller's to free; NULL if out of memory. */
char *metrics_text(const struct view *v);

admin_handler metrics_handle;

#endif
