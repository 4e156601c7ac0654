#include "dataplane/policy/identity_table.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

struct identity_table *
identity_table_new(uint32_t n)
{
	uint32_t n_slots = 8;
	struct identity_table *t;
	size_t size, align;
	bool is_large;

	while (n_slots < 2 * (uint64_t)n)
		n_slots *= 2;
	size = sizeof(*t) + n_slots * sizeof(t->slots[0]);
	is_large = size >= HUGE_PAGE;
	align = is_large ? HUGE_PAGE : CACHE_LINE;
	size = (size + align - 1) / align * align;
	t = aligned_alloc(align, size);
	if (t == NULL)
		return NULL;
	if (is_large)
		madvise(t, size, MADV_HUGEPAGE); /* a hint: without, look-ups cost TLB misses */
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

void
identity_table_add(struct identity_table *t, const struct ip_prefix *prefix, uint16_t identity)
{
	struct ip_addr addr = ip_addr_mask(&prefix->addr, prefix->len);
	uint32_t i = identity_slot(t, &addr, prefix->len);

	while (t->slots[i].is_used && !identity_is_of(&t->slots[i], &addr, prefix->len))
		i = (i + 1) & t->mask;
	if (!t->slots[i].is_used)
		t->n_entries++;
	assert(t->n_entries <= t->room);
	t->slots[i] = (struct identity_entry){
		.prefix = addr, .len = prefix->len, .is_used = true, .identity = identity
	};
	if (prefix->len < 128)
		prefix_lens_note(ip_addr_is_v4(&prefix->addr) ? &t->v4 : &t->v6, prefix->len);
}

/* Among the prefixes that are shorter than an address. */
static uint16_t
identity_of_prefix(const struct identity_table *t, const struct ip_addr *a)
{
	const struct prefix_lens *l = ip_addr_is_v4(a) ? &t->v4 : &t->v6;

	for (unsigned n = 0; n < l->n; n++) {
		uint8_t len = l->by_rank[n].len;
		struct ip_addr prefix = prefix_masked(a, &l->by_rank[n].mask);

		for (uint32_t i = identity_slot(t, &prefix, len); t->slots[i].is_used; i = (i + 1) & t->mask)
			if (identity_is_of(&t->slots[i], &prefix, len))
				return t->slots[i].identity;
	}
	return IDENTITY_OTHER;
}

uint16_t
identity_from_next(
	const struct identity_table *t, const struct identity_entry *first, const struct ip_addr *a)
{
	if (!first->is_used)
		return identity_of_prefix(t, a);
	for (uint32_t i = (uint32_t)(first - t->slots + 1) & t->mask; t->slots[i].is_used;
		i = (i + 1) & t->mask)
		if (identity_is_of(&t->slots[i], a, 128))
			return t->slots[i].identity;
	return identity_of_prefix(t, a);
}
