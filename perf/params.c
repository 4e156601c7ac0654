#include "perf/params.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEY_SCENARIO = 256,
	KEY_SERVICES,
	KEY_ENDPOINTS,
	KEY_FLOWS,
	KEY_SKEW,
	KEY_SIZE,
	KEY_POLICY_RULES,
	KEY_IDENTITIES,
	KEY_WORKERS,
	KEY_SECONDS,
	KEY_PACKETS,
	KEY_IPV6,
	KEY_UDP,
	KEY_JSON,
	KEY_HTML,
	KEY_BARE,
	KEY_TESTPMD,
	KEY_PAIRS,
	KEY_CHANGES,
	KEY_COLD,
	KEY_PINS,
};

static const char *const scenario_names[N_SCENARIOS] = {
	[SCENARIO_L3] = "l3",
	[SCENARIO_SERVICE] = "service",
	[SCENARIO_SERVICE_ENCAP] = "service-encap",
	[SCENARIO_REPLY] = "reply",
	[SCENARIO_DECAP] = "decap",
};

static const struct params defaults = {
	.scenario = SCENARIO_SERVICE_ENCAP,
	.services = 10000,
	.endpoints = 100000,
	.flows = 1000000,
	.identities = 10000,
	.hot_percent = 90,
	.hot_services = 200,
	.workers = 1,
	.changes = 1000,
	.seconds = 5,
};

#define OPTIONS_COMMON                                                                                      \
	{ "services", KEY_SERVICES, "N", 0, "ClusterIP services (10000)", 1 },                              \
		{ "endpoints", KEY_ENDPOINTS, "N", 0,                                                       \
			"endpoints over all services (100000; wire: one each)", 1 },                        \
		{ "flows", KEY_FLOWS, "N", 0, "concurrent flows (1000000)", 2 },                            \
		{ "skew", KEY_SKEW, "P/N", 0,                                                               \
			"P percent of the flows go to N services, or 'uniform' (90/200)", 2 },              \
		{ "size", KEY_SIZE, "BYTES", 0,                                                             \
			"length of a pod's frame in bytes, Ethernet header included, checksum (FCS) not "   \
			"(64, or the least that holds the headers)",                                        \
			2 },                                                                                \
		{ "ipv6", KEY_IPV6, NULL, 0, "IPv6 pods and services (IPv4)", 2 },                          \
		{ "policy-rules", KEY_POLICY_RULES, "N", 0,                                                 \
			"rules of policies on each pod and in each direction (0)", 1 },                     \
		{ "identities", KEY_IDENTITIES, "N", 0, "identities that policies tell apart (10000)", 1 }, \
		{ "seconds", KEY_SECONDS, "S", 0,                                                           \
			"length of a run in seconds, fractions allowed (5; wire: 2)", 3 },                  \
		{ "json", KEY_JSON, "FILE", 0, "write the result as one JSON object; '-': standard output", \
			4 },                                                                                \
		{ "html", KEY_HTML, "FILE", 0, "write a page with plots", 4 },

static const struct argp_option pipeline_options[] = {
	{ "scenario", KEY_SCENARIO, "NAME", 0,
		"l3: pod to pod, half of it to other nodes; service: ClusterIP, backends on this node; "
		"service-encap: "
		"ClusterIP, backends on other nodes, over VXLAN; reply: replies of those, out of the tunnel "
		"and back to "
		"their frontend; decap: out of the tunnel to local pods (service-encap)",
		1 },
	OPTIONS_COMMON{ "workers", KEY_WORKERS, "N", 0, "workers, each pinned to a core (1)", 3 },
	{ "packets", KEY_PACKETS, "N", 0, "run for this many packets per worker instead of a time", 3 },
	{ "udp", KEY_UDP, NULL, 0, "UDP instead of established TCP", 2 },
	{ "cold", KEY_COLD, "KIB", 0,
		"between bursts, outside the timed section, write so much other memory, as the kernel does "
		"while "
		"it sends (0)",
		2 },
	{ "pins", KEY_PINS, "N", 0, "the first N flows have entries of their own, as after moves (0)", 2 },
	{ 0 },
};

static const struct argp_option wire_options[] = {
	{ "scenario", KEY_SCENARIO, "NAME", 0,
		"l3: pod to pod; service: ClusterIP, backend in another pod (service)", 1 },
	OPTIONS_COMMON{ "bare", KEY_BARE, NULL, 0,
		"only rewrite MAC addresses: same ports, packet memory, batch and wake-ups", 5 },
	{ "testpmd", KEY_TESTPMD, NULL, 0, "dpdk-testpmd in io mode on the same veths", 5 },
	{ "pairs", KEY_PAIRS, "N", 0,
		"N runs of the scenario, of --bare and (with --testpmd) of testpmd in turn; the medians of "
		"their ratios",
		5 },
	{ 0 },
};

static const struct argp_option update_options[] = {
	{ "services", KEY_SERVICES, "N", 0, "ClusterIP services (10000)", 1 },
	{ "endpoints", KEY_ENDPOINTS, "N", 0, "endpoints over all services (100000)", 1 },
	{ "ipv6", KEY_IPV6, NULL, 0, "IPv6 pods and services (IPv4)", 1 },
	{ "changes", KEY_CHANGES, "N", 0, "changes, one after the other (1000)", 2 },
	{ "workers", KEY_WORKERS, "N", 0,
		"workers, each pinned to a core and busy; control wants one more core (1)", 2 },
	{ "flows", KEY_FLOWS, "N", 0, "concurrent flows (1000000)", 2 },
	{ "skew", KEY_SKEW, "P/N", 0, "P percent of the flows go to N services, or 'uniform' (90/200)", 2 },
	{ "json", KEY_JSON, "FILE", 0, "write the result as one JSON object; '-': standard output", 4 },
	{ 0 },
};

const char *
scenario_name(enum scenario s)
{
	return scenario_names[s];
}

bool
params_parse_skew(const char *text, struct params *p)
{
	unsigned percent, services;
	int end = 0;

	if (strcmp(text, "uniform") == 0) {
		p->hot_percent = HOT_UNIFORM;
		p->hot_services = 0;
		return true;
	}
	if (sscanf(text, "%3u/%9u%n", &percent, &services, &end) != 2 || text[end] != '\0')
		return false;
	if (percent < 1 || percent > 99 || services < 1)
		return false;
	p->hot_percent = percent;
	p->hot_services = services;
	return true;
}

const char *
params_format_skew(const struct params *p, char *buf)
{
	if (p->hot_percent == HOT_UNIFORM)
		snprintf(buf, 32, "uniform");
	else
		snprintf(buf, 32, "%u/%u", p->hot_percent, p->hot_services);
	return buf;
}

unsigned
params_min_size(const struct params *p)
{
	unsigned headers = 14 + (p->ipv6 ? 40 : 20) + (p->udp ? 8 : 20);
	unsigned least = headers + 4 /* tag */;

	return least < 64 ? 64 : least;
}

uint64_t
params_number(struct argp_state *state, const char *name, const char *text, uint64_t least, uint64_t most)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value < least || value > most)
		argp_error(state, "--%s wants a number from %llu to %llu, not '%s'", name,
			(unsigned long long)least, (unsigned long long)most, text);
	return value;
}

double
params_seconds(struct argp_state *state, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= 0.01 && value <= 3600))
		argp_error(state, "--seconds wants a time from 0.01 to 3600, not '%s'", text);
	return value;
}

static enum scenario
scenario(struct argp_state *state, const char *text)
{
	for (unsigned i = 0; i < N_SCENARIOS; i++)
		if (strcmp(text, scenario_names[i]) == 0)
			return (enum scenario)i;
	argp_error(state, "--scenario wants l3, service, service-encap, reply or decap, not '%s'", text);
	return SCENARIO_L3;
}

static void
check(struct argp_state *state, struct params *p)
{
	unsigned least = params_min_size(p);

	if (p->size == 0)
		p->size = least;
	if (p->size < least || p->size > 1450)
		argp_error(state, "--size wants %u to 1450 bytes for these packets, not %u", least, p->size);
	if (!p->is_wire && p->endpoints < p->services)
		argp_error(state, "--endpoints must be at least --services (%u): each service has one",
			p->services);
	if (p->pins != 0 && (p->scenario == SCENARIO_L3 || p->scenario == SCENARIO_DECAP))
		argp_error(state, "--pins: this scenario has no services");
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct params *p = state->input;

	switch (key) {
	case KEY_SCENARIO:
		p->scenario = scenario(state, arg);
		break;
	case KEY_SERVICES:
		p->services = (uint32_t)params_number(state, "services", arg, 1, 65536);
		break;
	case KEY_ENDPOINTS:
		p->endpoints = (uint32_t)params_number(state, "endpoints", arg, 1, 1000000);
		break;
	case KEY_FLOWS:
		p->flows = (uint32_t)params_number(state, "flows", arg, 1, 100000000);
		break;
	case KEY_SKEW:
		if (!params_parse_skew(arg, p))
			argp_error(state,
				"--skew wants PERCENT/SERVICES such as 90/200, or 'uniform', not '%s'", arg);
		break;
	case KEY_SIZE:
		p->size = (unsigned)params_number(state, "size", arg, 64, 1450);
		p->has_size = true;
		break;
	case KEY_POLICY_RULES:
		p->policy_rules = (unsigned)params_number(state, "policy-rules", arg, 0, 5000);
		break;
	case KEY_IDENTITIES:
		p->identities = (unsigned)params_number(state, "identities", arg, 2, 65535);
		break;
	case KEY_WORKERS:
		p->workers = (unsigned)params_number(state, "workers", arg, 1, 64);
		break;
	case KEY_SECONDS:
		p->seconds = params_seconds(state, arg);
		break;
	case KEY_PACKETS:
		p->packets = params_number(state, "packets", arg, 64, UINT64_MAX);
		break;
	case KEY_IPV6:
		p->ipv6 = true;
		break;
	case KEY_UDP:
		p->udp = true;
		break;
	case KEY_JSON:
		p->json = arg;
		break;
	case KEY_HTML:
		p->html = arg;
		break;
	case KEY_BARE:
		p->bare = true;
		break;
	case KEY_TESTPMD:
		p->testpmd = true;
		break;
	case KEY_CHANGES:
		p->changes = (unsigned)params_number(state, "changes", arg, 1, 1000000);
		break;
	case KEY_COLD:
		p->cold_kib = (unsigned)params_number(state, "cold", arg, 0, 65536);
		break;
	case KEY_PINS:
		p->pins = (uint32_t)params_number(state, "pins", arg, 0, 1000000);
		break;
	case KEY_PAIRS:
		p->pairs = (unsigned)params_number(state, "pairs", arg, 1, 99);
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'", arg);
		break;
	case ARGP_KEY_END:
		check(state, p);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

void
params_parse_pipeline(int argc, char **argv, struct params *p)
{
	static const struct argp argp = {
		pipeline_options,
		parse,
		NULL,
		"The real pipeline on ports over arrays: cycles per packet. Defaults in parentheses.",
	};

	*p = defaults;
	argp_parse(&argp, argc, argv, 0, NULL, p);
}

void
params_parse_update(int argc, char **argv, struct params *p)
{
	static const struct argp argp = {
		update_options,
		parse,
		NULL,
		"From a change of the store (an endpoint becomes ready, or is no longer) to the last "
		"worker's first "
		"packet on tables that have it. Defaults in parentheses.",
	};

	*p = defaults;
	argp_parse(&argp, argc, argv, 0, NULL, p);
}

/* What the wire's packets carry behind the UDP header: struct wire_payload. */
#define WIRE_PAYLOAD 16

static void
check_wire(struct params *p, const char *name)
{
	unsigned least = 14 + (p->ipv6 ? 40 : 20) + 8 + WIRE_PAYLOAD;

	if (p->size < least && p->has_size) {
		fprintf(stderr, "%s: --size wants at least %u bytes for these packets\n", name, least);
		exit(2);
	}
	if (p->size < least)
		p->size = least;
	if (p->scenario != SCENARIO_SERVICE && p->scenario != SCENARIO_L3) {
		fprintf(stderr, "%s: --scenario wants l3 or service over the wire\n", name);
		exit(2);
	}
	if (p->pairs == 0 && p->bare && p->testpmd) {
		fprintf(stderr, "%s: --bare and --testpmd together want --pairs N\n", name);
		exit(2);
	}
}

void
params_parse_wire(int argc, char **argv, struct params *p)
{
	static const struct argp argp = {
		wire_options,
		parse,
		NULL,
		"The full path over AF_XDP on veth pairs, in network namespaces of its own; root only. "
		"Defaults in parentheses.",
	};

	*p = defaults;
	p->is_wire = true;
	p->scenario = SCENARIO_SERVICE;
	p->udp = true;
	p->seconds = 2;
	argp_parse(&argp, argc, argv, 0, NULL, p);
	if (p->endpoints != defaults.endpoints && p->endpoints != p->services)
		fprintf(stderr,
			"%s: over the wire each service has one endpoint, a port of the receiving pod\n",
			argv[0]);
	p->endpoints = p->services;
	check_wire(p, argv[0]);
}

void
params_print_json(const struct params *p, FILE *out)
{
	char skew[32];

	fprintf(out,
		"{\"services\": %u, \"endpoints\": %u, \"flows\": %u, \"skew\": \"%s\", \"size\": %u, "
		"\"policy_rules\": %u, \"identities\": %u, "
		"\"workers\": %u, \"seconds\": %g, \"packets\": %llu, \"cold_kib\": %u, \"pins\": %u, "
		"\"family\": %u, "
		"\"protocol\": \"%s\"",
		p->services, p->endpoints, p->flows, params_format_skew(p, skew), p->size, p->policy_rules,
		p->identities, p->workers, p->seconds, (unsigned long long)p->packets, p->cold_kib, p->pins,
		p->ipv6 ? 6 : 4, p->udp ? "udp" : "tcp");
	if (p->is_wire)
		fprintf(out, ", \"bare\": %s, \"testpmd\": %s, \"pairs\": %u", p->bare ? "true" : "false",
			p->testpmd ? "true" : "false", p->pairs);
	fputc('}', out);
}
