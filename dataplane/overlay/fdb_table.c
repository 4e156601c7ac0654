#include "dataplane/overlay/fdb_table.h"

#include <stdlib.h>

#include "dataplane/net/flow_key.h"

static uint32_t
first_slot(const struct fdb_table *t, const struct ip_addr *vtep)
{
	return addr_hash(vtep, 0, 0) & t->mask;
}

/* The index follows the entries in one allocation. */
struct fdb_table *
fdb_table_new(uint32_t n)
{
	uint32_t n_slots = 8;
	struct fdb_table *t;
	size_t index_offset;
	uint32_t *index;

	while (n_slots < 2 * (uint64_t)n)
		n_slots *= 2;
	index_offset = sizeof(*t) + n * sizeof(t->entries[0]);
	t = calloc(1, index_offset + n_slots * sizeof(uint32_t));
	if (t == NULL)
		return NULL;
	index = (uint32_t *)((uint8_t *)t + index_offset);
	memset(index, 0xff, n_slots * sizeof(uint32_t));
	t->n = n;
	t->mask = n_slots - 1;
	t->by_vtep = index;
	return t;
}

void
fdb_table_free(struct fdb_table *t)
{
	free(t);
}

void
fdb_table_index(struct fdb_table *t)
{
	uint32_t *index = (uint32_t *)t->by_vtep;

	memset(index, 0xff, (t->mask + 1) * sizeof(index[0]));
	for (uint32_t entry = 0; entry < t->n; entry++) {
		uint32_t i = first_slot(t, &t->entries[entry].vtep);

		if (ip_addr_is_none(&t->entries[entry].vtep))
			continue;
		while (index[i] != FDB_NONE)
			i = (i + 1) & t->mask;
		index[i] = entry;
	}
}

uint32_t
fdb_lookup(const struct fdb_table *t, const struct ip_addr *vtep)
{
	for (uint32_t i = first_slot(t, vtep); t->by_vtep[i] != FDB_NONE; i = (i + 1) & t->mask)
		if (ip_addr_eq(&t->entries[t->by_vtep[i]].vtep, vtep))
			return t->by_vtep[i];
	return FDB_NONE;
}
