#include "control/cli/case_files.h"

error_t
case_files_parse(struct case_files *files, int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'm':
		files->manifests = arg;
		return 0;
	case 'c':
		files->cases = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state,
			"what is '%s'? The directory goes behind --manifests, the file behind --cases", arg);
		return 0;
	case ARGP_KEY_END:
		if (files->manifests == NULL || files->cases == NULL)
			argp_error(state, "a test needs --manifests DIR and --cases FILE");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void
cases_print_count(const struct cli *cli, size_t n, size_t n_expected)
{
	fprintf(cli->out, "%zu case%s: %zu as expected, %zu not\n", n, n == 1 ? "" : "s", n_expected,
		n - n_expected);
}

void
cases_print_json(const struct cli *cli, json_t *cases, size_t n_expected)
{
	size_t n = json_array_size(cases);
	json_t *doc = json_pack("{s:o, s:I, s:I, s:I}", "cases", cases, "n", (json_int_t)n, "as_expected",
		(json_int_t)n_expected, "not_as_expected", (json_int_t)(n - n_expected));

	cli_print_json(cli, doc);
	json_decref(doc);
}
