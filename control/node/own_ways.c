#include "control/node/own_ways.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/host.h"
#include "control/node/netdev.h"
#include "dataplane/tables.h"

struct own_ways {
	struct netdev *netdev;
	bool is_in_line;
	/* with these */
	uint64_t seen_changes;                 /* of the service table */
	const struct route_table *seen_routes; /* which have the node's addresses; never looked into */
	int ifindex;
	struct ip_addr host_addrs[N_FAMILIES];
};

struct collection {
	const struct tables *tables;
	size_t n, room;
	struct ip_addr *items;
	bool is_short; /* of memory */
};

struct own_ways *
own_ways_new(void)
{
	struct own_ways *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->netdev = netdev_open();
	if (o->netdev == NULL) {
		free(o);
		return NULL;
	}
	return o;
}

void
own_ways_free(struct own_ways *o)
{
	if (o == NULL)
		return;
	netdev_close(o->netdev);
	free(o);
}

static bool
is_elsewhere(const struct tables *t, const struct frontend *f)
{
	const struct route *r;

	if (f->kind != FRONTEND_LOAD_BALANCER && f->kind != FRONTEND_EXTERNAL_IP)
		return false;
	r = route_lookup(t->routes, &f->addr);
	return r == NULL || r->kind != ROUTE_HOST;
}

static void
collect(const struct frontend *f, void *arg)
{
	struct collection *c = arg;

	if (c->is_short || !is_elsewhere(c->tables, f))
		return;
	if (c->n == c->room) {
		size_t room = c->room == 0 ? 64 : 2 * c->room;
		struct ip_addr *grown = realloc(c->items, room * sizeof(*grown));

		c->is_short = grown == NULL;
		if (c->is_short)
			return;
		c->items = grown;
		c->room = room;
	}
	c->items[c->n++] = f->addr;
}

static int
compare(const void *a, const void *b)
{
	return ip_addr_cmp(a, b);
}

int
own_ways_collect(const struct tables *tables, struct ip_addr **out, size_t *n)
{
	struct collection c = { .tables = tables };

	*out = NULL;
	*n = 0;
	service_table_each(tables->services, collect, &c);
	if (c.is_short) {
		free(c.items);
		return -ENOMEM;
	}
	if (c.n != 0)
		qsort(c.items, c.n, sizeof(c.items[0]), compare);
	for (size_t i = 0; i < c.n; i++)
		if (*n == 0 || !ip_addr_eq(&c.items[*n - 1], &c.items[i]))
			c.items[(*n)++] = c.items[i];
	*out = c.items;
	return 0;
}

/* In a family that the host has no address of, there is no way. */
static int
set(struct own_ways *o, const struct host *host, const struct ip_addr *addrs, size_t n)
{
	struct netdev_route *routes = calloc(n + 1, sizeof(*routes));
	size_t n_routes = 0;
	int rc;

	if (routes == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct ip_prefix dst = { addrs[i], 128 };

		if (!ip_addr_is_none(&host->addrs[ip_addr_is_v4(&addrs[i]) ? V4 : V6]))
			routes[n_routes++] = host_route(host, &dst);
	}
	rc = netdev_set_ways(o->netdev, routes, n_routes);
	free(routes);
	return rc;
}

static bool
is_in_line(const struct own_ways *o, const struct tables *tables, const struct host *host)
{
	return o->is_in_line && tables->services->exposed_changes == o->seen_changes &&
	       tables->routes == o->seen_routes && host->ifindex == o->ifindex &&
	       memcmp(host->addrs, o->host_addrs, sizeof(o->host_addrs)) == 0;
}

int
own_ways_follow(struct own_ways *o, const struct tables *tables, const struct host *host, bool is_due,
	char error[static OWN_WAYS_ERROR_SIZE])
{
	struct ip_addr *addrs;
	size_t n;
	int rc;

	if (tables == NULL || host == NULL || host->port == NULL || (!is_due && is_in_line(o, tables, host)))
		return 0;
	rc = own_ways_collect(tables, &addrs, &n);
	if (rc == 0) {
		rc = set(o, host, addrs, n);
		free(addrs);
	}
	o->is_in_line = rc == 0;
	o->seen_changes = tables->services->exposed_changes;
	o->seen_routes = tables->routes;
	o->ifindex = host->ifindex;
	memcpy(o->host_addrs, host->addrs, sizeof(o->host_addrs));
	if (rc < 0)
		snprintf(error, OWN_WAYS_ERROR_SIZE,
			"this node's own processes do not reach load balancers' addresses: %s",
			strerror(-rc));
	return rc;
}
