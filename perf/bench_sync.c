#include "perf/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control/build/publish.h"
#include "control/build/slots.h"
#include "control/config.h"
#include "control/log.h"
#include "control/loop.h"
#include "control/source/api/api_source.h"
#include "dataplane/snapshot.h"
#include "perf/bench_sync.h"

/* What does not come within this time is not going to. */
#define PATIENCE_NS (60 * NS_PER_S)
#define UPLINK_MTU 1500

struct memory {
	uint64_t rss, peak, heap;
};

struct bench {
	struct sync_args args;
	struct sync_result result;
	struct replay replay;
	struct config config;
	struct loop *loop;
	struct store *store;
	struct slots *slots;
	struct snapshot *snapshot;
	struct publisher *publisher;
	struct api_source *source;
	struct loop_timer *patience;
	struct ip_addr own_addr;
	struct ip_prefix service_cidr;
	bool is_synced, is_late, is_churning;
	uint64_t build_cpu_ns;    /* when the build began */
	uint64_t generation;      /* of slices when the changes began */
	uint32_t n_built, n_told; /* changes that are in the build; of which the latency is known */
	uint64_t start_ns, start_cpu_ns;
	struct memory before;
};

/* --- what is measured */

static uint64_t
cpu_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static double
seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static uint64_t
read_status(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10) * 1024;
}

static struct memory
memory_now(void)
{
	struct mallinfo2 heap = mallinfo2();
	struct memory m = { .heap = heap.uordblks + heap.hblkhd };
	char text[4096];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	m.rss = read_status(text, "VmRSS:");
	m.peak = read_status(text, "VmHWM:");
	if (fd >= 0)
		close(fd);
	return m;
}

/* The peak is what it is now. */
static void
forget_peak(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "5", 1) < 0)
		fprintf(stderr, "the peak of memory counts from the start of the program\n");
	if (fd >= 0)
		close(fd);
}

static uint64_t
all_bytes(const struct bench *b)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < N_API_KINDS; i++)
		n += api_source_status(b->source, i)->n_bytes;
	return n;
}

static uint64_t
all_decode_ns(const struct bench *b)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < N_API_KINDS; i++)
		n += api_source_status(b->source, i)->decode_ns;
	return n;
}

/* An index of the same keys, as the store's. */
struct again {
	struct store *store;
	uint64_t cpu_ns;
	bool is_short;
};

static void
put_again(const struct object *object, void *arg)
{
	struct again *a = arg;
	struct namespace_object *o = calloc(1, sizeof(*o));
	uint64_t start_ns;

	if (o == NULL || a->is_short) {
		a->is_short = true;
		free(o);
		return;
	}
	o->object = (struct object){
		.kind = OBJECT_NAMESPACE, .ns = strdup(object->ns), .name = strdup(object->name)
	};
	start_ns = cpu_now_ns();
	a->is_short = store_put(a->store, &o->object) < 0;
	a->cpu_ns += cpu_now_ns() - start_ns;
}

/* How long the store takes to find its places for all objects: measured once more, since within decoding it cannot be. */
static double
measure_store(const struct bench *b)
{
	uint64_t cpu_ns = 0;

	for (enum object_kind kind = 0; kind < N_OBJECT_KINDS; kind++) {
		struct again again = { .store = store_new() };

		if (again.store == NULL)
			return 0;
		store_each(b->store, kind, put_again, &again);
		store_free(again.store);
		cpu_ns += again.cpu_ns;
	}
	return seconds(cpu_ns);
}

/* --- the daemon's parts, as far as objects go through them */

static void
gather(struct build_facts *facts, void *arg)
{
	struct bench *b = arg;

	b->build_cpu_ns = cpu_now_ns();
	if (b->is_churning)
		b->n_built = (uint32_t)(store_generation(b->store, OBJECT_ENDPOINT_SLICE) - b->generation);
	*facts = (struct build_facts){
		.node_name = REPLAY_NODE,
		.vxlan_port = 4789,
		.vni = 1,
		.n_service_cidrs = 1,
		.service_cidrs = &b->service_cidr,
		.uplink_mtu = UPLINK_MTU,
		.n_own_addrs = 1,
		.own_addrs = &b->own_addr,
		.n_workers = 1,
	};
}

static void
on_publishing(const struct tables *next, void *arg)
{
	struct bench *b = arg;
	uint64_t now_ns = cpu_now_ns();

	b->result.build_cpu_s += seconds(now_ns - b->build_cpu_ns);
	b->build_cpu_ns = now_ns;
}

static void
on_published(const struct tables *tables, void *arg)
{
	const struct replay_shared *shared;
	struct bench *b = arg;
	uint64_t now_ns = clock_now_ns();

	b->result.publish_cpu_s += seconds(cpu_now_ns() - b->build_cpu_ns);
	shared = b->replay.shared;
	for (; b->n_told < b->n_built && b->n_told < REPLAY_EVENTS_MAX; b->n_told++)
		hist_add(b->result.latency_ns, now_ns - shared->sent_ns[b->n_told], 1);
}

static void
on_changed(void *arg)
{
	publisher_check(((struct bench *)arg)->publisher);
}

static void
on_synced(void *arg)
{
	((struct bench *)arg)->is_synced = true;
}

static void
on_late(void *arg)
{
	((struct bench *)arg)->is_late = true;
}

static int
start_source(struct bench *b)
{
	const struct api_source_config config = {
		.loop = b->loop,
		.store = b->store,
		.config = &b->config,
		.saved = b->args.saved,
		.changed = on_changed,
		.synced = on_synced,
		.arg = b,
	};

	return api_source_new(&b->source, &config);
}

static int
set_config(struct bench *b)
{
	char server[80];

	snprintf(server, sizeof(server), "cluster.apiServer=http://127.0.0.1:%u", b->replay.shared->port);
	if (config_init(&b->config) < 0)
		return -ENOMEM;
	return config_set(&b->config, server, stderr) != 0 ||
			       config_set(&b->config, "node.name=" REPLAY_NODE, stderr) != 0 ||
			       config_set(&b->config, "cluster.caFile=", stderr) != 0 ||
			       config_set(&b->config, "cluster.tokenFile=", stderr) != 0
		       ? -EINVAL
		       : 0;
}

static int
make_parts(struct bench *b)
{
	struct publisher_config config = {
		.gather = gather, .publishing = on_publishing, .published = on_published, .arg = b
	};

	ip_addr_parse("172.16.0.1", &b->own_addr);
	ip_prefix_parse("10.96.0.0/11", &b->service_cidr);
	b->loop = loop_new();
	b->store = store_new();
	b->slots = slots_new();
	b->snapshot = snapshot_new(1);
	b->result.latency_ns = calloc(1, sizeof(*b->result.latency_ns));
	b->patience = b->loop == NULL ? NULL : loop_timer_new(b->loop, on_late, b);
	if (b->patience == NULL || b->store == NULL || b->slots == NULL || b->snapshot == NULL ||
		b->result.latency_ns == NULL)
		return -ENOMEM;
	config.loop = b->loop;
	config.store = b->store;
	config.slots = b->slots;
	config.snapshot = b->snapshot;
	b->publisher = publisher_new(&config);
	return b->publisher == NULL ? -ENOMEM : 0;
}

/* --- the run */

static bool
wait_for_sync(struct bench *b)
{
	loop_timer_set(b->patience, PATIENCE_NS, 0);
	while (!b->is_synced && !b->is_late)
		if (loop_round(b->loop, -1) < 0)
			return false;
	loop_timer_cancel(b->patience);
	return b->is_synced;
}

static void
note_listed(struct bench *b)
{
	struct sync_result *r = &b->result;
	struct memory now = memory_now();
	uint64_t cpu_ns = cpu_now_ns() - b->start_cpu_ns;

	r->listed_s = seconds(clock_now_ns() - b->start_ns);
	r->decode_cpu_s = seconds(all_decode_ns(b));
	r->receive_cpu_s = seconds(cpu_ns) - r->decode_cpu_s;
	r->n_bytes = all_bytes(b);
	r->store = now.heap - b->before.heap;
	r->list_peak = now.peak - b->before.rss;
	for (enum object_kind kind = 0; kind < N_OBJECT_KINDS; kind++)
		r->n_objects += store_count(b->store, kind);
}

static bool
run_first_sync(struct bench *b)
{
	struct sync_result *r = &b->result;
	struct memory now;

	publisher_hold(b->publisher);
	forget_peak();
	b->before = memory_now();
	b->start_cpu_ns = cpu_now_ns();
	b->start_ns = clock_now_ns();
	if (start_source(b) < 0 || !wait_for_sync(b))
		return false;
	note_listed(b);
	publisher_release(b->publisher);
	while (publisher_tables(b->publisher) == NULL && *publisher_status(b->publisher).error == '\0')
		if (loop_round(b->loop, -1) < 0)
			return false;
	if (publisher_tables(b->publisher) == NULL)
		return false; /* the publisher has said why */
	r->published_s = seconds(clock_now_ns() - b->start_ns);
	now = memory_now();
	r->peak = now.peak - b->before.rss;
	r->settled = now.rss - b->before.rss;
	r->store_cpu_s = measure_store(b);
	r->decode_cpu_s -= r->store_cpu_s;
	return true;
}

static uint32_t
n_sent(const struct bench *b)
{
	return __atomic_load_n(&b->replay.shared->n_sent, __ATOMIC_ACQUIRE);
}

/* Builds of changes are not part of the first sync's. */
static bool
run_churn(struct bench *b)
{
	struct sync_result *r = &b->result, first = *r;
	uint64_t bytes = all_bytes(b), builds = publisher_status(b->publisher).n_builds;
	uint64_t cpu_ns = cpu_now_ns(), start_ns = clock_now_ns();

	b->is_churning = true;
	b->generation = store_generation(b->store, OBJECT_ENDPOINT_SLICE);
	__atomic_store_n(&b->replay.shared->is_churning, true, __ATOMIC_RELEASE);
	loop_timer_set(b->patience, (uint64_t)(b->args.seconds * 1e9), 0);
	while (!b->is_late)
		if (loop_round(b->loop, -1) < 0)
			return false;
	r->churn_s = seconds(clock_now_ns() - start_ns);
	r->churn_cpu_s = seconds(cpu_now_ns() - cpu_ns);
	r->churn_bytes = all_bytes(b) - bytes;
	r->n_changes = b->n_told;
	r->n_builds = publisher_status(b->publisher).n_builds - builds;
	__atomic_store_n(&b->replay.shared->is_churning, false, __ATOMIC_RELEASE);
	r->build_cpu_s = first.build_cpu_s;
	r->publish_cpu_s = first.publish_cpu_s;
	/* the last ones, which may be on their way */
	b->is_late = false;
	loop_timer_set(b->patience, PATIENCE_NS, 0);
	while (b->n_told < n_sent(b) && !b->is_late)
		if (loop_round(b->loop, 10) < 0)
			return false;
	if (b->is_late)
		fprintf(stderr, "of %u changes %u came into force\n", n_sent(b), b->n_told);
	return !b->is_late;
}

/* Nothing is sent by the interfaces that others use. */
static int
isolate(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd, result;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return -errno;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	result = fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return result;
}

static bool
run(struct bench *b)
{
	const struct sync_args *args = &b->args;
	const struct replay_config config = {
		.shape = args->shape,
		.has_watch_list = !args->in_pages,
		.slices_per_s = args->changes_per_s,
		.nodes_per_s = args->heartbeat_s > 0 ? args->shape.n_nodes / args->heartbeat_s : 0,
	};
	int result = isolate();

	if (result == 0)
		result = replay_start(&b->replay, &config);
	if (result == 0)
		result = set_config(b);
	if (result == 0)
		result = make_parts(b);
	if (result < 0) {
		fprintf(stderr, "cannot be set up: %s\n", strerror(-result));
		return false;
	}
	if (!run_first_sync(b)) {
		fprintf(stderr, "the first sync does not come to its end\n");
		return false;
	}
	return args->seconds <= 0 || run_churn(b);
}

static void
fini(struct bench *b)
{
	api_source_free(b->source);
	publisher_free(b->publisher);
	loop_timer_free(b->patience);
	loop_free(b->loop);
	snapshot_free(b->snapshot);
	slots_free(b->slots);
	store_free(b->store);
	config_fini(&b->config);
	replay_stop(&b->replay);
	free(b->result.latency_ns);
}

int
bench_sync(int argc, char **argv)
{
	static struct bench b = {
		.args = { .shape = { .n_nodes = 5000, .n_services = 10000, .n_endpoints = 100000 },
			.changes_per_s = 100,
			.heartbeat_s = 300,
			.seconds = 10 }
	};
	bool ok;

	sync_args_parse(argc, argv, &b.args);
	ok = run(&b) && sync_report(&b.args, &b.result) == 0;
	fini(&b);
	return ok ? 0 : 1;
}
