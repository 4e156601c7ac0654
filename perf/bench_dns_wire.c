#include "perf/bench.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/clock.h"
#include "perf/child.h"
#include "perf/dns_server.h"
#include "perf/mix.h"
#include "perf/output.h"
#include "perf/stats.h"

#define SERVER_CPU 0
#define CLIENT_CPU (-1) /* any: dnsperf is what has most to do */
#define CLIENT_THREADS "2"
#define MTU 1500
#define START_TIMEOUT_S 30
#define ROUNDS_MAX 99
#define LINES 100000 /* of the file of queries */
#define WARM_UP_S 0.5

/* On the process's own /run. */
#define QUERIES "/run/queries"
#define FIRST_QUERY "/run/first-query"
#define LOG "/run/dnsperf.log"

struct args {
	uint32_t services;
	unsigned rounds, outstanding, clients;
	double seconds;
	int only;         /* enum dns_server_kind; -1: all of them */
	const char *json; /* NULL: none; "-": standard output */
};

/* What a server did in one round, by the second. */
struct round {
	double queries;         /* answered */
	double server, softirq; /* processor time of its threads; of the kernel's thread for its core */
	double client;          /* of dnsperf */
	double lost;            /* share */
	double per_cpu_s, busy; /* queries per second of the server's processor time; share of its core */
};

struct bench {
	struct args args;
	struct cluster cluster;
	struct dns_names *names;
	pid_t ksoftirqd;
	struct round rounds[N_DNS_SERVERS][ROUNDS_MAX];
};

/* --- queries */

/* A and AAAA of services, the n-th asked for 1/n as often as the first, and a quarter junk. */
static void
write_query(FILE *out, uint32_t n_services, uint64_t i)
{
	uint64_t random = mix(2 * i), kind = mix(2 * i + 1);
	uint32_t number = (uint32_t)exp((double)(uint32_t)random / 4294967296.0 * log(n_services + 1.0)) - 1;
	char name[DNS_NAME_TEXT_MAX];

	number = number < n_services ? number : n_services - 1;
	if (kind >> 32 & 3)
		dns_names_service(number, name);
	else
		dns_names_junk(number, number % 3, name);
	fprintf(out, "%s %s\n", name, kind & 1 ? "A" : "AAAA");
}

static int
write_queries(const char *path, uint32_t n_services, unsigned n)
{
	FILE *out = fopen(path, "w");

	if (out == NULL)
		return -errno;
	for (unsigned i = 0; i < n; i++)
		write_query(out, n_services, i);
	return fclose(out) == 0 ? 0 : -errno;
}

/* --- dnsperf */

static double
read_number(const char *log, const char *label)
{
	char line[256];
	double value = -1;
	FILE *in = fopen(log, "r");

	while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
		const char *at = strstr(line, label);

		if (at != NULL)
			value = strtod(at + strlen(label), NULL);
	}
	if (in != NULL)
		fclose(in);
	return value;
}

/* In the pod. Fills queries, lost and client. */
static int
ask(const struct bench *b, const struct lab *lab, const char *file, const char *limit, const char *value,
	struct round *r)
{
	struct ip_addr server = dns_names_addr(DNS_NAMES_SERVER, V4);
	char address[IP_ADDR_STRLEN], outstanding[16], clients[16];
	char *argv[] = { "dnsperf", "-s", (char *)ip_addr_format(&server, address), "-d", (char *)file,
		(char *)limit, (char *)value, "-q", outstanding, "-c", clients, "-T", CLIENT_THREADS, "-t",
		"1", NULL };
	uint64_t cpu_ns = 0;
	pid_t pid;
	int err = lab_enter(lab->pods[0]);

	snprintf(outstanding, sizeof(outstanding), "%u", b->args.outstanding);
	snprintf(clients, sizeof(clients), "%u", b->args.clients);
	if (err == 0)
		err = child_start(&pid, argv, CLIENT_CPU, LOG);
	lab_enter(lab->home);
	if (err == 0)
		err = child_wait(pid, &cpu_ns);
	r->queries = read_number(LOG, "Queries completed:");
	r->lost = read_number(LOG, "Queries lost:");
	r->client = (double)cpu_ns / 1e9;
	return err == 0 && r->queries < 0 ? -EIO : err;
}

static int
wait_for_server(const struct bench *b, const struct lab *lab)
{
	struct round r = { 0 };
	uint64_t until = clock_now_ns() + START_TIMEOUT_S * UINT64_C(1000000000);

	while (clock_now_ns() < until) {
		int err = ask(b, lab, FIRST_QUERY, "-n", "1", &r);

		if (err < 0) {
			child_print_log(LOG);
			return err;
		}
		if (r.queries >= 1)
			return 0;
	}
	fprintf(stderr, "it does not answer\n");
	return -ETIMEDOUT;
}

/* --- a round */

/* The thread in which the kernel does what it puts off on the server's core. 0: not found. */
static pid_t
find_ksoftirqd(void)
{
	FILE *in = popen("pgrep -x ksoftirqd/0", "r");
	int pid = 0;

	if (in == NULL || fscanf(in, "%d", &pid) != 1)
		pid = 0;
	if (in != NULL)
		pclose(in);
	return pid;
}

static double
ksoftirqd_s(const struct bench *b)
{
	char path[64];
	unsigned long long ns = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", b->ksoftirqd);
	in = b->ksoftirqd == 0 ? NULL : fopen(path, "r");
	if (in == NULL || fscanf(in, "%llu", &ns) != 1)
		ns = 0;
	if (in != NULL)
		fclose(in);
	return (double)ns / 1e9;
}

static int
measure(const struct bench *b, const struct lab *lab, const struct dns_server_run *s, struct round *r)
{
	char seconds[32], warm_up[32];
	double softirq, server, queries;
	int err;

	snprintf(seconds, sizeof(seconds), "%g", b->args.seconds);
	snprintf(warm_up, sizeof(warm_up), "%g", WARM_UP_S);
	err = ask(b, lab, QUERIES, "-l", warm_up, r);
	if (err < 0)
		return err;
	softirq = ksoftirqd_s(b);
	server = (double)dns_server_cpu_ns(s) / 1e9;
	err = ask(b, lab, QUERIES, "-l", seconds, r);
	if (err < 0)
		return err;
	queries = r->queries;
	r->server = (double)dns_server_cpu_ns(s) / 1e9 - server;
	r->softirq = ksoftirqd_s(b) - softirq;
	r->busy = (r->server + r->softirq) / b->args.seconds;
	r->per_cpu_s = queries / (r->server + r->softirq);
	r->lost = r->lost / (queries + r->lost);
	r->queries = queries / b->args.seconds;
	return queries == 0 ? -EIO : 0;
}

static int
run_once(struct bench *b, enum dns_server_kind kind, unsigned round)
{
	const struct mac_addr macs[LAB_PODS] = { cluster_pod_mac(0), cluster_pod_mac(1) };
	struct round *r = &b->rounds[kind][round];
	struct dns_server_run *s = NULL;
	struct lab lab;
	int err = lab_new(&lab, MTU, macs);

	if (err < 0)
		return err;
	s = dns_server_start(kind, &lab, &b->cluster, b->names, SERVER_CPU);
	err = s == NULL ? -EIO : wait_for_server(b, &lab);
	if (err == 0)
		err = measure(b, &lab, s, r);
	dns_server_stop(s);
	lab_free(&lab);
	if (err == 0)
		fprintf(stderr,
			"round %u: %-8s %8.0f queries/s, %3.0f%% of a core, %8.0f queries per CPU-second\n",
			round + 1, dns_server_name(kind), r->queries, r->busy * 100, r->per_cpu_s);
	return err;
}

/* --- what was found */

static bool
is_wanted(const struct bench *b, enum dns_server_kind kind)
{
	return b->args.only < 0 || (enum dns_server_kind)b->args.only == kind;
}

static double
middle(const struct bench *b, enum dns_server_kind kind, size_t offset)
{
	double values[ROUNDS_MAX];

	for (unsigned i = 0; i < b->args.rounds; i++)
		values[i] = *(const double *)((const uint8_t *)&b->rounds[kind][i] + offset);
	return median(values, b->args.rounds);
}

#define MIDDLE(b, kind, field) middle(b, kind, offsetof(struct round, field))

/* How many times the better of the others, round by round. */
static double
times_better(const struct bench *b)
{
	double values[ROUNDS_MAX];

	for (unsigned i = 0; i < b->args.rounds; i++)
		values[i] = b->rounds[DNS_SERVER_RINGWAY][i].per_cpu_s /
			    fmax(b->rounds[DNS_SERVER_UNBOUND][i].per_cpu_s,
				    b->rounds[DNS_SERVER_DNSMASQ][i].per_cpu_s);
	return median(values, b->args.rounds);
}

static void
print_table(const struct bench *b)
{
	printf("dns-wire: %u services, %u queries outstanding of %u clients; medians of %u rounds of %g s in "
	       "turn\n"
	       "  %-8s %12s %12s %12s %14s %14s %8s\n",
		b->args.services, b->args.outstanding, b->args.clients, b->args.rounds, b->args.seconds, "",
		"queries/s", "core busy", "of it softirq", "per CPU-second", "client us/query", "lost");
	for (enum dns_server_kind kind = 0; kind < N_DNS_SERVERS; kind++) {
		if (!is_wanted(b, kind))
			continue;
		double queries = MIDDLE(b, kind, queries);

		printf("  %-8s %12.0f %11.0f%% %11.1f%% %14.0f %14.2f %7.2f%%\n", dns_server_name(kind),
			queries, MIDDLE(b, kind, busy) * 100,
			MIDDLE(b, kind, softirq) / b->args.seconds * 100, MIDDLE(b, kind, per_cpu_s),
			MIDDLE(b, kind, client) / b->args.seconds / queries * 1e6,
			MIDDLE(b, kind, lost) * 100);
	}
	if (b->args.only < 0)
		printf("  ringway per CPU-second: %.2f times the better of the others\n", times_better(b));
}

static int
print_json(const struct bench *b)
{
	FILE *out = output_open(b->args.json);

	if (out == NULL)
		return -EIO;
	fprintf(out, "{\"mode\": \"dns-wire\"");
	if (b->args.only < 0)
		fprintf(out, ", \"times_better\": %.3f", times_better(b));
	for (enum dns_server_kind kind = 0; kind < N_DNS_SERVERS; kind++)
		if (is_wanted(b, kind))
			fprintf(out,
				", \"%s\": {\"queries_per_s\": %.0f, \"busy\": %.3f, \"queries_per_cpu_s\": "
				"%.0f, "
				"\"lost\": "
				"%.5f}",
				dns_server_name(kind), MIDDLE(b, kind, queries), MIDDLE(b, kind, busy),
				MIDDLE(b, kind, per_cpu_s), MIDDLE(b, kind, lost));
	fprintf(out,
		", \"parameters\": {\"services\": %u, \"rounds\": %u, \"seconds\": %g, \"outstanding\": %u, "
		"\"clients\": %u}}\n",
		b->args.services, b->args.rounds, b->args.seconds, b->args.outstanding, b->args.clients);
	return output_close(out, b->args.json);
}

/* --- arguments */

enum { KEY_SERVICES = 'a', KEY_ROUNDS, KEY_SECONDS, KEY_OUTSTANDING, KEY_CLIENTS, KEY_ONLY, KEY_JSON };

static const struct argp_option options[] = {
	{ "services", KEY_SERVICES, "N", 0, "services, each with an address of either family (1000)", 1 },
	{ "rounds", KEY_ROUNDS, "N", 0, "all servers are run in turn, so many times (5)", 2 },
	{ "seconds", KEY_SECONDS, "S", 0, "how long each is asked in each round (2)", 2 },
	{ "outstanding", KEY_OUTSTANDING, "N", 0, "queries that dnsperf has outstanding at most (200)", 2 },
	{ "clients", KEY_CLIENTS, "N", 0, "its sockets (2)", 2 },
	{ "only", KEY_ONLY, "NAME", 0, "ringway, unbound or dnsmasq alone", 2 },
	{ "json", KEY_JSON, "FILE", 0, "write the result as one JSON object; '-': standard output", 3 },
	{ 0 },
};

static int
server(struct argp_state *state, const char *arg)
{
	for (enum dns_server_kind kind = 0; kind < N_DNS_SERVERS; kind++)
		if (strcmp(arg, dns_server_name(kind)) == 0)
			return (int)kind;
	argp_error(state, "--only wants ringway, unbound or dnsmasq, not '%s'", arg);
	return -1;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;

	switch (key) {
	case KEY_SERVICES:
		args->services = (unsigned)params_number(state, "services", arg, 1, 100000);
		return 0;
	case KEY_ROUNDS:
		args->rounds = (unsigned)params_number(state, "rounds", arg, 1, ROUNDS_MAX);
		return 0;
	case KEY_SECONDS:
		args->seconds = (unsigned)params_number(state, "seconds", arg, 1, 3600);
		return 0;
	case KEY_OUTSTANDING:
		args->outstanding = (unsigned)params_number(state, "outstanding", arg, 1, 65535);
		return 0;
	case KEY_CLIENTS:
		args->clients = (unsigned)params_number(state, "clients", arg, 1, 1000);
		return 0;
	case KEY_ONLY:
		args->only = server(state, arg);
		return 0;
	case KEY_JSON:
		args->json = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int
init(struct bench *b)
{
	const struct cluster_shape shape = { .n_pods = LAB_PODS,
		.first_backend = 1,
		.n_services = b->args.services,
		.n_endpoints = b->args.services,
		.local_backends = true,
		.udp = true };
	int err;

	if (geteuid() != 0 || sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		fprintf(stderr, "ringway-perf dns-wire: needs root, and two cores\n");
		return -EPERM;
	}
	b->ksoftirqd = find_ksoftirqd();
	b->names = dns_names_new(b->args.services);
	err = b->names == NULL ? -ENOMEM : cluster_init(&b->cluster, &shape);
	if (err == 0)
		err = lab_isolate();
	if (err == 0)
		err = write_queries(QUERIES, b->args.services, LINES);
	return err < 0 ? err : write_queries(FIRST_QUERY, b->args.services, 1);
}

int
bench_dns_wire(int argc, char **argv)
{
	static const struct argp argp = { options, parse, NULL,
		"dnsperf in a pod asks a worker over AF_XDP, unbound and dnsmasq, in turn, in namespaces of "
		"its own; "
		"root only. Queries per second of the servers' processor time. Defaults in parentheses.",
		NULL, NULL, NULL };
	struct bench b = { .args = { .services = 1000,
				   .rounds = 5,
				   .outstanding = 200,
				   .clients = 2,
				   .seconds = 2,
				   .only = -1 } };
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &b.args);
	err = init(&b);
	for (unsigned round = 0; err == 0 && round < b.args.rounds; round++)
		for (unsigned i = 0; err == 0 && i < N_DNS_SERVERS; i++) {
			enum dns_server_kind kind = (enum dns_server_kind)((i + round) % N_DNS_SERVERS);

			if (is_wanted(&b, kind))
				err = run_once(&b, kind, round);
		}
	if (err == 0 && output_has_table(b.args.json))
		print_table(&b);
	if (err == 0 && b.args.json != NULL)
		err = print_json(&b);
	dns_names_free(b.names);
	return err == 0 ? 0 : 1;
}
