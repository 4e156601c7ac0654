/* Memory for the parts of tables that come and go while others stay: pieces of any size, next to each other on huge pages,
 * so that a look-up costs no TLB miss more than it would in one allocation. A freed piece serves the next one of its size
 * class; memory goes back to the system with the pool. Control thread only. */
#ifndef RINGWAY_SERVICE_PIECE_POOL_H
#define RINGWAY_SERVICE_PIECE_POOL_H

#include <stddef.h>

struct piece_pool;

/* NULL if out of memory. */
struct piece_pool *piece_pool_new(void);

/* All pieces must have been freed. NULL is fine. */
void piece_pool_free(struct piece_pool *p);

/* size bytes (not 0), aligned to a cache line, of any content; NULL if out of memory. */
void *piece_alloc(struct piece_pool *p, size_t size);

/* size: what was asked for. NULL is fine. */
void piece_free(struct piece_pool *p, void *piece, size_t size);

/* How many bytes a piece of this size takes. */
size_t piece_footprint(size_t size);

struct piece_pool_books {
	size_t n_pieces;
	size_t used_bytes;     /* what pieces take, rounded to their size class */
	size_t reserved_bytes; /* address space; memory is spent on what was touched of it */
};

struct piece_pool_books piece_pool_books(const struct piece_pool *p);

#endif
