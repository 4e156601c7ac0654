/* What state.c (the file and its transactions) and state_records.c (what is in it) share; nobody else includes it. */
#ifndef RINGWAY_NODE_STATE_INTERNAL_H
#define RINGWAY_NODE_STATE_INTERNAL_H

#include <sqlite3.h>

#include "control/node/state.h"
#include "control/node/state_schema.h"

struct state {
	sqlite3 *db;
	sqlite3_stmt *statements[N_STATEMENTS];
	bool has_failed; /* inside the transaction in hand */
	char error[256];
};

/* Notes the error of the last call, for state_error() and the commit. Returns -errno. */
int state_fail(struct state *s);

#endif
