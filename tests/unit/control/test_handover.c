/* A holder's descriptors on their way to the next one: all of them arrive, or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/handover.h"

#define N_FDS 700 /* more than a socket's buffer takes */

static char dir[] = "/tmp/ringway-handover-XXXXXX";

static int
make_dir(void **state)
{
	return mkdtemp(dir) == NULL;
}

static int
remove_dir(void **state)
{
	return rmdir(dir);
}

/* In a process of its own, since giving waits for who receives. */
static pid_t
give_from_child(void)
{
	pid_t pid = fork();
	struct kept kept = { 0 };

	if (pid != 0)
		return pid;
	for (unsigned i = 0; i < N_FDS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "fd-%u", i);
		kept_put(&kept, name, eventfd(i + 1, 0));
	}
	_exit(handover_give(dir, &kept) == 0 ? 0 : 1);
}

static void
test_all_descriptors_arrive_under_their_names(void **state)
{
	struct kept kept = { 0 };
	int listener = handover_listen(dir), status;
	struct stat at;
	char path[64];
	pid_t giver;

	assert_true(listener >= 0);
	snprintf(path, sizeof(path), "%s/handover.sock", dir);
	assert_int_equal(stat(path, &at), 0);
	assert_int_equal(at.st_mode & 0777, 0600);
	handover_receive(listener, &kept);
	assert_int_equal(kept.n, 0);
	giver = give_from_child();
	while (kept.n == 0)
		handover_receive(listener, &kept);
	assert_int_equal(waitpid(giver, &status, 0), giver);
	assert_int_equal(status, 0);
	assert_int_equal(kept.n, N_FDS);
	for (size_t i = 0; i < kept.n; i++) {
		uint64_t value;
		unsigned number;

		assert_int_equal(sscanf(kept.fds[i].name, "fd-%u", &number), 1);
		assert_int_equal(read(kept.fds[i].fd, &value, sizeof(value)), sizeof(value));
		assert_int_equal(value, number + 1);
	}
	kept_drop_all(&kept);
	handover_close(listener, dir);
	assert_int_equal(stat(path, &at), -1);
}

static void
test_where_nobody_waits_nothing_is_given(void **state)
{
	struct kept kept = { 0 };

	assert_int_equal(handover_give(dir, &kept), -ENOENT);
}

static void
test_a_giver_that_dies_half_way_gave_nothing(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct kept kept = { 0 };
	int listener = handover_listen(dir), giver = socket(AF_UNIX, SOCK_SEQPACKET, 0), fd = eventfd(0, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/handover.sock", dir);
	assert_int_equal(connect(giver, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(fd_message_send(giver, "have one", fd), 0);
	close(giver);
	handover_receive(listener, &kept);
	assert_int_equal(kept.n, 0);
	close(fd);
	handover_close(listener, dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_descriptors_arrive_under_their_names),
		cmocka_unit_test(test_where_nobody_waits_nothing_is_given),
		cmocka_unit_test(test_a_giver_that_dies_half_way_gave_nothing),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
