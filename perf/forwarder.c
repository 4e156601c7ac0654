#include "perf/forwarder.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dataplane/engine.h"
#include "dataplane/worker.h"
#include "perf/testpmd.h"
#include "perf/world_tables.h"
#include "xdp/loader.h"

#define MTU 1500
#define IDLE_ROUNDS 32 /* as worker.c */
#define SLEEP_MS 200
#define BPFFS "/run/ringway-perf" /* on the process's own /run */

struct forwarder {
	enum forwarder_kind kind;
	const struct lab *lab;
	int cpu;
	struct testpmd *testpmd;
	struct snapshot *snapshot;
	struct engine *engine;
	struct world_tables *built;
	struct tables with_dns; /* what was built, and DNS */
	struct xdp *xdp;
	struct port *ports[LAB_PODS];
	/* bare */
	pthread_t thread;
	bool is_running;
	bool stop; /* atomic */
};

/* Everything that came from one pod goes to the other, with the addresses of the next hop. */
static void
rewrite_macs(const struct tables *t, const struct forwarder *f, struct burst *b)
{
	BURST_FOREACH (b, p) {
		const struct port *out = f->ports[p->in_port == f->ports[0]->id];
		struct eth_hdr *eth = (struct eth_hdr *)p->data;

		eth->dst = endpoint_of_port(t->endpoints, out->id)->mac;
		eth->src = t->node->gateway_mac;
		p->out_port = out->id;
		p->verdict = VERDICT_FORWARD;
	}
}

/* As worker_round(), less the pipeline. */
static unsigned
bare_round(const struct forwarder *f, struct worker *w, const struct tables *t)
{
	struct burst *b = &w->burst;
	unsigned total = 0;

	for (unsigned i = 0; i < LAB_PODS; i++) {
		struct port *port = f->ports[i];
		unsigned n = port->ops->rx(port, b->pkts + b->n, BURST_MAX - b->n);

		for (struct pkt *p = b->pkts + b->n; p < b->pkts + b->n + n; p++) {
			p->in_port = port->id;
			p->origin_worker = (uint8_t)w->id;
		}
		b->n += n;
		total += n;
		if (b->n == BURST_MAX || i + 1 == LAB_PODS) {
			rewrite_macs(t, f, b);
			worker_tx(w, b);
		}
	}
	worker_flush(w);
	return total;
}

static void *
run_bare(void *arg)
{
	struct forwarder *f = arg;
	struct worker *w = engine_worker(f->engine, 0);
	const struct tables *t = world_tables_get(f->built);
	unsigned idle = 0;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(f->cpu, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	snapshot_online(w->snapshot, w->id);
	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		if (bare_round(f, w, t) > 0)
			idle = 0;
		if (++idle > IDLE_ROUNDS)
			worker_sleep(w, true, SLEEP_MS);
	}
	snapshot_offline(w->snapshot, w->id);
	return NULL;
}

static int
add_ports(struct forwarder *f)
{
	char error[XDP_ERROR_SIZE] = "";
	int err = xdp_open(&f->xdp, BPFFS, NULL, error);

	for (unsigned i = 0; i < LAB_PODS && err == 0; i++) {
		struct engine_port_config config = {
			.origin = ORIGIN_POD, .ifindex = f->lab->node_ifindex[i], .worker = 0, .mtu = MTU
		};
		enum xdp_mode mode = XDP_MODE_NATIVE;
		char name[XDP_NAME_MAX];

		snprintf(name, sizeof(name), "pod%u", i);
		err = engine_add_port(f->engine, &config, &f->ports[i]);
		if (err == 0)
			err = xdp_attach_pod(f->xdp, config.ifindex, name, XDP_CHOICE_AUTO, &mode, error);
		if (err == 0)
			err = xdp_set_socket(f->xdp, name, 0, engine_port_fd(f->ports[i]));
		if (err == 0 && mode != XDP_MODE_NATIVE) {
			snprintf(error, sizeof(error), "veth has no native XDP here, which the sender needs");
			err = -EOPNOTSUPP;
		}
	}
	if (err < 0)
		fprintf(stderr, "cannot open the ports: %s\n", error[0] != '\0' ? error : strerror(-err));
	return err;
}

static int
publish(struct forwarder *f, const struct cluster *c)
{
	uint16_t ports[LAB_PODS];
	uint64_t grace;

	for (unsigned i = 0; i < LAB_PODS; i++)
		ports[i] = f->ports[i]->id;
	f->built = world_tables_new(c, 1, ports);
	if (f->built == NULL)
		return -ENOMEM;
	snapshot_publish(f->snapshot, world_tables_get(f->built), &grace);
	return 0;
}

static int
start_own(struct forwarder *f, const struct cluster *c)
{
	struct engine_config config = { .n_workers = 1, .cpus = &f->cpu };
	int err;

	f->snapshot = snapshot_new(1);
	if (f->snapshot == NULL)
		return -ENOMEM;
	config.snapshot = f->snapshot;
	err = engine_new(&f->engine, &config);
	if (err == 0)
		err = add_ports(f);
	if (err == 0)
		err = publish(f, c);
	if (err < 0)
		return err;
	engine_worker(f->engine, 0)->exceptions = world_tables_exceptions(f->built, 0);
	if (f->kind == FORWARDER_RINGWAY)
		return engine_start(f->engine);
	err = -pthread_create(&f->thread, NULL, run_bare, f);
	f->is_running = err == 0;
	return err;
}

struct forwarder *
forwarder_start(enum forwarder_kind kind, const struct lab *lab, const struct cluster *c, int cpu,
	struct traffic_node *node)
{
	struct forwarder *f = calloc(1, sizeof(*f));
	const struct node_table *own;
	int err;

	if (f == NULL)
		return NULL;
	*f = (struct forwarder){ .kind = kind, .lab = lab, .cpu = cpu };
	*node = (struct traffic_node){ .vxlan_port = 4789 };
	err = lab_enter(lab->node);
	if (err == 0 && kind == FORWARDER_TESTPMD) {
		f->testpmd = testpmd_start(cpu);
		err = f->testpmd == NULL ? -EIO : 0;
	} else if (err == 0) {
		err = start_own(f, c);
	}
	lab_enter(lab->home);
	if (err < 0) {
		fprintf(stderr, "cannot start the forwarder: %s\n", strerror(-err));
		forwarder_stop(f);
		return NULL;
	}
	if (f->built != NULL) {
		own = world_tables_get(f->built)->node;
		node->gateway_mac = own->gateway_mac;
	}
	return f;
}

void
forwarder_stop(struct forwarder *f)
{
	char error[XDP_ERROR_SIZE];

	if (f == NULL)
		return;
	lab_enter(f->lab->node);
	testpmd_stop(f->testpmd);
	if (f->is_running) {
		__atomic_store_n(&f->stop, true, __ATOMIC_RELAXED);
		pthread_join(f->thread, NULL);
	}
	engine_free(f->engine);
	if (f->xdp != NULL && xdp_uninstall(f->xdp, error) < 0)
		fprintf(stderr, "cannot detach the XDP programs: %s\n", error);
	lab_enter(f->lab->home);
	snapshot_free(f->snapshot);
	world_tables_free(f->built);
	free(f);
}

void
forwarder_set_dns(struct forwarder *f, const struct dns_table *dns)
{
	uint64_t grace;

	f->with_dns = *world_tables_get(f->built);
	f->with_dns.dns = dns;
	snapshot_publish(f->snapshot, &f->with_dns, &grace);
}

uint64_t
forwarder_cpu_ns(const struct forwarder *f)
{
	struct timespec used = { 0 };
	clockid_t clock;

	if (f->kind == FORWARDER_TESTPMD)
		return testpmd_cpu_ns(f->testpmd);
	if (pthread_getcpuclockid(
		    f->kind == FORWARDER_BARE ? f->thread : engine_worker(f->engine, 0)->thread, &clock) == 0)
		clock_gettime(clock, &used);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

void
forwarder_print_drops(const struct forwarder *f)
{
	struct counters sum = { 0 };

	if (f->engine == NULL)
		return;
	engine_counters(f->engine, &sum);
	for (unsigned i = 0; i < N_DROP_REASONS; i++)
		if (sum.drops[i] != 0)
			fprintf(stderr, "  dropped, %s: %llu\n", drop_reason_label((enum drop_reason)i),
				(unsigned long long)sum.drops[i]);
}
