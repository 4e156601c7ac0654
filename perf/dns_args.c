#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "perf/bench_dns.h"
#include "perf/params.h"

enum {
	KEY_SERVICES = 'a',
	KEY_ASK,
	KEY_CACHED,
	KEY_NAMES,
	KEY_IPV6,
	KEY_ROUNDS,
	KEY_SECONDS,
	KEY_PACKETS,
	KEY_COLD,
	KEY_JSON,
};

static const struct argp_option options[] = {
	{ "services", KEY_SERVICES, "N,N...", 0,
		"sizes of the zone; the first is what others are compared with (10,100,1000,10000)", 1 },
	{ "ask", KEY_ASK, "KIND,KIND...", 0,
		"a, aaaa, srv: of services; junk: names that do not exist, as search lists make them; mix: "
		"35% a, 35% "
		"aaaa, 5% srv, 25% junk (all)",
		1 },
	{ "cached", KEY_CACHED, "PERCENT,...", 0,
		"instead, names outside of the zone, answered from a cache of 16 MiB that is so full, beside "
		"the "
		"largest zone of --services; 0: ten names",
		1 },
	{ "names", KEY_NAMES, "zipf|uniform", 0,
		"zipf: the n-th name is asked for 1/n as often as the first; uniform: all as often (zipf)",
		1 },
	{ "ipv6", KEY_IPV6, NULL, 0, "queries over IPv6 (IPv4)", 1 },
	{ "rounds", KEY_ROUNDS, "N", 0, "all are run in turn, so many times (9)", 2 },
	{ "seconds", KEY_SECONDS, "S", 0, "how long each of them takes in each round (0.1)", 2 },
	{ "packets", KEY_PACKETS, "N", 0, "so many queries instead of a time", 2 },
	{ "cold", KEY_COLD, "KIB", 0,
		"between bursts, outside the timed section, write so much other memory, as the kernel does "
		"while it "
		"sends (0)",
		2 },
	{ "json", KEY_JSON, "FILE", 0, "write the result as one JSON object; '-': standard output", 3 },
	{ 0 },
};

static unsigned
parse_list(struct argp_state *state, const char *name, char *list, uint64_t minimum, uint64_t maximum,
	unsigned out[DNS_COLUMNS_MAX])
{
	char *rest = NULL;
	unsigned n = 0;

	for (char *item = strtok_r(list, ",", &rest); item != NULL; item = strtok_r(NULL, ",", &rest)) {
		if (n == DNS_COLUMNS_MAX)
			argp_error(state, "%s: at most %d numbers", list, DNS_COLUMNS_MAX);
		out[n++] = (unsigned)params_number(state, name, item, minimum, maximum);
	}
	if (n == 0)
		argp_error(state, "a list of numbers is wanted");
	return n;
}

static void
parse_asks(struct argp_state *state, char *list, struct dns_args *args)
{
	char *rest = NULL;

	memset(args->asks, 0, sizeof(args->asks));
	for (char *item = strtok_r(list, ",", &rest); item != NULL; item = strtok_r(NULL, ",", &rest)) {
		unsigned i = 0;

		while (i < DNS_ASK_OUTSIDE && strcmp(item, dns_ask_name((enum dns_ask)i)) != 0)
			i++;
		if (i == DNS_ASK_OUTSIDE)
			argp_error(state, "--ask wants some of a, aaaa, srv, junk and mix, not '%s'", item);
		args->asks[i] = true;
	}
}

/* One number of services for all columns, the last one, and one kind of question. */
static void
choose_cache(struct dns_args *args)
{
	uint32_t services = args->services[args->n_columns - 1];

	args->n_columns = args->n_percent;
	for (unsigned i = 0; i < args->n_columns; i++)
		args->services[i] = services;
	for (enum dns_ask ask = 0; ask < N_DNS_ASKS; ask++)
		args->asks[ask] = ask == DNS_ASK_OUTSIDE;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct dns_args *args = state->input;

	switch (key) {
	case KEY_SERVICES:
		args->n_columns = parse_list(state, "services", arg, 1, 100000, args->services);
		return 0;
	case KEY_CACHED:
		args->n_percent = parse_list(state, "cached", arg, 0, 100, args->percent);
		return 0;
	case KEY_ASK:
		parse_asks(state, arg, args);
		return 0;
	case KEY_NAMES:
		args->is_uniform = strcmp(arg, "uniform") == 0;
		if (!args->is_uniform && strcmp(arg, "zipf") != 0)
			argp_error(state, "--names wants zipf or uniform, not '%s'", arg);
		return 0;
	case KEY_IPV6:
		args->ipv6 = true;
		return 0;
	case KEY_ROUNDS:
		args->rounds = (unsigned)params_number(state, "rounds", arg, 1, DNS_ROUNDS_MAX);
		return 0;
	case KEY_SECONDS:
		args->seconds = params_seconds(state, arg);
		return 0;
	case KEY_PACKETS:
		args->packets = params_number(state, "packets", arg, BURST_MAX, UINT64_MAX);
		return 0;
	case KEY_COLD:
		args->cold_kib = (unsigned)params_number(state, "cold", arg, 0, 65536);
		return 0;
	case KEY_JSON:
		args->json = arg;
		return 0;
	case ARGP_KEY_END:
		if (args->n_percent != 0)
			choose_cache(args);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void
dns_args_parse(int argc, char **argv, struct dns_args *args)
{
	static const struct argp argp = { options, parse, NULL,
		"DNS queries of pods, answered on the node: cycles per packet of the whole pipeline. "
		"Defaults in "
		"parentheses.",
		NULL, NULL, NULL };

	*args = (struct dns_args){
		.n_columns = 4,
		.services = { 10, 100, 1000, 10000 },
		.asks = { true, true, true, true, true },
		.rounds = 9,
		.seconds = 0.1,
	};
	argp_parse(&argp, argc, argv, 0, NULL, args);
}
