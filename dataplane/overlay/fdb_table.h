/* The other nodes' tunnel ends (VTEPs). An index names the same node for as long as it exists, and is not
 * given to another before a grace period has passed: packets that cross workers carry it. Immutable once
 * published; written by control/build/fdb_build.c. */
#ifndef RINGWAY_FDB_TABLE_H
#define RINGWAY_FDB_TABLE_H

#include "dataplane/net/headers.h"
#include "dataplane/net/ip_addr.h"

#define FDB_NONE UINT32_MAX

struct fdb_entry {
	struct ip_addr vtep;      /* outer address; none: the index is not in use */
	struct mac_addr next_hop; /* outer destination MAC; all zero: not resolved (yet) */
	struct mac_addr inner;    /* the node's MAC inside the tunnel */
	uint16_t mtu;             /* of the inner packet, from its IP header on */
};

struct fdb_table {
	uint32_t n;              /* entries, used or not */
	uint32_t mask;           /* of by_vtep */
	const uint32_t *by_vtep; /* open addressing: index into entries; FDB_NONE is free */
	struct fdb_entry entries[];
};

/* A table of n entries, all unused, to be filled and then indexed; NULL if out of memory. */
struct fdb_table *fdb_table_new(uint32_t n);
void fdb_table_free(struct fdb_table *t);

/* Builds by_vtep from the entries. */
void fdb_table_index(struct fdb_table *t);

/* The index of the node with this tunnel address, or FDB_NONE. Workers. */
uint32_t fdb_lookup(const struct fdb_table *t, const struct ip_addr *vtep);

static inline bool
mac_is_zero(const struct mac_addr *m)
{
	return (m->b[0] | m->b[1] | m->b[2] | m->b[3] | m->b[4] | m->b[5]) == 0;
}

#endif
