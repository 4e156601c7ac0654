/* Tables for people: aligned columns, cut to the terminal's width when there is one. Into a pipe or a file
 * nothing is ever cut, so that `ringway pods | grep NAME` finds what is there. One thread. */
#ifndef RINGWAY_CLI_TABLE_H
#define RINGWAY_CLI_TABLE_H

#include <stdio.h>

enum align {
	LEFT,
	RIGHT, /* numbers */
};

struct column {
	const char *title; /* NULL in the first column: the table has no heading */
	enum align align;
	unsigned min; /* 0: never cut; else this column gives way to a narrow terminal, but keeps so many
			 characters */
};

struct table;

/* The columns stay the caller's, and are needed until table_free(). Out of memory ends the process: this is a
 * command, not a daemon. */
struct table *table_new(const struct column *columns, unsigned n_columns);
void table_free(struct table *t);

/* The next cell, from left to right and then from top to bottom. An empty cell is shown as "-". */
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* How many rows were begun. */
unsigned table_rows(const struct table *t);

/* width: characters per line, 0 for no limit. */
void table_print(const struct table *t, FILE *out, unsigned width);

/* Characters that a UTF-8 string takes on a terminal (no wide or combining ones are expected). */
unsigned table_text_width(const char *text);

#endif
