/* The `ringway` command line: the list of subcommands, and the options that all of them take. */
#include <argp.h>
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "control/cli/command.h"

const char *argp_program_version = "ringway " RINGWAY_VERSION;

static const struct command *const commands[] = {
	&status_command,
	&pods_command,
	&services_command,
	&endpoints_command,
	&nodes_command,
	&policies_command,
	&policies_test_command,
	&policies_lint_command,
	&dns_command,
	&dns_test_command,
	&drops_command,
	&explain_command,
	&doctor_command,
	&uninstall_command,
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* Before and after the subcommand's name alike. */
static const struct argp_option shared_options[] = {
	{ "output", 'o', "FORMAT", 0, "table, for people, or json", 10 },
	{ "socket", 's', "PATH", 0,
		"ringwayd's admin socket (default: $RINGWAY_SOCKET, or " DEFAULT_SOCKET ")", 10 },
	{ 0 },
};

static error_t
shared_parse(int key, char *arg, struct argp_state *state)
{
	struct cli *cli = state->input;

	switch (key) {
	case 'o':
		if (strcmp(arg, "json") != 0 && strcmp(arg, "table") != 0)
			argp_error(state, "unknown format '%s': it is table or json", arg);
		cli->json = strcmp(arg, "json") == 0;
		return 0;
	case 's':
		cli->socket = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp shared_argp = { shared_options, shared_parse, NULL, NULL, NULL, NULL, NULL };

static const struct argp_child shared_children[] = {
	{ &shared_argp, 0, "Options of every command:", 10 },
	{ 0 },
};

/* A subcommand's parse function gets its own input, and the shared options theirs. */
struct inputs {
	struct cli *cli;
	const struct command *command;
	void *input;
};

static error_t
command_parse(int key, char *arg, struct argp_state *state)
{
	struct inputs *in = state->input;
	error_t rc;

	if (key == ARGP_KEY_INIT)
		state->child_inputs[0] = in->cli;
	if (in->command->parse == NULL) {
		if (key == ARGP_KEY_ARG)
			argp_error(
				state, "'%s' takes no arguments, but was given '%s'", in->command->name, arg);
		return ARGP_ERR_UNKNOWN;
	}
	state->input = in->input;
	rc = in->command->parse(key, arg, state);
	state->input = in;
	return rc;
}

/* argp wants one text, with what follows the options behind a vertical tab. */
static char *
command_doc(const struct command *command)
{
	char *doc;

	if (asprintf(&doc, "%s\v%s%s", command->help, command->json_help == NULL ? "" : "With -o json: ",
		    command->json_help == NULL ? "" : command->json_help) < 0)
		err(CLI_PROBLEM, "no memory");
	return doc;
}

static int
command_run(const struct command *command, struct cli *cli, int argc, char **argv)
{
	char *doc = command_doc(command);
	struct argp argp = { command->options, command_parse, command->args, doc, shared_children, NULL,
		NULL };
	struct inputs in = { cli, command, NULL };
	char *name;
	int rc;

	if (command->input_size != 0 && (in.input = calloc(1, command->input_size)) == NULL)
		err(CLI_PROBLEM, "no memory");
	if (asprintf(&name, "ringway %s", command->name) < 0)
		err(CLI_PROBLEM, "no memory");
	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &in);
	rc = command->run(cli, in.input);
	free(in.input);
	free(name);
	free(doc);
	return rc;
}

/* By the arguments, which begin with its name. A command of two words comes before the one that the first word names
 * alone. NULL: there is none. */
static const struct command *
find_command(int argc, char **argv, int *n_words)
{
	const struct command *found = NULL;

	for (size_t i = 0; i < N_COMMANDS; i++) {
		const char *name = commands[i]->name, *second = strchr(name, ' ');
		size_t len = second == NULL ? strlen(name) : (size_t)(second - name);

		if (strncmp(argv[0], name, len) != 0 || argv[0][len] != '\0')
			continue;
		if (second != NULL && (argc < 2 || strcmp(argv[1], second + 1) != 0))
			continue;
		if (found == NULL || second != NULL) {
			found = commands[i];
			*n_words = second == NULL ? 1 : 2;
		}
	}
	return found;
}

struct main_input {
	struct cli *cli;
	int command_at; /* index of the subcommand's name; 0: none */
};

static error_t
main_parse(int key, char *arg, struct argp_state *state)
{
	struct main_input *in = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = in->cli;
		return 0;
	case ARGP_KEY_ARG:
		in->command_at = state->next - 1;
		state->next = state->argc; /* the rest is the subcommand's to parse */
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_state_help(state, stderr, ARGP_HELP_STD_HELP & ~ARGP_HELP_EXIT_OK);
		exit(CLI_USAGE);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static char *
main_doc(void)
{
	char *doc = NULL;
	size_t size;
	FILE *f = open_memstream(&doc, &size);

	if (f == NULL)
		err(CLI_PROBLEM, "no memory");
	fprintf(f, "Looks into Ringway, the dataplane of this node.\v\nCommands:\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(f, "  %-13s %s\n", commands[i]->name, commands[i]->help);
	fprintf(f, "\n`ringway COMMAND --help` tells the command's options and the fields of its JSON.\n\n"
		   "Exit status: 0 all is well; 1 a problem was found, or a packet would be dropped; 2 wrong "
		   "arguments; "
		   "3 ringwayd cannot be reached.");
	fclose(f);
	return doc;
}

static unsigned
terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col;
}

int
main(int argc, char **argv)
{
	const char *socket = getenv("RINGWAY_SOCKET");
	struct cli cli = {
		.socket = socket == NULL || *socket == '\0' ? DEFAULT_SOCKET : socket,
		.width = terminal_width(),
		.out = stdout,
	};
	struct main_input in = { &cli, 0 };
	char *doc = main_doc();
	struct argp argp = { NULL, main_parse, "COMMAND [ARGUMENT...]", doc, shared_children, NULL, NULL };
	const struct command *command;
	int rc = CLI_USAGE, n_words = 0;

	argp_err_exit_status = CLI_USAGE;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &in);
	free(doc);
	argc -= in.command_at;
	argv += in.command_at;
	command = find_command(argc, argv, &n_words);
	if (command == NULL)
		warnx("there is no command '%s'; `ringway --help` lists them", argv[0]);
	else
		rc = command_run(command, &cli, argc - n_words + 1, argv + n_words - 1);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		warn("writing the output");
		return CLI_PROBLEM;
	}
	return rc;
}
