/* Which of two services that claim the same address, port and protocol has it: the older one, so that nobody takes over what
 * others rely on; of two with one age, or of which that is not known, the first by namespace and name. One whose age is known
 * comes before one whose age is not, such as host ports. So it follows from the objects alone, whatever the order in which they
 * came, before and after a restart; and when the one that has it goes, the next one gets it. Control thread only. */
#ifndef RINGWAY_BUILD_SERVICE_CLAIMS_H
#define RINGWAY_BUILD_SERVICE_CLAIMS_H

#include "control/build/service_records.h"

/* When the record's service was made, by the store: 0 when that is not known, as of host ports. */
int64_t service_age(const struct store *store, const struct service_record *r);

/* Whether of two ages the first is the older one. Neither a == b nor two unknown ones are. */
bool service_age_is_older(int64_t a, int64_t b);

/* Whether the first has what both claim. */
bool service_comes_first(
	const struct store *store, const struct service_record *a, const struct service_record *b);

#endif
