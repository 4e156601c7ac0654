#include "dataplane/dns/dns_cache_edit.h"

#include <errno.h>
#include <stdlib.h>

#include "dataplane/counters.h"
#include "dataplane/service/piece_pool.h"

#define TAG_SHIFT 32
#define NS_PER_S UINT64_C(1000000000)

/* Of the memory, one byte in so many is the index's: at most every second slot is taken if all entries are of the smallest size that
 * there is, two units. */
#define INDEX_PART 8

/* In how many segments entries are, as far as their size is between these bounds. */
#define SEGMENTS_WANTED 256
#define SEGMENT_MIN ((size_t)16 << 10)
#define SEGMENT_MAX ((size_t)1 << 20)

/* Segments that are free or wait for readers: what may be put while none of them quiesces. */
#define RESERVE_MIN 2
#define RESERVE_PART 32

#define NO_SEGMENT UINT32_MAX

enum side {
	SIDE_POSITIVE,
	SIDE_NEGATIVE,
	N_SIDES,
};

enum segment_state {
	SEGMENT_FREE,
	SEGMENT_FILLING,
	SEGMENT_FULL,
	SEGMENT_RETIRED, /* nothing in it can be found any more, but readers may still be at it */
};

struct segment {
	uint32_t used, live; /* bytes: written, and of entries that can be found */
	uint64_t begun;      /* the how many-th it was */
	uint64_t grace;      /* SEGMENT_RETIRED */
	uint8_t state, side;
};

struct dns_cache_edit {
	struct snapshot *snapshot;
	struct piece_pool *pool;
	size_t memory_bytes, segment_bytes;
	uint32_t n_segments, n_reserve;
	uint32_t filling[N_SIDES];              /* segment, or NO_SEGMENT */
	uint32_t held[N_SIDES], share[N_SIDES]; /* segments with entries, and how many of them are its own */
	uint64_t n_begun;
	uint64_t now_ns;              /* when the last entry came */
	struct dns_cache_books books; /* atomics */
	struct segment segments[];
};

/* --- places */

static struct dns_entry *
entry_at(const struct dns_cache *c, size_t place)
{
	return (struct dns_entry *)(c->entries + place * DNS_CACHE_UNIT);
}

static size_t
place_of(const struct dns_cache *c, const struct dns_entry *e)
{
	return (size_t)((const uint8_t *)e - c->entries) / DNS_CACHE_UNIT;
}

static uint64_t
slot_of(const struct dns_cache *c, const struct dns_entry *e)
{
	return e->hash >> TAG_SHIFT << TAG_SHIFT | (place_of(c, e) + 1);
}

static struct segment *
segment_of(const struct dns_cache *c, const struct dns_entry *e)
{
	return &c->edit->segments[place_of(c, e) * DNS_CACHE_UNIT / c->edit->segment_bytes];
}

static struct dns_entry *
entry_in_slot(const struct dns_cache *c, uint64_t slot)
{
	return slot == 0 ? NULL : entry_at(c, (uint32_t)slot - 1);
}

static uint64_t *
bucket_of(const struct dns_cache *c, uint64_t hash)
{
	return c->slots + (hash & c->bucket_mask) * DNS_CACHE_WAYS;
}

/* Readers see the entry's content with its place. */
static void
slot_set(uint64_t *slot, uint64_t value)
{
	__atomic_store_n(slot, value, __ATOMIC_RELEASE);
}

static uint64_t *
find_slot(const struct dns_cache *c, const struct dns_entry *e)
{
	uint64_t *bucket = bucket_of(c, e->hash), wanted = slot_of(c, e);

	for (unsigned i = 0; i < DNS_CACHE_WAYS; i++)
		if (bucket[i] == wanted)
			return &bucket[i];
	return NULL;
}

/* --- entries come and go */

static void
account(struct dns_cache *c, const struct dns_entry *e, int sign)
{
	struct dns_cache_books *books = &c->edit->books;

	segment_of(c, e)->live += (uint32_t)(sign * e->size);
	counter_add(&books->n_entries, (uint64_t)(int64_t)sign);
	counter_add(&books->entry_bytes, (uint64_t)((int64_t)sign * e->size));
	if (e->flags & DNS_ENTRY_NEGATIVE)
		counter_add(&books->n_negatives, (uint64_t)(int64_t)sign);
}

/* It cannot be found any more. */
static void
entry_gone(struct dns_cache *c, struct dns_entry *e)
{
	e->is_unlinked = 1;
	account(c, e, -1);
}

static void
entry_forget(struct dns_cache *c, struct dns_entry *e, uint64_t *slot)
{
	slot_set(slot, 0);
	entry_gone(c, e);
	counter_add(&c->edit->books.n_forgotten, 1);
}

/* Copies what does not change; readers may be marking the entry. */
static struct dns_entry *
entry_copy(struct dns_cache *c, struct segment *s, const struct dns_entry *from)
{
	size_t segment = (size_t)(s - c->edit->segments);
	struct dns_entry *e = (struct dns_entry *)(c->entries + segment * c->edit->segment_bytes + s->used);
	size_t fixed = offsetof(struct dns_entry, hash);

	memset(e, 0, fixed);
	memcpy((uint8_t *)e + fixed, (const uint8_t *)from + fixed, from->size - fixed);
	s->used += from->size;
	return e;
}

static struct segment *
filling_with_room(const struct dns_cache *c, enum side side, size_t size)
{
	uint32_t number = c->edit->filling[side];
	struct segment *s = &c->edit->segments[number == NO_SEGMENT ? 0 : number];

	return number != NO_SEGMENT && c->edit->segment_bytes - s->used >= size ? s : NULL;
}

/* --- segments */

static enum side
side_of(const struct dns_entry *e)
{
	return e->flags & DNS_ENTRY_NEGATIVE ? SIDE_NEGATIVE : SIDE_POSITIVE;
}

/* Those that readers have left are free. Says how many are, and how many will be. */
static void
look_for_free(struct dns_cache *c, uint32_t *first_free, uint32_t *n_ahead)
{
	struct dns_cache_edit *edit = c->edit;

	*first_free = NO_SEGMENT;
	*n_ahead = 0;
	for (uint32_t i = edit->n_segments; i-- > 0;) {
		struct segment *s = &edit->segments[i];

		if (s->state == SEGMENT_RETIRED && snapshot_is_over(edit->snapshot, s->grace))
			s->state = SEGMENT_FREE;
		if (s->state == SEGMENT_FREE)
			*first_free = i;
		*n_ahead += s->state == SEGMENT_FREE || s->state == SEGMENT_RETIRED;
	}
}

static void
segment_retire(struct dns_cache *c, struct segment *s)
{
	c->edit->held[s->side]--;
	s->state = SEGMENT_RETIRED;
	s->used = s->live = 0;
	s->grace = snapshot_retire(c->edit->snapshot);
}

/* The emptiest one if it is at most half full, else the oldest. NULL: there is none to clean. */
static struct segment *
choose(const struct dns_cache *c, enum side side)
{
	struct dns_cache_edit *edit = c->edit;
	struct segment *emptiest = NULL, *oldest = NULL;

	for (uint32_t i = 0; i < edit->n_segments; i++) {
		struct segment *s = &edit->segments[i];

		if (s->state != SEGMENT_FULL || s->side != side)
			continue;
		if (emptiest == NULL || s->live < emptiest->live)
			emptiest = s;
		if (oldest == NULL || s->begun < oldest->begun)
			oldest = s;
	}
	return emptiest != NULL && emptiest->live <= edit->segment_bytes / 2 ? emptiest : oldest;
}

static void
move(struct dns_cache *c, struct segment *to, struct dns_entry *e, uint64_t *slot)
{
	struct dns_entry *copy = entry_copy(c, to, e);

	copy->serve_stale_until_ns = e->serve_stale_until_ns;
	copy->is_prefetch_asked = __atomic_load_n(&e->is_prefetch_asked, __ATOMIC_RELAXED);
	account(c, copy, 1);
	slot_set(slot, slot_of(c, copy));
	entry_gone(c, e);
	counter_add(&c->edit->books.n_kept, 1);
}

/* Moves what is worth it, forgets the rest. */
static void
clean(struct dns_cache *c, struct segment *s)
{
	struct dns_cache_edit *edit = c->edit;
	size_t base = (size_t)(s - edit->segments) * edit->segment_bytes, left = edit->segment_bytes / 2;
	bool is_gappy = s->live <= left;

	for (uint32_t at = 0; at < s->used;) {
		struct dns_entry *e = (struct dns_entry *)(c->entries + base + at);
		bool is_used = __atomic_load_n(&e->is_used, __ATOMIC_RELAXED);
		struct segment *to = filling_with_room(c, (enum side)s->side, e->size);

		at += e->size;
		if (e->is_unlinked)
			continue;
		if (to == NULL || e->size > left ||
			!(is_used || (is_gappy && edit->now_ns < e->expires_ns))) {
			entry_forget(c, e, find_slot(c, e));
			continue;
		}
		left -= e->size;
		move(c, to, e, find_slot(c, e));
	}
	segment_retire(c, s);
}

static bool
clean_one(struct dns_cache *c, enum side side)
{
	struct segment *s = choose(c, side);

	if (s != NULL)
		clean(c, s);
	return s != NULL;
}

/* Begins a segment, and sees to the next ones. */
static bool
begin_segment(struct dns_cache *c, enum side side)
{
	struct dns_cache_edit *edit = c->edit;
	uint32_t number, n_ahead;

	look_for_free(c, &number, &n_ahead);
	if (number == NO_SEGMENT)
		return false;
	if (edit->filling[side] != NO_SEGMENT)
		edit->segments[edit->filling[side]].state = SEGMENT_FULL;
	edit->segments[number] =
		(struct segment){ .state = SEGMENT_FILLING, .side = (uint8_t)side, .begun = ++edit->n_begun };
	edit->filling[side] = number;
	edit->held[side]++;
	n_ahead--;
	while (edit->held[SIDE_NEGATIVE] > edit->share[SIDE_NEGATIVE] && clean_one(c, SIDE_NEGATIVE))
		n_ahead++;
	while (n_ahead < edit->n_reserve) {
		if (!clean_one(c, edit->held[SIDE_POSITIVE] > edit->share[SIDE_POSITIVE] ? SIDE_POSITIVE
											 : SIDE_NEGATIVE))
			break;
		n_ahead++;
	}
	return true;
}

/* --- putting */

static bool
is_same_key(const struct dns_entry *a, const struct dns_entry *b)
{
	unsigned key_flags = DNS_ENTRY_DNSSEC | DNS_ENTRY_CD;

	return a->hash == b->hash && a->type == b->type && a->len == b->len &&
	       (a->flags & key_flags) == (b->flags & key_flags) && memcmp(a->name, b->name, a->len) == 0;
}

/* Where the entry goes: in place of the one with its key, into a free slot, or in place of one that is worth less than others. */
static uint64_t *
choose_slot(const struct dns_cache *c, const struct dns_entry *e)
{
	uint64_t *bucket = bucket_of(c, e->hash), *free_slot = NULL, *worst = NULL;

	for (unsigned i = 0; i < DNS_CACHE_WAYS; i++) {
		const struct dns_entry *other = entry_in_slot(c, bucket[i]);

		if (other == NULL)
			free_slot = free_slot == NULL ? &bucket[i] : free_slot;
		else if (is_same_key(other, e))
			return &bucket[i];
		else if (worst == NULL || !__atomic_load_n(&other->is_used, __ATOMIC_RELAXED))
			worst = &bucket[i];
	}
	return free_slot != NULL ? free_slot : worst;
}

static void
put_in_slot(struct dns_cache *c, struct dns_entry *e, uint64_t *slot)
{
	struct dns_entry *old = entry_in_slot(c, *slot);
	struct dns_cache_books *books = &c->edit->books;

	if (old != NULL && is_same_key(old, e)) {
		e->is_used = __atomic_load_n(&old->is_used, __ATOMIC_RELAXED);
		counter_add(&books->n_replaced, 1);
	} else if (old != NULL) {
		counter_add(&books->n_forgotten, 1);
	}
	account(c, e, 1);
	slot_set(slot, slot_of(c, e));
	if (old != NULL)
		entry_gone(c, old);
}

/* What is under the entry's key is outdated. */
static void
forget_key(struct dns_cache *c, const struct dns_entry *entry)
{
	uint64_t *bucket = bucket_of(c, entry->hash);

	for (unsigned i = 0; i < DNS_CACHE_WAYS; i++) {
		struct dns_entry *e = entry_in_slot(c, bucket[i]);

		if (e != NULL && is_same_key(e, entry))
			entry_forget(c, e, &bucket[i]);
	}
}

int
dns_cache_put(struct dns_cache *c, const struct dns_entry *entry)
{
	enum side side = side_of(entry);
	struct dns_entry *e;

	if (entry->life_s == 0) {
		forget_key(c, entry);
		return -EINVAL;
	}
	c->edit->now_ns = entry->expires_ns - entry->life_s * NS_PER_S;
	if (c->edit->share[side] == 0 ||
		(filling_with_room(c, side, entry->size) == NULL && !begin_segment(c, side)) ||
		filling_with_room(c, side, entry->size) == NULL) {
		forget_key(c, entry);
		counter_add(&c->edit->books.n_refused, 1);
		return -ENOBUFS;
	}
	e = entry_copy(c, filling_with_room(c, side, entry->size), entry);
	put_in_slot(c, e, choose_slot(c, e));
	counter_add(&c->edit->books.n_put, 1);
	return 0;
}

bool
dns_cache_mark_stale(struct dns_cache *c, const struct dns_cache_key *key, uint64_t until_ns)
{
	struct dns_entry *e = (struct dns_entry *)dns_cache_find(c, key);
	uint64_t bound;

	if (e == NULL)
		return false;
	bound = e->expires_ns + e->stale_s * NS_PER_S;
	until_ns = until_ns < bound ? until_ns : bound;
	if (until_ns > e->serve_stale_until_ns)
		__atomic_store_n(&e->serve_stale_until_ns, until_ns, __ATOMIC_RELAXED);
	return true;
}

struct dns_cache_books
dns_cache_books(const struct dns_cache *c)
{
	const struct dns_cache_books *books = &c->edit->books;
	struct dns_cache_books sum = { .memory_bytes = c->edit->memory_bytes };

	sum.entry_bytes = __atomic_load_n(&books->entry_bytes, __ATOMIC_RELAXED);
	sum.n_entries = __atomic_load_n(&books->n_entries, __ATOMIC_RELAXED);
	sum.n_negatives = __atomic_load_n(&books->n_negatives, __ATOMIC_RELAXED);
	sum.n_put = __atomic_load_n(&books->n_put, __ATOMIC_RELAXED);
	sum.n_replaced = __atomic_load_n(&books->n_replaced, __ATOMIC_RELAXED);
	sum.n_kept = __atomic_load_n(&books->n_kept, __ATOMIC_RELAXED);
	sum.n_forgotten = __atomic_load_n(&books->n_forgotten, __ATOMIC_RELAXED);
	sum.n_refused = __atomic_load_n(&books->n_refused, __ATOMIC_RELAXED);
	return sum;
}

/* --- making it */

/* The largest power of two that is not above n. */
static size_t
floor_power(size_t n)
{
	return (size_t)1 << (63 - __builtin_clzll(n));
}

static struct dns_cache_edit *
edit_new(const struct dns_cache_config *config, size_t memory_bytes, size_t entries_bytes)
{
	size_t segment = entries_bytes / SEGMENTS_WANTED / DNS_CACHE_UNIT * DNS_CACHE_UNIT;
	struct dns_cache_edit *edit;
	uint32_t n, left;

	segment = segment < SEGMENT_MIN ? SEGMENT_MIN : segment > SEGMENT_MAX ? SEGMENT_MAX : segment;
	n = (uint32_t)(entries_bytes / segment);
	edit = calloc(1, sizeof(*edit) + n * sizeof(edit->segments[0]));
	if (edit == NULL)
		return NULL;
	edit->snapshot = config->snapshot;
	edit->memory_bytes = memory_bytes;
	edit->segment_bytes = segment;
	edit->n_segments = n;
	edit->n_reserve = RESERVE_MIN + n / RESERVE_PART;
	edit->filling[SIDE_POSITIVE] = edit->filling[SIDE_NEGATIVE] = NO_SEGMENT;
	left = n - edit->n_reserve;
	edit->share[SIDE_NEGATIVE] = left * config->negative_percent / 100;
	if (edit->share[SIDE_NEGATIVE] == 0 && config->negative_percent != 0)
		edit->share[SIDE_NEGATIVE] = 1;
	if (edit->share[SIDE_NEGATIVE] >= left)
		edit->share[SIDE_NEGATIVE] = left - 1;
	edit->share[SIDE_POSITIVE] = left - edit->share[SIDE_NEGATIVE];
	return edit;
}

struct dns_cache *
dns_cache_new(const struct dns_cache_config *config)
{
	size_t memory_bytes =
		config->memory_bytes < DNS_CACHE_MEMORY_MIN ? DNS_CACHE_MEMORY_MIN : config->memory_bytes;
	size_t n_slots = floor_power(memory_bytes / INDEX_PART / sizeof(uint64_t));
	size_t slots_bytes = n_slots * sizeof(uint64_t);
	struct dns_cache *c = calloc(1, sizeof(*c));
	struct piece_pool *pool = piece_pool_new();
	uint8_t *memory = pool == NULL ? NULL : piece_alloc(pool, memory_bytes);

	if (c == NULL || memory == NULL)
		goto fail;
	c->edit = edit_new(config, memory_bytes, memory_bytes - slots_bytes);
	if (c->edit == NULL)
		goto fail;
	memset(memory, 0, memory_bytes); /* faults all of it in now, so that no packet does */
	c->edit->pool = pool;
	c->slots = (uint64_t *)memory;
	c->bucket_mask = n_slots / DNS_CACHE_WAYS - 1;
	c->entries = memory + slots_bytes;
	c->seed = config->seed;
	return c;
fail:
	if (memory != NULL)
		piece_free(pool, memory, memory_bytes);
	piece_pool_free(pool);
	free(c);
	return NULL;
}

void
dns_cache_free(struct dns_cache *c)
{
	struct piece_pool *pool;

	if (c == NULL)
		return;
	pool = c->edit->pool;
	piece_free(pool, c->slots, c->edit->memory_bytes);
	piece_pool_free(pool);
	free(c->edit);
	free(c);
}
