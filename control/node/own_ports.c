#include "control/node/own_ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/exposed.h"
#include "control/node/netdev.h"

struct own_ports {
	struct netdev *netdev;
	uint64_t in_line_with; /* a version of what is exposed; 0: none */
};

struct own_ports *
own_ports_new(struct netdev *netdev)
{
	struct own_ports *o = calloc(1, sizeof(*o));

	if (o != NULL)
		o->netdev = netdev;
	return o;
}

void
own_ports_free(struct own_ports *o)
{
	free(o);
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
describe(const struct exposed_frontend *own, size_t n, struct netdev_detour out[static OWN_PORTS_RANGES_MAX])
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

/* Sets *n; NULL if out of memory. */
static struct netdev_detour *
describe_all(const struct exposed *e, size_t *n)
{
	struct netdev_detour *detours = calloc(e->n + OWN_PORTS_RANGES_MAX, sizeof(*detours));
	size_t n_same, n_ranges;

	*n = 0;
	for (size_t i = 0; detours != NULL && i < e->n; i += n_same) {
		const struct exposed_frontend *first = &e->items[i];

		n_same = 1;
		while (i + n_same < e->n && first[n_same].proto == first->proto &&
			ip_addr_eq(&first[n_same].addr, &first->addr))
			n_same++;
		if (!first->is_own)
			continue;
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

static int
set(struct own_ports *o, const struct exposed *e)
{
	size_t n;
	struct netdev_detour *detours = describe_all(e, &n);
	int rc = detours == NULL ? -ENOMEM : netdev_set_detours(o->netdev, detours, n);

	free(detours);
	return rc;
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
own_ports_follow(
	struct own_ports *o, const struct exposed *e, bool is_due, char error[static OWN_PORTS_ERROR_SIZE])
{
	int rc;

	if (e->version == 0 || (!is_due && e->version == o->in_line_with))
		return 0;
	rc = set(o, e);
	o->in_line_with = rc == 0 ? e->version : 0;
	return rc < 0 ? fail(rc, error) : 0;
}
