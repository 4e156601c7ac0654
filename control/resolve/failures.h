/* What upstream servers failed to answer a moment ago: it is not asked again for a second (RFC 9520 section 3.2). Only that, which is
 * the least, and nothing longer for what fails again: a server that is back is back for all names within that second, and what is
 * asked once a second costs nothing.
 *
 * By a question's hash: names that collide would share their failures, but nobody can make some, since it is seeded. In a full set of
 * places the oldest failure gives way. Time is given. The resolver's thread, alone. */
#ifndef RINGWAY_RESOLVE_FAILURES_H
#define RINGWAY_RESOLVE_FAILURES_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/dns/dns_cache.h"

#define FAILURE_SETS 256
#define FAILURE_WAYS 4

/* All zero: none. */
struct failures {
	struct {
		uint64_t hash, until_ns;
	} sets[FAILURE_SETS][FAILURE_WAYS];
};

void failures_note(struct failures *f, const struct dns_cache_key *key, uint64_t now_ns);

/* It was answered. */
void failures_forget(struct failures *f, const struct dns_cache_key *key);

bool failures_has(const struct failures *f, const struct dns_cache_key *key, uint64_t now_ns);

#endif
