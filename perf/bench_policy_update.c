#include "perf/bench.h"

#include <argp.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/build/slots.h"
#include "control/build/snapshot_build.h"
#include "dataplane/clock.h"
#include "dataplane/snapshot.h"
#include "perf/output.h"
#include "perf/policy_store.h"
#include "perf/stats.h"

#define N_KINDS 4

static const struct {
	const char *what, *key;
	struct object *(*next)(const struct policy_shape *shape, unsigned i, unsigned version);
} kinds[N_KINDS] = {
	{ "a policy's rules", "policy", policy_store_policy },
	{ "a pod's labels", "pod_labels", policy_store_pod_labels },
	{ "a pod's address", "pod_address", policy_store_pod_addr },
	{ "a namespace's labels", "namespace_labels", policy_store_namespace },
};

struct arguments {
	struct policy_shape shape;
	unsigned n_changes;
	const char *json;
};

struct bench {
	struct arguments args;
	struct store *store;
	struct slots *slots;
	struct snapshot_builder *builder;
	struct snapshot *snapshot;
	const struct tables *tables;
	struct build_facts facts;
	struct local_pod *locals;
	struct endpoint *endpoints;
	char (*names)[2][24];
	struct ip_addr own_addr;
	double first_ms;
	double *took_ms[N_KINDS], *cpu_ms[N_KINDS]; /* sorted once run */
	pthread_t reader;
	bool stop;
};

/* What a worker does between two bursts, and nothing else. */
static void *
run_reader(void *arg)
{
	struct bench *b = arg;

	snapshot_online(b->snapshot, 0);
	while (!__atomic_load_n(&b->stop, __ATOMIC_RELAXED)) {
		snapshot_get(b->snapshot);
		snapshot_quiesce(b->snapshot, 0);
		sched_yield();
	}
	snapshot_offline(b->snapshot, 0);
	return NULL;
}

/* Builds what changed, and returns when no worker uses older tables. */
static bool
put_in_force(struct bench *b)
{
	char error[BUILD_ERROR_SIZE];
	const struct tables *next, *former;
	uint64_t grace;

	if (snapshot_build(b->builder, &b->facts, BUILD_POLICIES, clock_now_ns(), &next, error) < 0) {
		fprintf(stderr, "cannot build the tables: %s\n", error);
		return false;
	}
	former = snapshot_publish(b->snapshot, next, &grace);
	b->tables = next;
	snapshot_wait(b->snapshot, grace);
	snapshot_release(b->builder, former);
	return true;
}

static bool
put_node(struct bench *b)
{
	struct node_object *node = calloc(1, sizeof(*node));

	if (node == NULL)
		return false;
	node->object = (struct object){ .kind = OBJECT_NODE, .ns = strdup(""), .name = strdup("node-0") };
	node->addrs = calloc(1, sizeof(*node->addrs));
	node->n_addrs = 1;
	node->addrs[0] = b->own_addr = ip_addr_v4(be32_from(0xc6336401));
	return store_put(b->store, &node->object) == 0;
}

static bool
prepare(struct bench *b)
{
	const struct policy_shape *shape = &b->args.shape;

	b->store = policy_store_new(shape);
	b->slots = slots_new();
	b->snapshot = snapshot_new(1);
	b->locals = calloc(shape->n_locals, sizeof(*b->locals));
	b->names = calloc(shape->n_locals, sizeof(*b->names));
	b->endpoints = calloc(shape->n_locals, sizeof(*b->endpoints));
	if (b->store == NULL || b->slots == NULL || b->snapshot == NULL || b->locals == NULL ||
		b->names == NULL || b->endpoints == NULL || !put_node(b))
		return false;
	b->builder = snapshot_builder_new(b->store, b->slots);
	for (unsigned i = 0; i < shape->n_locals; i++) {
		b->locals[i] = policy_store_local(shape, i, b->names[i]);
		b->endpoints[i].port = b->locals[i].port;
	}
	for (unsigned k = 0; k < N_KINDS; k++)
		if ((b->took_ms[k] = calloc(b->args.n_changes, sizeof(double))) == NULL ||
			(b->cpu_ms[k] = calloc(b->args.n_changes, sizeof(double))) == NULL)
			return false;
	b->facts = (struct build_facts){ .node_name = "node-0",
		.uplink_mtu = 1500,
		.n_workers = 1,
		.n_own_addrs = 1,
		.own_addrs = &b->own_addr,
		.n_endpoints = shape->n_locals,
		.endpoints = b->endpoints,
		.n_pods = shape->n_locals,
		.pods = b->locals };
	return b->builder != NULL;
}

/* What this thread has run, which other programs do not lengthen. */
static uint64_t
cpu_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static bool
run_kind(struct bench *b, unsigned kind)
{
	const struct policy_shape *shape = &b->args.shape;
	unsigned n = kinds[kind].next == policy_store_policy      ? shape->n_policies
		     : kinds[kind].next == policy_store_namespace ? shape->n_namespaces
								  : shape->n_pods;

	for (unsigned i = 0; i < b->args.n_changes; i++) {
		/* every second one puts back what the one before changed */
		struct object *o = kinds[kind].next(shape, i / 2 * 7919 % n, 1 - i % 2);
		uint64_t cpu_start = cpu_now_ns(), start = clock_now_ns();

		if (store_put(b->store, o) < 0 || !put_in_force(b))
			return false;
		b->took_ms[kind][i] = (double)(clock_now_ns() - start) / 1e6;
		b->cpu_ms[kind][i] = (double)(cpu_now_ns() - cpu_start) / 1e6;
	}
	median(b->took_ms[kind], b->args.n_changes); /* sorts */
	median(b->cpu_ms[kind], b->args.n_changes);
	return true;
}

static bool
run(struct bench *b)
{
	uint64_t start;
	bool ok = true;

	if (pthread_create(&b->reader, NULL, run_reader, b) != 0)
		return false;
	start = clock_now_ns();
	ok = put_in_force(b);
	b->first_ms = (double)(clock_now_ns() - start) / 1e6;
	for (unsigned k = 0; ok && k < N_KINDS; k++)
		ok = run_kind(b, k);
	__atomic_store_n(&b->stop, true, __ATOMIC_RELAXED);
	pthread_join(b->reader, NULL);
	return ok;
}

static void
print_table(const struct bench *b)
{
	const struct policy_shape *s = &b->args.shape;
	unsigned n = b->args.n_changes;

	printf("policy-update: %u policies, %u pods, %u of them here, %u namespaces; ms until in force "
	       "(first build "
	       "%.1f)\n",
		s->n_policies, s->n_pods, s->n_locals, s->n_namespaces, b->first_ms);
	printf("  %-24s %8s %8s %8s %8s %8s\n", "what changes", "p50", "p99", "max", "CPU p50", "p99");
	for (unsigned k = 0; k < N_KINDS; k++)
		printf("  %-24s %8.2f %8.2f %8.2f %8.2f %8.2f\n", kinds[k].what, b->took_ms[k][n / 2],
			b->took_ms[k][n * 99 / 100], b->took_ms[k][n - 1], b->cpu_ms[k][n / 2],
			b->cpu_ms[k][n * 99 / 100]);
}

static bool
print_json(const struct bench *b)
{
	const struct policy_shape *s = &b->args.shape;
	FILE *out = output_open(b->args.json);
	unsigned n = b->args.n_changes;

	if (out == NULL)
		return false;
	fprintf(out, "{\"mode\": \"policy-update\", \"first_build_ms\": %.2f", b->first_ms);
	for (unsigned k = 0; k < N_KINDS; k++)
		fprintf(out,
			", \"%s\": {\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, \"cpu_p50_ms\": "
			"%.3f, \"cpu_p99_ms\": %.3f}",
			kinds[k].key, b->took_ms[k][n / 2], b->took_ms[k][n * 99 / 100], b->took_ms[k][n - 1],
			b->cpu_ms[k][n / 2], b->cpu_ms[k][n * 99 / 100]);
	fprintf(out,
		", \"parameters\": {\"policies\": %u, \"pods\": %u, \"locals\": %u, \"namespaces\": %u, "
		"\"changes\": "
		"%u}}\n",
		s->n_policies, s->n_pods, s->n_locals, s->n_namespaces, n);
	return output_close(out, b->args.json) == 0;
}

static void
fini(struct bench *b)
{
	if (b->builder != NULL)
		snapshot_release(b->builder, b->tables);
	snapshot_builder_free(b->builder);
	snapshot_free(b->snapshot);
	slots_free(b->slots);
	store_free(b->store);
	for (unsigned k = 0; k < N_KINDS; k++) {
		free(b->took_ms[k]);
		free(b->cpu_ms[k]);
	}
	free(b->locals);
	free(b->names);
	free(b->endpoints);
}

/* --- arguments */

enum { KEY_POLICIES = 'a', KEY_PODS, KEY_LOCALS, KEY_NAMESPACES, KEY_CHANGES, KEY_JSON };

static const struct argp_option options[] = {
	{ "policies", KEY_POLICIES, "N", 0, "policies of the cluster (1000)", 1 },
	{ "pods", KEY_PODS, "N", 0, "pods of the cluster (5000)", 1 },
	{ "locals", KEY_LOCALS, "N", 0, "pods of this node (250)", 1 },
	{ "namespaces", KEY_NAMESPACES, "N", 0, "namespaces, with as many policies each (50)", 1 },
	{ "changes", KEY_CHANGES, "N", 0, "changes of each kind, one after the other (200)", 2 },
	{ "json", KEY_JSON, "FILE", 0, "write the result as one JSON object; '-': standard output", 2 },
	{ 0 },
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case KEY_POLICIES:
		args->shape.n_policies = (unsigned)params_number(state, "policies", arg, 1, 100000);
		return 0;
	case KEY_PODS:
		args->shape.n_pods = (unsigned)params_number(state, "pods", arg, 1, 1000000);
		return 0;
	case KEY_LOCALS:
		args->shape.n_locals = (unsigned)params_number(state, "locals", arg, 1, PORTS_MAX - 1);
		return 0;
	case KEY_NAMESPACES:
		args->shape.n_namespaces = (unsigned)params_number(state, "namespaces", arg, 1, 100000);
		return 0;
	case KEY_CHANGES:
		args->n_changes = (unsigned)params_number(state, "changes", arg, 1, 1000000);
		return 0;
	case KEY_JSON:
		args->json = arg;
		return 0;
	case ARGP_KEY_END:
		if (args->shape.n_locals > args->shape.n_pods)
			argp_error(state, "--locals must be at most --pods");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int
bench_policy_update(int argc, char **argv)
{
	static const struct argp argp = { options, parse, NULL,
		"One policy, pod or namespace changes: time until no worker uses older tables.", NULL, NULL,
		NULL };
	struct bench b = { .args = { .shape = { 1000, 5000, 250, 50 }, .n_changes = 200 } };
	bool ok;

	argp_parse(&argp, argc, argv, 0, NULL, &b.args);
	ok = prepare(&b) && run(&b);
	if (ok && output_has_table(b.args.json))
		print_table(&b);
	if (ok && b.args.json != NULL)
		ok = print_json(&b);
	fini(&b);
	return ok ? 0 : 1;
}
