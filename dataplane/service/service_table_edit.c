#include "dataplane/service/service_table_edit.h"

#include <errno.h>

#include "dataplane/service/service_table_internal.h"

/* An empty frontend's. */
static const uint16_t no_buckets[1];

static struct frontend *
find_frontend(const struct service_table *t, const struct ip_addr *addr, uint16_t port, uint8_t proto)
{
	return (struct frontend *)service_frontend(t, addr_hash(addr, port, proto), addr, port, proto);
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
	uint8_t *base = size == 0 ? NULL : service_piece_make(t, size);

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

	if (service_shard_prepare(t, SHARD_ADDRS, hash) < 0)
		return -ENOMEM;
	place = service_place_addr(t, addr);
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

	if (service_shard_own(t, SHARD_ADDRS, shard) < 0)
		return -ENOMEM;
	addrs = t->addrs[shard];
	place = service_place_addr(t, addr);
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

static bool
is_exposed_with_affinity(const struct frontend *f)
{
	return (f->flags & (FRONTEND_EXPOSED | FRONTEND_AFFINITY)) == (FRONTEND_EXPOSED | FRONTEND_AFFINITY);
}

int
service_table_add(struct service_table *t, const struct frontend *f, uint32_t *ref)
{
	uint32_t hash = addr_hash(&f->addr, f->port, f->proto);
	unsigned shard = hash >> SERVICE_SHARD_SHIFT;
	struct frontend *place;

	if (find_frontend(t, &f->addr, f->port, f->proto) != NULL)
		return -EEXIST;
	if (service_shard_prepare(t, SHARD_FRONTENDS, hash) < 0 || count_addr(t, &f->addr) < 0)
		return -ENOMEM;
	place = service_place_frontend(t, f);
	t->edit->taken[SHARD_FRONTENDS][shard] += place->proto == 0;
	*place = *f;
	t->exposed_changes += (f->flags & FRONTEND_EXPOSED) != 0;
	t->has_exposed_affinity |= is_exposed_with_affinity(f);
	if (place->buckets == NULL)
		place->buckets = no_buckets;
	t->n_frontends++;
	*ref = service_ref(shard, (uint32_t)(place - t->frontends[shard]));
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
	*error = service_shard_own(t, SHARD_FRONTENDS, addr_hash(addr, port, proto) >> SERVICE_SHARD_SHIFT);
	return *error < 0 ? NULL : find_frontend(t, addr, port, proto);
}

int
service_table_replace(struct service_table *t, const struct frontend *f)
{
	int error;
	struct frontend *place = writable_frontend(t, &f->addr, f->port, f->proto, &error);

	if (place == NULL)
		return error;
	if (place->backends != f->backends && service_piece_drop(t, place->backends, place->piece_size) < 0)
		return -ENOMEM;
	t->exposed_changes += ((place->flags ^ f->flags) & FRONTEND_EXPOSED) != 0;
	t->has_exposed_affinity |= is_exposed_with_affinity(f);
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
	if (service_piece_drop(t, place->backends, place->piece_size) < 0 || discount_addr(t, addr) < 0)
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

	if (service_shard_prepare(t, SHARD_REVERSES, hash) < 0)
		return -ENOMEM;
	r = service_place_reverse(t, &b->addr, b->port, proto);
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

	if (service_shard_own(t, SHARD_REVERSES, shard) < 0)
		return -ENOMEM;
	r = service_place_reverse(t, &b->addr, b->port, proto);
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
