#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "perf/bench_dns.h"
#include "perf/output.h"
#include "perf/stats.h"

/* Of all rounds. */
static double
middle(const struct dns_cell *c, unsigned n)
{
	double values[DNS_ROUNDS_MAX];

	memcpy(values, c->rounds, n * sizeof(values[0]));
	return median(values, n);
}

/* How many times the first column's, round by round: what disturbs one disturbs its neighbours, too. */
static double
ratio(const struct dns_cell *c, const struct dns_cell *first, unsigned n)
{
	double values[DNS_ROUNDS_MAX];

	for (unsigned i = 0; i < n; i++)
		values[i] = c->rounds[i] / first->rounds[i];
	return median(values, n);
}

static void
print_row(const struct dns_args *args, const struct dns_result *r, enum dns_ask ask)
{
	const struct dns_cell *row = r->cells[ask];

	printf("  %-8s", dns_ask_name(ask));
	for (unsigned i = 0; i < args->n_columns; i++) {
		char text[32];

		if (i == 0)
			snprintf(text, sizeof(text), "%.0f", middle(&row[i], args->rounds));
		else
			snprintf(text, sizeof(text), "%.0f (%.2f)", middle(&row[i], args->rounds),
				ratio(&row[i], &row[0], args->rounds));
		printf(" %16s", text);
	}
	putchar('\n');
}

static void
print_table(const struct dns_args *args, const struct dns_result *r)
{
	printf("dns: cycles per query over IPv%d, names asked for %s; medians of %u rounds of %g s in turn "
	       "(and "
	       "of the "
	       "ratios to the first)\n  %-8s",
		args->ipv6 ? 6 : 4, args->is_uniform ? "all as often" : "Zipf-like", args->rounds,
		args->seconds, "services");
	for (unsigned i = 0; i < args->n_columns; i++)
		printf(" %16u", args->services[i]);
	printf("\n  %-8s", args->n_percent != 0 ? "cached" : "names");
	for (unsigned i = 0; i < args->n_columns; i++)
		printf(" %16zu", r->names[i]);
	putchar('\n');
	for (enum dns_ask ask = 0; ask < N_DNS_ASKS; ask++)
		if (args->asks[ask])
			print_row(args, r, ask);
}

static void
print_cells(const struct dns_args *args, const struct dns_result *r, FILE *out)
{
	const char *separator = "";

	for (enum dns_ask ask = 0; ask < N_DNS_ASKS; ask++)
		for (unsigned i = 0; args->asks[ask] && i < args->n_columns; i++) {
			const struct dns_cell *c = &r->cells[ask][i];

			fprintf(out,
				"%s{\"ask\": \"%s\", \"services\": %u, \"names\": %zu, "
				"\"cycles_per_packet\": %.1f, "
				"\"ratio\": %.3f, "
				"\"packets\": %llu, \"verified\": %llu}",
				separator, dns_ask_name(ask), args->services[i], r->names[i],
				middle(c, args->rounds), ratio(c, &r->cells[ask][0], args->rounds),
				(unsigned long long)c->packets, (unsigned long long)c->verified);
			separator = ", ";
		}
}

static int
print_json(const struct dns_args *args, const struct dns_result *r)
{
	FILE *out = output_open(args->json);
	uint64_t packets = 0;

	if (out == NULL)
		return -EIO;
	for (enum dns_ask ask = 0; ask < N_DNS_ASKS; ask++)
		for (unsigned i = 0; i < args->n_columns; i++)
			packets += r->cells[ask][i].packets;
	fprintf(out, "{\"mode\": \"dns\", \"tsc_hz\": %.0f, \"packets\": %llu, \"cells\": [", r->tsc_hz,
		(unsigned long long)packets);
	print_cells(args, r, out);
	fprintf(out,
		"], \"parameters\": {\"names\": \"%s\", \"family\": %d, \"rounds\": %u, \"seconds\": %g, "
		"\"packets\": "
		"%llu, \"cold_kib\": %u}}\n",
		args->is_uniform ? "uniform" : "zipf", args->ipv6 ? 6 : 4, args->rounds, args->seconds,
		(unsigned long long)args->packets, args->cold_kib);
	return output_close(out, args->json);
}

int
dns_report(const struct dns_args *args, const struct dns_result *r)
{
	if (output_has_table(args->json))
		print_table(args, r);
	return args->json == NULL ? 0 : print_json(args, r);
}
