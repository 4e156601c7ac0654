#include "control/build/service_build.h"

#include <stdlib.h>

#include "control/build/service_build_internal.h"

/* Pairs of a former process. */

static void
recall_pair(const struct slot_record *record, void *arg)
{
	struct service_builder *b = arg;

	if (record->released_s != 0)
		return;
	if (b->n_former == b->former_room) {
		size_t room = b->former_room == 0 ? 256 : 2 * b->former_room;
		struct slot_record *grown = realloc(b->former, room * sizeof(*grown));

		if (grown == NULL) {
			b->out_of_memory = true;
			return;
		}
		b->former = grown;
		b->former_room = room;
	}
	b->former[b->n_former++] = *record;
}

static int
compare_pairs(const void *x, const void *y)
{
	const struct slot_record *a = x, *b = y;
	int order = ip_addr_cmp(&a->frontend_addr, &b->frontend_addr);

	if (order == 0)
		order = (int)a->frontend_port - (int)b->frontend_port;
	if (order == 0)
		order = (int)a->proto - (int)b->proto;
	if (order == 0)
		order = ip_addr_cmp(&a->backend_addr, &b->backend_addr);
	return order != 0 ? order : (int)a->backend_port - (int)b->backend_port;
}

/* By frontend, and as its backends are ordered. */
static bool
recall_pairs(struct service_builder *b)
{
	slots_each(b->slots, recall_pair, b);
	if (b->n_former != 0)
		qsort(b->former, b->n_former, sizeof(*b->former), compare_pairs);
	return !b->out_of_memory;
}

struct service_builder *
service_builder_new(struct store *store, struct slots *slots)
{
	struct service_builder *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->store = store;
	b->slots = slots;
	service_records_init(&b->records);
	b->frontends.slots = slots;
	b->pool = piece_pool_new();
	b->frontends.gone = b->gone = gone_pods_new(store);
	b->moves = b->frontends.moves = moves_new();
	b->watch = store_watch_new(
		store_watches(store), 1u << OBJECT_SERVICE | 1u << OBJECT_ENDPOINT_SLICE | 1u << OBJECT_NODE);
	if (b->pool == NULL || b->gone == NULL || b->watch == NULL || b->moves == NULL || !recall_pairs(b)) {
		service_builder_free(b);
		return NULL;
	}
	return b;
}

void
service_builder_free(struct service_builder *b)
{
	if (b == NULL)
		return;
	store_watch_free(b->watch);
	frontend_builder_fini(&b->frontends);
	service_records_fini(&b->records);
	piece_pool_free(b->pool);
	moves_free(b->moves);
	gone_pods_free(b->gone);
	free(b->former);
	service_common_fini(&b->common);
	free(b->slices.items);
	free(b);
}

bool
service_builder_is_idle(const struct service_builder *b)
{
	return store_watch_is_idle(b->watch) && b->records.n_dirty == 0 && !b->out_of_memory &&
	       (moves_n(b->moves) == 0 || gone_pods_is_idle(b->gone));
}

const struct backend_end *
service_builder_ends(struct service_builder *b, size_t *n)
{
	service_changes_gone(b);
	*n = b->frontends.n_ends;
	b->frontends.n_ends = 0;
	return b->frontends.ends;
}

int
service_builder_build(struct service_builder *b, const struct build_facts *facts, uint64_t now_ns,
	struct service_table **out)
{
	int result = service_changes_find(b, facts);

	*out = NULL;
	if (slots_begin(b->slots, now_ns) != 0)
		service_changes_slotless(b);
	if (result < 0 || (b->records.n_dirty == 0 && b->last != NULL))
		return result;
	b->frontends.now_ns = now_ns;
	b->frontends.n_former = b->is_started ? 0 : b->n_former;
	b->frontends.former = b->former;
	result = service_rebuild(b, facts, out);
	if (result == 0 && !b->is_started) {
		slots_release_unasked(b->slots);
		b->is_started = true;
		free(b->former);
		b->former = NULL;
		b->n_former = 0;
	}
	return result;
}

void
service_builder_release(struct service_builder *b, struct service_table *t)
{
	if (t != NULL && b->last == t)
		b->last = NULL;
	service_table_free(t);
}

bool
service_builder_name(const struct service_builder *b, uint32_t service, const char **ns, const char **name)
{
	const struct service_record *r = service < b->records.n ? b->records.items[service] : NULL;

	if (r == NULL || r->ns == NULL)
		return false;
	*ns = r->ns;
	*name = r->name;
	return true;
}

const struct refused_addr *
service_builder_refused(const struct service_builder *b, const char *ns, const char *name, size_t *n)
{
	const struct service_record *r = service_records_find(&b->records, ns, name);

	*n = r == NULL ? 0 : r->built.n_refused;
	return r == NULL ? NULL : r->built.refused;
}

struct piece_pool_books
service_builder_books(const struct service_builder *b)
{
	return piece_pool_books(b->pool);
}

struct moves *
service_builder_moves(struct service_builder *b)
{
	return b->moves;
}

static void
mark_settled(struct move *move, void *arg)
{
	struct service_builder *b = arg;

	if (move->settled != NULL && move->service < b->records.n)
		b->out_of_memory |= !service_records_mark(&b->records, b->records.items[move->service]);
}

void
service_builder_go_on(struct service_builder *b)
{
	moves_each(b->moves, mark_settled, b);
}
