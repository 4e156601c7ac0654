#include "perf/traffic.h"

#include "dataplane/service/hairpin.h"
#include "perf/mix.h"

#define SLOT_SHIFT 14

void
traffic_init(struct traffic *t, const struct cluster *c, const struct params *p,
	const struct traffic_node *node, uint64_t seed)
{
	*t = (struct traffic){
		.cluster = c,
		.node = *node,
		.scenario = p->scenario,
		.n_flows = p->flows,
		.hot_percent = p->hot_services < c->shape.n_services ? p->hot_percent : HOT_UNIFORM,
		.hot_services = p->hot_services,
		.size = (uint16_t)p->size,
		.random = mix(seed),
	};
}

struct flow
traffic_flow(const struct traffic *t, uint32_t index)
{
	uint64_t random = mix(index);
	struct flow f = {
		.pod = index % CLUSTER_PODS,
		.port = (uint16_t)(EPHEMERAL_FIRST + index / CLUSTER_PODS % EPHEMERAL_COUNT),
	};
	bool is_local = t->scenario == SCENARIO_L3 && index / CLUSTER_PODS % 2 == 0;

	if (t->scenario != SCENARIO_L3 && t->scenario != SCENARIO_DECAP) {
		f.service =
			mix_service(random, t->cluster->shape.n_services, t->hot_percent, t->hot_services);
		return f;
	}
	f.node = is_local ? 0 : 1 + below((uint32_t)random, t->cluster->n_nodes - 1);
	f.peer = below((uint32_t)(random >> 32), CLUSTER_PODS);
	if (is_local && f.peer == f.pod)
		f.peer = (f.peer + 1) % CLUSTER_PODS;
	return f;
}

uint32_t
traffic_pick(struct traffic *t)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return below((uint32_t)(t->random >> 32), t->n_flows);
}

/* The frame of a pod's packet to its service or peer, as its sender wrote it. */
static struct frame
sent_frame(const struct traffic *t, uint32_t index, const struct flow *f)
{
	const struct cluster *c = t->cluster;
	bool is_l3 = t->scenario == SCENARIO_L3;

	return (struct frame){
		.eth_dst = t->node.gateway_mac,
		.eth_src = cluster_pod_mac(f->pod),
		.src = cluster_pod_addr(c, 0, f->pod),
		.dst = is_l3 ? cluster_pod_addr(c, f->node, f->peer) : cluster_service_addr(c, f->service),
		.sport = f->port,
		.dport = is_l3 ? L3_PORT : SERVICE_PORT,
		.proto = c->proto,
		.ttl = FRAME_TTL,
		.size = t->size,
		.tag = index,
	};
}

/* The inner frame of what another node's pod sends: a backend's reply, or a client of one of our pods. */
static struct frame
arriving_frame(const struct traffic *t, uint32_t index, const struct flow *f, uint32_t node)
{
	const struct cluster *c = t->cluster;
	struct frame frame = {
		.eth_dst = cluster_tunnel_mac(0),
		.eth_src = cluster_tunnel_mac(node),
		.dst = cluster_pod_addr(c, 0, f->pod),
		.proto = c->proto,
		.ttl = FRAME_TTL - 1,
		.size = t->size,
		.tag = index,
	};

	if (t->scenario == SCENARIO_REPLY) {
		const struct learned *l = &t->learned[index];

		frame.src = cluster_pod_addr(c, node, l->pod);
		frame.sport = REMOTE_BACKEND_PORT;
		frame.dport = l->wire;
	} else {
		frame.src = cluster_pod_addr(c, node, f->peer);
		frame.sport = f->port;
		frame.dport = L3_PORT;
	}
	return frame;
}

uint8_t *
traffic_write(const struct traffic *t, uint32_t index, uint8_t *inner, uint16_t *len, uint16_t *port)
{
	struct flow f = traffic_flow(t, index);
	bool is_reply = t->scenario == SCENARIO_REPLY && t->learned != NULL && t->learned[index].is_known;
	uint32_t node = is_reply ? t->learned[index].node : f.node;
	struct frame frame;
	struct tunnel tunnel;

	if (!is_reply && t->scenario != SCENARIO_DECAP) {
		frame = sent_frame(t, index, &f);
		frame_write(inner, &frame);
		*len = t->size;
		*port = (uint16_t)f.pod;
		return inner;
	}
	frame = arriving_frame(t, index, &f, node);
	frame_write(inner, &frame);
	tunnel = (struct tunnel){
		.eth_dst = t->node.uplink_mac,
		.eth_src = cluster_next_hop(node),
		.src = cluster_node_addr(node),
		.dst = cluster_node_addr(0),
		.port = t->node.vxlan_port,
		.vni = t->node.vni,
	};
	*len = (uint16_t)(t->size + VXLAN_OUTER_V4);
	*port = TRAFFIC_UPLINK;
	return tunnel_write(inner, t->size, &tunnel, (uint16_t)(0xc000 | (index & 0x3fff)));
}

static bool
is_mac(const struct mac_addr *a, struct mac_addr b)
{
	return memcmp(a, &b, sizeof(b)) == 0;
}

static bool
is_addr(const struct ip_addr *a, struct ip_addr b)
{
	return ip_addr_eq(a, &b);
}

/* What left by the port it should leave by, read; the frame's own part stripped of the tunnel. */
static const char *
read_sent(const struct traffic *t, uint16_t port, const uint8_t *data, unsigned len, struct frame *out,
	uint32_t *node)
{
	struct tunnel tunnel;
	const char *wrong;
	uint32_t pod;

	if (port < TRAFFIC_UPLINK) {
		*node = 0;
		wrong = frame_read(data, len, out);
		if (wrong == NULL && !is_mac(&out->eth_dst, cluster_pod_mac(port)))
			wrong = "destination MAC is not the receiving pod's";
		if (wrong == NULL && !is_mac(&out->eth_src, t->node.gateway_mac))
			wrong = "source MAC is not the gateway's";
		if (wrong == NULL && !is_addr(&out->dst, cluster_pod_addr(t->cluster, 0, port)))
			wrong = "sent to a pod that does not have the address";
		return wrong;
	}
	wrong = tunnel_read(data, len, &tunnel);
	if (wrong == NULL)
		wrong = frame_read(data + VXLAN_OUTER_V4, len - (unsigned)VXLAN_OUTER_V4, out);
	if (wrong != NULL)
		return wrong;
	if (!cluster_find_pod(t->cluster, &out->dst, node, &pod) || *node == 0)
		return "tunnelled to an address that is no remote pod's";
	if (!is_addr(&tunnel.dst, cluster_node_addr(*node)) || !is_addr(&tunnel.src, cluster_node_addr(0)))
		return "outer addresses are not those of the two nodes";
	if (!is_mac(&tunnel.eth_dst, cluster_next_hop(*node)) || !is_mac(&tunnel.eth_src, t->node.uplink_mac))
		return "outer MAC addresses";
	if (!is_mac(&out->eth_dst, cluster_tunnel_mac(*node)))
		return "inner destination MAC is not the node's";
	return tunnel.port == t->node.vxlan_port && tunnel.vni == t->node.vni
		       ? NULL
		       : "VXLAN port or network number";
}

/* The packet towards a service: is this one of its backends, and does the source port carry a slot. */
static const char *
check_forward(const struct traffic *t, const struct flow *f, const struct frame *out)
{
	const struct cluster *c = t->cluster;
	struct ip_addr client = cluster_pod_addr(c, 0, f->pod);
	uint32_t node, pod;

	if (!cluster_find_pod(c, &out->dst, &node, &pod))
		return "translated to an address that is no pod's";
	if (!cluster_is_endpoint(c, f->service, node, pod, out->dport))
		return "translated to what is no backend of the service";
	if (node == 0 && pod == f->pod)
		return hairpin_slot(&out->src) >= 0 ? NULL
						    : "a pod that reached itself sees no loopback address";
	if (!ip_addr_eq(&out->src, &client))
		return "the backend does not see the client's address";
	if (((out->sport ^ f->port) & ((1 << SLOT_SHIFT) - 1)) != 0 || out->sport == f->port)
		return "source port carries no slot";
	return NULL;
}

static const char *
check_reply(const struct traffic *t, const struct flow *f, const struct frame *out)
{
	if (!is_addr(&out->src, cluster_service_addr(t->cluster, f->service)) || out->sport != SERVICE_PORT)
		return "the reply does not come from its frontend";
	if (!is_addr(&out->dst, cluster_pod_addr(t->cluster, 0, f->pod)) || out->dport != f->port)
		return "the reply does not go to the client's address and port";
	return NULL;
}

static const char *
check_plain(const struct traffic *t, const struct flow *f, const struct frame *out)
{
	bool is_decap = t->scenario == SCENARIO_DECAP;
	struct ip_addr ours = cluster_pod_addr(t->cluster, 0, f->pod);
	struct ip_addr peer = cluster_pod_addr(t->cluster, f->node, f->peer);

	if (!ip_addr_eq(&out->src, is_decap ? &peer : &ours) ||
		!ip_addr_eq(&out->dst, is_decap ? &ours : &peer))
		return "addresses changed";
	return out->sport == f->port && out->dport == L3_PORT ? NULL : "ports changed";
}

const char *
traffic_check(const struct traffic *t, uint16_t port, const uint8_t *data, unsigned len, uint32_t *index)
{
	struct frame out = { 0 };
	struct flow f;
	uint32_t node;
	const char *wrong = read_sent(t, port, data, len, &out, &node);

	*index = out.tag;
	if (wrong != NULL)
		return wrong;
	if (out.tag >= t->n_flows)
		return "payload names no flow";
	if (out.proto != t->cluster->proto || out.size != t->size)
		return "protocol or length changed";
	f = traffic_flow(t, out.tag);
	switch (t->scenario) {
	case SCENARIO_SERVICE:
	case SCENARIO_SERVICE_ENCAP:
		return check_forward(t, &f, &out);
	case SCENARIO_REPLY:
		return check_reply(t, &f, &out);
	default:
		return check_plain(t, &f, &out);
	}
}

const char *
traffic_learn(struct traffic *t, uint16_t port, const uint8_t *data, unsigned len)
{
	struct frame out = { 0 };
	struct flow f;
	uint32_t node, pod;
	const char *wrong = read_sent(t, port, data, len, &out, &node);

	if (wrong != NULL)
		return wrong;
	if (out.tag >= t->n_flows)
		return "payload names no flow";
	f = traffic_flow(t, out.tag);
	wrong = check_forward(t, &f, &out);
	if (wrong != NULL)
		return wrong;
	cluster_find_pod(t->cluster, &out.dst, &node, &pod);
	t->learned[out.tag] = (struct learned){
		.node = (uint16_t)node, .pod = (uint8_t)pod, .is_known = true, .wire = out.sport
	};
	return NULL;
}
