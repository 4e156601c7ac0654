#include "control/node/exposed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/tables.h"

struct collection {
	const struct tables *tables;
	size_t n, room;
	struct exposed_frontend *items;
	bool is_short; /* of memory */
};

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

	if (!(f->flags & FRONTEND_EXPOSED) || c->is_short)
		return;
	if (c->n == c->room) {
		size_t room = c->room == 0 ? 64 : 2 * c->room;
		struct exposed_frontend *grown = realloc(c->items, room * sizeof(*grown));

		c->is_short = grown == NULL;
		if (c->is_short)
			return;
		c->items = grown;
		c->room = room;
	}
	c->items[c->n++] =
		(struct exposed_frontend){ f->addr, f->port, f->proto, is_own(c->tables, &f->addr) };
}

static int
compare(const void *a, const void *b)
{
	const struct exposed_frontend *x = a, *y = b;
	int by_addr = ip_addr_cmp(&x->addr, &y->addr);

	if (by_addr != 0)
		return by_addr;
	return x->proto != y->proto ? x->proto - y->proto : x->port - y->port;
}

static bool
is_same(const struct exposed *e, const struct collection *c)
{
	if (e->version == 0 || e->n != c->n)
		return false;
	for (size_t i = 0; i < c->n; i++)
		if (compare(&e->items[i], &c->items[i]) != 0 || e->items[i].is_own != c->items[i].is_own)
			return false;
	return true;
}

static void
take(struct exposed *e, const struct collection *c)
{
	free(e->items);
	e->items = c->items;
	e->n = c->n;
	e->version++;
	e->own_ports = (struct port_set){ 0 };
	for (size_t i = 0; i < e->n; i++)
		if (e->items[i].is_own)
			e->own_ports.bits[e->items[i].port / 64] |= UINT64_C(1) << e->items[i].port % 64;
}

int
exposed_follow(struct exposed *e, const struct tables *tables)
{
	struct collection c = { .tables = tables };

	if (tables == NULL || (e->version != 0 && tables->services->exposed_changes == e->seen_changes &&
				      tables->routes == e->seen_routes))
		return 0;
	service_table_each(tables->services, collect, &c);
	if (c.is_short) {
		free(c.items);
		return -ENOMEM;
	}
	if (c.n != 0)
		qsort(c.items, c.n, sizeof(c.items[0]), compare);
	if (is_same(e, &c))
		free(c.items);
	else
		take(e, &c);
	e->seen_changes = tables->services->exposed_changes;
	e->seen_routes = tables->routes;
	return 0;
}

void
exposed_fini(struct exposed *e)
{
	free(e->items);
	*e = (struct exposed){ 0 };
}
