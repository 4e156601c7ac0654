/* What is printed on stdout: results in the version that was asked for, errors, versions (CNI specification,
 * section 5). */
#ifndef RINGWAY_CNI_RESULT_H
#define RINGWAY_CNI_RESULT_H

#include "cni/wiring.h"

/* The result of ADD; owned by the caller. */
json_t *result_new(const struct netconf *n, const struct wiring *w);

/* Does a result from an earlier ADD name the same interface and addresses? */
enum cni_code result_compare(const struct netconf *n, const struct wiring *w, struct cni_error *e);

json_t *result_error(const char *version, const struct cni_error *e);

/* The reply to VERSION; version "" for ours. */
json_t *result_versions(const char *version);

#endif
