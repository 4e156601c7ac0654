/* When a pod counts as gone. Names of namespaces are files; who is in one is a process of the test's own. */
#include "control/node/collect.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], name[96];

static void
name_make(void)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static int
start(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/ringway-collect.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(name, sizeof(name), "%s/netns", dir);
	return 0;
}

static int
stop(void **state)
{
	unlink(name);
	return rmdir(dir);
}

static void
a_name_that_is_gone_for_long_is_believed(void **state)
{
	struct collect_note note;

	name_make();
	collect_begin(&note, name);
	assert_false(collect_look(&note, name, 1000));
	unlink(name);
	assert_false(collect_look(&note, name, 1005));
	assert_false(collect_look(
		&note, name, 1005 + 10 * COLLECT_GRACE_S)); /* who is in it may be hidden from us */
	note.had_process = true;
	assert_false(collect_look(&note, name, 2005));
	assert_false(collect_look(&note, name, 2005 + COLLECT_GRACE_S - 1));
	assert_true(collect_look(&note, name, 2005 + COLLECT_GRACE_S));
}

/* Of the daemon's view of the mounts nothing is known. */
static void
a_name_that_was_never_seen_is_not(void **state)
{
	struct collect_note note, none = { 0 };

	collect_begin(&note, name);
	/* nor one of which nobody has said that it is the pod's */
	assert_false(collect_look_unlisted(&none, "/proc/self/ns/net", 1000));
	assert_false(collect_look(&none, name, 1000));
	assert_false(collect_look(&none, name, 1000 + 10 * COLLECT_GRACE_S));
	assert_false(collect_look(&note, name, 1000));
	assert_false(collect_look(&note, name, 1000 + 10 * COLLECT_GRACE_S));
	assert_false(collect_look_unlisted(&note, name, 1000 + 20 * COLLECT_GRACE_S));
	assert_false(collect_look_unlisted(&note, name, 1000 + 30 * COLLECT_GRACE_S));
}

static void
another_namespace_of_that_name_is_another(void **state)
{
	struct collect_note note;
	char other[112];

	name_make();
	collect_begin(&note, name);
	note.had_process = true;
	snprintf(other, sizeof(other), "%s.old", name); /* so that its number is not free again */
	assert_int_equal(rename(name, other), 0);
	name_make();
	assert_false(collect_look(&note, name, 1000));
	assert_true(collect_look(&note, name, 1000 + COLLECT_GRACE_S));
	/* it comes back: each sighting begins anew */
	assert_int_equal(rename(other, name), 0);
	assert_false(collect_look(&note, name, 1001 + COLLECT_GRACE_S));
	assert_int_equal(rename(name, other), 0);
	assert_false(collect_look(&note, name, 1002 + COLLECT_GRACE_S));
	unlink(other);
}

static void
one_with_a_process_in_it_is_alive(void **state)
{
	struct collect_note note;

	assert_int_equal(symlink("/proc/self/ns/net", name), 0);
	collect_begin(&note, name);
	unlink(name);
	assert_false(collect_look(&note, name, 1000));
	assert_false(collect_look(&note, name, 1000 + 10 * COLLECT_GRACE_S));
	assert_false(collect_look_unlisted(&note, name, 1000 + 10 * COLLECT_GRACE_S));
	assert_int_equal(symlink("/proc/self/ns/net", name), 0);
	assert_false(collect_look_unlisted(&note, name, 1000 + 20 * COLLECT_GRACE_S));
	assert_false(collect_look_unlisted(&note, name, 1000 + 30 * COLLECT_GRACE_S));
}

/* Whoever cannot see the pod's processes cannot tell that it has none. */
static void
a_list_alone_ends_nobody(void **state)
{
	struct collect_note note;

	name_make();
	collect_begin(&note, name);
	unlink(name);
	assert_false(collect_look_unlisted(&note, name, 1000));
	assert_false(collect_look_unlisted(&note, name, 1000 + 2 * COLLECT_GRACE_S));
}

/* A child in a namespace of its own, which the name keeps when the child is gone. */
static pid_t
child_make(void)
{
	int ready[2];
	pid_t child;
	char path[64], c;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", child);
	name_make();
	assert_int_equal(mount(path, name, NULL, MS_BIND, NULL), 0);
	return child;
}

static void
child_end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void
a_list_is_a_sighting(void **state)
{
	struct collect_note note;
	pid_t child = child_make();

	collect_begin(&note, name);
	assert_false(collect_look(&note, name, 1000)); /* sees the process */
	child_end(child);
	umount2(name, MNT_DETACH);
	unlink(name);
	assert_true(collect_look_unlisted(&note, name, 1001));
}

static void
two_lists_without_a_pod_that_has_ended_are_believed(void **state)
{
	struct collect_note note;
	pid_t child = child_make();

	collect_begin(&note, name);
	collect_note_listed(&note, name);
	assert_false(collect_look_unlisted(&note, name, 1000));
	assert_false(collect_look_unlisted(&note, name, 1000 + COLLECT_GRACE_S)); /* it runs */
	child_end(child);
	collect_note_listed(&note, name);
	assert_false(collect_look_unlisted(&note, name, 2000));
	assert_false(collect_look_unlisted(&note, name, 2000 + COLLECT_GRACE_S - 1));
	assert_true(collect_look_unlisted(&note, name, 2000 + COLLECT_GRACE_S));
	/* without a list the name is enough to live by */
	assert_false(collect_look(&note, name, 9000));
	assert_false(collect_look(&note, name, 9000 + COLLECT_GRACE_S));
	/* whoever saw nobody in it, may be unable to */
	collect_begin(&note, name);
	assert_false(collect_look_unlisted(&note, name, 3000));
	assert_false(collect_look_unlisted(&note, name, 3000 + COLLECT_GRACE_S));
	umount2(name, MNT_DETACH);
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
		cmocka_unit_test_setup_teardown(a_name_that_is_gone_for_long_is_believed, start, stop),
		cmocka_unit_test_setup_teardown(a_name_that_was_never_seen_is_not, start, stop),
		cmocka_unit_test_setup_teardown(another_namespace_of_that_name_is_another, start, stop),
		cmocka_unit_test_setup_teardown(one_with_a_process_in_it_is_alive, start, stop),
		cmocka_unit_test_setup_teardown(a_list_alone_ends_nobody, start, stop),
		cmocka_unit_test_setup_teardown(a_list_is_a_sighting, start, stop),
		cmocka_unit_test_setup_teardown(
			two_lists_without_a_pod_that_has_ended_are_believed, start, stop),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root, to make network namespaces\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, own_mounts, NULL);
}
