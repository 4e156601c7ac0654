/* What a run found: a table for people, one JSON object for programs, a page with plots. */
#ifndef RINGWAY_PERF_REPORT_H
#define RINGWAY_PERF_REPORT_H

#include "perf/params.h"
#include "perf/stats.h"

#define SERIES_MAX 512

/* One number per interval or pair, in order. */
struct series {
	const char *name; /* static string */
	const char *unit; /* static string */
	unsigned n;
	double values[SERIES_MAX];
};

struct result {
	const char *mode; /* "pipeline", "wire", "bare", "testpmd"; static string */
	double mpps;      /* million packets per second */
	double cycles_per_packet;
	double p50_ns, p99_ns;
	double loss;       /* share of the packets that were sent and not forwarded, 0..1 */
	uint64_t packets;  /* forwarded */
	uint64_t verified; /* of these, looked at byte by byte */
	double tsc_hz;
	struct series intervals;
	struct hist *latency_ns; /* owned by the caller; NULL: none */
	/* wire --pairs: medians; 0: not measured */
	double ratio_to_bare, cycles_ratio_to_bare, bare_to_testpmd;
	struct series pair_ratios, testpmd_ratios;
};

/* Adds a value, if there is room. */
void series_add(struct series *s, double value);

/* Prints the table, and writes the files that the parameters ask for. 0 or -errno. */
int report(const struct params *p, const struct result *r);

/* The JSON object alone. */
void report_print_json(const struct params *p, const struct result *r, FILE *out);

/* A page with plots as inline SVG, which needs nothing from elsewhere. */
void report_print_html(const struct params *p, const struct result *r, FILE *out);

#endif
