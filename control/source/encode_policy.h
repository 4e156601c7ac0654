/* A NetworkPolicy as manifests have it: what policy_decode() takes. Pure; any thread. */
#ifndef RINGWAY_SOURCE_ENCODE_POLICY_H
#define RINGWAY_SOURCE_ENCODE_POLICY_H

#include <jansson.h>

#include "control/model/network_policy.h"

/* A whole document, policyTypes written out. NULL if out of memory. */
json_t *policy_encode(const struct network_policy_object *policy);

#endif
