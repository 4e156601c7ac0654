/* A list in the daemon's answer as a table: one row per object, one column per field. */
#ifndef RINGWAY_CLI_LISTING_H
#define RINGWAY_CLI_LISTING_H

#include "control/cli/client.h"
#include "control/cli/table.h"

#define LISTING_COLUMNS_MAX 10

struct listing_column {
	struct column column;
	const char *field;                      /* a text, number or list of texts, shown as it is; or */
	const char *(*text)(const json_t *row); /* what to show; the text lives until the next one */
};

struct listing {
	const char *empty; /* what is said instead of a table without rows; NULL: nothing */
	unsigned n_columns;
	const struct listing_column *columns;
};

/* The objects of the array. */
void listing_print(const struct cli *cli, const struct listing *l, const json_t *rows);

/* All that a command does which only shows what is at a path, in the answer's field. Returns an exit status. */
int listing_run(const struct cli *cli, const struct listing *l, const char *path, const char *field);

/* "10.0.0.1:80" or "[fd00::1]:80" of an object's "address" and "port". */
const char *endpoint_text(const json_t *object);

/* What an endpoint's "ready", "serving" and "terminating" amount to. */
const char *endpoint_state_text(const json_t *endpoint);

#endif
