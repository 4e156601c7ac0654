/* What commands that try cases against manifests have in common: their two files, and how they count. */
#ifndef RINGWAY_CLI_CASE_FILES_H
#define RINGWAY_CLI_CASE_FILES_H

#include <argp.h>
#include <jansson.h>

#include "control/cli/command.h"

struct case_files {
	const char *manifests, *cases;
};

/* The first ones of a command's options. */
#define CASE_FILES_OPTIONS                                                                                   \
	{ "manifests", 'm', "DIR", 0,                                                                        \
		"directory with the cluster's objects: *.yaml, *.yml and *.json, as ringwayd reads it", 0 }, \
	{                                                                                                    \
		"cases", 'c', "FILE", 0, "a JSON object a line; see below", 0                                \
	}

/* For the command's parser: takes those options, and insists on both. ARGP_ERR_UNKNOWN for other keys. */
error_t case_files_parse(struct case_files *files, int key, char *arg, struct argp_state *state);

/* "7 cases: 5 as expected, 2 not" */
void cases_print_count(const struct cli *cli, size_t n, size_t n_expected);

/* The cases, a list which this takes over, with the same counts. */
void cases_print_json(const struct cli *cli, json_t *cases, size_t n_expected);

#endif
