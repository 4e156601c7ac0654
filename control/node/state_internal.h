/* What state.c (the file, its schema, transactions) and state_records.c (what is in it) share; nobody else includes it. */
#ifndef RINGWAY_NODE_STATE_INTERNAL_H
#define RINGWAY_NODE_STATE_INTERNAL_H

#include <sqlite3.h>

#include "control/node/state.h"

enum statement {
	PUT_ATTACHMENT,
	REMOVE_ATTACHMENT,
	EACH_ATTACHMENT,
	PUT_HOST_PORT,
	REMOVE_HOST_PORTS,
	EACH_HOST_PORT,
	PUT_LEASE,
	REMOVE_LEASE,
	EACH_LEASE,
	PUT_SLOT,
	REMOVE_SLOT,
	EACH_SLOT,
	N_STATEMENTS,
};

struct state {
	sqlite3 *db;
	sqlite3_stmt *statements[N_STATEMENTS];
	bool has_failed; /* inside the transaction in hand */
	char error[256];
};

/* Notes the error of the last call, for state_error() and the commit. Returns -errno. */
int state_fail(struct state *s);

/* 0 or -errno; freed by state_close(), also after a failure half-way. */
int state_prepare_statements(struct state *s);

#endif
