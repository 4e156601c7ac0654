/* The holder: what its child put survives the child, which is started again only after it was ready once.
 * Each case runs the holder in a process of its own, since it waits for its children and takes over signals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/holder.h"
#include "dataplane/io/fd_store.h"

static int
run_holder(int (*serve)(int socket, void *arg), void *arg)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(99);
		_exit(holder_run(&(struct holder_config){ .serve = serve, .arg = arg }));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
count_name(const char *name, void *arg)
{
	(*(unsigned *)arg)++;
}

/* First life: puts an eventfd that holds 7 and one that it drops again, then dies. Second life: finds just
 * the first. */
static int
die_once(int socket, void *arg)
{
	struct fd_store *s = fd_store_open(socket);
	int inherited = fd_store_take(s, "kept");
	unsigned left = 0;
	uint64_t value = 0;

	if (inherited < 0) {
		fd_store_put(s, "kept", eventfd(7, 0));
		fd_store_put(s, "dropped", eventfd(1, 0));
		fd_store_put(s, "not-taken", eventfd(2, 0));
		fd_store_drop(s, "dropped");
		fd_store_ready(s);
		raise(SIGKILL);
	}
	fd_store_each(s, count_name, &left);
	if (read(inherited, &value, sizeof(value)) != sizeof(value) || value != 7)
		return 10;
	if (left != 1 || fd_store_take(s, "dropped") >= 0)
		return 11;
	fd_store_close_rest(s);
	if (fd_store_take(s, "not-taken") >= 0)
		return 12;
	fd_store_free(s);
	return 0;
}

static void
test_descriptors_survive_a_crash(void **state)
{
	assert_int_equal(run_holder(die_once, NULL), 0);
}

static int
fail_to_start(int socket, void *arg)
{
	return 3;
}

static void
test_a_daemon_that_never_was_ready_is_not_restarted(void **state)
{
	assert_int_equal(run_holder(fail_to_start, NULL), 3);
}

/* Becomes ready, tells its parent's parent so, and waits for SIGTERM. */
static int
wait_for_term(int socket, void *arg)
{
	struct fd_store *s = fd_store_open(socket);
	int told = *(int *)arg;
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd_store_ready(s);
	if (write(told, &(pid_t){ getpid() }, sizeof(pid_t)) != sizeof(pid_t))
		return 1;
	sigwait(&set, &signal);
	fd_store_free(s);
	return 42;
}

static pid_t
start_waiting(pid_t *daemon)
{
	int told[2];
	pid_t holder;

	assert_int_equal(pipe(told), 0);
	holder = fork();
	if (holder == 0)
		_exit(holder_run(&(struct holder_config){ .serve = wait_for_term, .arg = &told[1] }));
	assert_int_equal(read(told[0], daemon, sizeof(*daemon)), sizeof(*daemon));
	close(told[0]);
	close(told[1]);
	return holder;
}

static void
test_sigterm_ends_the_daemon_and_then_the_holder(void **state)
{
	pid_t daemon, holder = start_waiting(&daemon);
	int status;

	assert_int_equal(kill(holder, SIGTERM), 0);
	assert_int_equal(waitpid(holder, &status, 0), holder);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	assert_int_equal(kill(daemon, 0), -1);
}

static void
test_the_daemon_ends_when_the_holder_is_killed(void **state)
{
	pid_t daemon, holder = start_waiting(&daemon);
	char path[64];
	int status;

	assert_int_equal(kill(holder, SIGKILL), 0);
	assert_int_equal(waitpid(holder, &status, 0), holder);
	/* the orphan is not our child: it is gone, or a zombie of whoever adopted it, once it left its last
	 * descriptor */
	snprintf(path, sizeof(path), "/proc/%d/fd/0", daemon);
	for (int i = 0; i < 6000 && access(path, F_OK) == 0; i++)
		poll(NULL, 0, 10);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void
test_without_a_holder_nothing_is_kept(void **state)
{
	struct fd_store *s = fd_store_open(-1);

	assert_non_null(s);
	assert_int_equal(fd_store_put(s, "name", 0), 0);
	assert_int_equal(fd_store_take(s, "name"), -1);
	fd_store_ready(s);
	fd_store_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors_survive_a_crash),
		cmocka_unit_test(test_a_daemon_that_never_was_ready_is_not_restarted),
		cmocka_unit_test(test_sigterm_ends_the_daemon_and_then_the_holder),
		cmocka_unit_test(test_the_daemon_ends_when_the_holder_is_killed),
		cmocka_unit_test(test_without_a_holder_nothing_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
