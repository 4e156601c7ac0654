#include "control/cli/table.h"

#include <err.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/command.h"

#define GAP 2 /* between columns */
#define COLUMNS_MAX 16
#define CUT "…"

struct table {
	const struct column *columns;
	unsigned n_columns;
	size_t n_cells, size;
	char **cells;
};

struct table *
table_new(const struct column *columns, unsigned n_columns)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		err(CLI_PROBLEM, "no memory for a table");
	t->columns = columns;
	t->n_columns = n_columns;
	return t;
}

void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n_cells; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}

void
table_cell(struct table *t, const char *fmt, ...)
{
	char *text;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0)
		err(CLI_PROBLEM, "no memory for a table");
	if (len == 0) {
		free(text);
		text = strdup("-");
	}
	if (t->n_cells == t->size) {
		t->size = t->size == 0 ? 64 : t->size * 2;
		t->cells = realloc(t->cells, t->size * sizeof(*t->cells));
	}
	if (t->cells == NULL || text == NULL)
		err(CLI_PROBLEM, "no memory for a table");
	t->cells[t->n_cells++] = text;
}

unsigned
table_rows(const struct table *t)
{
	return (unsigned)((t->n_cells + t->n_columns - 1) / t->n_columns);
}

static bool
is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

unsigned
table_text_width(const char *text)
{
	unsigned n = 0;

	for (; *text != '\0'; text++)
		n += !is_continuation(*text);
	return n;
}

static const char *
cell_at(const struct table *t, unsigned row, unsigned column)
{
	size_t i = (size_t)row * t->n_columns + column;

	return i < t->n_cells ? t->cells[i] : "";
}

/* Takes characters from the widest column that may give way, one by one, until the line fits
 * or none may any more. */
static void
shrink(const struct table *t, unsigned *widths, unsigned limit)
{
	for (;;) {
		unsigned total = GAP * (t->n_columns - 1);
		unsigned widest = t->n_columns;

		for (unsigned c = 0; c < t->n_columns; c++) {
			total += widths[c];
			if (t->columns[c].min == 0 || widths[c] <= t->columns[c].min)
				continue;
			if (widest == t->n_columns || widths[c] > widths[widest])
				widest = c;
		}
		if (total <= limit || widest == t->n_columns)
			return;
		widths[widest]--;
	}
}

/* Writes at most width characters of the text, the last of them a mark when some are missing, and pads. */
static void
print_cell(const char *text, unsigned width, enum align align, bool is_last, FILE *out)
{
	unsigned len = table_text_width(text);

	if (len > width) {
		const char *p = text;

		for (unsigned n = 0; n < width; n++)
			do
				p++;
			while (is_continuation(*p));
		while (p > text && is_continuation(*--p))
			;
		fprintf(out, "%.*s" CUT, (int)(p - text), text);
	} else {
		unsigned pad = width - len;

		fprintf(out, "%*s%s%*s", align == RIGHT ? (int)pad : 0, "", text,
			align == RIGHT || is_last ? 0 : (int)pad, "");
	}
	if (!is_last)
		fprintf(out, "%*s", GAP, "");
}

void
table_print(const struct table *t, FILE *out, unsigned width)
{
	bool has_heading = t->columns[0].title != NULL;
	unsigned n_rows = table_rows(t);
	unsigned widths[COLUMNS_MAX];

	for (unsigned c = 0; c < t->n_columns; c++) {
		widths[c] = has_heading ? table_text_width(t->columns[c].title) : 0;
		for (unsigned r = 0; r < n_rows; r++) {
			unsigned len = table_text_width(cell_at(t, r, c));

			widths[c] = len > widths[c] ? len : widths[c];
		}
	}
	if (width != 0)
		shrink(t, widths, width);
	if (has_heading) {
		for (unsigned c = 0; c < t->n_columns; c++)
			print_cell(t->columns[c].title, widths[c], t->columns[c].align, c + 1 == t->n_columns,
				out);
		fputc('\n', out);
	}
	for (unsigned r = 0; r < n_rows; r++) {
		for (unsigned c = 0; c < t->n_columns; c++)
			print_cell(
				cell_at(t, r, c), widths[c], t->columns[c].align, c + 1 == t->n_columns, out);
		fputc('\n', out);
	}
}
