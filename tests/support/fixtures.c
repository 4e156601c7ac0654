#include "tests/support/fixtures.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/net/fragments.h"
#include "dataplane/service/affinity.h"
#include "dataplane/service/service_table_edit.h"
#include "tests/support/names.h"
#include "tests/support/pkt_build.h"
#include "tests/support/pkt_check.h"
#include "tests/support/policies.h"

static void *
must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	if (!ip_addr_parse(text, &a))
		abort();
	return a;
}

static void
add_route(struct fixture *f, const char *text, enum route_kind kind, uint32_t target)
{
	struct ip_prefix prefix;

	if (!ip_prefix_parse(text, &prefix))
		abort();
	route_table_add(f->routes, &prefix, kind, target);
}

static void
fill_node(struct fixture *f, bool v6_underlay)
{
	f->node = (struct node_table){
		.vtep = addr(v6_underlay ? "2001:db8::1" : "192.0.2.1"),
		.uplink_mac = pkt_mac("uplink"),
		.tunnel_mac = pkt_mac("tunnel"),
		.gateway_mac = pkt_mac("gw"),
		.gateway = { [V4] = addr(GATEWAY_V4), [V6] = addr(GATEWAY_V6) },
		.vxlan_port = PKT_CHECK_VXLAN_PORT,
		.vni = 1,
		.uplink_mtu = 1500,
		.pod_mtu = (uint16_t)(1500 - (v6_underlay ? VXLAN_OVERHEAD_V6 : VXLAN_OVERHEAD_V4)),
		.n_workers = (uint8_t)f->n_workers,
		.masquerade = { [V4] = addr("192.0.2.1"), [V6] = addr("2001:db8::1") },
	};
	for (unsigned block = FIXTURE_PORT_FIRST / 64; block <= FIXTURE_PORT_LAST / 64; block++)
		f->node.masquerade_claim.bits[block] = ~UINT64_C(0);
	f->node.masquerade_ports = f->node.masquerade_claim;
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		f->node.uplink_port[i] = FIXTURE_UPLINK;
	f->node.port_owner[FIXTURE_HOST] = f->node.port_owner[FIXTURE_POD2] = (uint8_t)(f->n_workers - 1);
}

static void
fill_endpoints(struct fixture *f)
{
	static const struct {
		const char *v4, *v6, *mac;
		enum fixture_port port;
	} all[] = {
		{ "10.244.1.1", "fd00:10:244:1::1", "host", FIXTURE_HOST },
		{ "10.244.1.10", "fd00:10:244:1::10", "pod1", FIXTURE_POD1 },
		{ "10.244.1.11", "fd00:10:244:1::11", "pod2", FIXTURE_POD2 },
	};
	struct endpoint_table *t = must(calloc(1, sizeof(*t) + 3 * sizeof(t->endpoints[0])));

	memset(t->by_port, 0xff, sizeof(t->by_port));
	t->n = 3;
	t->host = 0;
	for (uint16_t i = 0; i < 3; i++) {
		t->endpoints[i] = (struct endpoint){
			.addrs = { [V4] = addr(all[i].v4), [V6] = addr(all[i].v6) },
			.mac = pkt_mac(all[i].mac),
			.port = (uint16_t)all[i].port,
			.mtu = f->node.pod_mtu,
			.owner = f->node.port_owner[all[i].port],
			.is_host = i == 0,
		};
		t->by_port[all[i].port] = i;
	}
	for (unsigned slot = 0; slot < HOST_ADDRS; slot++) {
		t->host_addrs[V4][slot] = addr("10.244.1.1");
		t->host_addrs[V4][slot].b[15] += (uint8_t)slot;
		t->host_addrs[V6][slot] = addr("fd00:10:244:1::1");
		t->host_addrs[V6][slot].b[15] += (uint8_t)slot;
	}
	t->inbound_addrs[V4] = addr("10.244.1.5");
	t->inbound_addrs[V6] = addr("fd00:10:244:1::5");
	f->endpoints = t;
}

static void
fill_routes(struct fixture *f)
{
	f->routes = must(route_table_new(32));
	add_route(f, "10.244.1.10/32", ROUTE_ENDPOINT, 1);
	add_route(f, "10.244.1.11/32", ROUTE_ENDPOINT, 2);
	add_route(f, "fd00:10:244:1::10/128", ROUTE_ENDPOINT, 1);
	add_route(f, "fd00:10:244:1::11/128", ROUTE_ENDPOINT, 2);
	for (unsigned family = 0; family < N_FAMILIES; family++)
		for (unsigned slot = 0; slot < HOST_ADDRS; slot++)
			route_table_add(f->routes,
				&(struct ip_prefix){ f->endpoints->host_addrs[family][slot], 128 },
				ROUTE_HOST, 0);
	add_route(f, "10.244.1.5/32", ROUTE_INBOUND, 0);
	add_route(f, "fd00:10:244:1::5/128", ROUTE_INBOUND, 0);
	add_route(f, "192.0.2.1/32", ROUTE_HOST, 0);
	add_route(f, "2001:db8::1/128", ROUTE_HOST, 0);
	add_route(f, "10.244.2.0/24", ROUTE_VTEP, FIXTURE_PEER);
	add_route(f, "fd00:10:244:2::/64", ROUTE_VTEP, FIXTURE_PEER);
	add_route(f, "10.244.3.0/24", ROUTE_VTEP, FIXTURE_PEER_OTHER);
	add_route(f, "fd00:10:244:3::/64", ROUTE_VTEP, FIXTURE_PEER_OTHER);
	add_route(f, "10.244.4.0/24", ROUTE_VTEP, FIXTURE_UNRESOLVED);
	add_route(f, "fd00:10:244:4::/64", ROUTE_VTEP, FIXTURE_UNRESOLVED);
	add_route(f, "10.96.0.0/16", ROUTE_SERVICE, 0);
	add_route(f, "fd00:10:96::/112", ROUTE_SERVICE, 0);
}

static void
fill_fdb(struct fixture *f, bool v6_underlay)
{
	static const char *const vteps[2][3] = { { "192.0.2.2", "192.0.2.3", "192.0.2.4" },
		{ "2001:db8::2", "2001:db8::3", "2001:db8::4" } };

	f->fdb = must(fdb_table_new(3));
	for (unsigned i = 0; i < 3; i++)
		f->fdb->entries[i] = (struct fdb_entry){
			.vtep = addr(vteps[v6_underlay][i]),
			.next_hop = pkt_mac("peer"),
			.inner = pkt_mac("peer-tunnel"),
			.mtu = f->node.pod_mtu,
		};
	memset(&f->fdb->entries[FIXTURE_UNRESOLVED].next_hop, 0, sizeof(struct mac_addr));
	fdb_table_index(f->fdb);
}

static void
fill_services(struct fixture *f)
{
	f->services = must(service_table_new(NULL, 0, 0));
	service_table_commit(f->services);
}

static struct nat_flows *
flows_new(const struct nat_flows_config *config)
{
	struct nat_flows *e = must(aligned_alloc(CACHE_LINE, nat_flows_size(config->capacity)));

	memset(e, 0, nat_flows_size(config->capacity));
	nat_flows_adopt(e, config, 0);
	return e;
}

static struct affinity *
affinity_new(void)
{
	struct affinity *a = must(aligned_alloc(CACHE_LINE, affinity_size(FIXTURE_AFFINITY)));

	memset(a, 0, affinity_size(FIXTURE_AFFINITY));
	affinity_adopt(a, FIXTURE_AFFINITY, 0);
	return a;
}

/* What workers know about their pods and flows. */
static void
give_memories(struct fixture *f)
{
	const struct nat_flows_config exceptions = { .capacity = FIXTURE_EXCEPTIONS,
		.quota = FIXTURE_EXCEPTIONS_QUOTA };
	const struct nat_flows_config inbound = {
		.capacity = FIXTURE_INBOUND, .quota = FIXTURE_INBOUND / 2, .by_network = true
	};
	const struct nat_flows_config half_open = { .capacity = FIXTURE_INBOUND, .evicts = true };
	const struct nat_flows_config outbound = { .capacity = FIXTURE_OUTBOUND,
		.quota = FIXTURE_OUTBOUND_QUOTA };

	for (unsigned i = 0; i < f->n_workers; i++) {
		f->exceptions[i] = flows_new(&exceptions);
		f->inbound[i] = flows_new(&inbound);
		f->half_open[i] = flows_new(&half_open);
		f->affinity[i] = affinity_new();
		f->inbound_affinity[i] = affinity_new();
		f->outbound[i] = flows_new(&outbound);
		f->port_blocks[i] = must(port_blocks_adopt(
			&(struct port_blocks_tables){ f->outbound[i], f->inbound[i], f->half_open[i] }, i,
			f->n_workers, FIXTURE_OUTBOUND_BLOCKS));
	}
	for (unsigned i = 1; i < f->endpoints->n; i++) {
		f->endpoints->endpoints[i].roles = must(calloc(1, sizeof(struct roles)));
		roles_adopt(f->endpoints->endpoints[i].roles);
	}
}

static void
start_workers(struct fixture *f)
{
	f->crossing = must(crossing_new(f->n_workers));
	f->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f->events = must(events_new(f->event_fd));
	for (unsigned i = 0; i < f->n_workers; i++) {
		struct worker_config config = { .id = i,
			.cpu = -1,
			.crossing = f->crossing,
			.flows = { .exceptions = f->exceptions[i],
				.inbound = f->inbound[i],
				.half_open = f->half_open[i],
				.outbound = f->outbound[i],
				.affinity = f->affinity[i],
				.inbound_affinity = f->inbound_affinity[i],
				.port_blocks = f->port_blocks[i] },
			.events = f->events };

		if (umem_new(&f->umems[i], (uint16_t)i, (uint8_t)i, FIXTURE_FRAMES, FIXTURE_FRAME_SIZE, -1) <
			0)
			abort();
		f->workers[i] = must(worker_new(&config));
	}
}

static void
plug_ports(struct fixture *f)
{
	static const enum origin origins[] = { [FIXTURE_HOST] = ORIGIN_HOST,
		[FIXTURE_POD1] = ORIGIN_POD,
		[FIXTURE_POD2] = ORIGIN_POD,
		[FIXTURE_UPLINK] = ORIGIN_UPLINK };

	for (unsigned i = 0; i < FIXTURE_PORTS; i++) {
		uint8_t owner = f->node.port_owner[i];

		port_mem_init(&f->ports[i], f->umems[owner], i, origins[i], owner);
		worker_add_port(f->workers[owner], &f->ports[i].port);
	}
}

struct fixture *
fixture_new(unsigned n_workers, bool v6_underlay)
{
	struct fixture *f = must(calloc(1, sizeof(*f)));

	f->n_workers = n_workers;
	fill_node(f, v6_underlay);
	fill_endpoints(f);
	fill_routes(f);
	fill_fdb(f, v6_underlay);
	fill_services(f);
	f->tables = (struct tables){
		.version = 1,
		.node = &f->node,
		.endpoints = f->endpoints,
		.services = f->services,
		.routes = f->routes,
		.fdb = f->fdb,
	};
	give_memories(f);
	start_workers(f);
	plug_ports(f);
	return f;
}

void
fixture_free(struct fixture *f)
{
	for (unsigned i = 0; i < f->n_workers; i++) {
		worker_free(f->workers[i]);
		umem_free(f->umems[i]);
		free(f->exceptions[i]);
		free(f->inbound[i]);
		free(f->half_open[i]);
		free(f->affinity[i]);
		free(f->inbound_affinity[i]);
		free(f->outbound[i]);
		port_blocks_free(f->port_blocks[i]);
	}
	crossing_free(f->crossing);
	events_free(f->events);
	close(f->event_fd);
	service_table_free(f->services);
	fdb_table_free(f->fdb);
	route_table_free(f->routes);
	policies_free(f);
	names_free(f);
	for (unsigned i = 0; i < f->endpoints->n; i++)
		free(f->endpoints->endpoints[i].roles);
	free(f->endpoints);
	free(f);
}

void
fixture_run(struct fixture *f)
{
	unsigned quiet = 0;

	/* a frame that goes home is collected in the round after, which has no packet of its own */
	while (quiet < 2) {
		unsigned n = 0;

		for (unsigned i = 0; i < f->n_workers; i++)
			n += worker_round(f->workers[i], &f->tables);
		quiet = n == 0 ? quiet + 1 : 0;
	}
}

void
fixture_clear(struct fixture *f)
{
	for (unsigned i = 0; i < FIXTURE_PORTS; i++)
		port_mem_clear(&f->ports[i]);
}

void
fixture_counters(const struct fixture *f, struct counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < f->n_workers; i++)
		counters_read(&f->workers[i]->counters, sum);
}

/* Fragments that wait for their first, and which frames of a umem they have. */
static unsigned
count_waiting(const struct fixture *f, const struct umem *umem, uint8_t *seen)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->n_workers; i++) {
		const struct fragments *waiting = f->workers[i]->fragments;

		for (unsigned k = 0; k < waiting->n_waiting; k++) {
			const struct pkt *p = &waiting->waiting[k];

			if (umem != NULL && p->umem != umem)
				continue;
			n++;
			if (seen != NULL)
				seen[umem_frame_number(umem, p->data)]++;
		}
	}
	return n;
}

const char *
fixture_audit(const struct fixture *f)
{
	struct counters c;
	uint64_t dropped = 0;

	fixture_counters(f, &c);
	for (unsigned i = 0; i < N_DROP_REASONS; i++)
		dropped += c.drops[i];
	if (c.verdicts[VERDICT_DROP] != dropped || c.drops[DROP_NONE] != 0)
		return "drops are not the sum of their reasons";
	if (c.counts[COUNT_RECEIVED] != c.verdicts[VERDICT_FORWARD] + c.verdicts[VERDICT_REPLY] +
						c.verdicts[VERDICT_PUNT] + c.verdicts[VERDICT_DROP] +
						c.verdicts[VERDICT_ASKED] + count_waiting(f, NULL, NULL))
		return "received is not forwarded + replied + punted + dropped + asked";
	if (c.counts[COUNT_CROSSED_OUT] != c.counts[COUNT_CROSSED_IN] || c.verdicts[VERDICT_CROSSED] != 0 ||
		c.verdicts[VERDICT_CONTINUE] != 0)
		return "a packet was lost between workers";
	for (unsigned i = 0; i < f->n_workers; i++) {
		uint8_t seen[FIXTURE_FRAMES] = { 0 };

		if (f->umems[i]->n_free + count_waiting(f, f->umems[i], seen) != FIXTURE_FRAMES)
			return "frames are missing, or too many came back";
		for (unsigned n = 0; n < f->umems[i]->n_free; n++)
			seen[f->umems[i]->free[n]]++;
		for (unsigned frame = 0; frame < FIXTURE_FRAMES; frame++)
			if (seen[frame] != 1)
				return "a frame came back twice";
	}
	return NULL;
}

bool
fixture_event(struct fixture *f, struct event *event)
{
	return events_take(f->events, event);
}
