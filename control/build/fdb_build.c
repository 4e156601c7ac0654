#include "control/build/fdb_build.h"

#include <errno.h>
#include <stdlib.h>

struct place {
	struct ip_addr vtep; /* none: free since then */
	uint64_t free_since_ns;
};

struct fdb_indexes {
	uint32_t n;
	struct place *places;
	uint32_t n_sorted;
	uint32_t *sorted; /* indexes of the VTEPs in use, by address */
};

struct fdb_indexes *
fdb_indexes_new(void)
{
	return calloc(1, sizeof(struct fdb_indexes));
}

void
fdb_indexes_free(struct fdb_indexes *x)
{
	if (x == NULL)
		return;
	free(x->places);
	free(x->sorted);
	free(x);
}

uint32_t
fdb_index_of(const struct fdb_indexes *x, const struct ip_addr *vtep)
{
	uint32_t low = 0, high = x->n_sorted;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = ip_addr_cmp(vtep, &x->places[x->sorted[middle]].vtep);

		if (order == 0)
			return x->sorted[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return FDB_NONE;
}

static bool
is_among(const struct nodes *nodes, const struct ip_addr *vtep)
{
	size_t low = 0, high = nodes->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = ip_addr_cmp(vtep, &nodes->remotes[middle].vtep);

		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* Frees the places of nodes that left. */
static void
give_up(struct fdb_indexes *x, const struct nodes *nodes, uint64_t now_ns)
{
	for (uint32_t i = 0; i < x->n; i++) {
		struct place *place = &x->places[i];

		if (ip_addr_is_none(&place->vtep) || is_among(nodes, &place->vtep))
			continue;
		*place = (struct place){ .free_since_ns = now_ns };
	}
}

/* A place that has been free for long enough, from *from on, or a new one; there is room for it. */
static uint32_t
take_place(struct fdb_indexes *x, uint32_t *from, uint64_t now_ns)
{
	for (; *from < x->n; (*from)++) {
		const struct place *place = &x->places[*from];

		if (ip_addr_is_none(&place->vtep) && now_ns - place->free_since_ns >= FDB_INDEX_QUARANTINE_NS)
			return (*from)++;
	}
	return x->n++;
}

/* Gives each node its place, and sorts anew. The remotes are sorted already. */
static int
assign(struct fdb_indexes *x, const struct nodes *nodes, uint64_t now_ns)
{
	struct place *places = realloc(x->places, (x->n + nodes->n + 1) * sizeof(*places));
	uint32_t *sorted = calloc(nodes->n + 1, sizeof(*sorted));
	uint32_t from = 0;

	if (places != NULL)
		x->places = places;
	if (places == NULL || sorted == NULL) {
		free(sorted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < nodes->n; i++) {
		uint32_t index = fdb_index_of(x, &nodes->remotes[i].vtep);

		sorted[i] = index;
	}
	give_up(x, nodes, now_ns);
	for (size_t i = 0; i < nodes->n; i++) {
		if (sorted[i] == FDB_NONE)
			sorted[i] = take_place(x, &from, now_ns);
		x->places[sorted[i]].vtep = nodes->remotes[i].vtep;
	}
	free(x->sorted);
	x->sorted = sorted;
	x->n_sorted = (uint32_t)nodes->n;
	return 0;
}

static uint16_t
tunnel_mtu(const struct build_facts *facts, const struct ip_addr *vtep)
{
	unsigned overhead = ip_addr_is_v4(vtep) ? VXLAN_OVERHEAD_V4 : VXLAN_OVERHEAD_V6;
	uint16_t uplink = (uint16_t)(facts->uplink_mtu > overhead ? facts->uplink_mtu - overhead : 0);
	uint16_t path = facts->path_mtu == NULL ? 0 : facts->path_mtu(vtep, facts->arg);

	return path != 0 && path < uplink ? path : uplink;
}

int
fdb_build(struct fdb_table **out, struct fdb_indexes *x, const struct nodes *nodes,
	const struct build_facts *facts, uint64_t now_ns)
{
	struct fdb_table *t;

	if (assign(x, nodes, now_ns) < 0)
		return -ENOMEM;
	t = fdb_table_new(x->n);
	if (t == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < nodes->n; i++) {
		const struct remote_node *node = &nodes->remotes[i];
		struct fdb_entry *entry = &t->entries[x->sorted[i]];

		entry->vtep = node->vtep;
		entry->inner = node->tunnel_mac;
		entry->mtu = tunnel_mtu(facts, &node->vtep);
		if (facts->next_hop != NULL)
			entry->next_hop = facts->next_hop(&node->vtep, facts->arg);
	}
	fdb_table_index(t);
	*out = t;
	return 0;
}
