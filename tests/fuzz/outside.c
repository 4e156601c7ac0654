#include "tests/fuzz/outside.h"

#include <stdlib.h>

#include "dataplane/service/flow_owner.h"
#include "tests/packets/names.h"
#include "tests/support/exposed.h"
#include "tests/support/pkt_build.h"
#include "tests/support/services.h"

#define OUTSIDE_V4 "203.0.113.7"
#define OUTSIDE_V6 "2001:db8:9::7"
#define PORT 20100 /* as masquerade_cases.c and relay_cases.c */
#define SEQ 4711   /* as inbound_cases.c */
#define NEAR 2048  /* likewise, for client port 40002 */
#define FAR 2112   /* for 40000 */

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	if (!ip_addr_parse(text, &a))
		abort();
	return a;
}

void
outside_ways(struct fixture *f)
{
	static const struct {
		const char *network;
		enum route_kind kind;
		uint8_t flags;
		bool is_resolved;
	} ways[] = {
		{ "203.0.113.0/24", ROUTE_UNDERLAY, 0, true },
		{ "2001:db8:9::/64", ROUTE_UNDERLAY, 0, true },
		{ "2001:db8:ffff::/64", ROUTE_UNDERLAY, 0, true },
		{ "192.0.2.0/24", ROUTE_UNDERLAY, 0, true },
		{ "2001:db8::/64", ROUTE_UNDERLAY, 0, true },
		{ "198.51.100.0/24", ROUTE_UNDERLAY, ROUTE_NATIVE, true },
		{ "2001:db8:aaaa::/64", ROUTE_UNDERLAY, ROUTE_NATIVE, true },
		{ "192.0.2.64/26", ROUTE_SEGMENT, 0, false },
		{ "10.99.0.0/16", ROUTE_ELSEWHERE, 0, false },
	};
	const struct mac_addr router = pkt_mac("peer"), none = { 0 };

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct ip_prefix prefix;

		if (!ip_prefix_parse(ways[i].network, &prefix))
			abort();
		route_table_add_outside(f->routes, &prefix, ways[i].kind,
			ways[i].is_resolved ? &router : &none, ways[i].flags);
	}
}

/* wire NULL: the client's address and port. */
static struct nat_flow
flow(const char *client, uint16_t client_port, const char *frontend, uint16_t frontend_port,
	const char *backend, uint16_t backend_port, const char *wire, uint16_t wire_port, uint8_t proto)
{
	return (struct nat_flow){
		.client = addr(client),
		.client_port = client_port,
		.frontend = addr(frontend),
		.frontend_port = frontend_port,
		.backend = addr(backend),
		.backend_port = backend_port,
		.wire = addr(wire == NULL ? client : wire),
		.wire_port = wire == NULL ? client_port : wire_port,
		.proto = proto,
		.return_mac = pkt_mac("peer"),
		.seq = SEQ,
	};
}

static void
keep(struct nat_flows *table, const struct nat_flow *x)
{
	if (nat_flows_find_forward(
		    table, &x->client, x->client_port, &x->frontend, x->frontend_port, x->proto) == NULL)
		nat_flows_add(table, x, NULL, 0);
}

/* With a port of the node's blocks, which is the first worker's, unless somebody else was given the block meanwhile. */
static void
keep_outbound(struct fixture *f, struct nat_flow x)
{
	struct ip_addr *owner = &f->port_blocks[0]->owner[PORT / FLOW_OWNER_BLOCK];

	if (nat_flows_block_uses(f->outbound[0], PORT / FLOW_OWNER_BLOCK) != 0 &&
		!ip_addr_eq(owner, &x.client))
		return;
	x.has_block = true;
	keep(f->outbound[0], &x);
	*owner = x.client;
}

static void
keep_inbound(struct fixture *f, struct nat_flow x, bool is_confirmed)
{
	unsigned owner = flow_owner_of_client(&x.client, x.client_port, x.proto, f->n_workers);

	x.has_block = x.wire_port == PORT;
	if (x.has_block && nat_flows_block_uses(f->outbound[0], PORT / FLOW_OWNER_BLOCK) != 0)
		return;
	keep(is_confirmed ? f->inbound[owner] : f->half_open[owner], &x);
}

#define KEEP_OUTBOUND(F, icmp)                                                                               \
	do {                                                                                                 \
		keep_outbound(f,                                                                             \
			flow(POD1_##F, 1000, OUTSIDE_##F, 80, OUTSIDE_##F, 80, NODE_##F, PORT, PROTO_TCP));  \
		keep_outbound(                                                                               \
			f, flow(POD1_##F, 1001, WEB_##F, 80, OUTSIDE_##F, 8080, NODE_##F, PORT, PROTO_TCP)); \
		keep_outbound(f,                                                                             \
			flow(POD1_##F, 1000, OUTSIDE_##F, 53, OUTSIDE_##F, 53, NODE_##F, PORT, PROTO_UDP));  \
		keep_outbound(                                                                               \
			f, flow(POD1_##F, 7, OUTSIDE_##F, 7, OUTSIDE_##F, PORT, NODE_##F, PORT, (icmp)));    \
	} while (0)

#define KEEP_INBOUND(F, proto)                                                                             \
	do {                                                                                               \
		keep_inbound(f,                                                                            \
			flow(CLIENT_##F, 40000, NODE_##F, PORT_NEAR, POD2_##F, 8080, INBOUND_##F, FAR,     \
				(proto)),                                                                  \
			true);                                                                             \
		keep_inbound(f,                                                                            \
			flow(CLIENT_##F, 40002, NODE_##F, PORT_FAR, REMOTE_##F, 8080, INBOUND_##F, NEAR,   \
				(proto)),                                                                  \
			true);                                                                             \
		keep_inbound(f,                                                                            \
			flow(CLIENT_##F, 40000, NODE_##F, PORT_LOCAL, POD2_##F, 8080, NULL, 0, (proto)),   \
			true);                                                                             \
		keep_inbound(f,                                                                            \
			flow(CLIENT_##F, 40002, NODE_##F, PORT_OF_POD1, POD1_##F, 8080, NULL, 0, (proto)), \
			false);                                                                            \
		keep_inbound(f,                                                                            \
			flow(CLIENT_##F, 40002, NODE_##F, PORT_BEYOND, PEER_##F, 9000, NODE_##F, PORT,     \
				(proto)),                                                                  \
			true);                                                                             \
	} while (0)

void
outside_flows(struct fixture *f, bool is_exposed)
{
	if (is_exposed) {
		KEEP_INBOUND(V4, PROTO_TCP);
		KEEP_INBOUND(V6, PROTO_TCP);
		KEEP_INBOUND(V4, PROTO_UDP);
		KEEP_INBOUND(V6, PROTO_UDP);
	} else if (ip_addr_is_v4(&f->node.vtep)) { /* a block is for one of pod1's addresses */
		KEEP_OUTBOUND(V4, PROTO_ICMP);
	} else {
		KEEP_OUTBOUND(V6, PROTO_ICMPV6);
	}
}
