#include "dataplane/policy/identity_table.h"

#include <assert.h>
#include <stdlib.h>

static struct ip_addr
mask_of(unsigned len)
{
	const struct ip_addr ones = { .w = { ~UINT64_C(0), ~UINT64_C(0) } };

	return ip_addr_mask(&ones, len);
}

static inline struct ip_addr
masked(const struct ip_addr *a, const struct ip_addr *mask)
{
	return (struct ip_addr){ .w = { a->w[0] & mask->w[0], a->w[1] & mask->w[1] } };
}

static inline bool
is_same(const struct identity_entry *e, const struct ip_addr *prefix, uint8_t len)
{
	return e->len == len && ip_addr_eq(&e->prefix, prefix);
}

struct identity_table *
identity_table_new(uint32_t n)
{
	uint32_t n_slots = 8;
	struct identity_table *t;
	size_t size;

	while (n_slots < 2 * (uint64_t)n)
		n_slots *= 2;
	size = sizeof(*t) + n_slots * sizeof(t->slots[0]);
	t = aligned_alloc(_Alignof(struct identity_table), size);
	if (t == NULL)
		return NULL;
	memset(t, 0, size);
	t->room = n;
	t->mask = n_slots - 1;
	return t;
}

void
identity_table_free(struct identity_table *t)
{
	free(t);
}

static void
note_len(struct identity_lens *l, uint8_t len)
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

void
identity_table_add(struct identity_table *t, const struct ip_prefix *prefix, uint16_t identity)
{
	struct ip_addr mask = mask_of(prefix->len), addr = masked(&prefix->addr, &mask);
	uint32_t i = identity_slot(t, &addr, prefix->len);

	while (t->slots[i].is_used && !is_same(&t->slots[i], &addr, prefix->len))
		i = (i + 1) & t->mask;
	if (!t->slots[i].is_used)
		t->n_entries++;
	assert(t->n_entries <= t->room);
	t->slots[i] = (struct identity_entry){
		.prefix = addr, .len = prefix->len, .is_used = true, .identity = identity
	};
	note_len(ip_addr_is_v4(&prefix->addr) ? &t->v4 : &t->v6, prefix->len);
}

uint16_t
identity_of(const struct identity_table *t, const struct ip_addr *a)
{
	const struct identity_lens *l = ip_addr_is_v4(a) ? &t->v4 : &t->v6;

	for (unsigned n = 0; n < l->n; n++) {
		uint8_t len = l->by_rank[n].len;
		struct ip_addr prefix = masked(a, &l->by_rank[n].mask);

		for (uint32_t i = identity_slot(t, &prefix, len); t->slots[i].is_used; i = (i + 1) & t->mask)
			if (is_same(&t->slots[i], &prefix, len))
				return t->slots[i].identity;
	}
	return IDENTITY_OTHER;
}
