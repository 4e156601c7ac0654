#include "control/build/frontend_build_internal.h"

#include <errno.h>
#include <stdlib.h>

static int
list_pair(struct pair_list *l, const struct frontend *f, const struct backend *b)
{
	if (l->n == l->room) {
		size_t room = l->room == 0 ? 64 : 2 * l->room;
		struct slot_record *items = realloc(l->items, room * sizeof(*items));

		if (items == NULL)
			return -ENOMEM;
		l->items = items;
		l->room = room;
	}
	l->items[l->n++] = (struct slot_record){
		.backend_addr = b->addr,
		.backend_port = b->port,
		.frontend_addr = f->addr,
		.frontend_port = f->port,
		.proto = f->proto,
	};
	return 0;
}

void
frontend_builder_settle_slots(struct frontend_builder *b, bool has_failed)
{
	struct pair_list *l = has_failed ? &b->assigned : &b->released;

	for (size_t i = 0; i < l->n; i++) {
		const struct slot_record *r = &l->items[i];

		slots_release(b->slots, &r->backend_addr, r->backend_port, r->proto, &r->frontend_addr,
			r->frontend_port);
	}
	b->assigned.n = b->released.n = 0;
}

bool
frontend_builder_end_backend(struct frontend_builder *b, const struct backend_end *end)
{
	if (b->n_ends == b->ends_room) {
		size_t room = b->ends_room == 0 ? 16 : 2 * b->ends_room;
		struct backend_end *ends = realloc(b->ends, room * sizeof(*ends));

		if (ends == NULL)
			return false;
		b->ends = ends;
		b->ends_room = room;
	}
	b->ends[b->n_ends++] = *end;
	return true;
}

/* A frontend's backend that was not there before. */
static int
begin_pair(struct frontend_builder *b, const struct frontend *f, uint32_t ref, struct backend *backend,
	bool needs_slot)
{
	backend->slot = 0;
	if (needs_slot) {
		backend->slot =
			slots_assign(b->slots, &backend->addr, backend->port, f->proto, &f->addr, f->port);
		if (backend->slot != 0 && list_pair(&b->assigned, f, backend) < 0)
			return -ENOMEM;
	}
	return service_table_link(b->table, backend, f->proto, ref);
}

int
frontend_end_pair(
	struct frontend_builder *b, const struct frontend *f, uint32_t ref, const struct backend *backend)
{
	if (backend->slot != 0 && list_pair(&b->released, f, backend) < 0)
		return -ENOMEM;
	return service_table_unlink(b->table, backend, f->proto, ref);
}

/* A backend that was there before: it keeps its slot, and gets one if there was none. */
static int
continue_pair(struct frontend_builder *b, const struct frontend *f, uint32_t ref, const struct backend *old,
	struct backend *backend, bool needs_slot)
{
	const struct backend_end end = {
		.addr = old->addr, .port = old->port, .generation = backend->generation
	};

	if (old->generation != 0 && old->generation != backend->generation &&
		!frontend_builder_end_backend(b, &end))
		return -ENOMEM;
	backend->slot = old->slot;
	if ((old->slot != 0) == needs_slot)
		return 0;
	if (frontend_end_pair(b, f, ref, old) < 0)
		return -ENOMEM;
	return begin_pair(b, f, ref, backend, needs_slot);
}

static int
compare_backends(const void *x, const void *y)
{
	const struct backend *a = *(const struct backend *const *)x, *b = *(const struct backend *const *)y;
	int order = ip_addr_cmp(&a->addr, &b->addr);

	return order != 0 ? order : (int)a->port - (int)b->port;
}

uint32_t
frontend_count_backends(const struct frontend *f)
{
	return f->n_backends + (f->extra == NULL ? 0 : f->extra->n_outside_only + f->extra->n_leaving);
}

/* Pointers to all backends, by address and port. */
static uint32_t
sort_backends(const struct frontend *f, const struct backend **sorted)
{
	uint32_t n = frontend_count_backends(f);

	for (uint32_t i = 0; i < n; i++)
		sorted[i] = &f->backends[i];
	if (n > 1 && n != f->n_backends)
		qsort(sorted, n, sizeof(*sorted), compare_backends); /* two sorted runs */
	return n;
}

int
frontend_change_pairs(
	struct frontend_builder *b, const struct frontend *was, const struct frontend *is, uint32_t ref)
{
	const struct backend **olds = b->sorted, **news = b->sorted + b->room;
	uint32_t n_olds = sort_backends(was, olds), n_news = sort_backends(is, news), i = 0, k = 0;
	int result = 0;

	while (result == 0 && (i < n_olds || k < n_news)) {
		int order = i == n_olds ? 1 : k == n_news ? -1 : compare_backends(&olds[i], &news[k]);
		struct backend *backend =
			k == n_news ? NULL : (struct backend *)news[k]; /* in our own piece */
		/* old buckets may name any of them */
		bool needs_slot = k != n_news &&
				  (news[k] < is->backends + is->n_backends || (is->flags & FRONTEND_MOVING));

		if (order < 0)
			result = frontend_end_pair(b, is, ref, olds[i]);
		else if (order > 0)
			result = begin_pair(b, is, ref, backend, needs_slot);
		else
			result = continue_pair(b, is, ref, olds[i], backend, needs_slot);
		i += order <= 0;
		k += order >= 0;
	}
	return result;
}
