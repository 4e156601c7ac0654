#include "control/node/state_schema.h"

_Static_assert(STATE_APPLICATION_ID == 1381450073, "pragmas take literals only");

const char *const state_migrations[STATE_SCHEMA_VERSION] = {
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

	"ALTER TABLE attachments ADD COLUMN pod_uid TEXT NOT NULL DEFAULT '';"
	"PRAGMA user_version = 3;",
};

const char *const state_statements[N_STATEMENTS] = {
	/* not OR REPLACE: that would silently delete another attachment that has the same link */
	[PUT_ATTACHMENT] =
		"INSERT INTO attachments (container_id, ifname, phase, pod_ns, pod, netns, link, v4, v6, "
		"mac, "
		"node_mac, mtu, since, pod_uid) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT "
		"(container_id, ifname) "
		"DO UPDATE SET phase = excluded.phase, pod_ns = excluded.pod_ns, pod = excluded.pod, "
		"netns = excluded.netns, link = excluded.link, v4 = excluded.v4, v6 = excluded.v6, "
		"mac = excluded.mac, node_mac = excluded.node_mac, mtu = excluded.mtu, since = "
		"excluded.since, pod_uid = excluded.pod_uid",
	[REMOVE_ATTACHMENT] = "DELETE FROM attachments WHERE container_id = ? AND ifname = ?",
	[EACH_ATTACHMENT] = "SELECT container_id, ifname, phase, pod_ns, pod, netns, link, v4, v6, mac, "
			    "node_mac, mtu, since, pod_uid "
			    "FROM attachments ORDER BY since, rowid",
	[PUT_HOST_PORT] =
		"INSERT INTO host_ports (container_id, ifname, host_addr, host_port, proto, pod_port) "
		"VALUES (?,?,?,?,?,?)",
	[REMOVE_HOST_PORTS] = "DELETE FROM host_ports WHERE container_id = ? AND ifname = ?",
	[EACH_HOST_PORT] = "SELECT host_addr, host_port, proto, pod_port FROM host_ports "
			   "WHERE container_id = ? AND ifname = ?",
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
	[PUT_RESERVED_PORTS] = "INSERT OR REPLACE INTO meta VALUES ('reserved_ports', ?)",
	[GET_RESERVED_PORTS] = "SELECT value FROM meta WHERE key = 'reserved_ports'",
};
