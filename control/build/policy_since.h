/* Since which version of the tables each NetworkPolicy is in force as the store has it now, and which are not yet: tables that
 * cannot be built leave what is in force as it is. Follows the store by a watch of its own. When more changed at once than a
 * watch lists, all count as changed. Control thread only. */
#ifndef RINGWAY_BUILD_POLICY_SINCE_H
#define RINGWAY_BUILD_POLICY_SINCE_H

#include "control/model/store.h"

struct policy_since;

/* The store is the caller's and outlives it. NULL if out of memory. */
struct policy_since *policy_since_new(struct store *store);
void policy_since_free(struct policy_since *s); /* NULL is fine */

/* All that the store has now is in force as of this version. */
void policy_since_published(struct policy_since *s, uint64_t version);

/* The version that a policy's present text came into force with; 0: it has not yet, or is not known. */
uint64_t policy_since_version(struct policy_since *s, const char *ns, const char *name);

#endif
