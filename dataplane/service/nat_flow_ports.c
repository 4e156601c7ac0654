#include "dataplane/service/nat_flow_layout.h"

/* Ports tried when the client's own is taken. */
#define PORT_TRIES 32

bool
nat_flow_is_port_free(struct nat_flows *e, const struct nat_flow *flow, uint16_t port)
{
	return nat_flows_find_reverse(
		       e, &flow->backend, flow->backend_port, &flow->wire, port, flow->proto) == NULL;
}

static bool
is_taken_elsewhere(const struct nat_flow *flow, const struct nat_ports *ports, uint16_t port)
{
	return ports->also != NULL && !nat_flow_is_port_free(ports->also, flow, port);
}

static bool
is_port_usable(const struct nat_flow *flow, const struct nat_ports *ports, uint16_t port)
{
	return !is_taken_elsewhere(flow, ports, port) &&
	       (ports->is_usable == NULL || ports->is_usable(ports->arg, port));
}

/* A port that at most an entry of this table has, which then makes room for the flow; 0: there is none. */
static uint16_t
conquer_port(struct nat_flows *e, const struct nat_flow *flow, const struct nat_ports *ports,
	const struct owned_ports *owned)
{
	for (unsigned i = 0; i < PORT_TRIES; i++) {
		uint16_t port = flow_owner_port(owned, nat_flows_random(e) % owned->n);
		struct nat_flow *victim;

		if (!is_port_usable(flow, ports, port))
			continue;
		victim = nat_flows_find_reverse(
			e, &flow->backend, flow->backend_port, &flow->wire, port, flow->proto);
		if (victim != NULL)
			nat_flows_evict(e, victim);
		return port;
	}
	return 0;
}

/* The wished for wire port if it is free, else one of those that may replace it; 0 when there is none. A flow that
 * comes again finds the port that it had. */
uint16_t
nat_flow_choose_port(struct nat_flows *e, const struct nat_flow *flow, const struct nat_ports *ports)
{
	struct owned_ports owned;
	uint32_t h;

	if (flow->wire_port != 0 && nat_flow_is_port_free(e, flow, flow->wire_port) &&
		(ports == NULL || !is_taken_elsewhere(flow, ports, flow->wire_port)))
		return flow->wire_port;
	if (ports == NULL)
		return 0;
	owned = flow_owner_ports(ports->first, ports->last, ports->worker, ports->n_workers);
	if (owned.n == 0)
		return 0;
	h = flow_hash(&flow->client, &flow->frontend, flow->client_port, flow->frontend_port, flow->proto);
	for (unsigned i = 0; i < PORT_TRIES; i++) {
		uint16_t port = flow_owner_port(&owned, (h + i) % owned.n);

		if (nat_flow_is_port_free(e, flow, port) && is_port_usable(flow, ports, port))
			return port;
	}
	return e->random != 0 ? conquer_port(e, flow, ports, &owned) : 0;
}
