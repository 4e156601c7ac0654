/* All the SQL of the state file: its schema, version by version, and what is asked of it. Constants only. */
#ifndef RINGWAY_NODE_STATE_SCHEMA_H
#define RINGWAY_NODE_STATE_SCHEMA_H

#define STATE_APPLICATION_ID 0x52574159 /* "RWAY", PRAGMA application_id */
#define STATE_SCHEMA_VERSION 3          /* PRAGMA user_version */

/* What takes a file from one version of the schema to the next, from the empty file on. */
extern const char *const state_migrations[STATE_SCHEMA_VERSION];

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
	PUT_RESERVED_PORTS,
	GET_RESERVED_PORTS,
	N_STATEMENTS,
};

extern const char *const state_statements[N_STATEMENTS];

#endif
