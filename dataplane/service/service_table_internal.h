/* How a version of the service table is made of pieces, which service_pieces.c, service_shards.c, service_version.c and
 * service_table_edit.c share; nobody else includes it. Control thread only. */
#ifndef RINGWAY_SERVICE_SERVICE_TABLE_INTERNAL_H
#define RINGWAY_SERVICE_SERVICE_TABLE_INTERNAL_H

#include "dataplane/service/service_table_edit.h"

enum shard_kind {
	SHARD_FRONTENDS,
	SHARD_REVERSES,
	SHARD_ADDRS,
	N_SHARD_KINDS,
};

struct piece {
	void *memory;
	size_t size;
};

struct piece_list {
	size_t n, room;
	struct piece *items;
};

/* What versions that came from each other have in common. */
struct lineage {
	struct piece_pool *pool;
	bool owns_pool;
	unsigned n_versions;
};

struct service_table_edit {
	struct lineage *lineage;
	struct service_table *last; /* that it came from; until the commit */
	bool is_committed, is_replaced;
	uint64_t own[N_SHARD_KINDS]; /* by shard: made for this version, so it may be written */
	uint32_t taken[N_SHARD_KINDS][SERVICE_SHARDS]; /* places that end no look-up */
	struct piece_list fresh;                       /* made for this version; until the commit */
	struct piece_list dropped; /* no part of this version any more; until the commit */
	struct piece_list retired; /* no part of the next */
};

/* Pieces. */

void piece_list_fini(struct piece_list *l);

/* Gives the pieces back to their pool, and forgets them. */
void piece_list_free_pieces(struct piece_list *l, struct piece_pool *pool);

/* A piece that goes with the version if that is not committed; NULL if out of memory. */
void *service_piece_make(struct service_table *t, size_t size);

/* The piece is no part of this version any more. 0 or -ENOMEM. */
int service_piece_drop(struct service_table *t, const void *memory, size_t size);

/* Shards of any kind. */

void *service_shard_get(const struct service_table *t, enum shard_kind kind, unsigned shard);

/* Bytes of one. */
size_t service_shard_size(struct service_table *t, enum shard_kind kind);

/* New and empty shards, of this many places each, a power of two. 0 or -ENOMEM. */
int service_shards_make(struct service_table *t, enum shard_kind kind, uint32_t places);

/* Copies a shard that is shared with the version before. 0 or -ENOMEM. */
int service_shard_own(struct service_table *t, enum shard_kind kind, unsigned shard);

/* Makes the shard of a hash one that can be written and has room for another item. 0 or -ENOMEM. */
int service_shard_prepare(struct service_table *t, enum shard_kind kind, uint32_t hash);

/* The place for a frontend that is not there yet. */
struct frontend *service_place_frontend(struct service_table *t, const struct frontend *f);

/* The place of an item, or the free one where it goes. */
struct reverse *service_place_reverse(
	struct service_table *t, const struct ip_addr *addr, uint16_t port, uint8_t proto);
struct service_addr *service_place_addr(struct service_table *t, const struct ip_addr *addr);

#endif
