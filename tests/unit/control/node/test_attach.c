/* What becomes of a pod that leaves while tables without it cannot be published, and of DELs that came without a daemon. With a veth pair, a program and a socket, in
 * namespaces of the test's own; whether a publication succeeds is the test's to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/node/attach.h"
#include "control/node/spool.h"
#include "control/node/state.h"
#include "dataplane/engine.h"
#include "dataplane/io/arena.h"
#include "dataplane/snapshot.h"

#define ARENA_SIZE (1 << 20)
#define PODS 3

struct world {
	char dir[64];
	struct state *state;
	struct ipam *ipam;
	struct snapshot *snapshot;
	struct engine *engine;
	struct xdp *xdp;
	struct arena *arena;
	struct attach *attach;
	int result; /* of the next publications */
	unsigned n_published;
};

static void
run(const char *format, const char *arg)
{
	char command[256];

	snprintf(command, sizeof(command), format, arg);
	/* a test's fixed commands: NOLINTNEXTLINE(cert-env33-c,bugprone-command-processor) */
	if (system(command) != 0)
		fail_msg("%s", command);
}

static int
publish(void *arg)
{
	struct world *w = arg;

	w->n_published++;
	return w->result;
}

static void
put_pod(struct world *w, unsigned i)
{
	struct attachment_record r = { .ifname = "eth0",
		.phase = ATTACHMENT_COMMITTED,
		.pod_ns = "shop",
		.netns = "/run/netns/x",
		.mtu = 1450 };
	char addr[32];

	snprintf(r.container_id, sizeof(r.container_id), "c%u", i);
	snprintf(r.pod, sizeof(r.pod), "web-%u", i);
	snprintf(r.link, sizeof(r.link), "rwpod%u", i);
	snprintf(addr, sizeof(addr), "10.244.1.%u", 10 + i);
	assert_true(ip_addr_parse(addr, &r.addrs[V4]));
	run("ip link add %s type veth", r.link);
	assert_int_equal(state_put_attachment(w->state, &r), 0);
}

static void
attach(struct world *w)
{
	static const struct ip_prefix none;
	struct attach_config config = { .pods_max = 8, .xdp_choice = XDP_CHOICE_SKB, .publish = publish };
	char error[512];

	config.state = w->state;
	config.ipam = w->ipam;
	config.engine = w->engine;
	config.xdp = w->xdp;
	config.arena = w->arena;
	config.host_interface = "ringway0";
	config.pod_cidrs = config.service_cidrs = &none; /* of which there are none */
	config.publish_arg = w;
	assert_int_equal(attach_new(&w->attach, &config, error), 0);
}

static int
start(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct engine_config engine = { .n_workers = 1, .frames_per_shard = 1024, .ring_size = 64 };
	char path[96], error[512];
	bool is_new_boot;

	if (unshare(CLONE_NEWNET) < 0)
		fail_msg("%s", strerror(errno));
	snprintf(w->dir, sizeof(w->dir), "/tmp/ringway-attach.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(path, sizeof(path), "%s/state", w->dir);
	assert_int_equal(state_open(&w->state, path, NULL, &is_new_boot, error), 0);
	snprintf(path, sizeof(path), "%s/arena", w->dir);
	assert_int_equal(arena_open(&w->arena, path, ARENA_SIZE, -1), 0);
	snprintf(path, sizeof(path), "%s/bpf", w->dir);
	assert_int_equal(xdp_open(&w->xdp, path, NULL, error), 0);
	w->ipam = ipam_new(0);
	engine.snapshot = w->snapshot = snapshot_new(1);
	assert_int_equal(engine_new(&w->engine, &engine), 0);
	for (unsigned i = 0; i < PODS; i++)
		put_pod(w, i);
	attach(w);
	*state = w;
	return 0;
}

static int
stop(void **state)
{
	struct world *w = *state;
	char path[96];

	attach_free(w->attach);
	engine_stop(w->engine);
	engine_free(w->engine);
	snapshot_free(w->snapshot);
	ipam_free(w->ipam);
	xdp_close(w->xdp);
	arena_close(w->arena);
	state_close(w->state);
	snprintf(path, sizeof(path), "%s/bpf", w->dir);
	umount2(path, MNT_DETACH);
	run("rm -r %s", w->dir);
	free(w);
	return 0;
}

static void
count_region(void *arg, const char *name)
{
	++*(unsigned *)arg;
}

/* Regions that are somebody's: two for each pod. */
static unsigned
regions(const struct world *w)
{
	unsigned n = 0;

	arena_each(w->arena, count_region, &n);
	return n;
}

static void
remove_pod(struct world *w, const char *container_id)
{
	struct attach_request req = { .container_id = container_id, .ifname = "eth0" };
	struct attach_error e = { 0 };

	if (attach_remove(w->attach, &req, &e) < 0)
		fail_msg("%s", e.text);
}

static void
count_pod(const struct attached *pod, void *arg)
{
	assert_non_null(pod->port);
	++*(unsigned *)arg;
}

static unsigned
pods(const struct world *w)
{
	unsigned n = 0;

	attach_each(w->attach, count_pod, &n);
	return n;
}

static void
a_pods_memory_goes_with_the_tables_that_name_it(void **state)
{
	struct world *w = *state;

	assert_int_equal(pods(w), PODS);
	assert_int_equal(regions(w), 2 * PODS);
	remove_pod(w, "c0");
	assert_int_equal(w->n_published, 1);
	assert_int_equal(regions(w), 2 * PODS - 2);
	/* out of memory, and without this node's Node object: the former tables stay in force either way */
	w->result = -ENOMEM;
	remove_pod(w, "c1");
	w->result = -EAGAIN;
	remove_pod(w, "c2");
	assert_int_equal(pods(w), 0);
	assert_int_equal(regions(w), 4);
	/* it is tried again until it succeeds, and no longer */
	attach_tick(w->attach);
	assert_int_equal(w->n_published, 4);
	assert_int_equal(regions(w), 4);
	w->result = 0;
	attach_tick(w->attach);
	assert_int_equal(w->n_published, 5);
	assert_int_equal(regions(w), 0);
	attach_tick(w->attach);
	assert_int_equal(w->n_published, 5);
}

/* Its interface was removed under it. */
static void
so_does_that_of_a_pod_which_is_found_dead(void **state)
{
	struct world *w = *state;

	w->result = -ENOMEM;
	run("ip link del %s", "rwpod1");
	attach_tick(w->attach);
	assert_int_equal(pods(w), PODS - 1);
	assert_int_equal(regions(w), 2 * PODS);
	w->result = 0;
	attach_tick(w->attach);
	assert_int_equal(regions(w), 2 * PODS - 2);
}

/* The daemon ends, or dies, before it can be published that a pod left: nobody comes back for its memory. */
static void
a_start_releases_what_is_no_pods(void **state)
{
	struct world *w = *state;

	assert_non_null(arena_region(w->arena, "exceptions/0", 64, NULL));
	w->result = -EAGAIN;
	remove_pod(w, "c1");
	assert_int_equal(regions(w), 2 * PODS + 1);
	attach_free(w->attach);
	attach(w);
	assert_int_equal(regions(w), 2 * PODS - 2 + 1);
}

static void
spool_put(const struct world *w, const char *name, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/spool/%s", w->dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static bool
spool_has(const struct world *w, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/spool/%s", w->dir, name);
	return access(path, F_OK) == 0;
}

static struct spool *
spool(const struct world *w)
{
	struct spool_config config = { .state_dir = w->dir, .attach = w->attach };
	struct spool *s;

	assert_int_equal(spool_new(&s, &config), 0);
	return s;
}

/* They came while there was no daemon. */
static void
dels_that_were_written_down_are_done(void **state)
{
	const struct timespec long_ago[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct world *w = *state;
	struct spool *s = spool(w); /* makes the directory */
	char path[160];

	spool_put(w, "c0@eth0.del", "{\"containerId\":\"c0\",\"ifname\":\"eth0\"}");
	spool_put(w, "gone@eth0.del", "{\"containerId\":\"gone\",\"ifname\":\"eth0\"}");
	spool_put(w, "c1@net1.del", "{\"containerId\":\"c1\",\"ifname\":\"net1\"}");
	spool_put(w, ".4711", "half of on"); /* by a shim that is still at it; the next is not */
	spool_put(w, ".4712", "half of on");
	snprintf(path, sizeof(path), "%s/spool/.4712", w->dir);
	assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
	spool_free(s);
	s = spool(w);
	assert_int_equal(pods(w), PODS - 1);
	assert_false(spool_has(w, "c0@eth0.del"));
	assert_false(spool_has(w, "gone@eth0.del"));
	assert_false(spool_has(w, "c1@net1.del")); /* another interface of c1's */
	assert_true(spool_has(w, ".4711"));
	assert_false(spool_has(w, ".4712"));
	assert_string_equal(spool_warning(s), "");
	spool_free(s);
}

static void
what_is_no_del_is_kept_aside(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "{\"containerId\":\"c0\"}",
		"{\"containerId\":\"c1\",\"ifname\":\"eth0\"}", "{\"containerId\":7,\"ifname\":\"eth0\"}" };
	static const char *const names[] = { "c0.del", "@eth0.del", "c0@.del", "c0@abcdefghijklmnop.del" };
	struct world *w = *state;
	struct spool *s = spool(w);

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		spool_put(w, "c0@eth0.del", texts[i]);
		spool_work(s);
		assert_false(spool_has(w, "c0@eth0.del"));
		assert_true(spool_has(w, "c0@eth0.del.corrupt"));
		assert_non_null(strstr(spool_warning(s), "1 files in"));
	}
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		spool_put(w, names[i], "{\"containerId\":\"c0\",\"ifname\":\"eth0\"}");
		spool_work(s);
		assert_false(spool_has(w, names[i]));
	}
	assert_int_equal(pods(w), PODS);
	spool_free(s);
}

/* Before it is added again under the same key. */
static void
an_add_settles_the_del_before_it(void **state)
{
	struct world *w = *state;
	struct spool *s = spool(w);

	spool_put(w, "c0@eth0.del", "{\"containerId\":\"c0\",\"ifname\":\"eth0\"}");
	assert_int_equal(spool_settle(s, "c1", "eth0"), 0);
	assert_int_equal(spool_settle(s, "../c0", "eth0"), 0);
	assert_true(spool_has(w, "c0@eth0.del"));
	assert_int_equal(spool_settle(s, "c0", "eth0"), 0);
	assert_false(spool_has(w, "c0@eth0.del"));
	assert_int_equal(pods(w), PODS - 1);
	spool_free(s);
}

/* By who removed what it was complained about, and by the next shim. */
static void
a_spool_that_was_made_anew_is_found(void **state)
{
	struct world *w = *state;
	struct spool *s = spool(w);

	run("cd %s && mv spool old && mkdir spool", w->dir);
	spool_put(w, "c0@eth0.del", "{\"containerId\":\"c0\",\"ifname\":\"eth0\"}");
	assert_int_equal(spool_settle(s, "c0", "eth0"), 0);
	assert_int_equal(pods(w), PODS - 1);
	run("cd %s && rm -r spool old && mkdir spool", w->dir);
	spool_put(w, "c1@eth0.del", "{\"containerId\":\"c1\",\"ifname\":\"eth0\"}");
	spool_work(s);
	assert_int_equal(pods(w), PODS - 2);
	assert_false(spool_has(w, "c1@eth0.del"));
	run("rm -r %s/spool", w->dir);
	spool_work(s);
	assert_string_equal(spool_warning(s), "");
	spool_free(s);
}

static void
a_spool_that_cannot_be_made_is_told(void **state)
{
	struct world *w = *state;
	struct spool_config config = { .state_dir = "/proc/no-such-directory", .attach = w->attach };
	struct spool *s;

	assert_int_equal(spool_new(&s, &config), 0);
	assert_non_null(strstr(spool_warning(s), "cannot be used"));
	assert_int_equal(spool_settle(s, "c0", "eth0"), 0);
	spool_free(s);
}

/* This node's Node object, so that pods can be added. */
static void
follow(struct world *w)
{
	struct ip_prefix range;
	struct node_object node = { .object.name = "a", .n_pod_cidrs = 1, .pod_cidrs = &range };
	char error[ATTACH_TEXT_SIZE];

	assert_true(ip_prefix_parse("10.244.1.0/24", &range));
	if (attach_follow(w->attach, &node, 1450, error) < 0)
		fail_msg("%s", error);
}

/* The runtime, or the one after it, began anew while the first shim was at work. */
static void
an_add_that_was_repeated_neither_commits_nor_removes(void **state)
{
	struct world *w = *state;
	struct attach_request req = { .container_id = "c9", .ifname = "eth0", .netns = "/run/netns/x" };
	const struct attached *pod;
	struct attach_error e = { 0 };
	uint64_t first, second;

	follow(w);
	assert_int_equal(attach_add(w->attach, &req, &pod, &e), 0);
	first = pod->attempt;
	assert_int_equal(attach_add(w->attach, &req, &pod, &e), 0);
	second = pod->attempt;
	assert_int_not_equal(first, second);
	run("ip link add %s type veth", pod->record.link); /* by the second shim */
	req.attempt = first;
	assert_int_equal(attach_commit(w->attach, &req, &pod, &e), -1);
	assert_non_null(strstr(e.text, "added once more"));
	assert_int_equal(attach_remove(w->attach, &req, &e), 0);
	req.attempt = second;
	assert_int_equal(attach_commit(w->attach, &req, &pod, &e), 0);
	/* the first one is slow */
	req.attempt = first;
	assert_int_equal(attach_remove(w->attach, &req, &e), 0);
	assert_int_equal(attach_check(w->attach, &req, &pod, &e), 0);
	/* a runtime's DEL is of whatever there is, and then even the second is of the past */
	req.attempt = 0;
	assert_int_equal(attach_remove(w->attach, &req, &e), 0);
	req.attempt = second;
	assert_int_equal(attach_commit(w->attach, &req, &pod, &e), -1);
	assert_int_equal(e.status, 404);
}

static int
own_mounts(void **state)
{
	if (unshare(CLONE_NEWNS) < 0)
		return -1;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_pods_memory_goes_with_the_tables_that_name_it, start, stop),
		cmocka_unit_test_setup_teardown(so_does_that_of_a_pod_which_is_found_dead, start, stop),
		cmocka_unit_test_setup_teardown(a_start_releases_what_is_no_pods, start, stop),
		cmocka_unit_test_setup_teardown(dels_that_were_written_down_are_done, start, stop),
		cmocka_unit_test_setup_teardown(what_is_no_del_is_kept_aside, start, stop),
		cmocka_unit_test_setup_teardown(an_add_settles_the_del_before_it, start, stop),
		cmocka_unit_test_setup_teardown(a_spool_that_was_made_anew_is_found, start, stop),
		cmocka_unit_test_setup_teardown(a_spool_that_cannot_be_made_is_told, start, stop),
		cmocka_unit_test_setup_teardown(
			an_add_that_was_repeated_neither_commits_nor_removes, start, stop),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root, to make network namespaces\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, own_mounts, NULL);
}
