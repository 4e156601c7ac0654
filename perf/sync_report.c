#include <errno.h>
#include <stdio.h>

#include "perf/bench_sync.h"
#include "perf/output.h"
#include "perf/page.h"

#define MB 1e6

/* A number of the result, or made of some. */
struct row {
	const char *key, *what, *format;
	double value;
};

#define ROWS_MAX 32

static unsigned
list_first_sync(const struct sync_result *r, struct row *rows)
{
	double after = r->decode_cpu_s + r->store_cpu_s + r->build_cpu_s + r->publish_cpu_s;
	unsigned n = 0;

	rows[n++] = (struct row){ "objects", "objects", "%.0f", (double)r->n_objects };
	rows[n++] = (struct row){ "bytes", "bytes of answers", "%.0f", (double)r->n_bytes };
	rows[n++] = (struct row){ "listed_s", "first sync: all listed after, s", "%.3f", r->listed_s };
	rows[n++] = (struct row){ "published_s", "tables published after, s", "%.3f", r->published_s };
	rows[n++] = (struct row){ "receive_cpu_s", "control's processor time: receiving, s", "%.3f",
		r->receive_cpu_s };
	rows[n++] = (struct row){ "decode_cpu_s", "decoding, s", "%.3f", r->decode_cpu_s };
	rows[n++] = (struct row){ "store_cpu_s", "store, s", "%.3f", r->store_cpu_s };
	rows[n++] = (struct row){ "build_cpu_s", "build, s", "%.3f", r->build_cpu_s };
	rows[n++] = (struct row){ "publish_cpu_s", "publication, s", "%.6f", r->publish_cpu_s };
	rows[n++] =
		(struct row){ "after_receiving_cpu_s", "all but receiving (wanted: 2), s", "%.3f", after };
	rows[n++] = (struct row){ "decode_mb_per_s", "decoding, MB/s", "%.1f",
		(double)r->n_bytes / MB / (r->decode_cpu_s + r->store_cpu_s) };
	rows[n++] = (struct row){ "store_mb", "the store, MB", "%.1f", (double)r->store / MB };
	rows[n++] = (struct row){ "list_peak_above_store_mb", "peak above it when all is listed, MB", "%.1f",
		((double)r->list_peak - (double)r->store) / MB };
	rows[n++] = (struct row){ "peak_mb", "peak with tables, MB", "%.1f", (double)r->peak / MB };
	rows[n++] = (struct row){ "settled_mb", "settled with tables, MB", "%.1f", (double)r->settled / MB };
	return n;
}

static unsigned
list_churn(const struct sync_result *r, struct row *rows)
{
	unsigned n = 0;

	if (r->churn_s <= 0)
		return 0;
	rows[n++] = (struct row){ "changes", "changes: slices", "%.0f", (double)r->n_changes };
	rows[n++] = (struct row){ "builds", "builds", "%.0f", (double)r->n_builds };
	rows[n++] = (struct row){ "churn_kb_per_s", "KB/s of answers", "%.1f",
		(double)r->churn_bytes / 1e3 / r->churn_s };
	rows[n++] = (struct row){ "churn_cpu_percent", "control's processor time, %", "%.2f",
		100 * r->churn_cpu_s / r->churn_s };
	rows[n++] = (struct row){ "published_p50_ms", "from event to published tables: p50, ms", "%.3f",
		hist_quantile(r->latency_ns, 0.5) / 1e6 };
	rows[n++] = (struct row){ "published_p99_ms", "p99, ms", "%.3f",
		hist_quantile(r->latency_ns, 0.99) / 1e6 };
	return n;
}

static unsigned
list_rows(const struct sync_result *r, struct row rows[ROWS_MAX])
{
	unsigned n = list_first_sync(r, rows);

	return n + list_churn(r, rows + n);
}

static void
print_title(const struct sync_args *args, char *out, size_t size)
{
	snprintf(out, size, "sync: %u nodes, %u services, %u endpoints, %u pods, by %s", args->shape.n_nodes,
		args->shape.n_services, args->shape.n_endpoints, args->shape.n_pods,
		args->in_pages ? "pages" : "WatchList");
}

static void
print_table(const struct sync_args *args, const struct row *rows, unsigned n)
{
	char title[160], value[32];

	print_title(args, title, sizeof(title));
	printf("%s; then %.0f slices/s, a heartbeat of each node in %.0f s\n", title, args->changes_per_s,
		args->heartbeat_s);
	for (unsigned i = 0; i < n; i++) {
		snprintf(value, sizeof(value), rows[i].format, rows[i].value);
		printf("  %-42s %14s\n", rows[i].what, value);
	}
}

static void
print_json(const struct sync_args *args, const struct row *rows, unsigned n, FILE *out)
{
	fprintf(out, "{\"mode\": \"sync\"");
	for (unsigned i = 0; i < n; i++)
		fprintf(out, ", \"%s\": %.6g", rows[i].key, rows[i].value);
	fprintf(out,
		", \"parameters\": {\"nodes\": %u, \"services\": %u, \"endpoints\": %u, \"pods\": %u, "
		"\"pages\": "
		"%s, "
		"\"changes_per_s\": %g, \"heartbeat_s\": %g, \"seconds\": %g}}\n",
		args->shape.n_nodes, args->shape.n_services, args->shape.n_endpoints, args->shape.n_pods,
		args->in_pages ? "true" : "false", args->changes_per_s, args->heartbeat_s, args->seconds);
}

static void
print_html(const struct sync_args *args, const struct sync_result *r, const struct row *rows, unsigned n,
	FILE *out)
{
	char title[160];

	print_title(args, title, sizeof(title));
	page_begin(title, out);
	fprintf(out, "<table>\n");
	for (unsigned i = 0; i < n; i++)
		page_row(rows[i].what, rows[i].format, rows[i].value, out);
	fprintf(out, "</table>\n");
	page_histogram(r->latency_ns, "From event to published tables", out);
	page_end(out);
}

int
sync_report(const struct sync_args *args, const struct sync_result *r)
{
	struct row rows[ROWS_MAX];
	unsigned n = list_rows(r, rows);
	int result = 0;
	FILE *out;

	if (output_has_table(args->json))
		print_table(args, rows, n);
	if (args->json != NULL) {
		out = output_open(args->json);
		if (out == NULL)
			return -EIO;
		print_json(args, rows, n, out);
		result = output_close(out, args->json);
	}
	if (args->html != NULL && result == 0) {
		out = output_open(args->html);
		if (out == NULL)
			return -EIO;
		print_html(args, r, rows, n, out);
		result = output_close(out, args->html);
	}
	return result;
}
