/* How a version of the service table comes about: an empty one, or one that begins as a copy of the last and shares all
 * with it, then changes, which copy what they touch, then publication. A version that another one replaced keeps, until
 * it is freed, what that one no longer shares; the newest owns all the rest, so while another is in use it stays. What a
 * version keeps may be part of older ones, too: it may be freed when neither it nor one before it is in use. Control thread only. */
#ifndef RINGWAY_SERVICE_TABLE_EDIT_H
#define RINGWAY_SERVICE_TABLE_EDIT_H

#include "dataplane/service/piece_pool.h"
#include "dataplane/service/service_table.h"

/* An empty version with room for so many; more are fine, and cost a rebuild of the shards. pool: where everything lies; NULL:
 * in one of the version's own, and of those that follow it. NULL if out of memory. */
struct service_table *service_table_new(struct piece_pool *pool, uint32_t n_frontends, uint32_t n_reverses);

/* A version that is yet like 'last', which must be the newest. NULL if out of memory. */
struct service_table *service_table_next(struct service_table *last);

/* All changes are made: from now on it is the newest, and 'last' (that it came from) is replaced. Cannot fail. */
void service_table_commit(struct service_table *t);

/* Frees a version: with its changes when it was not committed, with what only it had when it was replaced, and with
 * everything when it is the newest. NULL is fine. */
void service_table_free(struct service_table *t);

/* Changes, before the commit: 0, or -errno and then the version is good for nothing but service_table_free(). */

/* How large the parts of a frontend's piece are. */
struct frontend_shape {
	uint32_t n_backends;
	uint32_t n_outside_only;    /* more backends; needs has_extra */
	uint32_t n_leaving;         /* and more, of a move; needs has_extra */
	uint32_t n_buckets;         /* a power of two; 0 without backends */
	uint32_t n_next_buckets;    /* likewise; 0: no move */
	uint32_t n_outside_buckets; /* likewise */
	uint32_t n_ranges;
	bool has_extra;
};

/* The parts of a piece, to be filled before the commit. */
struct frontend_parts {
	struct backend *backends;
	uint16_t *buckets, *next_buckets, *outside_buckets;
	struct frontend_extra *extra; /* zero but for masks, n_ranges and pointers; NULL */
	struct ip_prefix *ranges;
};

/* Gives f, which is the caller's, a new piece: sets n_backends, bucket_mask, backends, buckets, extra and piece_size.
 * Backends are zero, buckets of any content. Frontends need not have one. -ENOMEM. */
int service_table_shape(struct service_table *t, struct frontend *f, const struct frontend_shape *shape,
	struct frontend_parts *parts);

/* Adds a frontend, in *ref its reference. -EEXIST when there is one with its address, port and protocol: the version is
 * as before then, and the piece remains with it for a commit or the end; -ENOMEM. */
int service_table_add(struct service_table *t, const struct frontend *f, uint32_t *ref);

/* Puts f in the place of the one with its address, port and protocol, whose piece goes unless f has the same. -ENOENT;
 * -ENOMEM. */
int service_table_replace(struct service_table *t, const struct frontend *f);

/* Removes the frontend with this address, port and protocol. -ENOENT; -ENOMEM. */
int service_table_remove(struct service_table *t, const struct ip_addr *addr, uint16_t port, uint8_t proto);

/* Notes that a frontend has a backend, in its slot, or ends that. References of frontends change when shards grow: ask
 * for them each time. A slot that is another frontend's is left alone when ending. -ENOMEM. */
int service_table_link(struct service_table *t, const struct backend *b, uint8_t proto, uint32_t ref);
int service_table_unlink(struct service_table *t, const struct backend *b, uint8_t proto, uint32_t ref);

/* What the version and the pieces that it shares take. */
struct piece_pool_books service_table_books(const struct service_table *t);

#endif
