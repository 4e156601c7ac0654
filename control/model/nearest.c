#include "control/model/nearest.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 63

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Row by row, of which the last three are kept: as many letters of a as rows, of b as columns. What both begin or end with
 * costs nothing. */
unsigned
nearest_distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1], lowest = 0;
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];
	size_t m = strlen(a), n = strlen(b);

	for (; m != 0 && n != 0 && *a == *b; m--, n--)
		a++, b++;
	for (; m != 0 && n != 0 && a[m - 1] == b[n - 1]; m--)
		n--;
	if (n > WORD_MAX || m > n + NEAREST_MAX || n > m + NEAREST_MAX)
		return UINT32_MAX;
	for (size_t k = 0; k <= n; k++)
		last[k] = (unsigned)k;
	for (size_t i = 1; i <= m; i++) {
		unsigned *spare = before, former = lowest;

		row[0] = lowest = (unsigned)i;
		for (size_t k = 1; k <= n; k++) {
			row[k] = least(last[k - 1] + (a[i - 1] != b[k - 1]), least(row[k - 1], last[k]) + 1);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				row[k] = least(row[k], before[k - 2] + 1);
			lowest = least(lowest, row[k]);
		}
		if (least(lowest, former) > NEAREST_MAX) /* and what follows is made of these two rows */
			return UINT32_MAX;
		before = last;
		last = row;
		row = spare;
	}
	return last[n];
}

static bool
is_nearer(struct nearest *n, unsigned distance)
{
	if (distance == 0 || distance > NEAREST_MAX || (n->is_found && distance >= n->distance))
		return false;
	n->is_found = true;
	n->distance = distance;
	return true;
}

void
nearest_label(struct nearest *n, const char *key, const char *value, const struct labels *labels)
{
	for (size_t i = 0; i < labels->n; i++) {
		const struct label *has = &labels->items[i];
		bool is_key = strcmp(has->key, key) == 0, is_value = strcmp(has->value, value) == 0;

		if (is_key == is_value)
			continue;
		if (is_nearer(n,
			    is_key ? nearest_distance(value, has->value) : nearest_distance(key, has->key)))
			snprintf(n->text, sizeof(n->text), "%.75s=%.75s", has->key, has->value);
	}
}

void
nearest_word(struct nearest *n, const char *wanted, const char *word)
{
	if (is_nearer(n, nearest_distance(wanted, word)))
		snprintf(n->text, sizeof(n->text), "%s", word);
}
