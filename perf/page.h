/* The parts of a page of results: a table, plots as inline SVG, nothing from elsewhere. */
#ifndef RINGWAY_PERF_PAGE_H
#define RINGWAY_PERF_PAGE_H

#include "perf/report.h"

void page_begin(const char *title, FILE *out);
void page_end(FILE *out);

/* A row of a table, which the caller opens and closes; format takes the value. */
void page_row(const char *name, const char *format, double value, FILE *out)
	__attribute__((format(printf, 2, 0)));

/* A line from zero up, one point per value. Nothing when there is none. */
void page_series(const struct series *s, FILE *out);

/* Bars over the values (ns) that occur between the 0.1% and 99.9% quantiles. NULL is fine. */
void page_histogram(const struct hist *h, const char *title, FILE *out);

#endif
