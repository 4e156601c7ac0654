#include "control/build/key_sort.h"

#include <stdlib.h>
#include <string.h>

#define DIGITS 16

/* Below, digits cost more than comparisons. */
#define FEW 64

static int
compare(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;

	if (x->high != y->high)
		return x->high < y->high ? -1 : 1;
	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static unsigned
digit_of(const struct sort_key *k, unsigned digit)
{
	return (unsigned)((digit < 8 ? k->low >> 8 * digit : k->high >> 8 * (digit - 8)) & 0xff);
}

static void
sort_by(unsigned digit, const struct sort_key *from, struct sort_key *to, size_t n)
{
	size_t places[256] = { 0 }, at = 0;

	for (size_t i = 0; i < n; i++)
		places[digit_of(&from[i], digit)]++;
	for (unsigned d = 0; d < 256; d++) {
		size_t count = places[d];

		places[d] = at;
		at += count;
	}
	for (size_t i = 0; i < n; i++)
		to[places[digit_of(&from[i], digit)]++] = from[i];
}

void
key_sort(struct sort_key *keys, struct sort_key *scratch, size_t n)
{
	struct sort_key *from = keys, *to = scratch, differs = { 0 };

	if (n < FEW) {
		if (n != 0)
			qsort(keys, n, sizeof(*keys), compare);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		differs.high |= keys[i].high ^ keys[0].high;
		differs.low |= keys[i].low ^ keys[0].low;
	}
	for (unsigned digit = 0; digit < DIGITS; digit++) {
		struct sort_key *sorted = to;

		if (digit_of(&differs, digit) == 0)
			continue;
		sort_by(digit, from, to, n);
		to = from;
		from = sorted;
	}
	if (from != keys)
		memcpy(keys, from, n * sizeof(*keys));
}
