#include "dataplane/service/service_table_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Places that a shard has at least. */
#define PLACES_MIN 8

/* Places of each shard for n items, of which one half or, with spare 4, one quarter is taken. */
static uint32_t
places(uint32_t n, uint32_t spare)
{
	uint32_t size = PLACES_MIN;

	while (size < (uint64_t)spare * n / SERVICE_SHARDS)
		size *= 2;
	return size;
}

static struct service_table *
version_new(struct lineage *lineage)
{
	struct service_table *t =
		aligned_alloc(CACHE_LINE, (sizeof(*t) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);

	if (t == NULL)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->edit = calloc(1, sizeof(*t->edit));
	if (t->edit == NULL) {
		free(t);
		return NULL;
	}
	t->edit->lineage = lineage;
	lineage->n_versions++;
	return t;
}

static struct lineage *
lineage_new(struct piece_pool *pool)
{
	struct lineage *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->owns_pool = pool == NULL;
	l->pool = pool == NULL ? piece_pool_new() : pool;
	if (l->pool == NULL) {
		free(l);
		return NULL;
	}
	return l;
}

static void
lineage_release(struct lineage *l)
{
	if (l->n_versions > 0)
		return;
	if (l->owns_pool)
		piece_pool_free(l->pool);
	free(l);
}

struct service_table *
service_table_new(struct piece_pool *pool, uint32_t n_frontends, uint32_t n_reverses)
{
	struct lineage *lineage = lineage_new(pool);
	struct service_table *t = lineage == NULL ? NULL : version_new(lineage);

	if (t == NULL) {
		if (lineage != NULL)
			lineage_release(lineage);
		return NULL;
	}
	/* frontends are the hottest: fewer collisions, fewer wrong guesses */
	if (service_shards_make(t, SHARD_FRONTENDS, places(n_frontends, 4)) < 0 ||
		service_shards_make(t, SHARD_REVERSES, places(n_reverses, 2)) < 0 ||
		service_shards_make(t, SHARD_ADDRS, places(n_frontends, 2)) < 0) {
		service_table_free(t);
		return NULL;
	}
	return t;
}

struct service_table *
service_table_next(struct service_table *last)
{
	struct service_table *t = version_new(last->edit->lineage);
	struct service_table_edit *edit;

	assert(last->edit->is_committed); /* pieces of one that is not go with it, the next one's as well */
	if (t == NULL)
		return NULL;
	edit = t->edit;
	*t = *last;
	t->edit = edit;
	edit->last = last;
	memcpy(edit->taken, last->edit->taken, sizeof(edit->taken));
	return t;
}

void
service_table_commit(struct service_table *t)
{
	struct service_table_edit *edit = t->edit;

	piece_list_fini(&edit->fresh);
	if (edit->last == NULL) {
		piece_list_free_pieces(&edit->dropped, edit->lineage->pool);
	} else {
		edit->last->edit->retired = edit->dropped;
		edit->last->edit->is_replaced = true;
		edit->dropped = (struct piece_list){ 0 };
	}
	edit->last = NULL;
	edit->is_committed = true;
	memset(edit->own, 0, sizeof(edit->own));
}

static void
free_everything(struct service_table *t)
{
	struct piece_pool *pool = t->edit->lineage->pool;

	for (unsigned shard = 0; shard < SERVICE_SHARDS; shard++) {
		for (uint32_t i = 0; i <= t->frontend_mask; i++) {
			const struct frontend *f = &t->frontends[shard][i];

			if (f->piece_size != 0)
				piece_free(pool, (void *)f->backends, f->piece_size);
		}
		for (enum shard_kind kind = 0; kind < N_SHARD_KINDS; kind++)
			piece_free(pool, service_shard_get(t, kind, shard), service_shard_size(t, kind));
	}
}

void
service_table_free(struct service_table *t)
{
	struct service_table_edit *edit;

	if (t == NULL)
		return;
	edit = t->edit;
	if (!edit->is_committed)
		piece_list_free_pieces(&edit->fresh, edit->lineage->pool);
	else if (edit->is_replaced)
		piece_list_free_pieces(&edit->retired, edit->lineage->pool);
	else
		free_everything(t);
	piece_list_fini(&edit->dropped);
	edit->lineage->n_versions--;
	lineage_release(edit->lineage);
	free(edit);
	free(t);
}

struct piece_pool_books
service_table_books(const struct service_table *t)
{
	return piece_pool_books(t->edit->lineage->pool);
}
