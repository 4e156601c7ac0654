/* Writes the FDB (dataplane/overlay/fdb_table.h). */
#ifndef RINGWAY_BUILD_FDB_BUILD_H
#define RINGWAY_BUILD_FDB_BUILD_H

#include "control/build/facts.h"
#include "control/build/nodes.h"

/* Which index each VTEP has, from build to build. An index that its node gave up is not given to another before so many
 * nanoseconds have passed: long enough for every packet in a crossing ring to have left it. */
#define FDB_INDEX_QUARANTINE_NS UINT64_C(1000000000)

struct fdb_indexes;

struct fdb_indexes *fdb_indexes_new(void);
void fdb_indexes_free(struct fdb_indexes *x);

/* The index of a VTEP, or FDB_NONE when it was not in the last build. */
uint32_t fdb_index_of(const struct fdb_indexes *x, const struct ip_addr *vtep);

/* 0 or -ENOMEM. */
int fdb_build(struct fdb_table **out, struct fdb_indexes *x, const struct nodes *nodes,
	const struct build_facts *facts, uint64_t now_ns);

#endif
