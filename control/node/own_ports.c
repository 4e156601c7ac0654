#include "control/node/own_ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/netdev.h"
#include "dataplane/tables.h"

struct own_ports {
	struct netdev *netdev;
	size_t n_detours;
	struct netdev_detour *detours;         /* wanted; NULL: not known yet */
	struct port_set ports;                 /* likewise */
	uint64_t seen_changes;                 /* of the service table, when they were described */
	const struct route_table *seen_routes; /* likewise; never looked into */
	bool is_in_line;
};

/* A frontend at an address of this node. */
struct own_port {
	struct ip_addr addr;
	uint16_t port;
	uint8_t proto;
};

struct collection {
	const struct tables *tables;
	size_t n, room;
	struct own_port *items;
	bool is_short; /* of memory */
};

struct own_ports *
own_ports_new(void)
{
	struct own_ports *o = calloc(1, sizeof(*o));

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
own_ports_free(struct own_ports *o)
{
	if (o == NULL)
		return;
	netdev_close(o->netdev);
	free(o->detours);
	free(o);
}

static bool
is_own(const struct tables *t, const struct ip_addr *addr)
{
	const struct route *r = route_lookup(t->routes, addr);

	return r != NULL && r->kind == ROUTE_HOST;
}

static void
collect(const struct frontend *f, void *arg)
{
	struct collection *c = arg;

	if (!(f->flags & FRONTEND_EXPOSED) || c->is_short || !is_own(c->tables, &f->addr))
		return;
	if (c->n == c->room) {
		size_t room = c->room == 0 ? 64 : 2 * c->room;
		struct own_port *grown = realloc(c->items, room * sizeof(*grown));

		c->is_short = grown == NULL;
		if (c->is_short)
			return;
		c->items = grown;
		c->room = room;
	}
	c->items[c->n++] = (struct own_port){ f->addr, f->port, f->proto };
}

static int
compare(const void *a, const void *b)
{
	const struct own_port *x = a, *y = b;
	int by_addr = ip_addr_cmp(&x->addr, &y->addr);

	if (by_addr != 0)
		return by_addr;
	return x->proto != y->proto ? x->proto - y->proto : x->port - y->port;
}

static int
compare_indices(const void *a, const void *b)
{
	const size_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

size_t
own_ports_cover(const uint16_t *ports, size_t n, struct port_range out[static OWN_PORTS_RANGES_MAX])
{
	/* before which ports a range begins: the widest gaps, widest first */
	size_t cuts[OWN_PORTS_RANGES_MAX];
	size_t n_cuts = 0;

	for (size_t i = 1; i < n; i++) {
		unsigned gap = ports[i] - ports[i - 1];
		size_t at = n_cuts;

		while (at > 0 && gap > (unsigned)(ports[cuts[at - 1]] - ports[cuts[at - 1] - 1]))
			at--;
		if (gap == 1 || at == OWN_PORTS_RANGES_MAX - 1)
			continue;
		n_cuts += n_cuts < OWN_PORTS_RANGES_MAX - 1;
		memmove(&cuts[at + 1], &cuts[at], (n_cuts - 1 - at) * sizeof(cuts[0]));
		cuts[at] = i;
	}
	qsort(cuts, n_cuts, sizeof(cuts[0]), compare_indices);
	cuts[n_cuts] = n;
	for (size_t i = 0, first = 0; i <= n_cuts; first = cuts[i++])
		out[i] = (struct port_range){ ports[first], ports[cuts[i] - 1] };
	return n_cuts + 1;
}

/* The ports of one address and protocol, n of them, as detours. How many; 0: out of memory. */
static size_t
describe(const struct own_port *own, size_t n, struct netdev_detour out[static OWN_PORTS_RANGES_MAX])
{
	struct port_range ranges[OWN_PORTS_RANGES_MAX];
	uint16_t *ports = malloc(n * sizeof(*ports));
	size_t n_ranges;

	if (ports == NULL)
		return 0;
	for (size_t i = 0; i < n; i++)
		ports[i] = own[i].port;
	n_ranges = own_ports_cover(ports, n, ranges);
	free(ports);
	for (size_t i = 0; i < n_ranges; i++)
		out[i] = (struct netdev_detour){ .addr = own->addr,
			.first = ranges[i].first,
			.last = ranges[i].last,
			.proto = own->proto };
	return n_ranges;
}

/* What the collected frontends make of detours. Sets *n; NULL if out of memory. */
static struct netdev_detour *
describe_all(struct collection *c, size_t *n)
{
	struct netdev_detour *detours = calloc(c->n + OWN_PORTS_RANGES_MAX, sizeof(*detours));
	size_t n_same, n_ranges;

	*n = 0;
	if (detours == NULL)
		return NULL;
	if (c->n != 0)
		qsort(c->items, c->n, sizeof(c->items[0]), compare);
	for (size_t i = 0; i < c->n; i += n_same) {
		const struct own_port *first = &c->items[i];

		n_same = 1;
		while (i + n_same < c->n && first[n_same].proto == first->proto &&
			ip_addr_eq(&first[n_same].addr, &first->addr))
			n_same++;
		/* no more ranges than ports, so there is room for those of this group and OWN_PORTS_RANGES_MAX behind */
		n_ranges = describe(first, n_same, &detours[*n]);
		if (n_ranges == 0) {
			free(detours);
			return NULL;
		}
		*n += n_ranges;
	}
	return detours;
}

static bool
is_same(const struct netdev_detour *a, const struct netdev_detour *b)
{
	return ip_addr_eq(&a->addr, &b->addr) && a->proto == b->proto && a->first == b->first &&
	       a->last == b->last;
}

/* Describes the detours anew when frontends or the node's addresses, which are in the routes, changed. */
static int
look(struct own_ports *o, const struct tables *tables)
{
	struct collection c = { .tables = tables };
	struct port_set ports = { 0 };
	struct netdev_detour *detours;
	size_t n;

	if (o->detours != NULL && tables->services->exposed_changes == o->seen_changes &&
		tables->routes == o->seen_routes)
		return 0;
	service_table_each(tables->services, collect, &c);
	detours = c.is_short ? NULL : describe_all(&c, &n);
	for (size_t i = 0; i < c.n; i++)
		ports.bits[c.items[i].port / 64] |= UINT64_C(1) << c.items[i].port % 64;
	free(c.items);
	if (detours == NULL)
		return -ENOMEM;
	o->is_in_line &= o->detours != NULL && n == o->n_detours;
	for (size_t i = 0; i < n && o->is_in_line; i++)
		o->is_in_line = is_same(&detours[i], &o->detours[i]);
	free(o->detours);
	o->detours = detours;
	o->n_detours = n;
	o->ports = ports;
	o->seen_changes = tables->services->exposed_changes;
	o->seen_routes = tables->routes;
	return 0;
}

static int
fail(int rc, char error[static OWN_PORTS_ERROR_SIZE])
{
	snprintf(error, OWN_PORTS_ERROR_SIZE, "this node's own processes do not reach its node ports: %s",
		rc == -EBUSY ? "another program has routing rules of priority 0 for the table of local "
			       "addresses or behind it, where those without a priority come, too (see "
			       "'ip rule' and 'ip -6 rule')"
			     : strerror(-rc));
	return rc;
}

int
own_ports_follow(struct own_ports *o, const struct tables *tables, bool is_due,
	char error[static OWN_PORTS_ERROR_SIZE])
{
	int rc;

	if (tables == NULL)
		return 0;
	rc = look(o, tables);
	if (rc == 0 && (is_due || !o->is_in_line)) {
		rc = netdev_set_detours(o->netdev, o->detours, o->n_detours);
		o->is_in_line = rc == 0;
	}
	return rc < 0 ? fail(rc, error) : 0;
}

const struct port_set *
own_ports_all(const struct own_ports *o)
{
	return o->detours == NULL ? NULL : &o->ports;
}
