#include "dataplane/service/service_table_edit.h"

#include <errno.h>
#include <stdlib.h>

enum shard_kind {
	SHARD_FRONTENDS,
	SHARD_REVERSES,
	SHARD_ADDRS,
	N_SHARD_KINDS,
};

/* Places that a shard has at least. */
#define PLACES_MIN 8

#define SHARD_REF(shard, i) ((uint32_t)(shard) << SERVICE_SHARD_SHIFT | (i))

static const struct {
	size_t item_size;
	/* of the places of a shard, how many eighths may be taken */
	uint32_t eighths;
} kinds[N_SHARD_KINDS] = {
	[SHARD_FRONTENDS] = { sizeof(struct frontend), 4 },
	[SHARD_REVERSES] = { sizeof(struct reverse), 5 },
	[SHARD_ADDRS] = { sizeof(struct service_addr), 5 },
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

/* An empty frontend's. */
static const uint16_t no_buckets[1];

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

static void
list_fini(struct piece_list *l)
{
	free(l->items);
	*l = (struct piece_list){ 0 };
}

static void
list_free_pieces(struct piece_list *l, struct piece_pool *pool)
{
	for (size_t i = 0; i < l->n; i++)
		piece_free(pool, l->items[i].memory, l->items[i].size);
	list_fini(l);
}

/* A piece that goes with the version if that is not committed; NULL if out of memory. */
static void *
make_piece(struct service_table *t, size_t size)
{
	struct piece_pool *pool = t->edit->lineage->pool;
	void *memory = piece_alloc(pool, size);

	if (memory != NULL && !list_add(&t->edit->fresh, memory, size)) {
		piece_free(pool, memory, size);
		return NULL;
	}
	return memory;
}

static int
drop_piece(struct service_table *t, const void *memory, size_t size)
{
	return size == 0 || list_add(&t->edit->dropped, (void *)memory, size) ? 0 : -ENOMEM;
}

/* Shards of any kind. */

static void *
shard_get(const struct service_table *t, enum shard_kind kind, unsigned shard)
{
	return kind == SHARD_FRONTENDS  ? (void *)t->frontends[shard]
	       : kind == SHARD_REVERSES ? (void *)t->reverses[shard]
					: (void *)t->addrs[shard];
}

static void
shard_set(struct service_table *t, enum shard_kind kind, unsigned shard, void *memory)
{
	if (kind == SHARD_FRONTENDS)
		t->frontends[shard] = memory;
	else if (kind == SHARD_REVERSES)
		t->reverses[shard] = memory;
	else
		t->addrs[shard] = memory;
}

static uint32_t *
mask_of(struct service_table *t, enum shard_kind kind)
{
	return kind == SHARD_FRONTENDS  ? &t->frontend_mask
	       : kind == SHARD_REVERSES ? &t->reverse_mask
					: &t->addr_mask;
}

static size_t
shard_size(struct service_table *t, enum shard_kind kind)
{
	return ((size_t)*mask_of(t, kind) + 1) * kinds[kind].item_size;
}

/* New and empty shards, of this many places each. */
static int
make_shards(struct service_table *t, enum shard_kind kind, uint32_t places)
{
	*mask_of(t, kind) = places - 1;
	for (unsigned i = 0; i < SERVICE_SHARDS; i++) {
		void *memory = make_piece(t, shard_size(t, kind));

		if (memory == NULL)
			return -ENOMEM;
		memset(memory, 0, shard_size(t, kind));
		shard_set(t, kind, i, memory);
		t->edit->taken[kind][i] = 0;
	}
	t->edit->own[kind] = UINT64_MAX;
	return 0;
}

/* Copies a shard that is shared with the version before. */
static int
own_shard(struct service_table *t, enum shard_kind kind, unsigned shard)
{
	void *old = shard_get(t, kind, shard), *copy;
	size_t size = shard_size(t, kind);

	if (t->edit->own[kind] & UINT64_C(1) << shard)
		return 0;
	copy = make_piece(t, size);
	if (copy == NULL || drop_piece(t, old, size) < 0)
		return -ENOMEM;
	memcpy(copy, old, size);
	shard_set(t, kind, shard, copy);
	t->edit->own[kind] |= UINT64_C(1) << shard;
	return 0;
}

static struct frontend *
find_frontend(const struct service_table *t, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	return (struct frontend *)service_frontend(t, addr_hash(addr, port, proto), addr, port, proto);
}

/* The place for a frontend that is not there yet. */
static struct frontend *
frontend_place(struct service_table *t, const struct frontend *f)
{
	uint32_t hash = addr_hash(&f->addr, f->port, f->proto), i = hash & t->frontend_mask;
	struct frontend *shard = t->frontends[hash >> SERVICE_SHARD_SHIFT];

	while (shard[i].proto != 0 && shard[i].proto != FRONTEND_GONE)
		i = (i + 1) & t->frontend_mask;
	return &shard[i];
}

static struct reverse *
reverse_place(struct service_table *t, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	uint32_t hash = addr_hash(addr, port, proto), i = hash & t->reverse_mask;
	struct reverse *shard = t->reverses[hash >> SERVICE_SHARD_SHIFT];

	while (shard[i].proto != 0 &&
		!(shard[i].port == port && shard[i].proto == proto && ip_addr_eq(&shard[i].addr, addr)))
		i = (i + 1) & t->reverse_mask;
	return &shard[i];
}

static struct service_addr *
addr_place(struct service_table *t, const struct ip_addr *addr)
{
	uint32_t hash = addr_hash(addr, 0, 0), i = hash & t->addr_mask;
	struct service_addr *shard = t->addrs[hash >> SERVICE_SHARD_SHIFT];

	while (!ip_addr_is_none(&shard[i].addr) && !ip_addr_eq(&shard[i].addr, addr))
		i = (i + 1) & t->addr_mask;
	return &shard[i];
}

/* Puts an item of an old shard, if it is one, into the new ones. */
static void
reinsert(struct service_table *t, enum shard_kind kind, const void *item)
{
	const struct frontend *f = item;
	const struct reverse *r = item;
	const struct service_addr *a = item;
	uint32_t hash;

	if (kind == SHARD_FRONTENDS) {
		if (f->proto == 0 || f->proto == FRONTEND_GONE)
			return;
		*frontend_place(t, f) = *f;
		hash = addr_hash(&f->addr, f->port, f->proto);
	} else if (kind == SHARD_REVERSES) {
		if (r->proto == 0)
			return;
		*reverse_place(t, &r->addr, r->port, r->proto) = *r;
		hash = addr_hash(&r->addr, r->port, r->proto);
	} else {
		if (ip_addr_is_none(&a->addr))
			return;
		*addr_place(t, &a->addr) = *a;
		hash = addr_hash(&a->addr, 0, 0);
	}
	t->edit->taken[kind][hash >> SERVICE_SHARD_SHIFT]++;
}

/* Has all references name the places of now instead of those in the old shards. */
static int
renew_references(struct service_table *t, void *const old[SERVICE_SHARDS])
{
	for (unsigned shard = 0; shard < SERVICE_SHARDS; shard++) {
		if (own_shard(t, SHARD_REVERSES, shard) < 0)
			return -ENOMEM;
		for (uint32_t i = 0; i <= t->reverse_mask; i++) {
			struct reverse *r = &t->reverses[shard][i];

			for (unsigned slot = 0; r->proto != 0 && slot < SLOTS - 1; slot++) {
				uint32_t ref = r->frontend[slot];
				const struct frontend *f;

				if (ref == FRONTEND_NONE)
					continue;
				f = (const struct frontend *)old[ref >> SERVICE_SHARD_SHIFT] +
				    (ref & (SHARD_REF(1, 0) - 1));
				r->frontend[slot] = service_table_ref(t, &f->addr, f->port, f->proto);
			}
		}
	}
	return 0;
}

/* The places that are in use, in the fullest shard: of frontends, some that count as taken are not. */
static uint32_t
fullest(const struct service_table *t, enum shard_kind kind)
{
	uint32_t most = 0;

	for (unsigned shard = 0; shard < SERVICE_SHARDS; shard++) {
		uint32_t n = t->edit->taken[kind][shard];

		for (uint32_t i = 0; kind == SHARD_FRONTENDS && i <= t->frontend_mask; i++)
			n -= t->frontends[shard][i].proto == FRONTEND_GONE;
		most = n > most ? n : most;
	}
	return most;
}

/* Makes all shards of a kind anew, larger if they are full of more than what is gone. */
static int
grow(struct service_table *t, enum shard_kind kind)
{
	uint32_t places = *mask_of(t, kind) + 1;
	size_t size = shard_size(t, kind);
	void *old[SERVICE_SHARDS];
	uint32_t wanted = fullest(t, kind) >= places * kinds[kind].eighths / 16 ? 2 * places : places;

	for (unsigned i = 0; i < SERVICE_SHARDS; i++) {
		old[i] = shard_get(t, kind, i);
		if (drop_piece(t, old[i], size) < 0)
			return -ENOMEM;
	}
	if (make_shards(t, kind, wanted) < 0)
		return -ENOMEM;
	for (unsigned i = 0; i < SERVICE_SHARDS; i++)
		for (size_t at = 0; at < size; at += kinds[kind].item_size)
			reinsert(t, kind, (const uint8_t *)old[i] + at);
	return kind == SHARD_FRONTENDS ? renew_references(t, old) : 0;
}

/* Makes the shard of a hash one that can be written and has room for another item. */
static int
prepare_shard(struct service_table *t, enum shard_kind kind, uint32_t hash)
{
	unsigned shard = hash >> SERVICE_SHARD_SHIFT;
	uint32_t places = *mask_of(t, kind) + 1;

	if (t->edit->taken[kind][shard] + 1 > places * kinds[kind].eighths / 8)
		return grow(t, kind);
	return own_shard(t, kind, shard);
}

/* Versions. */

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
	if (make_shards(t, SHARD_FRONTENDS, places(n_frontends, 4)) < 0 ||
		make_shards(t, SHARD_REVERSES, places(n_reverses, 2)) < 0 ||
		make_shards(t, SHARD_ADDRS, places(n_frontends, 2)) < 0) {
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

	list_fini(&edit->fresh);
	if (edit->last == NULL) {
		list_free_pieces(&edit->dropped, edit->lineage->pool);
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
			piece_free(pool, shard_get(t, kind, shard), shard_size(t, kind));
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
		list_free_pieces(&edit->fresh, edit->lineage->pool);
	else if (edit->is_replaced)
		list_free_pieces(&edit->retired, edit->lineage->pool);
	else
		free_everything(t);
	list_fini(&edit->dropped);
	edit->lineage->n_versions--;
	lineage_release(edit->lineage);
	free(edit);
	free(t);
}

/* Frontends. */

/* The bytes before an array of n items of this size, and its own. */
static size_t
lay_out(size_t *at, size_t n, size_t size)
{
	size_t start = *at;

	*at += (n * size + 7) / 8 * 8;
	return start;
}

int
service_table_shape(struct service_table *t, struct frontend *f, const struct frontend_shape *s,
	struct frontend_parts *parts)
{
	size_t size = 0, n_backends = s->n_backends + s->n_outside_only + s->n_leaving,
	       backends = lay_out(&size, n_backends, sizeof(struct backend)),
	       buckets = lay_out(&size, s->n_buckets, sizeof(uint16_t)),
	       extra = lay_out(&size, s->has_extra, sizeof(struct frontend_extra)),
	       next = lay_out(&size, s->n_next_buckets, sizeof(uint16_t)),
	       outside = lay_out(&size, s->n_outside_buckets, sizeof(uint16_t)),
	       ranges = lay_out(&size, s->n_ranges, sizeof(struct ip_prefix));
	uint8_t *base = size == 0 ? NULL : make_piece(t, size);

	*parts = (struct frontend_parts){ 0 };
	f->n_backends = s->n_backends;
	f->bucket_mask = s->n_buckets == 0 ? 0 : s->n_buckets - 1;
	f->piece_size = (uint32_t)size;
	f->backends = (const struct backend *)base;
	f->buckets = no_buckets;
	f->extra = NULL;
	if (size == 0)
		return 0;
	if (base == NULL)
		return -ENOMEM;
	parts->backends = (struct backend *)(base + backends);
	memset(parts->backends, 0, n_backends * sizeof(struct backend));
	if (s->n_buckets != 0)
		f->buckets = parts->buckets = (uint16_t *)(base + buckets);
	if (!s->has_extra)
		return 0;
	parts->extra = (struct frontend_extra *)(base + extra);
	parts->next_buckets = (uint16_t *)(base + next);
	parts->outside_buckets = (uint16_t *)(base + outside);
	parts->ranges = (struct ip_prefix *)(base + ranges);
	*parts->extra = (struct frontend_extra){
		.n_ranges = s->n_ranges,
		.ranges = parts->ranges,
		.next_mask = s->n_next_buckets == 0 ? 0 : s->n_next_buckets - 1,
		.next_buckets = s->n_next_buckets == 0 ? no_buckets : parts->next_buckets,
		.outside_mask = s->n_outside_buckets == 0 ? 0 : s->n_outside_buckets - 1,
		.n_outside_only = s->n_outside_only,
		.n_leaving = s->n_leaving,
		.outside_buckets = s->n_outside_buckets == 0 ? no_buckets : parts->outside_buckets,
	};
	f->extra = parts->extra;
	return 0;
}

static int
count_addr(struct service_table *t, const struct ip_addr *addr)
{
	uint32_t hash = addr_hash(addr, 0, 0);
	struct service_addr *place;

	if (prepare_shard(t, SHARD_ADDRS, hash) < 0)
		return -ENOMEM;
	place = addr_place(t, addr);
	if (ip_addr_is_none(&place->addr)) {
		*place = (struct service_addr){ .addr = *addr };
		t->edit->taken[SHARD_ADDRS][hash >> SERVICE_SHARD_SHIFT]++;
	}
	place->n_frontends++;
	return 0;
}

static int
discount_addr(struct service_table *t, const struct ip_addr *addr)
{
	uint32_t hash = addr_hash(addr, 0, 0), mask = t->addr_mask, hole;
	unsigned shard = hash >> SERVICE_SHARD_SHIFT;
	struct service_addr *place, *addrs;

	if (own_shard(t, SHARD_ADDRS, shard) < 0)
		return -ENOMEM;
	addrs = t->addrs[shard];
	place = addr_place(t, addr);
	if (--place->n_frontends > 0)
		return 0;
	hole = (uint32_t)(place - addrs);
	for (uint32_t i = (hole + 1) & mask; !ip_addr_is_none(&addrs[i].addr); i = (i + 1) & mask) {
		uint32_t home = addr_hash(&addrs[i].addr, 0, 0) & mask;

		if (((i - home) & mask) < ((i - hole) & mask))
			continue; /* it would come before its home */
		addrs[hole] = addrs[i];
		hole = i;
	}
	addrs[hole] = (struct service_addr){ 0 };
	t->edit->taken[SHARD_ADDRS][shard]--;
	return 0;
}

uint32_t
service_table_ref(const struct service_table *t, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	unsigned shard = addr_hash(addr, port, proto) >> SERVICE_SHARD_SHIFT;
	const struct frontend *f = find_frontend(t, addr, port, proto);

	return f == NULL ? FRONTEND_NONE : SHARD_REF(shard, (uint32_t)(f - t->frontends[shard]));
}

int
service_table_add(struct service_table *t, const struct frontend *f, uint32_t *ref)
{
	uint32_t hash = addr_hash(&f->addr, f->port, f->proto);
	unsigned shard = hash >> SERVICE_SHARD_SHIFT;
	struct frontend *place;

	if (find_frontend(t, &f->addr, f->port, f->proto) != NULL)
		return -EEXIST;
	if (prepare_shard(t, SHARD_FRONTENDS, hash) < 0 || count_addr(t, &f->addr) < 0)
		return -ENOMEM;
	place = frontend_place(t, f);
	t->edit->taken[SHARD_FRONTENDS][shard] += place->proto == 0;
	*place = *f;
	t->exposed_changes += (f->flags & FRONTEND_EXPOSED) != 0;
	if (place->buckets == NULL)
		place->buckets = no_buckets;
	t->n_frontends++;
	*ref = SHARD_REF(shard, (uint32_t)(place - t->frontends[shard]));
	return 0;
}

/* The frontend with this key, in a shard that may be written; NULL and -errno. */
static struct frontend *
writable_frontend(
	struct service_table *t, const struct ip_addr *addr, uint16_t port, uint8_t proto, int *error)
{
	if (find_frontend(t, addr, port, proto) == NULL) {
		*error = -ENOENT;
		return NULL;
	}
	*error = own_shard(t, SHARD_FRONTENDS, addr_hash(addr, port, proto) >> SERVICE_SHARD_SHIFT);
	return *error < 0 ? NULL : find_frontend(t, addr, port, proto);
}

int
service_table_replace(struct service_table *t, const struct frontend *f)
{
	int error;
	struct frontend *place = writable_frontend(t, &f->addr, f->port, f->proto, &error);

	if (place == NULL)
		return error;
	if (place->backends != f->backends && drop_piece(t, place->backends, place->piece_size) < 0)
		return -ENOMEM;
	t->exposed_changes += ((place->flags ^ f->flags) & FRONTEND_EXPOSED) != 0;
	*place = *f;
	return 0;
}

int
service_table_remove(struct service_table *t, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	unsigned shard = addr_hash(addr, port, proto) >> SERVICE_SHARD_SHIFT;
	uint32_t mask = t->frontend_mask, i;
	int error;
	struct frontend *place = writable_frontend(t, addr, port, proto, &error), *all;

	if (place == NULL)
		return error;
	if (drop_piece(t, place->backends, place->piece_size) < 0 || discount_addr(t, addr) < 0)
		return -ENOMEM;
	t->exposed_changes += (place->flags & FRONTEND_EXPOSED) != 0;
	*place = (struct frontend){ .proto = FRONTEND_GONE };
	t->n_frontends--;
	all = t->frontends[shard];
	i = (uint32_t)(place - all);
	if (all[(i + 1) & mask].proto != 0)
		return 0;
	for (; all[i].proto == FRONTEND_GONE; i = (i - 1) & mask) { /* no look-up goes on behind them */
		all[i].proto = 0;
		t->edit->taken[SHARD_FRONTENDS][shard]--;
	}
	return 0;
}

/* Reverse entries. */

int
service_table_link(struct service_table *t, const struct backend *b, uint8_t proto, uint32_t ref)
{
	uint32_t hash = addr_hash(&b->addr, b->port, proto);
	struct reverse *r;

	if (prepare_shard(t, SHARD_REVERSES, hash) < 0)
		return -ENOMEM;
	r = reverse_place(t, &b->addr, b->port, proto);
	if (r->proto == 0) {
		*r = (struct reverse){ b->addr, b->port, proto, 0,
			{ FRONTEND_NONE, FRONTEND_NONE, FRONTEND_NONE } };
		t->edit->taken[SHARD_REVERSES][hash >> SERVICE_SHARD_SHIFT]++;
		t->n_reverses++;
	}
	if (b->slot != 0)
		r->frontend[b->slot - 1] = ref;
	else if (r->n_slotless < UINT8_MAX)
		r->n_slotless++;
	return 0;
}

static bool
is_unused(const struct reverse *r)
{
	bool is_used = r->n_slotless != 0;

	for (unsigned i = 0; i < SLOTS - 1; i++)
		is_used |= r->frontend[i] != FRONTEND_NONE;
	return !is_used;
}

static void
remove_reverse(struct service_table *t, unsigned shard, struct reverse *r)
{
	struct reverse *all = t->reverses[shard];
	uint32_t mask = t->reverse_mask, hole = (uint32_t)(r - all);

	for (uint32_t i = (hole + 1) & mask; all[i].proto != 0; i = (i + 1) & mask) {
		uint32_t home = addr_hash(&all[i].addr, all[i].port, all[i].proto) & mask;

		if (((i - home) & mask) < ((i - hole) & mask))
			continue; /* it would come before its home */
		all[hole] = all[i];
		hole = i;
	}
	all[hole] = (struct reverse){ 0 };
	t->edit->taken[SHARD_REVERSES][shard]--;
	t->n_reverses--;
}

int
service_table_unlink(struct service_table *t, const struct backend *b, uint8_t proto, uint32_t ref)
{
	unsigned shard = addr_hash(&b->addr, b->port, proto) >> SERVICE_SHARD_SHIFT;
	struct reverse *r;

	if (own_shard(t, SHARD_REVERSES, shard) < 0)
		return -ENOMEM;
	r = reverse_place(t, &b->addr, b->port, proto);
	if (r->proto == 0)
		return 0;
	if (b->slot == 0 && r->n_slotless != 0 && r->n_slotless != UINT8_MAX)
		r->n_slotless--;
	else if (b->slot != 0 && r->frontend[b->slot - 1] == ref)
		r->frontend[b->slot - 1] = FRONTEND_NONE;
	if (is_unused(r))
		remove_reverse(t, shard, r);
	return 0;
}

struct piece_pool_books
service_table_books(const struct service_table *t)
{
	return piece_pool_books(t->edit->lineage->pool);
}
