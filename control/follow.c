#include "control/follow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/admin/health_ports.h"
#include "control/build/nodes.h"
#include "control/build/service_build.h"
#include "control/build/slots.h"
#include "control/build/topology_build.h"
#include "control/daemon.h"
#include "control/log.h"
#include "control/loop.h"
#include "control/node/attach.h"
#include "control/node/learn.h"
#include "control/node/mover.h"
#include "control/node/path_mtu.h"
#include "control/node/port_claim.h"
#include "control/node/sockets.h"
#include "control/node/seed.h"
#include "control/node/state.h"
#include "control/node/sweep.h"
#include "control/node/uplink.h"
#include "dataplane/engine.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/worker.h"

/* How often what can change unseen is looked at: deleted links, half-done attachments, aged path MTUs. */
#define TICK_NS (5 * NS_PER_S)

/* How often quiet exceptions are compared with the pods' sockets. */
#define SWEEP_NS (30 * NS_PER_S)

struct follow {
	struct daemon *d;
	struct path_mtus *path_mtus;
	struct uplink *uplink;
	struct seeder *seeder;
	struct learner *learner;
	struct mover *mover;
	struct events *const *events;
	int event_fd;
	struct loop_fd *events_watch, *reap_watch;
	struct loop_timer *tick, *sweep;
	struct loop_task task;
	size_t n_service_cidrs;
	struct ip_prefix *service_cidrs;
	size_t n_pod_cidrs;
	struct ip_prefix *pod_cidrs;
	size_t n_external_ranges;
	struct ip_prefix *external_ranges;
	size_t n_non_masquerade_cidrs;
	struct ip_prefix *non_masquerade_cidrs;
	struct port_set masquerade_claim,
		masquerade_ports; /* at the start; and less what the host has taken since */
	size_t n_ways_out;
	struct way_out ways_out[UNDERLAY_WAYS_OUT_MAX]; /* as the builders last saw them */
	size_t n_endpoints;
	struct endpoint endpoints[PORTS_MAX]; /* as the builders last saw them */
	size_t n_host_ports, host_ports_room;
	struct pod_host_port *host_ports; /* likewise */
	uint64_t attach_generation, nodes_generation;
	bool is_node_dirty; /* its underlay changed, or it is time to look */
	char uplink_warning[FOLLOW_WARNING_SIZE], host_warning[FOLLOW_WARNING_SIZE],
		exposed_warning[FOLLOW_WARNING_SIZE];
};

/* For the builders. */

static struct mac_addr
next_hop_mac(const struct ip_addr *vtep, void *arg)
{
	const struct follow *f = arg;

	return underlay_next_hop(f->d->underlay, vtep).mac;
}

static uint16_t
known_path_mtu(const struct ip_addr *vtep, void *arg)
{
	const struct follow *f = arg;

	return path_mtu_of(f->path_mtus, vtep);
}

/* What does not fit for want of memory is served with the next build. */
static void
gather_host_ports(struct follow *f)
{
	size_t n = attach_host_ports(f->d->attach, f->host_ports, f->host_ports_room);

	if (n > f->host_ports_room) {
		struct pod_host_port *grown = realloc(f->host_ports, n * sizeof(*grown));

		if (grown != NULL) {
			f->host_ports = grown;
			f->host_ports_room = n;
			attach_host_ports(f->d->attach, f->host_ports, n);
		} else {
			log_error("out of memory: not all host ports are served");
		}
	}
	f->n_host_ports = n < f->host_ports_room ? n : f->host_ports_room;
}

static void
gather(struct build_facts *facts, void *arg)
{
	struct follow *f = arg;
	const struct config *config = &f->d->config;
	const struct underlay_facts *underlay = underlay_facts(f->d->underlay);

	f->n_endpoints = attach_endpoints(f->d->attach, f->endpoints, PORTS_MAX);
	f->n_ways_out = underlay_ways_out(f->d->underlay, f->ways_out, UNDERLAY_WAYS_OUT_MAX);
	gather_host_ports(f);
	*facts = (struct build_facts){
		.node_name = config->node.name,
		.vxlan_port = (uint16_t)config->overlay.port,
		.vni = config->overlay.vni,
		.pod_mtu = (uint16_t)config->overlay.mtu,
		.n_service_cidrs = f->n_service_cidrs,
		.service_cidrs = f->service_cidrs,
		.n_pod_cidrs = f->n_pod_cidrs,
		.pod_cidrs = f->pod_cidrs,
		.n_external_ranges = f->n_external_ranges,
		.external_ranges = f->external_ranges,
		.uplink_mac = underlay->mac,
		.uplink_mtu = underlay->mtu,
		.n_own_addrs = underlay->n_addrs,
		.own_addrs = underlay->addrs,
		.n_non_masquerade_cidrs = f->n_non_masquerade_cidrs,
		.non_masquerade_cidrs = f->non_masquerade_cidrs,
		.masquerade_ports = &f->masquerade_ports,
		.masquerade_claim = &f->masquerade_claim,
		.n_ways_out = f->n_ways_out,
		.ways_out = f->ways_out,
		.next_hop = next_hop_mac,
		.path_mtu = known_path_mtu,
		.arg = f,
		.n_workers = (uint8_t)engine_n_workers(f->d->engine),
		.n_endpoints = f->n_endpoints,
		.endpoints = f->endpoints,
		.n_host_ports = f->n_host_ports,
		.host_ports = f->host_ports,
	};
	facts->n_uplinks = uplink_queues(f->uplink, &facts->uplinks);
	attach_host_addrs(f->d->attach, facts->host_addrs);
	attach_inbound_addrs(f->d->attach, facts->inbound_addrs);
}

/* Nodes. */

static void
tell_underlay(struct follow *f, const struct nodes *nodes)
{
	struct ip_addr *vteps = calloc(nodes->n + 1, sizeof(*vteps));

	if (vteps == NULL)
		return;
	for (size_t i = 0; i < nodes->n; i++)
		vteps[i] = nodes->remotes[i].vtep;
	underlay_set_node_addr(f->d->underlay, &nodes->vtep);
	if (underlay_set_vteps(f->d->underlay, vteps, nodes->n) < 0)
		log_error("out of memory: the ways to other nodes are not updated");
	free(vteps);
}

/* Notes what is wrong with a part, "" for nothing, and says it once. */
static void
set_warning(char warning[static FOLLOW_WARNING_SIZE], const char *text)
{
	if (strcmp(text, warning) == 0)
		return;
	if (*text != '\0')
		log_warn("%s", text);
	snprintf(warning, FOLLOW_WARNING_SIZE, "%s", text);
}

/* What is ours on the uplink. */
static struct xdp_uplink_config
steer_of(const struct follow *f, const struct nodes *nodes)
{
	const struct underlay_facts *underlay = underlay_facts(f->d->underlay);
	struct xdp_uplink_config steer = {
		.vtep = nodes->vtep,
		.vxlan_port = (uint16_t)f->d->config.overlay.port,
		.ports = f->masquerade_claim.bits,
	};

	for (unsigned family = 0; family < N_FAMILIES; family++)
		steer.masquerade[family] =
			masquerade_addr_of(nodes, underlay->addrs, underlay->n_addrs, family == V4);
	for (size_t i = 0; f->n_non_masquerade_cidrs != 0 && i < nodes->self->n_pod_cidrs; i++)
		steer.pods[ip_addr_is_v4(&nodes->self->pod_cidrs[i].addr) ? V4 : V6] =
			nodes->self->pod_cidrs[i];
	return steer;
}

static void
follow_uplink(struct follow *f, const struct nodes *nodes)
{
	const struct underlay_facts *underlay = underlay_facts(f->d->underlay);
	const struct config *config = &f->d->config;
	const struct xdp_uplink_config steer = steer_of(f, nodes);
	char error[XDP_ERROR_SIZE] = "";
	bool changed;

	uplink_follow(f->uplink, underlay, &steer, &changed, error);
	if (changed)
		publisher_facts_changed(f->d->publisher);
	if (underlay->ifindex == 0)
		snprintf(error, sizeof(error), "there is no uplink: %s",
			config->uplink.interface[0] != '\0'
				? "no interface has that name; check uplink.interface"
				: "no interface has this node's address; set uplink.interface");
	set_warning(f->uplink_warning, error);
}

/* Pins to backends that are no more, some of them. */
#define ENDS_AT_ONCE 16
#define ENTRIES_AT_ONCE 4096 /* the worker stands still meanwhile */

struct forget {
	const struct backend_end *ends;
	unsigned n;
	unsigned table; /* of the worker's */
	uint32_t cursor;
};

static void
forget_some(struct worker *w, void *arg)
{
	struct forget *x = arg;
	struct nat_flows *const tables[] = { w->exceptions, w->inbound, w->half_open };
	struct nat_flows *e = x->table < 3 ? tables[x->table] : NULL;

	if (!nat_flows_is_empty(e) && nat_flows_delete_ended(e, &x->cursor, ENTRIES_AT_ONCE, x->ends, x->n))
		return;
	x->table++;
	x->cursor = 0;
}

static void
forget_flows(struct follow *f)
{
	size_t n;
	const struct backend_end *ends = service_builder_ends(publisher_services(f->d->publisher), &n);

	for (size_t i = 0; i < n; i += ENDS_AT_ONCE)
		for (unsigned w = 0; w < engine_n_workers(f->d->engine); w++) {
			struct forget x = { .ends = &ends[i],
				.n = (unsigned)(n - i < ENDS_AT_ONCE ? n - i : ENDS_AT_ONCE) };

			while (x.table < 3)
				worker_call(engine_worker(f->d->engine, w), forget_some, &x);
		}
}

/* What the tables in force expose to the outside, once there is an uplink. */
static void
expose(struct follow *f, const struct tables *tables)
{
	int result = uplink_expose(f->uplink, tables);
	char text[FOLLOW_WARNING_SIZE] = "";

	if (result < 0)
		snprintf(text, sizeof(text), "services are not reachable from outside as they should be: %s",
			result == -E2BIG ? "there are more exposed addresses and ports than the uplink takes"
					 : strerror(-result));
	set_warning(f->exposed_warning, text);
}

static void
follow_host(struct follow *f, const struct nodes *nodes)
{
	const struct underlay_facts *underlay = underlay_facts(f->d->underlay);
	const struct config *config = &f->d->config;
	uint16_t pod_mtu = config->overlay.mtu != 0 ? (uint16_t)config->overlay.mtu
						    : pod_mtu_of(underlay->mtu, &nodes->vtep);
	char error[ATTACH_TEXT_SIZE] = "";

	if (underlay->ifindex != 0)
		attach_follow(f->d->attach, nodes->self, pod_mtu, error);
	set_warning(f->host_warning, error);
}

static void
follow_nodes(struct follow *f)
{
	struct nodes nodes;

	if (nodes_collect(&nodes, f->d->store, f->d->config.node.name) < 0)
		return;
	if (nodes.self != NULL) {
		tell_underlay(f, &nodes);
		follow_uplink(f, &nodes);
		expose(f, publisher_tables(f->d->publisher));
		follow_host(f, &nodes);
	}
	nodes_free(&nodes);
	f->nodes_generation = store_generation(f->d->store, OBJECT_NODE);
	f->is_node_dirty = false;
}

/* A change of endpoints costs what it touches: nodes are looked at when they or this node changed. */
static void
look_again(struct follow *f)
{
	if (f->is_node_dirty || f->nodes_generation != store_generation(f->d->store, OBJECT_NODE))
		follow_nodes(f);
	if (attach_generation(f->d->attach) != f->attach_generation) {
		f->attach_generation = attach_generation(f->d->attach);
		publisher_facts_changed(f->d->publisher);
	}
	if (seeder_run(f->seeder) < 0)
		log_error("out of memory: declared ports are not noted");
}

static void
on_task(void *arg)
{
	struct follow *f = arg;

	look_again(f);
	forget_flows(f);
	publisher_check(f->d->publisher);
}

void
follow_changed(struct follow *f)
{
	loop_defer(f->d->loop, &f->task);
}

void
follow_now(struct follow *f)
{
	f->is_node_dirty = true;
	look_again(f);
	publisher_flush(f->d->publisher);
}

int
follow_publish(void *follow)
{
	struct follow *f = follow;

	f->attach_generation = attach_generation(f->d->attach);
	publisher_facts_changed(f->d->publisher);
	if (seeder_run(f->seeder) < 0)
		return -ENOMEM;
	return publisher_flush(f->d->publisher);
}

/* Events. */

static void
on_path_mtu(struct follow *f, const struct event *event)
{
	char text[IP_ADDR_STRLEN];

	if (!path_mtu_learn(f->path_mtus, &event->addr, (uint16_t)event->value, clock_now_ns()))
		return;
	log_info("the tunnel to %s takes %u bytes, says a router on the way",
		ip_addr_format(&event->addr, text), event->value);
	publisher_facts_changed(f->d->publisher);
}

static void
on_underlay(void *arg)
{
	struct follow *f = arg;

	f->is_node_dirty = true;
	publisher_facts_changed(f->d->publisher);
	follow_changed(f);
}

static void
on_event(struct follow *f, const struct event *event)
{
	switch (event->kind) {
	case EVENT_PATH_MTU:
		on_path_mtu(f, event);
		break;
	case EVENT_NEIGHBOUR:
		underlay_find_host(f->d->underlay, &event->addr);
		break;
	case EVENT_PORT_USED:
		learner_heard(f->learner, event);
		break;
	default:
		break;
	}
}

static void
on_worker_events(uint32_t events, void *arg)
{
	struct follow *f = arg;
	struct event event;
	uint64_t n;

	if (read(f->event_fd, &n, sizeof(n)) < 0)
		return;
	for (unsigned w = 0; w < engine_n_workers(f->d->engine); w++)
		while (events_take(f->events[w], &event))
			on_event(f, &event);
}

static void
on_reap(uint32_t events, void *arg)
{
	engine_reap(((struct follow *)arg)->d->engine);
}

/* Exceptions whose connections are gone. */
static void
on_sweep(void *arg)
{
	struct follow *f = arg;
	struct sweep_views views;
	unsigned ended = 0;

	sweep_views_init(&views, f->d->attach, f->d->slots, clock_now_ns());
	for (unsigned w = 0; w < engine_n_workers(f->d->engine); w++)
		ended += sweep_worker(engine_worker(f->d->engine, w), views.now_ns, sweep_ask_client,
			sweep_touch_slot, &views);
	sweep_views_fini(&views);
	if (ended != 0)
		log_debug("%u exceptional service flows ended with their sockets", ended);
}

/* Sockets that the host's stack opened on ports that flows may get: they get them no more. Flows that have such a port
 * keep it, and what the socket gets is punted to it. */
static void
follow_host_ports(struct follow *f)
{
	int view = sockets_open(NULL);
	int n = view < 0 ? view : port_claim_exclude_sockets(&f->masquerade_ports, view);

	if (view >= 0)
		close(view);
	if (n > 0)
		publisher_facts_changed(f->d->publisher);
}

static void
on_tick(void *arg)
{
	struct follow *f = arg;

	if (path_mtus_expire(f->path_mtus, clock_now_ns()))
		publisher_facts_changed(f->d->publisher);
	follow_host_ports(f);
	attach_tick(f->d->attach);
	f->is_node_dirty = true;
	follow_changed(f);
}

/* Slots: the flows in them are in nobody's memory, so the state file keeps who has which. */

static void
keep_slot(const struct slot_record *record, bool is_forgotten, void *arg)
{
	struct follow *f = arg;

	/* a failed change shows in the commit */
	if (is_forgotten)
		state_remove_slot(f->d->state, record);
	else
		state_put_slot(f->d->state, record);
}

static void
write_slots(struct follow *f)
{
	int result = state_begin(f->d->state);

	if (result == 0) {
		slots_each_change(f->d->slots, keep_slot, f);
		result = state_commit(f->d->state);
	}
	if (result == 0)
		slots_changes_written(f->d->slots);
	else
		log_error("slots of services are not written down, so a restart may break flows (the next "
			  "change tries again): %s",
			state_error(f->d->state));
}

static void
on_published(const struct tables *tables, void *arg)
{
	struct follow *f = arg;

	if (!slots_are_written(f->d->slots))
		write_slots(f);
	health_ports_changed(f->d->health_ports);
	expose(f, tables);
	forget_flows(f);
	if (f->mover != NULL)
		mover_wake(f->mover);
}

static int
load_slot(const struct slot_record *record, void *arg)
{
	return slots_load(arg, record);
}

static int
make_slots(struct follow *f)
{
	f->d->slots = slots_new();
	return f->d->slots == NULL ? -ENOMEM : state_each_slot(f->d->state, load_slot, f->d->slots);
}

/* Start. */

static int
read_prefixes(const struct string_list *list, struct ip_prefix **out, size_t *n)
{
	*out = calloc(list->n + 1, sizeof(**out));
	if (*out == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) /* config_check() has looked at them */
		*n += ip_prefix_parse(list->items[i], &(*out)[*n]);
	return 0;
}

static int
read_cidrs(struct follow *f)
{
	const struct config *c = &f->d->config;
	int result = read_prefixes(&c->cluster.service_cidrs, &f->service_cidrs, &f->n_service_cidrs);

	if (result == 0)
		result = read_prefixes(&c->cluster.pod_cidrs, &f->pod_cidrs, &f->n_pod_cidrs);
	if (result == 0)
		result = read_prefixes(
			&c->cluster.external_ip_ranges, &f->external_ranges, &f->n_external_ranges);
	if (result == 0)
		result = read_prefixes(&c->cluster.non_masquerade_cidrs, &f->non_masquerade_cidrs,
			&f->n_non_masquerade_cidrs);
	return result;
}

static void
claim_ports(struct follow *f)
{
	uint16_t first, last;
	unsigned n = 0;

	if (port_claim_parse(
		    f->d->config.masquerade.ports, &first, &last)) /* config_check() has looked at it */
		n = port_claim_read(&f->masquerade_claim, first, last);
	f->masquerade_ports = f->masquerade_claim;
	if (n < FLOW_OWNER_BLOCK * engine_n_workers(f->d->engine))
		log_warn("masquerade.ports: of %s only %u ports are left, less than a block for each worker: "
			 "pods hardly "
			 "reach the outside; choose a range that is clear of net.ipv4.ip_local_port_range, "
			 "or list it "
			 "in net.ipv4.ip_local_reserved_ports",
			f->d->config.masquerade.ports, n);
}

static int
make_underlay(struct follow *f)
{
	struct underlay_config config = {
		.loop = f->d->loop,
		.interface = f->d->config.uplink.interface,
		.changed = on_underlay,
		.arg = f,
	};
	int result = underlay_new(&f->d->underlay, &config);

	if (result < 0)
		log_error("the node's interfaces cannot be read by netlink: %s", strerror(-result));
	return result;
}

static int
make_publisher(struct follow *f)
{
	struct publisher_config config = {
		.loop = f->d->loop,
		.store = f->d->store,
		.slots = f->d->slots,
		.snapshot = f->d->snapshot,
		.gather = gather,
		.published = on_published,
		.arg = f,
	};

	f->d->publisher = publisher_new(&config);
	return f->d->publisher == NULL ? -ENOMEM : 0;
}

static const struct tables *
tables_in_force(void *arg)
{
	return publisher_tables(((struct follow *)arg)->d->publisher);
}

static int
make_learner(struct follow *f)
{
	struct learner_config config = {
		.loop = f->d->loop,
		.attach = f->d->attach,
		.engine = f->d->engine,
		.tables = tables_in_force,
		.arg = f,
	};

	f->learner = learner_new(&config);
	return f->learner == NULL ? -ENOMEM : 0;
}

static int
make_mover(struct follow *f)
{
	struct mover_config config = {
		.loop = f->d->loop,
		.attach = f->d->attach,
		.engine = f->d->engine,
		.publisher = f->d->publisher,
	};

	f->mover = mover_new(&config);
	return f->mover == NULL ? -ENOMEM : 0;
}

static int
watch(struct follow *f)
{
	struct loop *loop = f->d->loop;

	f->events_watch = loop_fd_add(loop, f->event_fd, EPOLLIN, on_worker_events, f);
	f->reap_watch = loop_fd_add(loop, engine_reap_fd(f->d->engine), EPOLLIN, on_reap, f);
	f->tick = loop_timer_new(loop, on_tick, f);
	f->sweep = loop_timer_new(loop, on_sweep, f);
	if (f->events_watch == NULL || f->reap_watch == NULL || f->tick == NULL || f->sweep == NULL)
		return -errno;
	loop_timer_set(f->tick, TICK_NS, TICK_NS);
	loop_timer_set(f->sweep, SWEEP_NS, SWEEP_NS);
	return 0;
}

int
follow_new(struct follow **out, struct daemon *d, struct events *const *events, int event_fd)
{
	struct follow *f = calloc(1, sizeof(*f));
	int result;

	if (f == NULL)
		return -ENOMEM;
	f->d = d;
	f->events = events;
	f->event_fd = event_fd;
	f->task = (struct loop_task){ .fn = on_task, .arg = f };
	f->path_mtus = path_mtus_new();
	f->uplink = uplink_new(d->engine, d->xdp, (enum xdp_choice)d->config.uplink.xdp);
	f->seeder = seeder_new(d->store, d->attach, d->engine);
	result = f->path_mtus == NULL || f->uplink == NULL || f->seeder == NULL ? -ENOMEM : read_cidrs(f);
	claim_ports(f);
	if (result == 0)
		result = make_slots(f);
	if (result == 0)
		result = make_underlay(f);
	if (result == 0)
		result = make_publisher(f);
	if (result == 0)
		result = make_learner(f);
	if (result == 0)
		result = make_mover(f);
	if (result == 0)
		result = watch(f);
	if (result < 0) {
		follow_free(f);
		return result;
	}
	*out = f;
	return 0;
}

void
follow_free(struct follow *f)
{
	if (f == NULL)
		return;
	loop_cancel(f->d->loop, &f->task);
	loop_fd_remove(f->events_watch);
	loop_fd_remove(f->reap_watch);
	loop_timer_free(f->tick);
	loop_timer_free(f->sweep);
	publisher_free(f->d->publisher);
	f->d->publisher = NULL;
	underlay_free(f->d->underlay);
	f->d->underlay = NULL;
	slots_free(f->d->slots);
	f->d->slots = NULL;
	mover_free(f->mover);
	learner_free(f->learner);
	seeder_free(f->seeder);
	uplink_free(f->uplink);
	path_mtus_free(f->path_mtus);
	free(f->service_cidrs);
	free(f->pod_cidrs);
	free(f->external_ranges);
	free(f->host_ports);
	free(f->non_masquerade_cidrs);
	free(f);
}

const char *
follow_warning(const struct follow *f, unsigned i)
{
	const char *const warnings[FOLLOW_WARNINGS] = { f->uplink_warning, f->host_warning,
		f->exposed_warning };

	return warnings[i];
}
