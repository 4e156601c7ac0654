#include "control/resolve/shadow_book.h"

#include <string.h>

static_assert(SHADOW_DIVERGENCES == 64, "a bit for each");

static bool
is_of(const struct shadow_divergence *a, const struct shadow_divergence *b)
{
	return a->n != 0 && a->kind == b->kind && a->type == b->type && a->name_len == b->name_len &&
	       memcmp(a->name, b->name, a->name_len) == 0;
}

/* Where it is, or else the one that was seen the longest ago; of those that are free that was never. */
static struct shadow_divergence *
find_place(struct shadow_book *b, const struct shadow_divergence *d)
{
	struct shadow_divergence *oldest = &b->all[0];

	for (unsigned i = 0; i < SHADOW_DIVERGENCES; i++) {
		if (is_of(&b->all[i], d))
			return &b->all[i];
		if (b->all[i].last_ns < oldest->last_ns)
			oldest = &b->all[i];
	}
	oldest->n = 0;
	return oldest;
}

void
shadow_book_note(struct shadow_book *b, const struct shadow_divergence *d)
{
	struct shadow_divergence *place = find_place(b, d);
	uint64_t n = place->n, first_ns = n == 0 ? d->last_ns : place->first_ns;

	*place = *d;
	place->n = n + 1;
	place->first_ns = first_ns;
	b->changed |= UINT64_C(1) << (place - b->all);
}

void
shadow_book_copy(struct shadow_book *from, struct shadow_divergence to[static SHADOW_DIVERGENCES])
{
	for (; from->changed != 0; from->changed &= from->changed - 1) {
		unsigned i = (unsigned)__builtin_ctzll(from->changed);

		to[i] = from->all[i];
	}
}
