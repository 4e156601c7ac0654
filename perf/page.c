#include "perf/page.h"

#include <math.h>

#define PLOT_WIDTH 640
#define PLOT_HEIGHT 220
#define MARGIN 56

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta "
	"charset=\"utf-8\"><title>ringway-perf</title>\n<style>\n"
	"body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:46em;padding:0 "
	"1em;color:#222;background:#fff}\n"
	"table{border-collapse:collapse}td{padding:.1em 1.2em .1em "
	"0}td+td{text-align:right;font-variant-numeric:tabular-nums}\n"
	"svg{width:100%;height:auto}text{font:11px system-ui,sans-serif;fill:#555}.axis{stroke:#bbb}\n"
	".line{fill:none;stroke:#1b6ca8;stroke-width:1.5}.bar{fill:#1b6ca8}\n"
	"@media(prefers-color-scheme:dark){body{background:#16181b;color:#ddd}text{fill:#aaa}}\n"
	"</style></head><body>\n";

void
page_begin(const char *title, FILE *out)
{
	fputs(head, out);
	fprintf(out, "<h1>%s</h1>\n", title);
}

void
page_end(FILE *out)
{
	fprintf(out, "</body></html>\n");
}

void
page_row(const char *name, const char *format, double value, FILE *out)
{
	fprintf(out, "<tr><td>%s</td><td>", name);
	fprintf(out, format, value);
	fprintf(out, "</td></tr>\n");
}

static void
print_axes(double most, const char *unit, const char *left, const char *right, FILE *out)
{
	int bottom = PLOT_HEIGHT - 30;

	fprintf(out, "<line class=\"axis\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>", MARGIN, bottom,
		PLOT_WIDTH - 10, bottom);
	fprintf(out, "<text x=\"4\" y=\"16\">%.4g %s</text><text x=\"%d\" y=\"%d\">0</text>", most, unit,
		MARGIN - 14, bottom);
	fprintf(out, "<text x=\"%d\" y=\"%d\">%s</text>", MARGIN, PLOT_HEIGHT - 10, left);
	fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", PLOT_WIDTH - 10,
		PLOT_HEIGHT - 10, right);
}

void
page_series(const struct series *s, FILE *out)
{
	double most = 0;
	char right[32];

	if (s->n == 0)
		return;
	for (unsigned i = 0; i < s->n; i++)
		most = fmax(most, s->values[i]);
	if (most <= 0)
		most = 1;
	fprintf(out, "<h2>%s</h2>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">", s->name,
		PLOT_WIDTH, PLOT_HEIGHT, s->name);
	snprintf(right, sizeof(right), "%u", s->n);
	print_axes(most, s->unit, "1", right, out);
	fprintf(out, "<polyline class=\"line\" points=\"");
	for (unsigned i = 0; i < s->n; i++) {
		double across = s->n == 1 ? 0.5 : (double)i / (s->n - 1);

		fprintf(out, "%.1f,%.1f ", MARGIN + across * (PLOT_WIDTH - 10 - MARGIN),
			PLOT_HEIGHT - 30 - s->values[i] / most * (PLOT_HEIGHT - 60));
	}
	fprintf(out, "\"/></svg>\n");
}

void
page_histogram(const struct hist *h, const char *title, FILE *out)
{
	unsigned first, last;
	uint64_t most = 0;
	double width;
	char left[32], right[32];

	if (h == NULL || h->n == 0)
		return;
	first = hist_bin((uint64_t)hist_quantile(h, 0.001));
	last = hist_bin((uint64_t)hist_quantile(h, 0.999));
	for (unsigned i = first; i <= last; i++)
		most = h->bins[i] > most ? h->bins[i] : most;
	width = (double)(PLOT_WIDTH - 10 - MARGIN) / (last - first + 1);
	fprintf(out, "<h2>%s</h2>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">", title,
		PLOT_WIDTH, PLOT_HEIGHT, title);
	snprintf(left, sizeof(left), "%llu ns", (unsigned long long)hist_bin_floor(first));
	snprintf(right, sizeof(right), "%llu ns", (unsigned long long)hist_bin_floor(last + 1));
	print_axes(100.0 * (double)most / (double)h->n, "%", left, right, out);
	for (unsigned i = first; i <= last; i++) {
		double height = (double)h->bins[i] / (double)most * (PLOT_HEIGHT - 60);

		fprintf(out, "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
			MARGIN + (i - first) * width, PLOT_HEIGHT - 30 - height,
			width > 2 ? width - 1 : width, height);
	}
	fprintf(out, "</svg>\n");
}
