#include "control/plane.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/daemon.h"
#include "control/follow.h"
#include "control/log.h"
#include "control/loop.h"
#include "control/plane_dns.h"
#include "dataplane/engine.h"
#include "dataplane/io/arena.h"
#include "dataplane/service/affinity.h"
#include "dataplane/io/fd_store.h"
#include "dataplane/policy/policy_state.h"
#include "dataplane/service/nat_flows.h"
#include "dataplane/service/port_blocks.h"
#include "dataplane/service/roles.h"
#include "dataplane/snapshot.h"
#include "dataplane/worker.h"
#include "xdp/loader.h"

/* How long flows from outside are kept without traffic. A connection: as kube-proxy has it. */
#define INBOUND_IDLE_NS (24 * 3600 * NS_PER_S)
/* Half-open ones: as the kernel's connection tracking has it. */
#define HALF_OPEN_TCP_IDLE_NS (60 * NS_PER_S)
#define HALF_OPEN_DATAGRAM_IDLE_NS (30 * NS_PER_S)

/* Room in the arena besides what is counted: its header, and rounding per region. */
#define ARENA_SLACK (1u << 20)

/* While no packet passes, which is before workers run and after they stopped, the daemon goes before other processes:
 * a busy node restarts about as fast as an idle one. */
#define HURRY_NICE (-10)

void
plane_hurry(struct daemon *d)
{
	d->nice = getpriority(PRIO_PROCESS, 0);
	if (d->nice > HURRY_NICE)
		setpriority(PRIO_PROCESS, 0, HURRY_NICE); /* not allowed: then it takes what it takes */
}

static unsigned
count_workers(const struct daemon *d)
{
	return d->config.workers.cpus.n == 0 ? 1 : (unsigned)d->config.workers.cpus.n;
}

int
plane_fds_start(struct daemon *d)
{
	d->fds = fd_store_open(d->holder_socket);
	return d->fds == NULL ? -ENOMEM : 0;
}

void
plane_fds_stop(struct daemon *d)
{
	fd_store_free(d->fds);
	d->fds = NULL;
}

/* A worker's tables of flows: under which name they outlive the process, what kind they are, and whose they become. */
struct flow_table {
	const char *name;
	size_t offset; /* in struct worker_flows */
	struct nat_flows_config config;
	const char *what;
};

#define FLOW_TABLES 4

static void
list_flow_tables(const struct config *c, struct flow_table out[FLOW_TABLES])
{
	const struct flow_table tables[FLOW_TABLES] = {
		{ "exceptions", offsetof(struct worker_flows, exceptions),
			{ .capacity = c->services.exceptions, .quota = c->services.exceptions_per_pod },
			"exceptional service flows" },
		{ "inbound", offsetof(struct worker_flows, inbound),
			/* Half of the room: many users behind one address are as good as one client, and a client alone
			 * is no reason to refuse the next one. */
			{ .capacity = c->services.inbound,
				.quota = c->services.inbound / 2,
				.by_network = true,
				.tcp_idle_ns = INBOUND_IDLE_NS },
			"flows from outside the cluster" },
		{ "half-open", offsetof(struct worker_flows, half_open),
			{ .capacity = c->services.half_open,
				.evicts = true,
				.tcp_idle_ns = HALF_OPEN_TCP_IDLE_NS,
				.datagram_idle_ns = HALF_OPEN_DATAGRAM_IDLE_NS },
			"half-open flows from outside" },
		{ "outbound", offsetof(struct worker_flows, outbound),
			{ .capacity = c->masquerade.flows, .quota = c->masquerade.flows_per_pod },
			"flows out of the cluster" },
	};

	memcpy(out, tables, sizeof(tables));
}

/* Where clients have their backends: a worker's tables for those inside and outside. */
static const struct {
	const char *name;
	size_t offset; /* in struct worker_flows */
	const char *whose;
} affinity_tables[] = {
	{ "affinity", offsetof(struct worker_flows, affinity), "clients'" },
	{ "affinity-outside", offsetof(struct worker_flows, inbound_affinity), "outside clients'" },
};
#define N_AFFINITY_TABLES (sizeof(affinity_tables) / sizeof(affinity_tables[0]))

int
plane_arena_start(struct daemon *d)
{
	size_t flows = 0;
	/* a pod that goes may leave its regions a little longer than its successor waits */
	size_t pods = (size_t)2 * d->config.pods.max * (sizeof(struct roles) + sizeof(struct policy_state));
	struct flow_table tables[FLOW_TABLES];
	char path[PATH_MAX];
	int result;

	list_flow_tables(&d->config, tables);
	for (unsigned i = 0; i < FLOW_TABLES; i++)
		flows += nat_flows_size(tables[i].config.capacity) * count_workers(d);
	flows += N_AFFINITY_TABLES * affinity_size(AFFINITY_ENTRIES) * count_workers(d);
	snprintf(path, sizeof(path), "%s/%s", d->config.run.dir, ARENA_FILE);
	result = arena_open(&d->arena, path, flows + pods + ARENA_SLACK, -1);
	if (result < 0)
		log_error("%s cannot be opened: %s; run.dir must be on a writable file system, tmpfs at best",
			path, strerror(-result));
	return result;
}

void
plane_arena_stop(struct daemon *d)
{
	arena_close(d->arena);
	d->arena = NULL;
}

static int
read_cpu(const char *text, int *cpu)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < 0 || value >= sysconf(_SC_NPROCESSORS_CONF)) {
		log_error("workers.cpus: \"%s\" is no core of this machine, which has 0 to %ld", text,
			sysconf(_SC_NPROCESSORS_CONF) - 1);
		return -EINVAL;
	}
	*cpu = (int)value;
	return 0;
}

static int
adopt_flows(struct daemon *d, unsigned w)
{
	struct flow_table tables[FLOW_TABLES];

	list_flow_tables(&d->config, tables);
	for (unsigned i = 0; i < FLOW_TABLES; i++) {
		const struct flow_table *t = &tables[i];
		char name[ARENA_NAME_MAX];
		struct nat_flows *e;
		uint32_t kept;

		snprintf(name, sizeof(name), "%s/%u", t->name, w);
		e = arena_region(d->arena, name, nat_flows_size(t->config.capacity), NULL);
		if (e == NULL)
			return -ENOMEM;
		kept = nat_flows_adopt(e, &t->config, clock_now_ns());
		if (kept != 0)
			log_info("worker %u goes on with %u %s", w, kept, t->what);
		*(struct nat_flows **)((char *)&d->flows[w] + t->offset) = e;
	}
	return 0;
}

static int
adopt_affinity(struct daemon *d, unsigned w)
{
	for (unsigned i = 0; i < N_AFFINITY_TABLES; i++) {
		char name[ARENA_NAME_MAX];
		struct affinity *a;
		uint32_t kept;

		snprintf(name, sizeof(name), "%s/%u", affinity_tables[i].name, w);
		a = arena_region(d->arena, name, affinity_size(AFFINITY_ENTRIES), NULL);
		if (a == NULL)
			return -ENOMEM;
		kept = affinity_adopt(a, AFFINITY_ENTRIES, clock_now_ns());
		if (kept != 0)
			log_info("worker %u goes on with %u %s session affinity", w, kept,
				affinity_tables[i].whose);
		*(struct affinity **)((char *)&d->flows[w] + affinity_tables[i].offset) = a;
	}
	return 0;
}

static int
adopt_blocks(struct daemon *d, unsigned w)
{
	struct worker_flows *flows = &d->flows[w];
	const struct port_blocks_tables tables = {
		.outbound = flows->outbound,
		.inbound = flows->inbound,
		.half_open = flows->half_open,
	};

	flows->port_blocks = port_blocks_adopt(
		&tables, w, count_workers(d), d->config.masquerade.ports_per_pod / FLOW_OWNER_BLOCK);
	return flows->port_blocks == NULL ? -ENOMEM : 0;
}

/* What each worker is given: its core, its flows, its way to tell control something. */
static int
equip_worker(struct daemon *d, unsigned w, int *cpu)
{
	const struct config *config = &d->config;
	int result;

	*cpu = -1;
	if (config->workers.cpus.n != 0 && read_cpu(config->workers.cpus.items[w], cpu) < 0)
		return -EINVAL;
	d->events[w] = events_new(d->event_fd);
	if (d->events[w] == NULL || adopt_flows(d, w) < 0)
		return -ENOMEM;
	result = adopt_affinity(d, w);
	if (result < 0)
		return result;
	return adopt_blocks(d, w);
}

int
plane_engine_start(struct daemon *d)
{
	int cpus[WORKERS_MAX];
	struct engine_config config = {
		.n_workers = count_workers(d),
		.cpus = cpus,
		.flows = d->flows,
		.events = d->events,
		.fds = d->fds,
		.ring_size = d->config.io.ring_size,
		.frames_per_shard = d->config.pods.frames_per_shard,
		.ports_per_shard = d->config.pods.per_shard,
	};
	int result;

	d->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (d->event_fd < 0)
		return -errno;
	if (config.n_workers > WORKERS_MAX) {
		log_error("workers.cpus: at most %u workers", WORKERS_MAX);
		return -EINVAL;
	}
	for (unsigned w = 0; w < config.n_workers; w++) {
		result = equip_worker(d, w, &cpus[w]);
		if (result < 0)
			return result;
	}
	d->snapshot = snapshot_new(config.n_workers + 1); /* and the resolver */
	if (d->snapshot == NULL)
		return -ENOMEM;
	result = plane_dns_make(d, config.n_workers);
	if (result < 0)
		return result;
	config.snapshot = d->snapshot;
	config.dns_rings = d->dns_rings;
	result = engine_new(&d->engine, &config);
	if (result < 0)
		log_error("workers cannot be made: %s", strerror(-result));
	return result;
}

void
plane_engine_stop(struct daemon *d)
{
	engine_free(d->engine);
	plane_dns_free(d);
	snapshot_free(d->snapshot);
	for (unsigned w = 0; w < WORKERS_MAX; w++) {
		events_free(d->events[w]);
		port_blocks_free(d->flows[w].port_blocks);
	}
	if (d->event_fd > 0)
		close(d->event_fd);
	d->engine = NULL;
	d->snapshot = NULL;
}

static void
log_libbpf(const char *text)
{
	log_debug("libbpf: %s", text);
}

int
plane_xdp_start(struct daemon *d)
{
	char dir[PATH_MAX], error[XDP_ERROR_SIZE];
	int result;

	snprintf(dir, sizeof(dir), "%s/%s", d->config.run.dir, BPFFS_DIR);
	result = xdp_open(&d->xdp, dir, log_libbpf, error);
	if (result < 0)
		log_error("%s", error);
	return result;
}

void
plane_xdp_stop(struct daemon *d)
{
	xdp_close(d->xdp);
	d->xdp = NULL;
}

int
plane_follow_start(struct daemon *d)
{
	return follow_new(&d->follow, d, d->events, d->event_fd);
}

void
plane_follow_stop(struct daemon *d)
{
	follow_free(d->follow);
	d->follow = NULL;
}

/* With the tables that they begin with. */
static int
start_workers(struct daemon *d)
{
	int result;

	follow_now(d->follow);
	engine_settle(d->engine);
	setpriority(PRIO_PROCESS, 0, d->nice); /* the workers inherit it */
	result = engine_start(d->engine);
	if (result < 0) {
		log_error("workers do not start: %s", strerror(-result));
		return result;
	}
	fd_store_close_rest(d->fds);
	fd_store_ready(d->fds);
	return 0;
}

int
plane_workers_start(struct daemon *d)
{
	return follow_when_released(d->follow, start_workers);
}

void
plane_workers_stop(struct daemon *d)
{
	plane_hurry(d);
	engine_stop(d->engine);
}
