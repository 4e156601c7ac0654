#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/state_internal.h"

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
	if (application != STATE_APPLICATION_ID) {
		snprintf(error, STATE_ERROR_SIZE,
			"%s is a database, but not of ringwayd: set state.dir to a directory of its own",
			path);
		return -EINVAL;
	}
	if (version > STATE_SCHEMA_VERSION) {
		snprintf(error, STATE_ERROR_SIZE,
			"%s was written by a newer ringwayd (schema %lld, this one knows %d): run that "
			"version, or move the "
			"file away and restart the pods of this node",
			path, (long long)version, STATE_SCHEMA_VERSION);
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

/* What is prepared is freed by state_close(), also after a failure half-way. */
static int
state_prepare_statements(struct state *s)
{
	for (unsigned i = 0; i < N_STATEMENTS; i++)
		if (sqlite3_prepare_v3(s->db, state_statements[i], -1, SQLITE_PREPARE_PERSISTENT,
			    &s->statements[i], NULL) != SQLITE_OK)
			return state_fail(s);
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
	for (; version < STATE_SCHEMA_VERSION; version++)
		state_exec(s, state_migrations[version]);
	if (*is_new_boot) {
		update =
			sqlite3_mprintf("DELETE FROM attachments; DELETE FROM host_ports; DELETE FROM leases;"
					"DELETE FROM slots; DELETE FROM meta WHERE key = 'reserved_ports';"
					"INSERT OR REPLACE INTO meta VALUES ('boot_id', %Q)",
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
