#include "control/node/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/exposed.h"
#include "dataplane/engine.h"
#include "dataplane/io/port.h"

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

	uint64_t exposed_version; /* which the program takes; 0: not known, since it was attached anew */
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
	u->exposed_version = 0;
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

int
uplink_expose(struct uplink *u, const struct exposed *e)
{
	struct xdp_frontend *frontends;
	int result;

	if (e->version == 0 || u->n == 0 || e->version == u->exposed_version)
		return 0;
	frontends = calloc(e->n + 1, sizeof(*frontends));
	if (frontends == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < e->n; i++) {
		const struct exposed_frontend *f = &e->items[i];

		frontends[i] = (struct xdp_frontend){ .addr = f->addr, .port = f->port, .proto = f->proto };
	}
	result = xdp_set_exposed(u->xdp, NAME, frontends, e->n);
	free(frontends);
	if (result == 0)
		u->exposed_version = e->version;
	return result;
}

size_t
uplink_queues(const struct uplink *u, const struct uplink_queue **out)
{
	*out = u->queues;
	return u->n;
}
