/* One row per rule of endpoint_select.h, in both families. This is node-a in zone z1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/build/endpoint_select.h"

#define ENDPOINTS_MAX 4
#define HERE "node-a"
#define THERE "node-b"

enum readiness { READY, NOT_READY, SERVING /* and terminating */, GONE /* terminating, not serving */ };

struct row_endpoint {
	uint8_t id; /* last byte of the address; 0 ends the list */
	enum readiness readiness;
	const char *node;
	const char *zone_hint, *node_hint; /* NULL: none */
	uint16_t port;                     /* 0: 8080. Each other port is a slice of its own */
};

struct row {
	const char *name;
	bool internal_local, external_local, publish_not_ready, is_exposed;
	struct row_endpoint endpoints[ENDPOINTS_MAX + 1];
	const char *inside, *outside; /* ids, in order */
	bool is_local, drops_empty;
	enum endpoint_hint_use hints;
};

static const struct row rows[] = {
	{
		.name = "ready endpoints of all nodes serve",
		.endpoints = { { 1, READY, HERE }, { 2, READY, THERE }, { 3, NOT_READY, HERE } },
		.inside = "1 2",
		.outside = "",
	},
	{
		.name = "an exposed frontend serves inside and outside alike",
		.is_exposed = true,
		.endpoints = { { 1, READY, HERE }, { 2, READY, THERE }, { 3, NOT_READY, HERE } },
		.inside = "1 2",
		.outside = "1 2",
	},
	{
		.name = "publishNotReadyAddresses makes every endpoint count",
		.publish_not_ready = true,
		.endpoints = { { 1, READY, HERE }, { 2, NOT_READY, THERE }, { 3, GONE, THERE } },
		.inside = "1 2 3",
		.outside = "",
	},
	{
		.name = "a terminating endpoint gets nothing while a ready one is left",
		.endpoints = { { 1, SERVING, HERE }, { 2, READY, THERE } },
		.inside = "2",
		.outside = "",
	},
	{
		.name = "when none is ready, those that terminate and serve do it",
		.is_exposed = true,
		.endpoints = { { 1, SERVING, HERE }, { 2, NOT_READY, HERE }, { 3, GONE, THERE },
			{ 4, SERVING, THERE } },
		.inside = "1 4",
		.outside = "1 4",
	},
	{
		.name = "without endpoints the client is refused, whatever the policy",
		.internal_local = true,
		.external_local = true,
		.endpoints = { { 1, NOT_READY, HERE }, { 2, GONE, THERE } },
		.inside = "",
		.outside = "",
	},
	{
		.name = "an exposed frontend without endpoints refuses, too",
		.external_local = true,
		.is_exposed = true,
		.endpoints = { { 1, NOT_READY, HERE } },
		.inside = "",
		.outside = "",
		.is_local = true,
	},
	{
		.name = "internalTrafficPolicy Local uses this node's alone",
		.internal_local = true,
		.endpoints = { { 1, READY, HERE }, { 2, READY, THERE } },
		.inside = "1",
		.outside = "",
	},
	{
		.name = "internalTrafficPolicy Local falls back to this node's terminating ones, not to "
			"other nodes",
		.internal_local = true,
		.endpoints = { { 1, SERVING, HERE }, { 2, READY, THERE } },
		.inside = "1",
		.outside = "",
	},
	{
		.name = "internalTrafficPolicy Local without one here drops",
		.internal_local = true,
		.endpoints = { { 1, NOT_READY, HERE }, { 2, READY, THERE } },
		.inside = "",
		.outside = "",
		.drops_empty = true,
	},
	{
		.name = "internalTrafficPolicy Local does not mind hints",
		.internal_local = true,
		.endpoints = { { 1, READY, HERE, "z2" }, { 2, READY, THERE, "z1" } },
		.inside = "1",
		.outside = "",
	},
	{
		.name = "internalTrafficPolicy does not concern exposed frontends",
		.internal_local = true,
		.is_exposed = true,
		.endpoints = { { 2, READY, THERE } },
		.inside = "2",
		.outside = "2",
	},
	{
		.name = "externalTrafficPolicy does not concern ClusterIPs",
		.external_local = true,
		.endpoints = { { 1, READY, HERE }, { 2, READY, THERE } },
		.inside = "1 2",
		.outside = "",
	},
	{
		.name = "externalTrafficPolicy Local: outside this node's, inside all",
		.external_local = true,
		.is_exposed = true,
		.endpoints = { { 1, READY, HERE }, { 2, READY, THERE } },
		.inside = "1 2",
		.outside = "1",
		.is_local = true,
	},
	{
		.name = "externalTrafficPolicy Local falls back to this node's terminating ones",
		.external_local = true,
		.is_exposed = true,
		.endpoints = { { 1, SERVING, HERE }, { 2, READY, THERE }, { 3, SERVING, THERE } },
		.inside = "2",
		.outside = "1",
		.is_local = true,
	},
	{
		.name = "externalTrafficPolicy Local without one here drops what is from outside",
		.external_local = true,
		.is_exposed = true,
		.endpoints = { { 1, GONE, HERE }, { 2, READY, THERE } },
		.inside = "2",
		.outside = "",
		.is_local = true,
		.drops_empty = true,
	},
	{
		.name = "hints of zones narrow the choice",
		.is_exposed = true,
		.endpoints = { { 1, READY, HERE, "z2" }, { 2, READY, THERE, "z1" },
			{ 3, READY, THERE, "z1" } },
		.inside = "2 3",
		.outside = "2 3",
		.hints = HINTS_ZONE,
	},
	{
		.name = "hints narrow inside traffic only when outside traffic stays local",
		.is_exposed = true,
		.external_local = true,
		.endpoints = { { 1, READY, HERE, "z2" }, { 2, READY, THERE, "z1" } },
		.inside = "2",
		.outside = "1",
		.is_local = true,
		.hints = HINTS_ZONE,
	},
	{
		.name = "hints are ignored when a ready endpoint has none",
		.endpoints = { { 1, READY, HERE }, { 2, READY, THERE, "z1" } },
		.inside = "1 2",
		.outside = "",
	},
	{
		.name = "endpoints that are not ready need no hints",
		.endpoints = { { 1, SERVING, HERE }, { 2, READY, THERE, "z1" }, { 3, READY, THERE, "z2" } },
		.inside = "2",
		.outside = "",
		.hints = HINTS_ZONE,
	},
	{
		.name = "hints are ignored when none names our zone",
		.endpoints = { { 1, READY, HERE, "z2" }, { 2, READY, THERE, "z3" } },
		.inside = "1 2",
		.outside = "",
	},
	{
		.name = "the terminating fallback does not mind hints",
		.endpoints = { { 1, SERVING, HERE, "z2" }, { 2, SERVING, THERE, "z1" } },
		.inside = "1 2",
		.outside = "",
	},
	{
		.name = "hints of nodes come before those of zones",
		.endpoints = { { 1, READY, HERE, "z1", HERE }, { 2, READY, THERE, "z1", THERE } },
		.inside = "1",
		.outside = "",
		.hints = HINTS_NODE,
	},
	{
		.name = "hints of zones count when no node hint names us",
		.endpoints = { { 1, READY, THERE, "z1", THERE }, { 2, READY, THERE, "z2", THERE } },
		.inside = "1",
		.outside = "",
		.hints = HINTS_ZONE,
	},
	{
		.name = "hints of zones count when an endpoint has no node hint",
		.endpoints = { { 1, READY, HERE, "z2", HERE }, { 2, READY, THERE, "z1" } },
		.inside = "2",
		.outside = "",
		.hints = HINTS_ZONE,
	},
	{
		.name = "a named targetPort that differs per endpoint: each has its own",
		.endpoints = { { 1, READY, HERE }, { 2, READY, THERE, .port = 9090 } },
		.inside = "1 2",
		.outside = "",
	},
	{
		.name = "an endpoint in two slices counts once",
		.endpoints = { { 1, READY, HERE }, { 2, READY, THERE }, { 1, READY, HERE } },
		.inside = "1 2",
		.outside = "",
	},
	{
		.name = "an endpoint that is ready in one slice is ready",
		.endpoints = { { 1, SERVING, HERE }, { 2, READY, THERE }, { 1, READY, HERE } },
		.inside = "1 2",
		.outside = "",
	},
};

static void
set_hint(struct endpoint_hints **hints, const char *zone, const char *node)
{
	static char *texts[ENDPOINTS_MAX * 2];
	static struct endpoint_hints all[ENDPOINTS_MAX];
	static unsigned next;
	unsigned i = next++ % ENDPOINTS_MAX;

	if (zone == NULL && node == NULL)
		return;
	texts[i * 2] = (char *)zone;
	texts[i * 2 + 1] = (char *)node;
	all[i] = (struct endpoint_hints){ .n_zones = zone != NULL,
		.n_nodes = node != NULL,
		.zones = &texts[i * 2],
		.nodes = &texts[i * 2 + 1] };
	*hints = &all[i];
}

/* Each endpoint in a slice of its own, whose endpoint, address and port live in the caller's arrays. */
struct slices {
	struct slice_object slices[ENDPOINTS_MAX];
	struct slice_port ports[ENDPOINTS_MAX];
	struct slice_endpoint endpoints[ENDPOINTS_MAX];
	struct ip_addr addrs[ENDPOINTS_MAX];
	const struct slice_object *all[ENDPOINTS_MAX];
	size_t n;
};

static void
add_slice(struct slices *s, const struct row_endpoint *e, bool is_v4)
{
	size_t i = s->n++;

	s->ports[i] = (struct slice_port){ "web", e->port == 0 ? 8080 : e->port, PROTO_TCP };
	assert_true(ip_addr_parse(is_v4 ? "10.244.0.0" : "fd00::", &s->addrs[i]));
	s->addrs[i].b[15] = e->id;
	s->endpoints[i] = (struct slice_endpoint){
		.n_addrs = 1,
		.addrs = &s->addrs[i],
		.ready = e->readiness == READY,
		.serving = e->readiness == READY || e->readiness == SERVING,
		.terminating = e->readiness == SERVING || e->readiness == GONE,
		.node = (char *)e->node,
	};
	set_hint(&s->endpoints[i].hints, e->zone_hint, e->node_hint);
	s->slices[i] = (struct slice_object){ .family = is_v4 ? 4 : 6,
		.n_ports = 1,
		.ports = &s->ports[i],
		.n_endpoints = 1,
		.endpoints = &s->endpoints[i] };
	s->all[i] = &s->slices[i];
}

static uint16_t
port_of(const struct row *row, uint8_t id)
{
	for (unsigned i = 0; i < ENDPOINTS_MAX; i++)
		if (row->endpoints[i].id == id && row->endpoints[i].port != 0)
			return row->endpoints[i].port;
	return 8080;
}

/* The ids of those that have the flag. */
static const char *
ids(const struct selected_endpoint *e, uint32_t n, uint8_t flag, uint32_t *n_with)
{
	static char text[2][64];
	static unsigned which;
	char *out = text[which++ % 2];
	size_t used = 0;

	*out = '\0';
	*n_with = 0;
	for (uint32_t i = 0; i < n; i++) {
		if ((e[i].flags & flag) == 0)
			continue;
		used += (size_t)snprintf(
			out + used, 64 - used, "%s%u", used == 0 ? "" : " ", e[i].addr.b[15]);
		(*n_with)++;
	}
	return out;
}

static void
check_row(const struct row *row, bool is_v4)
{
	struct service_object service = { .internal_local = row->internal_local,
		.external_local = row->external_local,
		.publish_not_ready = row->publish_not_ready };
	struct service_port port = { .name = "web", .port = 80, .proto = PROTO_TCP };
	struct slices slices = { 0 };
	struct endpoint_question q = { .service = &service,
		.port = &port,
		.slices = slices.all,
		.is_v4 = is_v4,
		.is_exposed = row->is_exposed,
		.node = HERE,
		.zone = "z1" };
	struct selected_endpoint out[ENDPOINTS_MAX];
	struct endpoint_selection s;
	uint32_t n_inside, n_outside;
	const char *inside, *outside;

	for (const struct row_endpoint *e = row->endpoints; e->id != 0; e++)
		add_slice(&slices, e, is_v4);
	q.n_slices = slices.n;
	assert_int_equal(endpoint_select_room(&q), slices.n);
	s = endpoint_select(&q, out);
	inside = ids(out, s.n, SELECTED_INSIDE, &n_inside);
	outside = ids(out, s.n, SELECTED_OUTSIDE, &n_outside);
	if (strcmp(inside, row->inside) != 0 || strcmp(outside, row->outside) != 0 ||
		s.is_local != row->is_local || s.drops_empty != row->drops_empty || s.hints != row->hints)
		fail_msg("%s (IPv%d): inside %s, outside %s, local %d, drops %d, hints %d", row->name,
			is_v4 ? 4 : 6, inside, outside, s.is_local, s.drops_empty, s.hints);
	assert_int_equal(s.n_inside, n_inside);
	assert_int_equal(s.n_outside, n_outside);
	for (uint32_t i = 0; i < s.n; i++) {
		bool is_here = strcmp(out[i].endpoint->node, HERE) == 0;

		assert_int_equal(out[i].port, port_of(row, out[i].addr.b[15]));
		assert_int_equal((out[i].flags & SELECTED_LOCAL) != 0, is_here);
		assert_int_equal((out[i].flags & SELECTED_DRAINING) != 0,
			!out[i].endpoint->ready && !row->publish_not_ready);
	}
}

static void
test_rules(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_row(&rows[i], true);
		check_row(&rows[i], false);
	}
}

/* Slices of the other family, and ports of another name or protocol, are somebody else's. */
static void
test_other_ports(void **state)
{
	static const struct slice_port others[] = { { "web", 8080, PROTO_UDP }, { "dns", 8080, PROTO_TCP },
		{ "web", 0, PROTO_TCP } };
	struct service_object service = { 0 };
	struct service_port port = { .name = "web", .port = 80, .proto = PROTO_TCP };
	struct row_endpoint e = { 1, READY, HERE };
	struct slices slices = { 0 };
	struct selected_endpoint out[ENDPOINTS_MAX];
	struct endpoint_question q = { .service = &service,
		.port = &port,
		.slices = slices.all,
		.is_v4 = true,
		.node = HERE,
		.zone = "" };

	for (unsigned i = 0; i < 3; i++) {
		add_slice(&slices, &e, true);
		slices.ports[i] = others[i];
	}
	add_slice(&slices, &e, false);
	q.n_slices = slices.n;
	assert_int_equal(endpoint_select(&q, out).n, 0);
	q.is_v4 = false;
	assert_int_equal(endpoint_select(&q, out).n, 1);
}

static void
test_served(void **state)
{
	assert_true(service_is_served(&(struct service_object){ .type = SERVICE_LOAD_BALANCER }));
	assert_false(service_is_served(&(struct service_object){ .headless = true }));
	assert_false(service_is_served(&(struct service_object){ .is_foreign = true }));
	assert_false(service_is_served(&(struct service_object){ .type = SERVICE_EXTERNAL_NAME }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_other_ports),
		cmocka_unit_test(test_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
