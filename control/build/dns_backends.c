#include "control/build/dns_backends.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/build/dns_options.h"
#include "dataplane/net/headers.h"

bool
dns_service_is_port(const struct service_port *port)
{
	return port->port == DNS_PORT ||
	       strcmp(port->name, port->proto == PROTO_TCP ? "dns-tcp" : "dns") == 0;
}

const struct service_port *
dns_service_port(const struct service_object *service, uint8_t proto)
{
	const struct service_port *found = NULL;

	for (size_t i = 0; service != NULL && i < service->n_ports; i++) {
		const struct service_port *port = &service->ports[i];

		if (port->proto != proto)
			continue;
		if (port->port == DNS_PORT)
			return port;
		if (found == NULL && dns_service_is_port(port))
			found = port;
	}
	return found;
}

struct backend {
	struct dns_server server;
	bool is_ready;
};

struct backend_list {
	size_t n, room;
	struct backend *items;
};

static bool
add_backend(struct backend_list *l, const struct backend *backend)
{
	if (l->n == l->room) {
		size_t room = 2 * l->room + 16;
		struct backend *items = reallocarray(l->items, room, sizeof(*items));

		if (items == NULL)
			return false;
		l->items = items;
		l->room = room;
	}
	l->items[l->n++] = *backend;
	return true;
}

static bool
add_backends(struct backend_list *l, const struct slice_object *slice, const struct service_port *port)
{
	const struct slice_port *p = slice->ports;

	while (p < slice->ports + slice->n_ports &&
		(p->proto != port->proto || strcmp(p->name, port->name) != 0))
		p++;
	if (p == slice->ports + slice->n_ports || p->port == 0)
		return true;
	for (size_t i = 0; i < slice->n_endpoints; i++) {
		const struct slice_endpoint *e = &slice->endpoints[i];
		struct backend backend = { .server.port = p->port, .is_ready = e->ready };

		for (size_t k = 0; k < e->n_addrs; k++) {
			backend.server.addr = e->addrs[k];
			if (!add_backend(l, &backend))
				return false;
		}
	}
	return true;
}

/* Ready ones first, then by address. */
static int
compare_backends(const void *a, const void *b)
{
	const struct backend *x = a, *y = b;
	int order = ip_addr_cmp(&x->server.addr, &y->server.addr);

	if (x->is_ready != y->is_ready)
		return x->is_ready ? -1 : 1;
	return order != 0 ? order : (int)x->server.port - (int)y->server.port;
}

/* The ready ones of a family, or all if none is. */
static void
choose(const struct backend_list *l, bool is_v4, struct dns_backends *out)
{
	out->n = 0;
	out->are_ready = false;
	for (size_t i = 0; i < l->n && out->n < DNS_BACKENDS_MAX; i++) {
		const struct dns_server *s = &l->items[i].server, *before = out->servers + out->n - 1;

		if (ip_addr_is_v4(&s->addr) != is_v4 || (out->are_ready && !l->items[i].is_ready))
			continue;
		out->are_ready |= l->items[i].is_ready;
		if (out->n == 0 || before->port != s->port || !ip_addr_eq(&before->addr, &s->addr))
			out->servers[out->n++] = *s;
	}
}

int
dns_backends_find(struct dns_backends out[static N_FAMILIES], const struct service_port *port,
	const struct slice_object *const *slices, size_t n_slices)
{
	struct backend_list list = { 0 };
	bool ok = true;

	for (size_t i = 0; port != NULL && i < n_slices && ok; i++)
		ok = add_backends(&list, slices[i], port);
	if (list.n != 0)
		qsort(list.items, list.n, sizeof(*list.items), compare_backends);
	for (unsigned f = 0; f < N_FAMILIES; f++)
		choose(&list, f == V4, &out[f]);
	free(list.items);
	return ok ? 0 : -ENOMEM;
}
