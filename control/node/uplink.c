#include "control/node/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine.h"
#include "dataplane/io/port.h"
#include "dataplane/tables.h"

/* Under this name its program and sockets are pinned. */
#define NAME "uplink"

/* What the ports in place were made for. */
struct basis {
	unsigned ifindex;
	uint16_t mtu;
	struct xdp_uplink_config steer;
};

struct uplink {
	struct engine *engine;
	struct xdp *xdp;
	enum xdp_choice choice;
	struct basis basis;
	size_t n;
	struct port *ports[UPLINK_QUEUES_MAX];
	struct uplink_queue queues[UPLINK_QUEUES_MAX];

	/* what the program takes; void when it was attached since */
	bool is_exposed_known;
	uint64_t seen_changes; /* of the service table's exposed frontends */
	size_t n_exposed;
	struct xdp_frontend *exposed;
};

struct uplink *
uplink_new(struct engine *engine, struct xdp *xdp, enum xdp_choice choice)
{
	struct uplink *u = calloc(1, sizeof(*u));

	if (u != NULL)
		*u = (struct uplink){ .engine = engine, .xdp = xdp, .choice = choice };
	return u;
}

void
uplink_free(struct uplink *u)
{
	if (u != NULL)
		free(u->exposed);
	free(u);
}

static void
close_ports(struct uplink *u)
{
	for (size_t i = 0; i < u->n; i++)
		engine_remove_port(u->engine, u->ports[i]);
	u->n = 0;
	u->basis = (struct basis){ 0 };
}

static int
open_port(struct uplink *u, const struct basis *basis, uint32_t queue, char *error)
{
	struct engine_port_config config = {
		.origin = ORIGIN_UPLINK,
		.ifindex = basis->ifindex,
		.queue = queue,
		.worker = (int)(queue % engine_n_workers(u->engine)),
		.mtu = basis->mtu,
		.zero_copy = true,
	};
	struct port *port;
	int err = engine_add_port(u->engine, &config, &port);

	if (err < 0) {
		snprintf(error, XDP_ERROR_SIZE, "no socket on queue %u of the uplink: %s", queue,
			strerror(-err));
		return err;
	}
	u->ports[u->n] = port;
	u->queues[u->n] = (struct uplink_queue){ .port = port->id, .owner = port->owner };
	u->n++;
	err = xdp_set_socket(u->xdp, NAME, queue, engine_port_fd(port));
	if (err < 0)
		snprintf(error, XDP_ERROR_SIZE, "queue %u of the uplink does not take its socket: %s", queue,
			strerror(-err));
	return err;
}

static int
attach(struct uplink *u, const struct basis *basis, char *error)
{
	u->is_exposed_known = false;
	return xdp_attach_uplink(u->xdp, basis->ifindex, NAME, &basis->steer, u->choice, NULL, error);
}

static bool
needs_other_ports(const struct basis *a, const struct basis *b)
{
	return a->ifindex != b->ifindex || a->steer.n_queues != b->steer.n_queues || a->mtu != b->mtu;
}

static bool
needs_other_program(const struct basis *a, const struct basis *b)
{
	const struct xdp_uplink_config *x = &a->steer, *y = &b->steer;
	bool differs = needs_other_ports(a, b) || x->vxlan_port != y->vxlan_port ||
		       !ip_addr_eq(&x->vtep, &y->vtep) || x->ports != y->ports;

	for (unsigned f = 0; f < N_FAMILIES; f++)
		differs |= !ip_addr_eq(&x->masquerade[f], &y->masquerade[f]) ||
			   x->pods[f].len != y->pods[f].len ||
			   !ip_addr_eq(&x->pods[f].addr, &y->pods[f].addr);
	return differs;
}

int
uplink_follow(struct uplink *u, const struct underlay_facts *facts, const struct xdp_uplink_config *steer,
	bool *changed, char error[static XDP_ERROR_SIZE])
{
	struct basis next = {
		.ifindex = facts->ifindex,
		.mtu = facts->mtu,
		.steer = *steer,
	};
	bool other_ports;
	int err;

	next.steer.n_queues = facts->n_queues < UPLINK_QUEUES_MAX ? facts->n_queues : UPLINK_QUEUES_MAX;
	other_ports = needs_other_ports(&u->basis, &next);

	*changed = false;
	if (next.ifindex == 0 || ip_addr_is_none(&steer->vtep)) {
		*changed = u->n != 0;
		close_ports(u);
		return 0;
	}
	if (!needs_other_program(&u->basis, &next))
		return 0;
	if (other_ports) {
		*changed = u->n != 0;
		close_ports(u);
	}
	err = attach(u, &next, error);
	for (uint32_t queue = 0; err == 0 && other_ports && queue < next.steer.n_queues; queue++)
		err = open_port(u, &next, queue, error);
	if (err < 0) {
		*changed |= u->n != 0;
		close_ports(u);
		return err;
	}
	*changed |= other_ports;
	u->basis = next;
	return 0;
}

/* Exposed frontends, as a list that grows. */
struct exposed_list {
	size_t n, room;
	struct xdp_frontend *items;
	int result;
};

static void
collect_exposed(const struct frontend *f, void *arg)
{
	struct exposed_list *list = arg;

	if (!(f->flags & FRONTEND_EXPOSED) || list->result < 0)
		return;
	if (list->n == list->room) {
		size_t room = list->room == 0 ? 64 : 2 * list->room;
		struct xdp_frontend *grown = realloc(list->items, room * sizeof(*grown));

		if (grown == NULL) {
			list->result = -ENOMEM;
			return;
		}
		list->items = grown;
		list->room = room;
	}
	memset(&list->items[list->n], 0, sizeof(list->items[0])); /* lists are compared */
	list->items[list->n].addr = f->addr;
	list->items[list->n].port = f->port;
	list->items[list->n].proto = f->proto;
	list->n++;
}

static int
compare_exposed(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct xdp_frontend));
}

int
uplink_expose(struct uplink *u, const struct tables *tables)
{
	struct exposed_list list = { 0 };

	if (tables == NULL || u->n == 0 ||
		(u->is_exposed_known && tables->services->exposed_changes == u->seen_changes))
		return 0;
	service_table_each(tables->services, collect_exposed, &list);
	if (list.n != 0)
		qsort(list.items, list.n, sizeof(list.items[0]), compare_exposed);
	if (list.result == 0 &&
		(!u->is_exposed_known || list.n != u->n_exposed ||
			(list.n != 0 && memcmp(list.items, u->exposed, list.n * sizeof(list.items[0])) != 0)))
		list.result = xdp_set_exposed(u->xdp, NAME, list.items, list.n);
	if (list.result < 0) {
		free(list.items);
		return list.result;
	}
	free(u->exposed);
	u->exposed = list.items;
	u->n_exposed = list.n;
	u->seen_changes = tables->services->exposed_changes;
	u->is_exposed_known = true;
	return 0;
}

size_t
uplink_queues(const struct uplink *u, const struct uplink_queue **out)
{
	*out = u->queues;
	return u->n;
}
