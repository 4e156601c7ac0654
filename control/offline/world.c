#include "control/offline/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/build/policy_build.h"
#include "control/build/service_build.h"
#include "control/build/slots.h"
#include "control/build/snapshot_build.h"
#include "control/offline/complete.h"
#include "control/offline/made_up.h"
#include "dataplane/policy/policy_state.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/service/roles.h"

#define UPLINK_MTU 1500
#define VXLAN_PORT 4789
#define VNI 1
#define N_ENDPOINTS_MAX (WORLD_PODS + 1)

/* Nodes that no cluster has: a name of Kubernetes has no spaces. */
#define HERE "this node"
#define ELSEWHERE "elsewhere"

static const struct mac_addr node_mac = { { 0x02, 0x72, 0x77, 0, 0, 2 } };
static const struct mac_addr host_mac = { { 0x02, 0x72, 0x77, 0, 0, 3 } };
static const struct mac_addr peer_mac = { { 0x02, 0x72, 0x77, 0, 0, 4 } };

struct world {
	struct store *store;
	struct census census;

	/* the node; nothing is learned from a dry run, so its pods can share what each would know for itself */
	struct roles *roles;
	struct policy_state *policy_state;
	struct ip_addr own_addr;
	size_t n_service_cidrs;
	struct ip_prefix *service_cidrs; /* each ClusterIP */
	struct build_facts facts;
	struct uplink_queue uplink;
	struct endpoint endpoints[N_ENDPOINTS_MAX];
	struct local_pod locals[WORLD_PODS];
	struct slots *slots;
	struct snapshot_builder *builder;
	const struct tables *tables; /* of the round; NULL: none yet */

	struct crossing *crossing;
	struct nat_flows *exceptions;
	struct worker *worker;
	struct explain_runner *runner;
	struct view view;
	struct port_view ports[WORLD_PORT_PODS + WORLD_PODS];
	struct explain_context context;
};

size_t
world_n_rounds(const struct world *w)
{
	return w->census.n_pods == 0 ? 1 : (w->census.n_pods + WORLD_PODS - 1) / WORLD_PODS;
}

const struct explain_context *
world_context(const struct world *w)
{
	return &w->context;
}

const struct census *
world_census(const struct world *w)
{
	return &w->census;
}

/* --- the node */

/* A port that a service lacks is not somewhere else. */
static bool
collect_cluster_ips(struct world *w)
{
	const struct census *c = &w->census;

	w->service_cidrs = calloc(c->n_holders + 1, sizeof(*w->service_cidrs));
	for (size_t i = 0; w->service_cidrs != NULL && i < c->n_holders; i++)
		if (c->holders[i].service != NULL)
			w->service_cidrs[w->n_service_cidrs++] =
				(struct ip_prefix){ c->holders[i].addr, 128 };
	return w->service_cidrs != NULL;
}

static int
put_node(struct store *store, const char *name, const struct ip_addr *addr, bool has_everything)
{
	static const char *const everything[N_FAMILIES] = { "0.0.0.0/0", "::/0" };
	struct node_object *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return -ENOMEM;
	o->object = (struct object){ .kind = OBJECT_NODE, .ns = strdup(""), .name = strdup(name) };
	o->addrs = calloc(1, sizeof(*o->addrs));
	o->pod_cidrs = calloc(N_FAMILIES, sizeof(*o->pod_cidrs));
	if (o->object.ns == NULL || o->object.name == NULL || o->addrs == NULL || o->pod_cidrs == NULL) {
		object_free(&o->object);
		return -ENOMEM;
	}
	o->addrs[o->n_addrs++] = *addr;
	for (unsigned family = 0; has_everything && family < N_FAMILIES; family++)
		if (ip_prefix_parse(everything[family], &o->pod_cidrs[o->n_pod_cidrs]))
			o->n_pod_cidrs++;
	return store_put(store, &o->object);
}

/* This node, and the one behind which everything is that has no better place. */
static int
make_node(struct world *w)
{
	struct made_up m;
	struct ip_addr elsewhere;
	int result = made_up_init(&m, w->store);
	bool ok = made_up_take(&m, V4, &w->own_addr) && made_up_take(&m, V4, &elsewhere);

	for (unsigned i = 0; ok && i < HOST_ADDRS; i++)
		for (unsigned family = 0; ok && family < N_FAMILIES; family++)
			ok = made_up_take(&m, (enum family_index)family, &w->facts.host_addrs[family][i]);
	for (unsigned family = 0; ok && family < N_FAMILIES; family++)
		ok = made_up_take(&m, (enum family_index)family, &w->facts.inbound_addrs[family]);
	made_up_fini(&m);
	if (result == 0 && !ok)
		result = -E2BIG;
	if (result == 0)
		result = put_node(w->store, HERE, &w->own_addr, false);
	return result < 0 ? result : put_node(w->store, ELSEWHERE, &elsewhere, true);
}

static struct mac_addr
next_hop(const struct ip_addr *vtep, void *arg)
{
	return peer_mac;
}

static void
make_facts(struct world *w)
{
	struct build_facts *f = &w->facts;

	w->uplink = (struct uplink_queue){ .port = WORLD_PORT_UPLINK, .owner = 0 };
	f->node_name = HERE;
	f->vxlan_port = VXLAN_PORT;
	f->vni = VNI;
	f->n_service_cidrs = w->n_service_cidrs;
	f->service_cidrs = w->service_cidrs;
	f->uplink_mac = node_mac;
	f->uplink_mtu = UPLINK_MTU;
	f->n_own_addrs = 1;
	f->own_addrs = &w->own_addr;
	f->next_hop = next_hop;
	f->n_workers = 1;
	f->n_uplinks = 1;
	f->uplinks = &w->uplink;
	f->endpoints = w->endpoints;
	f->pods = w->locals;
	w->endpoints[0] = (struct endpoint){
		.addrs = { f->host_addrs[V4][0], f->host_addrs[V6][0] },
		.mac = host_mac,
		.port = WORLD_PORT_HOST,
		.mtu = UPLINK_MTU - VXLAN_OVERHEAD_V4,
		.is_host = true,
	};
	w->ports[WORLD_PORT_HOST] = (struct port_view){ WORLD_PORT_HOST, PORT_KIND_HOST, 0, "", "", "" };
	w->ports[WORLD_PORT_UPLINK] =
		(struct port_view){ WORLD_PORT_UPLINK, PORT_KIND_UPLINK, 0, "", "", "" };
}

static bool
make_memories(struct world *w)
{
	const struct nat_flows_config exceptions = { .capacity = EXCEPTIONS_DEFAULT,
		.quota = EXCEPTIONS_QUOTA_DEFAULT };
	const uint64_t key[2] = { 1, 2 };

	w->roles = aligned_alloc(CACHE_LINE, sizeof(*w->roles));
	w->policy_state = aligned_alloc(CACHE_LINE, sizeof(*w->policy_state));
	w->exceptions = aligned_alloc(CACHE_LINE, nat_flows_size(EXCEPTIONS_DEFAULT));
	if (w->roles == NULL || w->policy_state == NULL || w->exceptions == NULL)
		return false;
	memset(w->roles, 0, sizeof(*w->roles));
	memset(w->policy_state, 0, sizeof(*w->policy_state));
	memset(w->exceptions, 0, nat_flows_size(EXCEPTIONS_DEFAULT));
	roles_adopt(w->roles);
	policy_state_adopt(w->policy_state, key);
	nat_flows_adopt(w->exceptions, &exceptions, 0);
	return true;
}

static const struct pod_object *
pod_of_addr(const struct ip_addr *addr, void *arg)
{
	const struct world *w = arg;
	const struct census_holder *h = census_find(&w->census, addr);

	return h == NULL || h->pod == CENSUS_NOBODY ? NULL : w->census.pods[h->pod].object;
}

static bool
make_worker(struct world *w)
{
	struct worker_config config = { .cpu = -1 };

	w->crossing = crossing_new(1);
	if (!make_memories(w) || w->crossing == NULL)
		return false;
	config.crossing = w->crossing;
	config.flows.exceptions = w->exceptions;
	w->worker = worker_new(&config);
	w->runner = explain_runner_new();
	w->slots = slots_new();
	w->builder = w->slots == NULL ? NULL : snapshot_builder_new(w->store, w->slots);
	w->view = (struct view){ .node = HERE, .n_workers = 1, .ports = w->ports };
	w->context = (struct explain_context){
		.names = { .store = w->store, .view = &w->view, .pod_of_addr = pod_of_addr, .arg = w },
		.workers = &w->worker,
		.n_workers = 1,
		.self = HERE,
	};
	return w->worker != NULL && w->runner != NULL && w->builder != NULL;
}

int
world_new(struct world **out, struct store *store)
{
	struct world *w = calloc(1, sizeof(*w));
	int result;

	if (w == NULL)
		return -ENOMEM;
	w->store = store;
	result = manifests_complete(store);
	if (result == 0)
		result = census_take(&w->census, store);
	if (result == 0 && !collect_cluster_ips(w))
		result = -ENOMEM;
	if (result == 0)
		result = make_node(w);
	if (result == 0 && !make_worker(w))
		result = -ENOMEM;
	if (result < 0) {
		world_free(w);
		return result;
	}
	make_facts(w);
	*out = w;
	return 0;
}

void
world_free(struct world *w)
{
	if (w == NULL)
		return;
	if (w->builder != NULL)
		snapshot_release(w->builder, w->tables);
	snapshot_builder_free(w->builder);
	slots_free(w->slots);
	worker_free(w->worker);
	crossing_free(w->crossing);
	explain_runner_free(w->runner);
	free(w->exceptions);
	free(w->roles);
	free(w->policy_state);
	free(w->service_cidrs);
	census_fini(&w->census);
	free(w);
}

/* --- rounds */

static void
settle_pods(struct world *w, size_t round)
{
	size_t first = round * WORLD_PODS;
	size_t n = w->census.n_pods - first < WORLD_PODS ? w->census.n_pods - first : WORLD_PODS;

	for (size_t i = 0; i < n; i++) {
		const struct census_pod *pod = &w->census.pods[first + i];
		const struct object *o = &pod->object->object;
		uint16_t port = (uint16_t)(WORLD_PORT_PODS + i);

		w->endpoints[1 + i] = (struct endpoint){
			.addrs = { pod->addrs[V4], pod->addrs[V6] },
			.mac = { { 0x02, 0x72, 0x78, 0, (uint8_t)(port >> 8), (uint8_t)port } },
			.port = port,
			.mtu = UPLINK_MTU - VXLAN_OVERHEAD_V4,
			.roles = w->roles,
			.policy_state = w->policy_state,
		};
		w->locals[i] = (struct local_pod){ port, { pod->addrs[V4], pod->addrs[V6] }, o->ns, o->name };
		w->ports[port] = (struct port_view){ port, PORT_KIND_POD, 0, o->ns, o->name, "" };
	}
	w->facts.n_endpoints = 1 + n;
	w->facts.n_pods = n;
	w->view.n_ports = (unsigned)(WORLD_PORT_PODS + n);
	w->view.n_pods = n;
}

/* A pod whose rules could not be compiled would be denied everything: no answer to the question. */
static int
check_pods(const struct world *w, char *error)
{
	const struct policy_builder *policies = snapshot_policies(w->builder);

	for (size_t i = 0; w->tables->policies != NULL && i < w->facts.n_pods; i++) {
		const struct local_pod *pod = &w->locals[i];
		const struct pod_policy *policy = policy_of_port(w->tables->policies, pod->port);
		const char *why;

		if (policy == NULL || !policy->is_closed)
			continue;
		why = policy_builder_closed(policies, pod->port);
		snprintf(error, WORLD_ERROR_SIZE, "pod %s/%s cannot be judged: %s", pod->ns, pod->name,
			why == NULL ? "its policies could not be compiled" : why);
		return -E2BIG;
	}
	return 0;
}

int
world_enter(struct world *w, size_t round, char error[static WORLD_ERROR_SIZE])
{
	char why[BUILD_ERROR_SIZE];
	const struct tables *next;
	int result;

	settle_pods(w, round);
	result = snapshot_build(
		w->builder, &w->facts, BUILD_TOPOLOGY | BUILD_SERVICES | BUILD_POLICIES, 0, &next, why);
	if (result < 0) {
		snprintf(error, WORLD_ERROR_SIZE, "%s", why);
		return result;
	}
	snapshot_release(w->builder, w->tables);
	w->tables = next;
	w->context.names.tables = next;
	w->context.names.builder = snapshot_services(w->builder);
	w->context.policies = snapshot_policies(w->builder);
	return check_pods(w, error);
}

/* --- packets */

void
world_from_pod(const struct world *w, size_t pod, struct explain_packet *packet)
{
	const struct endpoint *e = &w->endpoints[1 + pod % WORLD_PODS];

	packet->sender = SENDER_POD;
	packet->in_port = e->port;
	packet->worker = 0;
	packet->probe.eth_src = e->mac;
	packet->probe.eth_dst = w->tables->node->gateway_mac;
}

void
world_from_host(const struct world *w, struct explain_packet *packet)
{
	packet->sender = SENDER_HOST;
	packet->in_port = WORLD_PORT_HOST;
	packet->worker = 0;
	packet->probe.src = w->facts.host_addrs[ip_addr_is_v4(&packet->probe.dst) ? V4 : V6][0];
	packet->probe.eth_src = host_mac;
	packet->probe.eth_dst = w->tables->node->gateway_mac;
}

void
world_from_elsewhere(const struct world *w, struct explain_packet *packet)
{
	const struct node_table *node = w->tables->node;
	const struct route *r = route_lookup(w->tables->routes, &packet->probe.src);
	/* what has no way there gets the sender that most have; the pipeline says what is wrong with it */
	const struct fdb_entry *peer =
		&w->tables->fdb->entries[r != NULL && r->kind == ROUTE_VTEP ? r->target : 0];

	packet->sender = SENDER_REMOTE;
	packet->in_port = WORLD_PORT_UPLINK;
	packet->worker = 0;
	packet->probe.eth_src = peer->inner;
	packet->probe.eth_dst = node->tunnel_mac;
	packet->tunnel = (struct probe_tunnel){
		.eth_src = peer_mac,
		.eth_dst = node->uplink_mac,
		.src = peer->vtep,
		.dst = node->vtep,
		.port = node->vxlan_port,
		.vni = node->vni,
	};
}

int
world_run(struct world *w, const struct explain_packet *packet, struct explain_output *out)
{
	static const enum origin origins[] = { [SENDER_POD] = ORIGIN_POD,
		[SENDER_HOST] = ORIGIN_HOST,
		[SENDER_REMOTE] = ORIGIN_UPLINK,
		[SENDER_OUTSIDE] = ORIGIN_UPLINK };
	uint8_t room[PROBE_OUTER_MAX + 256], *frame = room + PROBE_OUTER_MAX;
	uint16_t len = probe_build(&packet->probe, frame);

	if (packet->sender == SENDER_REMOTE)
		frame = probe_encap(&packet->tunnel, frame, &len);
	return explain_runner_run(w->runner,
		&(struct explain_input){
			.workers = w->context.workers,
			.n_workers = 1,
			.tables = w->tables,
			.in_port = packet->in_port,
			.origin = origins[packet->sender],
			.frame = frame,
			.len = len,
		},
		out);
}
