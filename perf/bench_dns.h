/* What 'ringway-perf dns' is asked for and what it found; for its own files. */
#ifndef RINGWAY_PERF_BENCH_DNS_H
#define RINGWAY_PERF_BENCH_DNS_H

#include "perf/dns_traffic.h"

#define DNS_COLUMNS_MAX 8
#define DNS_ROUNDS_MAX 99

struct dns_args {
	unsigned n_columns;
	uint32_t services[DNS_COLUMNS_MAX];
	bool asks[N_DNS_ASKS]; /* which are wanted */
	unsigned
		n_percent; /* not 0: outside names, and columns are by how full the cache is, of one number of services */
	unsigned percent[DNS_COLUMNS_MAX];
	bool is_uniform, ipv6;
	unsigned rounds, cold_kib;
	double seconds;   /* of each cell in each round */
	uint64_t packets; /* instead, if not 0 */
	const char *json; /* NULL: none; "-": standard output */
};

/* One kind of question to one size of zone: in each round the median of its bursts' cycles per packet. */
struct dns_cell {
	bool is_run;
	double rounds[DNS_ROUNDS_MAX];
	uint64_t packets, verified;
};

struct dns_result {
	struct dns_cell cells[N_DNS_ASKS][DNS_COLUMNS_MAX];
	double tsc_hz;
	size_t names[DNS_COLUMNS_MAX]; /* in the zone, or in the cache */
};

/* Over the defaults; exits with a message, like argp, when an argument is wrong. */
void dns_args_parse(int argc, char **argv, struct dns_args *args);

/* Prints the table, and writes the file that is asked for. 0 or -errno. */
int dns_report(const struct dns_args *args, const struct dns_result *r);

#endif
