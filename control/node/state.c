#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/state_internal.h"

#define APPLICATION_ID 0x52574159 /* "RWAY", PRAGMA application_id */

/* What takes a file from one version of the schema to the next, from the empty file on. */
static const char *const migrations[] = {
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE attachments ("
	"  container_id TEXT NOT NULL, ifname TEXT NOT NULL, phase INTEGER NOT NULL,"
	"  pod_ns TEXT NOT NULL, pod TEXT NOT NULL, netns TEXT NOT NULL, link TEXT NOT NULL UNIQUE,"
	"  v4 BLOB, v6 BLOB, mac BLOB NOT NULL, node_mac BLOB NOT NULL, mtu INTEGER NOT NULL, since INTEGER "
	"NOT NULL,"
	"  PRIMARY KEY (container_id, ifname));"
	"CREATE TABLE leases (addr BLOB PRIMARY KEY, released INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE slots ("
	"  backend_addr BLOB NOT NULL, backend_port INTEGER NOT NULL, proto INTEGER NOT NULL,"
	"  frontend_addr BLOB NOT NULL, frontend_port INTEGER NOT NULL, slot INTEGER NOT NULL, released "
	"INTEGER NOT NULL,"
	"  PRIMARY KEY (backend_addr, backend_port, proto, frontend_addr, frontend_port)) WITHOUT ROWID;"
	"PRAGMA application_id = 1381450073;"
	"PRAGMA user_version = 1;",

	/* host_addr X'' is any of the node's: a NULL would not be part of the key */
	"CREATE TABLE host_ports ("
	"  container_id TEXT NOT NULL, ifname TEXT NOT NULL, host_addr BLOB NOT NULL,"
	"  host_port INTEGER NOT NULL, proto INTEGER NOT NULL, pod_port INTEGER NOT NULL,"
	"  PRIMARY KEY (container_id, ifname, host_addr, host_port, proto)) WITHOUT ROWID;"
	"PRAGMA user_version = 2;",
};

#define SCHEMA_VERSION ((int)(sizeof(migrations) / sizeof(migrations[0]))) /* PRAGMA user_version */
_Static_assert(APPLICATION_ID == 1381450073, "pragmas take literals only");

const char *
state_error(const struct state *s)
{
	return s->error;
}

int
state_fail(struct state *s)
{
	s->has_failed = true;
	snprintf(s->error, sizeof(s->error), "%s", sqlite3_errmsg(s->db));
	return sqlite3_errcode(s->db) == SQLITE_FULL ? -ENOSPC : -EIO;
}

static int
state_exec(struct state *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : state_fail(s);
}

int
state_begin(struct state *s)
{
	s->has_failed = false;
	return state_exec(s, "BEGIN IMMEDIATE");
}

int
state_commit(struct state *s)
{
	if (!s->has_failed && state_exec(s, "COMMIT") == 0)
		return 0;
	sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return -EIO;
}

void
state_rollback(struct state *s)
{
	sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

/* One number of a pragma or query; -1 when there is none. */
static int64_t
query_number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st;
	int64_t n = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

static bool
query_is_text(sqlite3 *db, const char *sql, const char *expected)
{
	sqlite3_stmt *st;
	bool same = false;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return false;
	if (sqlite3_step(st) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(st, 0);

		same = text != NULL && strcmp(text, expected) == 0;
	}
	sqlite3_finalize(st);
	return same;
}

static int
damaged(struct state *s, const char *path, char error[static STATE_ERROR_SIZE])
{
	snprintf(error, STATE_ERROR_SIZE,
		"%s is damaged (%s). It was not changed. Restore it, or move it away and restart the pods of "
		"this node",
		path, sqlite3_errmsg(s->db));
	return -EUCLEAN;
}

/* Looks at a file before anything is written to it. */
static int
state_examine(struct state *s, const char *path, char error[static STATE_ERROR_SIZE])
{
	int64_t objects, application, version;

	/* the first read takes the lock, which stays for good (locking_mode) */
	if (sqlite3_exec(s->db, "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT", NULL, NULL,
		    NULL) != SQLITE_OK) {
		switch (sqlite3_errcode(s->db)) {
		case SQLITE_BUSY:
			snprintf(error, STATE_ERROR_SIZE, "%s is in use by another ringwayd", path);
			return -EBUSY;
		case SQLITE_NOTADB:
		case SQLITE_CORRUPT:
			return damaged(s, path, error);
		default:
			snprintf(error, STATE_ERROR_SIZE, "cannot write %s: %s", path, sqlite3_errmsg(s->db));
			return -EIO;
		}
	}
	objects = query_number(s->db, "SELECT count(*) FROM sqlite_master");
	application = query_number(s->db, "PRAGMA application_id");
	version = query_number(s->db, "PRAGMA user_version");
	if (objects < 0)
		return damaged(s, path, error);
	if (objects == 0)
		return 0;
	if (application != APPLICATION_ID) {
		snprintf(error, STATE_ERROR_SIZE,
			"%s is a database, but not of ringwayd: set state.dir to a directory of its own",
			path);
		return -EINVAL;
	}
	if (version > SCHEMA_VERSION) {
		snprintf(error, STATE_ERROR_SIZE,
			"%s was written by a newer ringwayd (schema %lld, this one knows %d): run that "
			"version, or move the "
			"file away and restart the pods of this node",
			path, (long long)version, SCHEMA_VERSION);
		return -EPROTO;
	}
	if (!query_is_text(s->db, "PRAGMA quick_check(1)", "ok"))
		return damaged(s, path, error);
	return 0;
}

static int
boot_id_read(char id[static 64])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	bool read = f != NULL && fgets(id, 64, f) != NULL;

	if (f != NULL)
		fclose(f);
	if (!read)
		return -EIO;
	id[strcspn(id, "\n")] = '\0';
	return 0;
}

/* Brings the tables up to date, and forgets pods of an earlier boot, in one transaction. */
static int
state_prepare(struct state *s, const char *boot_id, bool *is_new_boot)
{
	int64_t version = query_number(s->db, "PRAGMA user_version");
	char *update;
	int rc;

	*is_new_boot = version == 0 ||
		       !query_is_text(s->db, "SELECT value FROM meta WHERE key = 'boot_id'", boot_id);
	if (version < 0)
		return -EIO;
	rc = state_exec(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
	if (rc == 0)
		rc = state_begin(s);
	if (rc < 0)
		return rc;
	for (; version < SCHEMA_VERSION; version++)
		state_exec(s, migrations[version]);
	if (*is_new_boot) {
		update = sqlite3_mprintf(
			"DELETE FROM attachments; DELETE FROM host_ports; DELETE FROM leases;"
			"DELETE FROM slots; INSERT OR REPLACE INTO meta VALUES ('boot_id', %Q)",
			boot_id);
		state_exec(s, update);
		sqlite3_free(update);
	}
	return state_commit(s);
}

int
state_open(struct state **out, const char *path, const char *boot_id, bool *is_new_boot,
	char error[static STATE_ERROR_SIZE])
{
	struct state *s = calloc(1, sizeof(*s));
	char running[64];
	int rc;

	if (s == NULL) {
		snprintf(error, STATE_ERROR_SIZE, "out of memory");
		return -ENOMEM;
	}
	if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK) {
		snprintf(error, STATE_ERROR_SIZE, "cannot open %s: %s", path, sqlite3_errmsg(s->db));
		rc = -EIO;
	} else {
		rc = state_examine(s, path, error);
	}
	if (rc == 0 && boot_id == NULL) {
		rc = boot_id_read(running);
		boot_id = running;
		if (rc < 0)
			snprintf(error, STATE_ERROR_SIZE,
				"cannot read the boot id in /proc/sys/kernel/random");
	}
	if (rc == 0) {
		rc = state_prepare(s, boot_id, is_new_boot);
		if (rc == 0)
			rc = state_prepare_statements(s);
		if (rc < 0)
			snprintf(error, STATE_ERROR_SIZE, "cannot use %s: %s", path, s->error);
	}
	if (rc < 0) {
		state_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
state_close(struct state *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->db);
	free(s);
}
