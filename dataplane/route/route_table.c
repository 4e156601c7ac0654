#include "dataplane/route/route_table.h"

#include <assert.h>
#include <stdlib.h>

static inline uint32_t
first_slot(const struct route_table *t, const struct ip_addr *prefix, uint8_t len)
{
	return prefix_hash(prefix, len) & t->mask;
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

static struct route *
add(struct route_table *t, const struct ip_prefix *prefix, enum route_kind kind)
{
	struct ip_addr addr = ip_addr_mask(&prefix->addr, prefix->len);
	uint32_t i = first_slot(t, &addr, prefix->len);

	while (t->slots[i].kind != ROUTE_NONE && !is_same(&t->slots[i], &addr, prefix->len))
		i = (i + 1) & t->mask;
	if (t->slots[i].kind == ROUTE_NONE)
		t->n_routes++;
	/* a look-up ends at a free slot */
	assert(t->n_routes <= t->mask);
	t->slots[i] = (struct route){ .prefix = addr, .len = prefix->len, .kind = (uint8_t)kind };
	prefix_lens_note(ip_addr_is_v4(&prefix->addr) ? &t->v4 : &t->v6, prefix->len);
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
	const struct prefix_lens *l = ip_addr_is_v4(addr) ? &t->v4 : &t->v6;

	for (unsigned n = 0; n < l->n; n++) {
		uint8_t len = l->by_rank[n].len;
		struct ip_addr prefix = prefix_masked(addr, &l->by_rank[n].mask);

		for (uint32_t i = first_slot(t, &prefix, len); t->slots[i].kind != ROUTE_NONE;
			i = (i + 1) & t->mask)
			if (is_same(&t->slots[i], &prefix, len))
				return &t->slots[i];
	}
	return NULL;
}
