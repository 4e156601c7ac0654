#include "control/build/moves.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* When a deployment grows or a node goes, thousands may move at a time, and each is looked for with each build and packet. */
struct moves {
	size_t n, room;
	struct move **items;
	void *by_frontend; /* tsearch */
};

static int
compare_moves(const void *a, const void *b)
{
	const struct move *x = a, *y = b;
	int order = memcmp(&x->addr, &y->addr, sizeof(x->addr));

	if (order == 0)
		order = (int)x->port - (int)y->port;
	return order != 0 ? order : (int)x->proto - (int)y->proto;
}

struct moves *
moves_new(void)
{
	return calloc(1, sizeof(struct moves));
}

static void
free_move(struct move *move)
{
	free(move->listed);
	free(move->settled);
	free(move);
}

void
moves_free(struct moves *m)
{
	if (m == NULL)
		return;
	while (m->n != 0)
		moves_end(m, &m->items[0]->addr, m->items[0]->port, m->items[0]->proto);
	free(m->items);
	free(m);
}

size_t
moves_n(const struct moves *m)
{
	return m->n;
}

void
moves_each(struct moves *m, void (*fn)(struct move *move, void *arg), void *arg)
{
	for (size_t i = 0; i < m->n; i++)
		fn(m->items[i], arg);
}

struct move *
moves_find(const struct moves *m, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	const struct move key = { .addr = *addr, .port = port, .proto = proto };
	struct move **place = tfind(&key, &m->by_frontend, compare_moves);

	return place == NULL ? NULL : *place;
}

static struct move *
add_move(struct moves *m, const struct frontend *f, uint64_t now_ns)
{
	struct move *move;

	if (m->n == m->room) {
		size_t room = m->room == 0 ? 16 : 2 * m->room;
		struct move **items = realloc(m->items, room * sizeof(struct move *));

		if (items == NULL)
			return NULL;
		m->items = items;
		m->room = room;
	}
	move = calloc(1, sizeof(*move));
	if (move == NULL)
		return NULL;
	*move = (struct move){
		.addr = f->addr, .port = f->port, .proto = f->proto, .since_ns = now_ns, .at = m->n
	};
	if (tsearch(move, &m->by_frontend, compare_moves) == NULL) {
		free(move);
		return NULL;
	}
	m->items[m->n++] = move;
	return move;
}

struct move *
moves_begin(struct moves *m, const struct frontend *f, uint32_t n_moving, uint64_t now_ns)
{
	struct move *move = moves_find(m, &f->addr, f->port, f->proto);

	if (move == NULL)
		move = add_move(m, f, now_ns);
	if (move == NULL)
		return NULL;
	move->service = f->service;
	move->n_buckets = f->bucket_mask + 1;
	move->n_moving = n_moving;
	return move;
}

void
moves_end(struct moves *m, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	struct move *move = moves_find(m, addr, port, proto);

	if (move == NULL)
		return;
	tdelete(move, &m->by_frontend, compare_moves);
	m->items[move->at] = m->items[--m->n];
	m->items[move->at]->at = move->at;
	free_move(move);
}

static bool
get_bit(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static void
clear_bit(uint64_t *bits, uint32_t i)
{
	bits[i / 64] &= ~(UINT64_C(1) << i % 64);
}

static bool
is_same_pod(const struct backend *a, const struct backend *b)
{
	return a->generation == b->generation || a->generation == 0 || b->generation == 0;
}

/* In a map: another pod has the address. */
#define MAP_GONE (BUCKET_NONE + 1u)

/* For each old backend: which of the target's it is, or BUCKET_NONE. Both sides are nearly sorted by address and port, as the
 * builder makes them, so the next one is tried first. */
static void
match_backends(uint32_t *map, const struct bucket_side *old, const struct bucket_side *target)
{
	uint32_t hint = 0;

	for (uint32_t i = 0; i < old->n_all; i++) {
		const struct backend *b = &old->backends[i];

		map[i] = BUCKET_NONE;
		for (uint32_t k = 0; k < target->n_all; k++) {
			uint32_t j = hint + k < target->n_all ? hint + k : hint + k - target->n_all;
			const struct backend *t = &target->backends[j];

			if (b->port != t->port || !ip_addr_eq(&b->addr, &t->addr))
				continue;
			map[i] = is_same_pod(b, t) || j >= target->n ? j : MAP_GONE;
			hint = j + 1;
			break;
		}
	}
}

/* Where an old backend is now: among the target's, or behind them, as one that leaves. */
static uint16_t
place_of(struct move_plan *plan, const struct bucket_side *target, uint32_t old)
{
	if (plan->map[old] == BUCKET_NONE) {
		plan->map[old] = target->n_all + plan->n_leaving;
		plan->leaving[plan->n_leaving++] = old;
	}
	return (uint16_t)plan->map[old];
}

static void
take_target(struct move_plan *plan, const struct bucket_side *target)
{
	plan->n_moving = plan->n_leaving = 0;
	plan->n_buckets = target->buckets == NULL ? 0 : target->mask + 1;
	for (uint32_t i = 0; i < plan->n_buckets; i++)
		plan->buckets[i] = target->buckets[i];
}

/* With nobody to move to, buckets go together or stay. */
static bool
may_all_flip(const struct bucket_side *old, const struct move *move)
{
	for (uint32_t i = 0; i <= old->mask; i++)
		if (move == NULL || move->settled == NULL || !get_bit(move->settled, i & move->mask))
			return false;
	return true;
}

static uint32_t
larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

void
moves_plan(struct move_plan *plan, const struct bucket_side *old, const struct bucket_side *target,
	struct move *move, bool (*is_gone)(const struct backend *b, void *arg), void *arg)
{
	bool all_flip = target->buckets == NULL && old->buckets != NULL && may_all_flip(old, move);

	if (old->buckets == NULL || all_flip) {
		take_target(plan, target);
		return;
	}
	match_backends(plan->map, old, target);
	plan->n_moving = plan->n_leaving = 0;
	plan->n_buckets = larger(old->mask, target->buckets == NULL ? 0 : target->mask) + 1;
	for (uint32_t i = 0; i < plan->n_buckets; i++) {
		uint32_t was = old->buckets[i & old->mask];
		uint16_t next = target->buckets == NULL ? BUCKET_NONE : target->buckets[i & target->mask];
		bool is_at_rest = plan->map[was] == next && next != BUCKET_NONE;
		bool flips = next != BUCKET_NONE &&
			     (is_at_rest || plan->map[was] == MAP_GONE || is_gone(&old->backends[was], arg) ||
				     (move != NULL && move->settled != NULL &&
					     get_bit(move->settled, i & move->mask)));

		/* what opens here from now on has no entry */
		if (flips && move != NULL && move->listed != NULL)
			clear_bit(move->listed, i & move->mask);
		plan->buckets[i] = flips ? next : place_of(plan, target, was);
		plan->n_moving += plan->buckets[i] != next;
	}
	if (plan->n_moving == 0)
		take_target(plan, target);
	if (move != NULL) { /* a bucket that moves on is not settled */
		free(move->settled);
		move->settled = NULL;
	}
}

/* Listings. */

static bool
mark_moving(struct move *move, const struct frontend *f)
{
	uint32_t n = f->bucket_mask + 1;

	free(move->listed);
	free(move->settled);
	move->settled = NULL;
	move->mask = f->bucket_mask;
	move->listed = calloc((n + 63) / 64, sizeof(*move->listed));
	if (move->listed == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (service_next_bucket(f, i) != f->buckets[i])
			move->listed[i / 64] |= UINT64_C(1) << i % 64;
	return true;
}

bool
moves_listing_begin(struct moves *m, const struct service_table *t)
{
	for (size_t i = 0; i < m->n; i++) {
		struct move *move = m->items[i];
		const struct frontend *f =
			service_frontend(t, addr_hash(&move->addr, move->port, move->proto), &move->addr,
				move->port, move->proto);

		move->n_refused = 0;
		if (f != NULL && (f->flags & FRONTEND_MOVING) && !mark_moving(move, f)) {
			moves_listing_cancel(m);
			return false;
		}
	}
	return true;
}

void
moves_listing_refuse(struct move *move, uint32_t hash)
{
	move->n_refused++;
	if (move->listed != NULL)
		clear_bit(move->listed, hash & move->mask);
}

void
moves_listing_refuse_unmoved(struct moves *m, struct unmoved *unmoved)
{
	for (size_t i = 0; i < m->n; i++) {
		struct move *move = m->items[i];
		uint64_t parts = *unmoved_parts(unmoved, &move->addr, move->port, move->proto);

		if (parts == 0 || move->listed == NULL)
			continue;
		move->n_refused++;
		for (uint32_t k = 0; k <= move->mask || k < UNMOVED_PARTS; k++)
			if (get_bit(&parts, k % UNMOVED_PARTS))
				clear_bit(move->listed, k & move->mask);
	}
}

size_t
moves_listing_end(struct moves *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct move *move = m->items[i];
		uint64_t any = 0;

		for (uint32_t k = 0; move->listed != NULL && k <= move->mask / 64; k++)
			any |= move->listed[k];
		free(move->settled);
		move->settled = any != 0 ? move->listed : NULL;
		if (any == 0)
			free(move->listed);
		move->listed = NULL;
		n += any != 0;
	}
	return n;
}

void
moves_listing_cancel(struct moves *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->items[i]->listed);
		m->items[i]->listed = NULL;
	}
}
