#include "dataplane/service/service_table_internal.h"

#include <errno.h>
#include <stdlib.h>

static bool
list_add(struct piece_list *l, void *memory, size_t size)
{
	if (l->n == l->room) {
		size_t room = l->room == 0 ? 16 : 2 * l->room;
		struct piece *items = realloc(l->items, room * sizeof(*items));

		if (items == NULL)
			return false;
		l->items = items;
		l->room = room;
	}
	l->items[l->n++] = (struct piece){ memory, size };
	return true;
}

void
piece_list_fini(struct piece_list *l)
{
	free(l->items);
	*l = (struct piece_list){ 0 };
}

void
piece_list_free_pieces(struct piece_list *l, struct piece_pool *pool)
{
	for (size_t i = 0; i < l->n; i++)
		piece_free(pool, l->items[i].memory, l->items[i].size);
	piece_list_fini(l);
}

void *
service_piece_make(struct service_table *t, size_t size)
{
	struct piece_pool *pool = t->edit->lineage->pool;
	void *memory = piece_alloc(pool, size);

	if (memory != NULL && !list_add(&t->edit->fresh, memory, size)) {
		piece_free(pool, memory, size);
		return NULL;
	}
	return memory;
}

int
service_piece_drop(struct service_table *t, const void *memory, size_t size)
{
	return size == 0 || list_add(&t->edit->dropped, (void *)memory, size) ? 0 : -ENOMEM;
}
