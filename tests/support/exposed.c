#include "tests/support/exposed.h"

#include <stdlib.h>

#include "dataplane/service/service_table_edit.h"
#include "tests/packets/names.h"

static const struct exposed {
	const char *addrs[N_FAMILIES];
	uint16_t port;
	enum frontend_kind kind;
	uint16_t flags;
	struct {
		const char *addrs[N_FAMILIES];
		uint16_t port;
	} backends[2]; /* all flows have the first */
	bool has_outside;
	const char *range[N_FAMILIES]; /* with FRONTEND_SOURCE_RANGES */
} services[] = {
	{ { NODE_V4, NODE_V6 }, PORT_NEAR, FRONTEND_NODE_PORT, FRONTEND_EXPOSED,
		{ { { POD2_V4, POD2_V6 }, 8080 } }, false },
	{ { NODE_V4, NODE_V6 }, PORT_FAR, FRONTEND_NODE_PORT, FRONTEND_EXPOSED,
		{ { { REMOTE_V4, REMOTE_V6 }, 8080 } }, false },
	{ { NODE_V4, NODE_V6 }, PORT_LOCAL, FRONTEND_NODE_PORT, FRONTEND_EXPOSED | FRONTEND_LOCAL,
		{ { { POD2_V4, POD2_V6 }, 8080 }, { { REMOTE_V4, REMOTE_V6 }, 8080 } }, true },
	{ { NODE_V4, NODE_V6 }, PORT_LOCAL_TOO, FRONTEND_NODE_PORT, FRONTEND_EXPOSED | FRONTEND_LOCAL,
		{ { { POD2_V4, POD2_V6 }, 8080 } }, true },
	{ { NODE_V4, NODE_V6 }, PORT_NOT_HERE, FRONTEND_NODE_PORT,
		FRONTEND_EXPOSED | FRONTEND_LOCAL | FRONTEND_DROP_EMPTY,
		{ { { REMOTE_V4, REMOTE_V6 }, 8080 } }, false },
	{ { NODE_V4, NODE_V6 }, PORT_EMPTY, FRONTEND_NODE_PORT, FRONTEND_EXPOSED, {}, false },
	{ { NODE_V4, NODE_V6 }, PORT_ON_HOST, FRONTEND_NODE_PORT, FRONTEND_EXPOSED | FRONTEND_LOCAL,
		{ { { NODE_V4, NODE_V6 }, 9000 } }, true },
	{ { NODE_V4, NODE_V6 }, PORT_BEYOND, FRONTEND_NODE_PORT, FRONTEND_EXPOSED,
		{ { { PEER_V4, PEER_V6 }, 9000 } }, false },
	{ { NODE_V4, NODE_V6 }, PORT_OF_TUNNEL, FRONTEND_NODE_PORT, FRONTEND_EXPOSED,
		{ { { PEER_V4, PEER_V6 }, 4789 } }, false },
	{ { NODE_V4, NODE_V6 }, PORT_HIDDEN, FRONTEND_NODE_PORT, 0, { { { POD2_V4, POD2_V6 }, 8080 } },
		false },
	{ { NODE_V4, NODE_V6 }, PORT_STICKY, FRONTEND_NODE_PORT,
		FRONTEND_EXPOSED | FRONTEND_LOCAL | FRONTEND_AFFINITY,
		{ { { POD2_V4, POD2_V6 }, 8080 }, { { POD1_V4, POD1_V6 }, 8080 } }, true },
	{ { NODE_V4, NODE_V6 }, PORT_OF_POD1, FRONTEND_HOST_PORT, FRONTEND_EXPOSED,
		{ { { POD1_V4, POD1_V6 }, 8080 } }, false },
	{ { BALANCER_V4, BALANCER_V6 }, 80, FRONTEND_LOAD_BALANCER, FRONTEND_EXPOSED | FRONTEND_SOURCE_RANGES,
		{ { { POD2_V4, POD2_V6 }, 8080 } }, false, { BALANCER_RANGE_V4, BALANCER_RANGE_V6 } },
	{ { BALANCER_V4, BALANCER_V6 }, PORT_FOR_POD1, FRONTEND_LOAD_BALANCER,
		FRONTEND_EXPOSED | FRONTEND_SOURCE_RANGES, { { { POD2_V4, POD2_V6 }, 8080 } }, false,
		{ POD1_V4 "/32", POD1_V6 "/128" } },
	{ { BALANCER_V4, BALANCER_V6 }, PORT_FOR_NODE, FRONTEND_LOAD_BALANCER,
		FRONTEND_EXPOSED | FRONTEND_SOURCE_RANGES | FRONTEND_ADMITS_NODE,
		{ { { POD2_V4, POD2_V6 }, 8080 } }, false, { NODE_V4 "/32", NODE_V6 "/128" } },
};
#define N_SERVICES (sizeof(services) / sizeof(services[0]))

static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_SCTP };
#define N_PROTOS (sizeof(protos) / sizeof(protos[0]))

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	if (!ip_addr_parse(text, &a))
		abort();
	return a;
}

static void
fill_parts(const struct exposed *s, unsigned family, const struct frontend_shape *shape,
	const struct frontend_parts *parts)
{
	for (unsigned i = 0; i < shape->n_backends; i++) {
		parts->buckets[0] = 0;
		parts->backends[i] = (struct backend){
			.addr = addr(s->backends[i].addrs[family]),
			.port = s->backends[i].port,
			.flags = s->flags & FRONTEND_AFFINITY ? BACKEND_LOCAL | BACKEND_OUTSIDE : 0,
		};
	}
	if (s->has_outside)
		parts->outside_buckets[0] = 0;
	parts->extra->n_outside = s->has_outside;
	parts->extra->affinity_timeout_s = EXPOSED_AFFINITY_S;
	if (shape->n_ranges != 0 && !ip_prefix_parse(s->range[family], &parts->ranges[0]))
		abort();
}

static void
add_service(struct service_table *t, const struct exposed *s, unsigned family, uint8_t proto)
{
	struct frontend f = {
		.addr = addr(s->addrs[family]),
		.port = s->port,
		.proto = proto,
		.kind = (uint8_t)s->kind,
		.flags = s->flags,
	};
	struct frontend_shape shape = {
		.n_outside_buckets = s->has_outside,
		.n_ranges = (s->flags & FRONTEND_SOURCE_RANGES) != 0,
		.has_extra = true,
	};
	struct frontend_parts parts;
	uint32_t ref;

	while (shape.n_backends < 2 && s->backends[shape.n_backends].port != 0)
		shape.n_backends++;
	shape.n_buckets = shape.n_backends == 0 ? 0 : 1;
	if (service_table_shape(t, &f, &shape, &parts) < 0)
		abort();
	fill_parts(s, family, &shape, &parts);
	if (service_table_add(t, &f, &ref) < 0)
		abort();
	for (unsigned i = 0; i < shape.n_backends; i++)
		if (service_table_link(t, &parts.backends[i], proto, ref) < 0)
			abort();
}

void
exposed_services(struct fixture *f)
{
	service_table_free(f->services);
	f->services = service_table_new(
		NULL, N_SERVICES * N_FAMILIES * N_PROTOS, 2 * N_SERVICES * N_FAMILIES * N_PROTOS);
	for (unsigned i = 0; i < N_SERVICES; i++)
		for (unsigned family = 0; family < N_FAMILIES; family++)
			for (unsigned p = 0; p < N_PROTOS; p++)
				add_service(f->services, &services[i], family, protos[p]);
	service_table_commit(f->services);
	f->tables.services = f->services;
}
