#include "control/node/own_ways.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/exposed.h"
#include "control/node/host.h"
#include "control/node/netdev.h"

struct own_ways {
	struct netdev *netdev;
	/* in line with these */
	uint64_t version; /* of what is exposed; 0: with nothing */
	size_t n_more;
	struct ip_addr more[OWN_WAYS_MORE_MAX];
	int ifindex;
	struct ip_addr host_addrs[N_FAMILIES];
};

struct own_ways *
own_ways_new(struct netdev *netdev)
{
	struct own_ways *o = calloc(1, sizeof(*o));

	if (o != NULL)
		o->netdev = netdev;
	return o;
}

void
own_ways_free(struct own_ways *o)
{
	free(o);
}

size_t
own_ways_choose(const struct exposed *e, struct ip_addr *out)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++)
		if (!e->items[i].is_own && (n == 0 || !ip_addr_eq(&out[n - 1], &e->items[i].addr)))
			out[n++] = e->items[i].addr;
	return n;
}

/* In a family that the host has no address of, there is no way. */
static void
add_routes(struct netdev_route *routes, size_t *n, const struct host *host, const struct ip_addr *addrs,
	size_t n_addrs)
{
	for (size_t i = 0; i < n_addrs; i++) {
		const struct ip_prefix dst = { addrs[i], 128 };

		if (!ip_addr_is_none(&host->addrs[ip_addr_is_v4(&addrs[i]) ? V4 : V6]))
			routes[(*n)++] = host_route(host, &dst);
	}
}

static int
set(struct own_ways *o, const struct exposed *e, const struct own_ways_more *more, const struct host *host)
{
	struct ip_addr *addrs = calloc(e->n + 1, sizeof(*addrs));
	struct netdev_route *routes = calloc(e->n + more->n + 1, sizeof(*routes));
	size_t n_routes = 0;
	int rc = -ENOMEM;

	if (addrs != NULL && routes != NULL) {
		add_routes(routes, &n_routes, host, addrs, own_ways_choose(e, addrs));
		add_routes(routes, &n_routes, host, more->addrs, more->n);
		rc = netdev_set_ways(o->netdev, routes, n_routes);
	}
	free(routes);
	free(addrs);
	return rc;
}

static bool
is_in_line(const struct own_ways *o, const struct exposed *e, const struct own_ways_more *more,
	const struct host *host)
{
	return e->version == o->version && more->n == o->n_more &&
	       memcmp(more->addrs, o->more, more->n * sizeof(*more->addrs)) == 0 &&
	       host->ifindex == o->ifindex && memcmp(host->addrs, o->host_addrs, sizeof(o->host_addrs)) == 0;
}

int
own_ways_follow(struct own_ways *o, const struct exposed *e, const struct own_ways_more *more,
	const struct host *host, bool is_due, char error[static OWN_WAYS_ERROR_SIZE])
{
	int rc;

	if (e->version == 0 || host == NULL || host->port == NULL ||
		(!is_due && is_in_line(o, e, more, host)))
		return 0;
	rc = set(o, e, more, host);
	o->version = rc == 0 ? e->version : 0;
	o->n_more = more->n;
	memcpy(o->more, more->addrs, more->n * sizeof(*more->addrs));
	o->ifindex = host->ifindex;
	memcpy(o->host_addrs, host->addrs, sizeof(o->host_addrs));
	if (rc < 0)
		snprintf(error, OWN_WAYS_ERROR_SIZE,
			"this node's own processes do not reach load balancers' addresses, nor those of "
			"dns.localAddresses: %s",
			strerror(-rc));
	return rc;
}
