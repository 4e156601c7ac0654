#include "control/source/api/api_saved.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/log.h"
#include "control/loop.h"

/* Of the file: another when kinds get other numbers, or members are read that were not saved. */
#define FORMAT "1"
#define COMMIT_NS (5 * NS_PER_S)
#define COMMIT_SIZE (4u << 20) /* bytes of texts: no commit keeps the thread for long */

enum statement {
	PUT,
	REMOVE,
	EACH_KEY,
	EACH,
	PUT_META,
	GET_META,
	N_STATEMENTS,
};

static const char *const statements[N_STATEMENTS] = {
	/* what is the same is not written again: a start lists everything */
	[PUT] = "INSERT INTO objects (kind, ns, name, version, text) VALUES (?,?,?,?,?) ON CONFLICT (kind, "
		"ns, name) "
		"DO UPDATE SET version = excluded.version, text = excluded.text WHERE text != excluded.text "
		"OR version != "
		"excluded.version",
	[REMOVE] = "DELETE FROM objects WHERE kind = ? AND ns = ? AND name = ?",
	[EACH_KEY] = "SELECT ns, name FROM objects WHERE kind = ?",
	[EACH] = "SELECT version, text FROM objects WHERE kind = ?",
	[PUT_META] = "INSERT OR REPLACE INTO meta (key, value) VALUES (?,?)",
	[GET_META] = "SELECT value FROM meta WHERE key = ?",
};

struct api_saved {
	sqlite3 *db;
	sqlite3_stmt *statements[N_STATEMENTS];
	struct loop_timer *commit;
	bool is_dirty;    /* a transaction is open */
	size_t pending;   /* bytes of texts in it */
	bool is_complete; /* all was listed since the start: what is committed is of now */
	bool is_broken;   /* it is not written any more */
};

/* --- statements */

static void
give_up(struct api_saved *s)
{
	if (!s->is_broken)
		log_error("objects cannot be saved for a start without the API server: %s",
			sqlite3_errmsg(s->db));
	s->is_broken = true;
	sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	s->is_dirty = false;
	loop_timer_cancel(s->commit);
}

static bool
execute(struct api_saved *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static sqlite3_stmt *
bind_key(struct api_saved *s, enum statement which, enum object_kind kind, const char *ns, const char *name)
{
	sqlite3_stmt *st = s->statements[which];

	sqlite3_bind_int(st, 1, (int)kind);
	sqlite3_bind_text(st, 2, ns, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 3, name, -1, SQLITE_STATIC);
	return st;
}

/* Changes something, within the transaction that is committed later. */
static void
change(struct api_saved *s, sqlite3_stmt *st)
{
	bool is_done;

	if (!s->is_dirty) {
		s->is_dirty = execute(s, "BEGIN");
		loop_timer_set(s->commit, COMMIT_NS, 0);
	}
	is_done = s->is_dirty && sqlite3_step(st) == SQLITE_DONE;
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	if (!is_done)
		give_up(s);
}

static void
put_meta(struct api_saved *s, const char *key, const char *value)
{
	sqlite3_stmt *st = s->statements[PUT_META];

	sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 2, value, -1, SQLITE_STATIC);
	change(s, st);
}

/* Whether the value is this one; NULL: whether there is one, which *out becomes as a number. */
static bool
get_meta(struct api_saved *s, const char *key, const char *wanted, int64_t *out)
{
	sqlite3_stmt *st = s->statements[GET_META];
	bool is_there = false;

	sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	if (sqlite3_step(st) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(st, 0);

		is_there = text != NULL && (wanted == NULL || strcmp(text, wanted) == 0);
		if (is_there && out != NULL)
			*out = strtoll(text, NULL, 10);
	}
	sqlite3_reset(st);
	return is_there;
}

static void
commit(void *arg)
{
	struct api_saved *s = arg;
	char now[32];

	if (!s->is_dirty || s->is_broken)
		return;
	snprintf(now, sizeof(now), "%lld", (long long)time(NULL));
	if (s->is_complete)
		put_meta(s, "time", now);
	if (s->is_broken)
		return;
	if (!execute(s, "COMMIT")) {
		give_up(s);
		return;
	}
	s->is_dirty = false;
	s->pending = 0;
	loop_timer_cancel(s->commit);
}

/* --- objects */

void
api_saved_put(struct api_saved *s, enum object_kind kind, const char *ns, const char *name,
	const char *api_version, const char *text, size_t size)
{
	sqlite3_stmt *st;

	if (s == NULL || s->is_broken)
		return;
	st = bind_key(s, PUT, kind, ns, name);
	sqlite3_bind_text(st, 4, api_version, -1, SQLITE_STATIC);
	sqlite3_bind_blob64(st, 5, text, size, SQLITE_STATIC);
	change(s, st);
	s->pending += size;
	if (s->pending >= COMMIT_SIZE)
		commit(s);
}

void
api_saved_remove(struct api_saved *s, enum object_kind kind, const char *ns, const char *name)
{
	if (s != NULL && !s->is_broken)
		change(s, bind_key(s, REMOVE, kind, ns, name));
}

void
api_saved_sweep(struct api_saved *s, enum object_kind kind,
	bool (*is_there)(const char *ns, const char *name, void *arg), void *arg)
{
	sqlite3_stmt *st;

	if (s == NULL || s->is_broken)
		return;
	st = s->statements[EACH_KEY];
	sqlite3_bind_int(st, 1, (int)kind);
	/* what is removed is behind the cursor */
	while (!s->is_broken && sqlite3_step(st) == SQLITE_ROW) {
		const char *ns = (const char *)sqlite3_column_text(st, 0);
		const char *name = (const char *)sqlite3_column_text(st, 1);

		if (ns != NULL && name != NULL && !is_there(ns, name, arg))
			api_saved_remove(s, kind, ns, name);
	}
	sqlite3_reset(st);
}

int
api_saved_each(struct api_saved *s, enum object_kind kind,
	int (*fn)(const char *api_version, const char *text, size_t size, void *arg), void *arg)
{
	int result = 0, rc = SQLITE_DONE;
	sqlite3_stmt *st;

	if (s == NULL)
		return 0;
	st = s->statements[EACH];
	sqlite3_bind_int(st, 1, (int)kind);
	while (result == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		const char *version = (const char *)sqlite3_column_text(st, 0);
		const char *text = sqlite3_column_blob(st, 1);

		result = version == NULL || text == NULL
				 ? -EIO
				 : fn(version, text, (size_t)sqlite3_column_bytes(st, 1), arg);
	}
	sqlite3_reset(st);
	return result == 0 && rc != SQLITE_DONE ? -EIO : result;
}

void
api_saved_note_complete(struct api_saved *s)
{
	if (s == NULL || s->is_broken)
		return;
	s->is_complete = true;
	put_meta(s, "complete", "1");
	commit(s);
}

int64_t
api_saved_time(struct api_saved *s)
{
	int64_t time_s = 0;

	if (s == NULL || !get_meta(s, "complete", "1", NULL) || !get_meta(s, "time", NULL, &time_s))
		return 0;
	return time_s;
}

/* --- the file */

static bool
is_of_ours(struct api_saved *s, const char *server, const char *node)
{
	return get_meta(s, "format", FORMAT, NULL) && get_meta(s, "server", server, NULL) &&
	       get_meta(s, "node", node, NULL);
}

static void
make_ours(struct api_saved *s, const char *server, const char *node)
{
	if (!execute(s, "DELETE FROM objects; DELETE FROM meta"))
		give_up(s);
	if (!s->is_broken)
		put_meta(s, "format", FORMAT);
	if (!s->is_broken)
		put_meta(s, "server", server);
	if (!s->is_broken)
		put_meta(s, "node", node);
	commit(s);
}

/* Whether it is the file that is at fault, and not that there is no room, or that somebody looks into it. */
static bool
is_damaged(struct api_saved *s)
{
	switch (sqlite3_errcode(s->db)) {
	case SQLITE_BUSY:
	case SQLITE_CANTOPEN:
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_NOMEM:
	case SQLITE_READONLY:
		return false;
	default:
		return true;
	}
}

/* False: it is damaged, or not what this program writes, or cannot be used now. */
static bool
open_file(struct api_saved *s, const char *path)
{
	sqlite3_stmt *st;
	bool is_good;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* SQLite would let all read it */

	if (fd >= 0)
		close(fd);
	if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
		!execute(s,
			"PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
			"PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4096;"
			"CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);"
			"CREATE TABLE IF NOT EXISTS objects (kind INTEGER, ns TEXT, name TEXT, version TEXT, "
			"text BLOB, PRIMARY KEY (kind, ns, name))"))
		return false;
	if (sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &st, NULL) != SQLITE_OK)
		return false;
	is_good =
		sqlite3_step(st) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0;
	sqlite3_finalize(st);
	for (unsigned i = 0; i < N_STATEMENTS && is_good; i++)
		is_good = sqlite3_prepare_v3(s->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
				  &s->statements[i], NULL) == SQLITE_OK;
	return is_good;
}

static void
close_file(struct api_saved *s)
{
	for (unsigned i = 0; i < N_STATEMENTS; i++) {
		sqlite3_finalize(s->statements[i]);
		s->statements[i] = NULL;
	}
	sqlite3_close(s->db);
	s->db = NULL;
}

static void
remove_file(const char *path)
{
	static const char *const endings[] = { "", "-wal", "-shm", "-journal" };
	char file[4096];

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		snprintf(file, sizeof(file), "%s%s", path, endings[i]);
		unlink(file);
	}
}

struct api_saved *
api_saved_open(struct loop *loop, const char *path, const char *server, const char *node)
{
	struct api_saved *s = calloc(1, sizeof(*s));
	bool is_open;

	if (s == NULL)
		return NULL;
	s->commit = loop_timer_new(loop, commit, s);
	if (s->commit == NULL) {
		free(s);
		return NULL;
	}
	is_open = open_file(s, path);
	if (!is_open && is_damaged(s)) {
		log_warn("%s is begun anew: %s", path, sqlite3_errmsg(s->db));
		close_file(s);
		remove_file(path);
		is_open = open_file(s, path);
	}
	if (!is_open)
		log_error("%s cannot be used, so no start without the API server: %s", path,
			sqlite3_errmsg(s->db));
	else if (!is_of_ours(s, server, node))
		make_ours(s, server, node);
	/* what could not be thrown away is another's */
	if (is_open && !s->is_broken)
		return s;
	api_saved_close(s);
	return NULL;
}

void
api_saved_close(struct api_saved *s)
{
	if (s == NULL)
		return;
	commit(s);
	loop_timer_free(s->commit);
	close_file(s);
	free(s);
}
