#include "dataplane/route/route_table.h"

#include <assert.h>
#include <nmmintrin.h>
#include <stdlib.h>

/* The upper len bits of 64, as they lie in memory. */
static uint64_t
mask64(unsigned len)
{
	return len == 0 ? 0 : __builtin_bswap64(~UINT64_C(0) << (64 - len));
}

static struct ip_addr
mask_of(unsigned len)
{
	unsigned upper = len < 64 ? len : 64;

	return (struct ip_addr){ .w = { mask64(upper), mask64(len - upper) } };
}

static inline struct ip_addr
masked(const struct ip_addr *a, const struct ip_addr *mask)
{
	return (struct ip_addr){ .w = { a->w[0] & mask->w[0], a->w[1] & mask->w[1] } };
}

/* CRC32C alone: it keeps neighbouring prefixes apart, and who adds routes is no adversary. */
static inline uint32_t
first_slot(const struct route_table *t, const struct ip_addr *prefix, uint8_t len)
{
	return (uint32_t)_mm_crc32_u64(_mm_crc32_u64(len, prefix->w[0]), prefix->w[1]) & t->mask;
}

static inline bool
is_same(const struct route *r, const struct ip_addr *prefix, uint8_t len)
{
	return r->len == len && ip_addr_eq(&r->prefix, prefix);
}

struct route_table *
route_table_new(uint32_t n_routes)
{
	uint32_t n_slots = 8;
	struct route_table *t;
	size_t size;

	while (n_slots < 4 * (uint64_t)n_routes)
		n_slots *= 2;
	size = sizeof(*t) + n_slots * sizeof(t->slots[0]);
	t = aligned_alloc(_Alignof(struct route_table), size);
	if (t == NULL)
		return NULL;
	memset(t, 0, size);
	t->mask = n_slots - 1;
	return t;
}

void
route_table_free(struct route_table *t)
{
	free(t);
}

static void
note_len(struct route_lens *l, uint8_t len)
{
	unsigned i = 0;

	while (i < l->n && l->by_rank[i].len > len)
		i++;
	if (i < l->n && l->by_rank[i].len == len)
		return;
	memmove(&l->by_rank[i + 1], &l->by_rank[i], (l->n - i) * sizeof(l->by_rank[0]));
	l->by_rank[i].len = len;
	l->by_rank[i].mask = mask_of(len);
	l->n++;
}

static struct route *
add(struct route_table *t, const struct ip_prefix *prefix, enum route_kind kind)
{
	struct ip_addr mask = mask_of(prefix->len), addr = masked(&prefix->addr, &mask);
	uint32_t i = first_slot(t, &addr, prefix->len);

	while (t->slots[i].kind != ROUTE_NONE && !is_same(&t->slots[i], &addr, prefix->len))
		i = (i + 1) & t->mask;
	if (t->slots[i].kind == ROUTE_NONE)
		t->n_routes++;
	/* a look-up ends at a free slot */
	assert(t->n_routes <= t->mask);
	t->slots[i] = (struct route){ .prefix = addr, .len = prefix->len, .kind = (uint8_t)kind };
	note_len(ip_addr_is_v4(&prefix->addr) ? &t->v4 : &t->v6, prefix->len);
	return &t->slots[i];
}

void
route_table_add(struct route_table *t, const struct ip_prefix *prefix, enum route_kind kind, uint32_t target)
{
	add(t, prefix, kind)->target = target;
}

void
route_table_add_outside(struct route_table *t, const struct ip_prefix *prefix, enum route_kind kind,
	const struct mac_addr *next_hop, uint8_t flags)
{
	struct route *r = add(t, prefix, kind);

	r->next_hop = *next_hop;
	r->flags = flags;
}

const struct route *
route_lookup(const struct route_table *t, const struct ip_addr *addr)
{
	const struct route_lens *l = ip_addr_is_v4(addr) ? &t->v4 : &t->v6;

	for (unsigned n = 0; n < l->n; n++) {
		uint8_t len = l->by_rank[n].len;
		struct ip_addr prefix = masked(addr, &l->by_rank[n].mask);

		for (uint32_t i = first_slot(t, &prefix, len); t->slots[i].kind != ROUTE_NONE;
			i = (i + 1) & t->mask)
			if (is_same(&t->slots[i], &prefix, len))
				return &t->slots[i];
	}
	return NULL;
}
