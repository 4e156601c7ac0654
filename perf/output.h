/* Where a subcommand's result goes: --json FILE and --html FILE, "-" being standard output. */
#ifndef RINGWAY_PERF_OUTPUT_H
#define RINGWAY_PERF_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

/* Whether standard output is free for a table: who asks for JSON there wants nothing else there. json: the
 * option's argument, NULL: none. */
bool output_has_table(const char *json);

/* Opens a file to write to. NULL, and it says why on standard error, when that fails. */
FILE *output_open(const char *path);

/* Closes what output_open() gave for the path. 0; -EIO, and it says so, when not all was written. */
int output_close(FILE *out, const char *path);

#endif
