/* The `ringway` command: what its subcommands share. Each lives in a file of its own, cmd_NAME.c, and main.c
 * has the one list of them. They fetch a JSON document from ringwayd's admin socket and show it, as it came
 * (-o json) or as a table. One thread. */
#ifndef RINGWAY_CLI_COMMAND_H
#define RINGWAY_CLI_COMMAND_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define DEFAULT_SOCKET "/run/ringway/ringway.sock"

/* Exit status of every subcommand, for scripts. */
enum cli_exit {
	CLI_FINE = 0,
	CLI_PROBLEM = 1,     /* a problem was found, the packet would be dropped, the daemon refused */
	CLI_USAGE = 2,       /* unknown or missing arguments */
	CLI_UNREACHABLE = 3, /* ringwayd does not answer */
};

/* What the options that every subcommand takes say. */
struct cli {
	const char *socket;
	bool json;
	unsigned width; /* of the terminal; 0: output goes elsewhere, or is as wide as it likes */
	FILE *out;
};

struct command {
	const char *name;      /* one word, or two: "policies test" */
	const char *help;      /* one line */
	const char *args;      /* for the usage line: "[NAMESPACE/NAME]" */
	const char *json_help; /* the fields of -o json, which stay */
	const struct argp_option *options;
	argp_parser_t parse; /* may be NULL: the command takes no arguments; its input is a void ** that parse
				may set */
	int (*run)(const struct cli *cli, void *input);
	size_t input_size; /* of what parse fills and run gets, zeroed before */
};

extern const struct command status_command, pods_command, services_command, endpoints_command, nodes_command,
	policies_command, policies_test_command, policies_lint_command, drops_command, explain_command,
	dns_command, dns_test_command, doctor_command, uninstall_command;

/* Prints the document as it is, sorted and indented; the same input always looks the same. */
void cli_print_json(const struct cli *cli, const json_t *doc);

/* Strings of a document, "" where a field is missing or null; numbers, 0. */
const char *field_str(const json_t *object, const char *name);
json_int_t field_int(const json_t *object, const char *name);
double field_real(const json_t *object, const char *name);
bool field_bool(const json_t *object, const char *name);

/* Texts for tables, each in one of four buffers by turns: an array of strings as "a, b"; "namespace/name" of
 * an object with these fields; "1.5 MiB"; "3 min". */
const char *list_text(const json_t *list);
const char *field_list(const json_t *object, const char *name);
const char *pod_text(const json_t *object);
const char *bytes_text(json_int_t bytes);
const char *duration_text(double seconds);

#endif
