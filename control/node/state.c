#include "control/node/state.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APPLICATION_ID 0x52574159 /* "RWAY", PRAGMA application_id */
#define SCHEMA_VERSION 1          /* PRAGMA user_version */

static const char schema[] =
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
	"PRAGMA user_version = 1;";
_Static_assert(APPLICATION_ID == 1381450073 && SCHEMA_VERSION == 1, "pragmas take literals only");

enum statement {
	PUT_ATTACHMENT,
	REMOVE_ATTACHMENT,
	EACH_ATTACHMENT,
	PUT_LEASE,
	REMOVE_LEASE,
	EACH_LEASE,
	PUT_SLOT,
	REMOVE_SLOT,
	EACH_SLOT,
	N_STATEMENTS,
};

static const char *const statement_sql[N_STATEMENTS] = {
	/* not OR REPLACE: that would silently delete another attachment that has the same link */
	[PUT_ATTACHMENT] =
		"INSERT INTO attachments (container_id, ifname, phase, pod_ns, pod, netns, link, v4, v6, "
		"mac, "
		"node_mac, mtu, since) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (container_id, ifname) "
		"DO UPDATE SET phase = excluded.phase, pod_ns = excluded.pod_ns, pod = excluded.pod, "
		"netns = excluded.netns, link = excluded.link, v4 = excluded.v4, v6 = excluded.v6, "
		"mac = excluded.mac, node_mac = excluded.node_mac, mtu = excluded.mtu, since = "
		"excluded.since",
	[REMOVE_ATTACHMENT] = "DELETE FROM attachments WHERE container_id = ? AND ifname = ?",
	[EACH_ATTACHMENT] = "SELECT container_id, ifname, phase, pod_ns, pod, netns, link, v4, v6, mac, "
			    "node_mac, mtu, since "
			    "FROM attachments ORDER BY since, rowid",
	[PUT_LEASE] = "INSERT OR REPLACE INTO leases (addr, released) VALUES (?,?)",
	[REMOVE_LEASE] = "DELETE FROM leases WHERE addr = ?",
	[EACH_LEASE] = "SELECT addr, released FROM leases ORDER BY released, addr",
	[PUT_SLOT] = "INSERT OR REPLACE INTO slots (backend_addr, backend_port, proto, frontend_addr, "
		     "frontend_port, slot, "
		     "released) VALUES (?,?,?,?,?,?,?)",
	[REMOVE_SLOT] = "DELETE FROM slots WHERE backend_addr = ? AND backend_port = ? AND proto = ? AND "
			"frontend_addr = ? "
			"AND frontend_port = ?",
	[EACH_SLOT] = "SELECT backend_addr, backend_port, proto, frontend_addr, frontend_port, slot, "
		      "released FROM slots "
		      "ORDER BY released",
};

struct state {
	sqlite3 *db;
	sqlite3_stmt *statements[N_STATEMENTS];
	bool has_failed; /* inside the transaction in hand */
	char error[256];
};

const char *
state_error(const struct state *s)
{
	return s->error;
}

static int
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

/* Creates the tables of a new file, and forgets pods of an earlier boot, in one transaction. */
static int
state_prepare(struct state *s, const char *boot_id, bool *is_new_boot)
{
	bool is_empty = query_number(s->db, "SELECT count(*) FROM sqlite_master") == 0;
	char *update;
	int rc;

	*is_new_boot =
		is_empty || !query_is_text(s->db, "SELECT value FROM meta WHERE key = 'boot_id'", boot_id);
	rc = state_exec(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
	if (rc == 0 && *is_new_boot)
		rc = state_begin(s);
	if (rc < 0 || !*is_new_boot)
		return rc;
	update = sqlite3_mprintf("DELETE FROM attachments; DELETE FROM leases; DELETE FROM slots;"
				 "INSERT OR REPLACE INTO meta VALUES ('boot_id', %Q)",
		boot_id);
	if (is_empty)
		state_exec(s, schema);
	state_exec(s, update);
	sqlite3_free(update);
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
		for (unsigned i = 0; i < N_STATEMENTS && rc == 0; i++)
			if (sqlite3_prepare_v3(s->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
				    &s->statements[i], NULL) != SQLITE_OK)
				rc = state_fail(s);
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

/* Runs a statement whose parameters are bound, and frees it for its next use. */
static int
statement_run(struct state *s, enum statement which)
{
	sqlite3_stmt *st = s->statements[which];
	int rc = sqlite3_step(st) == SQLITE_DONE ? 0 : state_fail(s);

	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return rc;
}

static void
bind_text(sqlite3_stmt *st, int at, const char *text)
{
	sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

static void
bind_addr(sqlite3_stmt *st, int at, const struct ip_addr *a)
{
	if (!ip_addr_is_none(a))
		sqlite3_bind_blob(st, at, a->b, sizeof(a->b), SQLITE_STATIC);
}

/* Copies a blob column; all zero when it is NULL or of another size. */
static void
column_bytes(sqlite3_stmt *st, int at, void *out, size_t size)
{
	if ((size_t)sqlite3_column_bytes(st, at) == size)
		memcpy(out, sqlite3_column_blob(st, at), size);
	else
		memset(out, 0, size);
}

static void
column_text(sqlite3_stmt *st, int at, char *out, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(st, at);

	snprintf(out, size, "%s", text == NULL ? "" : text);
}

int
state_put_attachment(struct state *s, const struct attachment_record *a)
{
	sqlite3_stmt *st = s->statements[PUT_ATTACHMENT];

	bind_text(st, 1, a->container_id);
	bind_text(st, 2, a->ifname);
	sqlite3_bind_int(st, 3, (int)a->phase);
	bind_text(st, 4, a->pod_ns);
	bind_text(st, 5, a->pod);
	bind_text(st, 6, a->netns);
	bind_text(st, 7, a->link);
	bind_addr(st, 8, &a->addrs[V4]);
	bind_addr(st, 9, &a->addrs[V6]);
	sqlite3_bind_blob(st, 10, &a->mac, sizeof(a->mac), SQLITE_STATIC);
	sqlite3_bind_blob(st, 11, &a->node_mac, sizeof(a->node_mac), SQLITE_STATIC);
	sqlite3_bind_int(st, 12, a->mtu);
	sqlite3_bind_int64(st, 13, a->since_s);
	return statement_run(s, PUT_ATTACHMENT);
}

int
state_remove_attachment(struct state *s, const char *container_id, const char *ifname)
{
	bind_text(s->statements[REMOVE_ATTACHMENT], 1, container_id);
	bind_text(s->statements[REMOVE_ATTACHMENT], 2, ifname);
	return statement_run(s, REMOVE_ATTACHMENT);
}

int
state_put_lease(struct state *s, const struct lease_record *lease)
{
	bind_addr(s->statements[PUT_LEASE], 1, &lease->addr);
	sqlite3_bind_int64(s->statements[PUT_LEASE], 2, lease->released_s);
	return statement_run(s, PUT_LEASE);
}

int
state_remove_lease(struct state *s, const struct ip_addr *addr)
{
	bind_addr(s->statements[REMOVE_LEASE], 1, addr);
	return statement_run(s, REMOVE_LEASE);
}

static void
bind_slot_key(sqlite3_stmt *st, const struct slot_record *slot)
{
	bind_addr(st, 1, &slot->backend_addr);
	sqlite3_bind_int(st, 2, slot->backend_port);
	sqlite3_bind_int(st, 3, slot->proto);
	bind_addr(st, 4, &slot->frontend_addr);
	sqlite3_bind_int(st, 5, slot->frontend_port);
}

int
state_put_slot(struct state *s, const struct slot_record *slot)
{
	bind_slot_key(s->statements[PUT_SLOT], slot);
	sqlite3_bind_int(s->statements[PUT_SLOT], 6, slot->slot);
	sqlite3_bind_int64(s->statements[PUT_SLOT], 7, slot->released_s);
	return statement_run(s, PUT_SLOT);
}

int
state_remove_slot(struct state *s, const struct slot_record *slot)
{
	bind_slot_key(s->statements[REMOVE_SLOT], slot);
	return statement_run(s, REMOVE_SLOT);
}

int
state_each_attachment(struct state *s, int (*fn)(const struct attachment_record *a, void *arg), void *arg)
{
	sqlite3_stmt *st = s->statements[EACH_ATTACHMENT];
	int stepped, rc = 0;

	while ((stepped = sqlite3_step(st)) == SQLITE_ROW && rc == 0) {
		struct attachment_record a = { .phase = (enum attachment_phase)sqlite3_column_int(st, 2) };

		column_text(st, 0, a.container_id, sizeof(a.container_id));
		column_text(st, 1, a.ifname, sizeof(a.ifname));
		column_text(st, 3, a.pod_ns, sizeof(a.pod_ns));
		column_text(st, 4, a.pod, sizeof(a.pod));
		column_text(st, 5, a.netns, sizeof(a.netns));
		column_text(st, 6, a.link, sizeof(a.link));
		column_bytes(st, 7, &a.addrs[V4], sizeof(a.addrs[V4]));
		column_bytes(st, 8, &a.addrs[V6], sizeof(a.addrs[V6]));
		column_bytes(st, 9, &a.mac, sizeof(a.mac));
		column_bytes(st, 10, &a.node_mac, sizeof(a.node_mac));
		a.mtu = (uint16_t)sqlite3_column_int(st, 11);
		a.since_s = sqlite3_column_int64(st, 12);
		rc = fn(&a, arg);
	}
	if (rc == 0 && stepped != SQLITE_DONE)
		rc = state_fail(s);
	sqlite3_reset(st);
	return rc;
}

int
state_each_lease(struct state *s, int (*fn)(const struct lease_record *lease, void *arg), void *arg)
{
	sqlite3_stmt *st = s->statements[EACH_LEASE];
	int stepped, rc = 0;

	while ((stepped = sqlite3_step(st)) == SQLITE_ROW && rc == 0) {
		struct lease_record lease = { .released_s = sqlite3_column_int64(st, 1) };

		column_bytes(st, 0, &lease.addr, sizeof(lease.addr));
		rc = fn(&lease, arg);
	}
	if (rc == 0 && stepped != SQLITE_DONE)
		rc = state_fail(s);
	sqlite3_reset(st);
	return rc;
}

int
state_each_slot(struct state *s, int (*fn)(const struct slot_record *slot, void *arg), void *arg)
{
	sqlite3_stmt *st = s->statements[EACH_SLOT];
	int stepped, rc = 0;

	while ((stepped = sqlite3_step(st)) == SQLITE_ROW && rc == 0) {
		struct slot_record slot = {
			.backend_port = (uint16_t)sqlite3_column_int(st, 1),
			.proto = (uint8_t)sqlite3_column_int(st, 2),
			.frontend_port = (uint16_t)sqlite3_column_int(st, 4),
			.slot = (uint8_t)sqlite3_column_int(st, 5),
			.released_s = sqlite3_column_int64(st, 6),
		};

		column_bytes(st, 0, &slot.backend_addr, sizeof(slot.backend_addr));
		column_bytes(st, 3, &slot.frontend_addr, sizeof(slot.frontend_addr));
		rc = fn(&slot, arg);
	}
	if (rc == 0 && stepped != SQLITE_DONE)
		rc = state_fail(s);
	sqlite3_reset(st);
	return rc;
}
