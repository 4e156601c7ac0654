#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/scenarios/churn_world.h"
#include "tests/support/pkt_build.h"
#include "tests/support/pkt_check.h"

#define OUTER_SIZE 50 /* Ethernet, IPv4, UDP, VXLAN */

static const char *const pods[CHURN_CLIENTS][N_FAMILIES] = {
	{ "10.244.1.10", "fd00:10:244:1::10" },
	{ "10.244.1.11", "fd00:10:244:1::11" },
};
static const char *const macs[CHURN_CLIENTS] = { "pod1", "pod2" };

/* A layer of the flow's protocol. */
static struct layer
transport(const struct churn_world *w, uint16_t sport, uint16_t dport, uint8_t tcp_flags)
{
	if (churn_is_tcp(w))
		return (struct layer)TCP(sport, dport, tcp_flags);
	return (struct layer)UDP(sport, dport);
}

static void
give(struct churn_world *w, enum fixture_port port, const struct layer *layers)
{
	struct frame in;

	pkt_build(&in, layers, 50000);
	assert_true(port_mem_give(&w->f->ports[port], in.bytes, in.len));
	fixture_run(w->f);
}

/* The one frame that a port has sent: who to whom, behind so many bytes of tunnel. */
struct ends {
	struct ip_addr src, dst;
	uint16_t sport, dport;
};

static struct ends
take(struct churn_world *w, enum fixture_port port, unsigned tunnel)
{
	struct port_mem *m = &w->f->ports[port];
	struct ends e;
	const uint8_t *ip, *ports;

	assert_int_equal(m->n_out, 1);
	assert_null(pkt_check(m->out[0].data, m->out[0].len));
	ip = m->out[0].data + tunnel + sizeof(struct eth_hdr);
	if (ip[0] >> 4 == 4) {
		be32 src, dst;

		memcpy(&src, ip + 12, 4);
		memcpy(&dst, ip + 16, 4);
		e.src = ip_addr_v4(src);
		e.dst = ip_addr_v4(dst);
		ports = ip + 20;
	} else {
		memcpy(&e.src, ip + 8, 16);
		memcpy(&e.dst, ip + 24, 16);
		ports = ip + 40;
	}
	e.sport = (uint16_t)(ports[0] << 8 | ports[1]);
	e.dport = (uint16_t)(ports[2] << 8 | ports[3]);
	fixture_clear(w->f);
	return e;
}

/* The client says something; where it comes out. */
static struct ends
say(struct churn_world *w, const struct churn_flow *flow, uint8_t tcp_flags)
{
	struct ip_addr frontend = churn_frontend_addr(flow->family);
	char text[IP_ADDR_STRLEN];

	give(w, (enum fixture_port)(FIXTURE_POD1 + flow->client),
		PKT(ETH(macs[flow->client], "gw"),
			IP(pods[flow->client][flow->family], ip_addr_format(&frontend, text)),
			transport(w, flow->port, 80, tcp_flags)));
	return take(w, FIXTURE_UPLINK, OUTER_SIZE);
}

/* The backend answers, and the client hears it from the frontend. */
static void
answer(struct churn_world *w, const struct churn_flow *flow, uint8_t tcp_flags)
{
	struct ip_addr frontend = churn_frontend_addr(flow->family),
		       backend = churn_backend_addr(flow->backend, flow->family);
	char text[IP_ADDR_STRLEN];
	struct ends e;

	give(w, FIXTURE_UPLINK,
		PKT(ETH("peer", "uplink"), IP("192.0.2.2", "192.0.2.1"), UDP(50000, 4789), VXLAN(1),
			ETH("peer-tunnel", "tunnel"),
			IP(ip_addr_format(&backend, text), pods[flow->client][flow->family]),
			transport(w, 8080, flow->wire, tcp_flags)));
	e = take(w, (enum fixture_port)(FIXTURE_POD1 + flow->client), 0);
	assert_true(ip_addr_eq(&e.src, &frontend));
	assert_int_equal(e.sport, 80);
	assert_int_equal(e.dport, flow->port);
}

static unsigned
backend_of(const struct ends *e, unsigned family)
{
	unsigned i = e->dst.b[15] - 10u;
	struct ip_addr want;

	assert_in_range(i, 0, CHURN_BACKENDS - 1);
	want = churn_backend_addr(i, family);
	assert_true(ip_addr_eq(&want, &e->dst));
	assert_int_equal(e->dport, 8080);
	return i;
}

static bool
is_frontend_moving(const struct churn_world *w, unsigned family)
{
	struct ip_addr a = churn_frontend_addr(family);
	uint8_t proto = churn_is_tcp(w) ? PROTO_TCP : PROTO_UDP;
	const struct frontend *f = service_frontend(w->table, addr_hash(&a, 80, proto), &a, 80, proto);

	return f->flags & FRONTEND_MOVING;
}

/* A datagram does not say that it is a flow's first one, so until the buckets flip it goes where the others go. */
static void
check_chosen(const struct churn_world *w, const struct churn_flow *flow)
{
	if (churn_is_tcp(w) || !is_frontend_moving(w, flow->family))
		assert_true(churn_is_chosen(w, flow->backend));
}

static uint16_t
draw_port(struct churn_world *w, unsigned client)
{
	/* connections use ports again, though entries of the former ones may be left */
	unsigned n = churn_is_tcp(w) ? 512 : CLIENT_PORT_LAST - CLIENT_PORT_FIRST;
	uint16_t port = w->next_port[client];

	w->next_port[client] = (uint16_t)(CLIENT_PORT_FIRST + (port + 1 - CLIENT_PORT_FIRST) % n);
	for (unsigned i = 0; i < CHURN_FLOWS; i++)
		if (w->flows[i].is_open && w->flows[i].client == client && w->flows[i].port == port)
			return draw_port(w, client);
	return port;
}

struct churn_flow *
churn_open(struct churn_world *w, bool is_silent)
{
	struct churn_flow *flow = NULL;
	struct ends e;

	for (unsigned i = 0; i < CHURN_FLOWS && flow == NULL; i++)
		if (!w->flows[i].is_open)
			flow = &w->flows[i];
	assert_non_null(flow);
	*flow = (struct churn_flow){ .is_silent = is_silent,
		.client = (uint8_t)churn_draw(w, CHURN_CLIENTS),
		.family = (uint8_t)churn_draw(w, N_FAMILIES) };
	flow->port = draw_port(w, flow->client);
	e = say(w, flow, TCP_SYN);
	flow->is_open = true;
	flow->backend = backend_of(&e, flow->family);
	flow->wire = e.sport;
	check_chosen(w, flow);
	answer(w, flow, TCP_SYN | TCP_ACK);
	churn_exchange(w, flow);
	return flow;
}

void
churn_exchange(struct churn_world *w, struct churn_flow *flow)
{
	struct ends e = say(w, flow, TCP_ACK);
	unsigned backend = backend_of(&e, flow->family);

	if (backend != flow->backend) {
		/* nobody is connected to it, and it serves no more */
		assert_int_equal(w->kind, CHURN_UNCONNECTED);
		assert_false(churn_is_chosen(w, flow->backend));
		flow->backend = backend;
		flow->wire = e.sport;
		check_chosen(w, flow);
		w->n_moved++;
	}
	assert_int_equal(e.sport, flow->wire);
	answer(w, flow, TCP_ACK);
}

/* What of its buckets a listing has been through may not become a datagram's. */
static bool
may_open(const struct churn_world *w)
{
	return churn_is_tcp(w) || !w->is_listing;
}

void
churn_tick(struct churn_world *w)
{
	w->now_ns += CHURN_SECOND;
	w->n_ticks++;
	for (unsigned i = 0; i < CHURN_FLOWS; i++) {
		struct churn_flow *flow = &w->flows[i];

		if (flow->is_open && !flow->is_silent && i % 4 == w->n_ticks % 4)
			churn_exchange(w, flow);
	}
	for (unsigned i = 0; i < 3; i++) {
		w->flows[churn_draw(w, CHURN_FLOWS / 2)].is_open = false;
		if (may_open(w))
			churn_open(w, false);
	}
	churn_move(w);
}
