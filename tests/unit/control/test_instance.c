/* Who waits for another instance to end, which is uninstalled and takes the lock along. */
#include "control/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>

#include "control/handover.h"
#include "control/log.h"
#include "tests/support/scratch.h"

static void
quiet(enum log_level level, const char *line, void *arg)
{
}

static void
set(struct config *c, const char *key, const char *value)
{
	char text[256];

	snprintf(text, sizeof(text), "%s=%s", key, value);
	assert_int_equal(config_set(c, text, stderr), 0);
}

static int
lock_open(const char *run_dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/" INSTANCE_LOCK, run_dir);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* Whether somebody waits for the lock that we hold: then there is nothing more that it makes in run.dir. */
static bool
has_successor(const char *run_dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/" HANDOVER_SOCKET, run_dir);
	return access(path, F_OK) == 0;
}

/* Its exit status: 0 when it has the lock that is there, so that nobody else gets it. */
static int
wait_in_child(const struct config *config)
{
	struct kept kept = { 0 };
	int fd;

	if (instance_wait(config, &kept) != 0)
		return 1;
	fd = lock_open(config->run.dir);
	if (fd < 0)
		return 2;
	return flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK ? 3 : 0;
}

static void
a_lock_that_was_removed_is_none(void **state)
{
	char run_dir[80], manifests[80], out[64];
	struct config config;
	int fd, status;
	pid_t child;

	log_set_sink(quiet, NULL);
	snprintf(run_dir, sizeof(run_dir), "%s/run", scratch_dir);
	snprintf(manifests, sizeof(manifests), "%s/manifests", scratch_dir);
	assert_int_equal(config_init(&config), 0);
	set(&config, "run.dir", run_dir);
	set(&config, "node.name", "a");
	set(&config, "cluster.manifests", manifests);
	assert_int_equal(scratch_run(out, sizeof(out), "mkdir run manifests && touch run/" INSTANCE_LOCK), 0);
	scratch_write("manifests/node.yaml",
		"{apiVersion: v1, kind: Node, metadata: {name: a}, spec: {podCIDR: 10.244.1.0/24}, "
		"status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}}\n");
	fd = lock_open(run_dir);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_true(instance_lock_is_there(fd, run_dir));
	child = fork();
	if (child == 0) {
		close(fd);
		_exit(wait_in_child(&config));
	}
	while (!has_successor(run_dir)) {
		assert_int_equal(waitpid(child, &status, WNOHANG), 0);
		sched_yield();
	}
	assert_int_equal(scratch_run(out, sizeof(out), "rm -r run"), 0);
	assert_false(instance_lock_is_there(fd, run_dir));
	close(fd);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	config_fini(&config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_lock_that_was_removed_is_none, scratch_make, scratch_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
