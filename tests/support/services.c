#include "tests/support/services.h"

#include <stdlib.h>

#include "dataplane/service/service_table_edit.h"
#include "tests/packets/names.h"
#include "tests/support/names.h"

#define BACKENDS 2

static const struct service {
	const char *addrs[N_FAMILIES];
	uint16_t port;
	uint8_t proto;
	struct {
		const char *addrs[N_FAMILIES];
		uint16_t port;
		uint8_t slot;
	} backends[BACKENDS]; /* all flows have the first */
	uint16_t flags;
} services[] = {
	{ { WEB_V4, WEB_V6 }, 80, PROTO_TCP, { { { POD2_V4, POD2_V6 }, 8080, 1 } } },
	{ { WEB_V4, WEB_V6 }, 80, PROTO_UDP, { { { POD2_V4, POD2_V6 }, 8080, 1 } } },
	{ { WEB_V4, WEB_V6 }, 80, PROTO_SCTP, { { { POD2_V4, POD2_V6 }, 8080, 1 } } },
	{ { DNS_V4, DNS_V6 }, 53, PROTO_UDP, { { { REMOTE_V4, REMOTE_V6 }, 5353, 2 } } },
	{ { LOCAL_V4, LOCAL_V6 }, 53, PROTO_UDP, { { { REMOTE_V4, REMOTE_V6 }, 5353, 3 } } },
	{ { LOCAL_V4, LOCAL_V6 }, 53, PROTO_TCP, { { { REMOTE_V4, REMOTE_V6 }, 5353, 3 } } },
	{ { FAR_V4, FAR_V6 }, 80, PROTO_TCP,
		{ { { REMOTE_V4, REMOTE_V6 }, 8080, 3 }, { { SIBLING_V4, SIBLING_V6 }, 8080, 3 } } },
	{ { SELF_V4, SELF_V6 }, 80, PROTO_TCP, { { { POD1_V4, POD1_V6 }, 8080, 1 } } },
	{ { SELF_V4, SELF_V6 }, 80, PROTO_UDP, { { { POD1_V4, POD1_V6 }, 8080, 1 } } },
	{ { SELF0_V4, SELF0_V6 }, 80, PROTO_TCP, { { { POD1_V4, POD1_V6 }, 8081, 0 } } },
	{ { FOURTH_V4, FOURTH_V6 }, 80, PROTO_TCP, { { { POD2_V4, POD2_V6 }, 8080, 0 } } },
	{ { EMPTY_V4, EMPTY_V6 }, 80, PROTO_TCP, {} },
	{ { EMPTY_V4, EMPTY_V6 }, 80, PROTO_UDP, {} },
	{ { EMPTY_V4, EMPTY_V6 }, 80, PROTO_SCTP, {} },
	{ { ELSEWHERE_V4, ELSEWHERE_V6 }, 80, PROTO_TCP, {}, FRONTEND_DROP_EMPTY },
	{ { ELSEWHERE_V4, ELSEWHERE_V6 }, 80, PROTO_UDP, {}, FRONTEND_DROP_EMPTY },
	{ { PAIR_V4, PAIR_V6 }, 80, PROTO_TCP,
		{ { { REMOTE_V4, REMOTE_V6 }, 8082, 3 }, { { POD2_V4, POD2_V6 }, 8082, 3 } } },
	{ { PAIR_V4, PAIR_V6 }, 80, PROTO_UDP,
		{ { { REMOTE_V4, REMOTE_V6 }, 8082, 3 }, { { POD2_V4, POD2_V6 }, 8082, 3 } } },
	{ { TUNNEL_V4, TUNNEL_V6 }, 80, PROTO_UDP, { { { PEER_V4, PEER_V6 }, 4789, 1 } } },
	{ { TUNNEL_V4, TUNNEL_V6 }, 81, PROTO_UDP, { { { NODE_V4, NODE_V6 }, 4789, 1 } } },
	{ { HERE_V4, HERE_V6 }, 80, PROTO_TCP, { { { NODE_V4, NODE_V6 }, 8080, 0 } } },
	{ { OUT_V4, OUT_V6 }, 80, PROTO_TCP, { { { "203.0.113.7", "2001:db8:9::7" }, 8080, 1 } } },
};
#define N_SERVICES (sizeof(services) / sizeof(services[0]))

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	if (!ip_addr_parse(text, &a))
		abort();
	return a;
}

static void
add_service(struct service_table *t, const struct service *s, unsigned family)
{
	struct frontend f = {
		.addr = addr(s->addrs[family]), .port = s->port, .proto = s->proto, .flags = s->flags
	};
	struct frontend_shape shape = { 0 };
	struct frontend_parts parts;
	uint32_t ref;

	while (shape.n_backends < BACKENDS && s->backends[shape.n_backends].port != 0)
		shape.n_backends++;
	shape.n_buckets = shape.n_backends == 0 ? 0 : 1;
	if (service_table_shape(t, &f, &shape, &parts) < 0 || service_table_add(t, &f, &ref) < 0)
		abort();
	for (unsigned i = 0; i < shape.n_backends; i++) {
		parts.buckets[0] = 0;
		parts.backends[i] = (struct backend){
			.addr = addr(s->backends[i].addrs[family]),
			.port = s->backends[i].port,
			.slot = s->backends[i].slot,
		};
		if (service_table_link(t, &parts.backends[i], s->proto, ref) < 0)
			abort();
	}
}

void
some_services(struct fixture *f)
{
	service_table_free(f->services);
	f->services = service_table_new(NULL, 2 * N_SERVICES, 2 * BACKENDS * N_SERVICES);
	for (unsigned i = 0; i < N_SERVICES; i++)
		for (unsigned family = 0; family < N_FAMILIES; family++)
			add_service(f->services, &services[i], family);
	service_table_commit(f->services);
	f->tables.services = f->services;
}
