#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/node/state_internal.h"

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

static int
remove_by_attachment(struct state *s, enum statement which, const char *container_id, const char *ifname)
{
	bind_text(s->statements[which], 1, container_id);
	bind_text(s->statements[which], 2, ifname);
	return statement_run(s, which);
}

static int
put_host_ports(struct state *s, const struct attachment_record *a)
{
	sqlite3_stmt *st = s->statements[PUT_HOST_PORT];
	int rc = remove_by_attachment(s, REMOVE_HOST_PORTS, a->container_id, a->ifname);

	for (size_t i = 0; i < a->n_host_ports && rc == 0; i++) {
		const struct host_port *p = &a->host_ports[i];

		bind_text(st, 1, a->container_id);
		bind_text(st, 2, a->ifname);
		sqlite3_bind_blob(st, 3, p->host_addr.b,
			ip_addr_is_none(&p->host_addr) ? 0 : sizeof(p->host_addr.b), SQLITE_STATIC);
		sqlite3_bind_int(st, 4, p->port);
		sqlite3_bind_int(st, 5, p->proto);
		sqlite3_bind_int(st, 6, p->pod_port);
		rc = statement_run(s, PUT_HOST_PORT);
	}
	return rc;
}

int
state_put_attachment(struct state *s, const struct attachment_record *a)
{
	sqlite3_stmt *st = s->statements[PUT_ATTACHMENT];
	int rc;

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
	bind_text(st, 14, a->pod_uid);
	rc = statement_run(s, PUT_ATTACHMENT);
	return rc < 0 ? rc : put_host_ports(s, a);
}

int
state_remove_attachment(struct state *s, const char *container_id, const char *ifname)
{
	int rc = remove_by_attachment(s, REMOVE_HOST_PORTS, container_id, ifname);

	return rc < 0 ? rc : remove_by_attachment(s, REMOVE_ATTACHMENT, container_id, ifname);
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
state_put_reserved_ports(struct state *s, const char *list)
{
	bind_text(s->statements[PUT_RESERVED_PORTS], 1, list);
	return statement_run(s, PUT_RESERVED_PORTS);
}

int
state_get_reserved_ports(struct state *s, char **list)
{
	sqlite3_stmt *st = s->statements[GET_RESERVED_PORTS];
	int stepped = sqlite3_step(st), rc = 0;

	*list = NULL;
	if (stepped != SQLITE_ROW && stepped != SQLITE_DONE) {
		rc = state_fail(s);
	} else {
		const char *text = stepped == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : "";

		*list = text == NULL ? NULL : strdup(text);
		rc = *list == NULL ? -ENOMEM : 0;
	}
	sqlite3_reset(st);
	return rc;
}

/* Those of the attachment whose key is read. */
static int
read_host_ports(struct state *s, struct attachment_record *a)
{
	sqlite3_stmt *st = s->statements[EACH_HOST_PORT];
	int stepped;

	bind_text(st, 1, a->container_id);
	bind_text(st, 2, a->ifname);
	while ((stepped = sqlite3_step(st)) == SQLITE_ROW && a->n_host_ports < HOST_PORTS_MAX) {
		struct host_port *p = &a->host_ports[a->n_host_ports++];

		column_bytes(st, 0, &p->host_addr, sizeof(p->host_addr));
		p->port = (uint16_t)sqlite3_column_int(st, 1);
		p->proto = (uint8_t)sqlite3_column_int(st, 2);
		p->pod_port = (uint16_t)sqlite3_column_int(st, 3);
	}
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return stepped == SQLITE_DONE ? 0 : state_fail(s);
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
		column_text(st, 13, a.pod_uid, sizeof(a.pod_uid));
		rc = read_host_ports(s, &a);
		if (rc == 0)
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
