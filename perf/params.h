/* What is measured: the arguments of ringway-perf's subcommands, with their defaults and limits. */
#ifndef RINGWAY_PERF_PARAMS_H
#define RINGWAY_PERF_PARAMS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct argp_state;

enum scenario {
	SCENARIO_L3,
	SCENARIO_SERVICE,
	SCENARIO_SERVICE_ENCAP,
	SCENARIO_REPLY,
	SCENARIO_DECAP,
	N_SCENARIOS,
};

#define HOT_UNIFORM 0

struct params {
	enum scenario scenario;
	uint32_t services;
	uint32_t endpoints; /* over all services */
	uint32_t flows;
	unsigned hot_percent; /* share of the flows that go to the first hot_services; HOT_UNIFORM: no such */
	uint32_t hot_services;
	unsigned size;         /* bytes of a pod's frame, from Ethernet on, without checksum */
	bool has_size;         /* it was asked for */
	unsigned policy_rules; /* 0: no policies */
	unsigned identities;
	unsigned workers;
	double seconds;
	uint64_t packets; /* 0: as many as fit into the seconds */
	bool ipv6;
	bool udp;
	unsigned cold_kib; /* written between bursts */
	uint32_t pins;     /* flows with entries of their own */
	const char *json;  /* file, "-": standard output; NULL: none */
	const char *html;  /* file; NULL: none */

	/* update only */
	unsigned changes;

	/* wire only */
	bool is_wire;
	bool bare;
	bool testpmd;
	unsigned pairs; /* 0: one run of what was asked */
};

/* "service-encap" */
const char *scenario_name(enum scenario s);

/* Reads "90/200" or "uniform"; false if malformed. */
bool params_parse_skew(const char *text, struct params *p);

/* "90/200" or "uniform", into buf of at least 32 bytes; returns buf. */
const char *params_format_skew(const struct params *p, char *buf);

/* The smallest frame that holds this run's headers and a tag: bytes. */
unsigned params_min_size(const struct params *p);

/* Parse argv (argv[0] is the name to show in messages) over the defaults of the subcommand. They exit with
 * a message, like argp, when an argument is wrong. */
void params_parse_pipeline(int argc, char **argv, struct params *p);
void params_parse_wire(int argc, char **argv, struct params *p);
void params_parse_update(int argc, char **argv, struct params *p);

/* The argument of option --name, a number from least to most, and that of --seconds, 0.01 to 3600, in any
 * subcommand's argp parser; they exit as above. */
uint64_t params_number(
	struct argp_state *state, const char *name, const char *text, uint64_t least, uint64_t most);
double params_seconds(struct argp_state *state, const char *text);

/* One JSON object with all parameters. */
void params_print_json(const struct params *p, FILE *out);

#endif
