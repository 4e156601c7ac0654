#include "control/resolve/shadow_book.h"

#include <string.h>

static_assert(SHADOW_DIVERGENCES == 64, "a bit for each");

static bool
is_of(const struct shadow_divergence *a, const struct shadow_divergence *b)
{
	return a->n != 0 && a->kind == b->kind && a->type == b->type && a->name_len == b->name_len &&
	       memcmp(a->name, b->name, a->name_len) == 0;
}

static unsigned
n_of_port(const struct shadow_book *b, uint16_t port)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SHADOW_DIVERGENCES; i++)
		n += b->all[i].client.port == port;
	return n;
}

/* Whether a gives way before b. */
static bool
is_less_wanted(
	const struct shadow_book *book, const struct shadow_divergence *a, const struct shadow_divergence *b)
{
	bool one = a->kind == SHADOW_NO_ANSWER, other = b->kind == SHADOW_NO_ANSWER;
	unsigned n = n_of_port(book, a->client.port), m = n_of_port(book, b->client.port);

	if (one != other)
		return one;
	return n != m ? n > m : a->last_ns < b->last_ns;
}

/* Where it is, or else where it may be. */
static struct shadow_divergence *
find_place(struct shadow_book *b, const struct shadow_divergence *d)
{
	struct shadow_divergence *place = NULL;

	for (unsigned i = 0; i < SHADOW_DIVERGENCES; i++)
		if (is_of(&b->all[i], d))
			return &b->all[i];
	for (unsigned i = 0; i < SHADOW_DIVERGENCES; i++) {
		if (b->all[i].n == 0)
			return &b->all[i];
		if (place == NULL || is_less_wanted(b, &b->all[i], place))
			place = &b->all[i];
	}
	place->n = 0;
	return place;
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

bool
shadow_diverged_since(const struct shadow_divergence *all, unsigned n, uint64_t since_ns)
{
	for (unsigned i = 0; i < n; i++)
		if (all[i].n != 0 && shadow_is_divergence(all[i].kind) && all[i].last_ns >= since_ns)
			return true;
	return false;
}
