/* Exposed ports in the kernel's list of those that it gives to no process, in a network namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/node/exposed.h"
#include "control/node/port_claim.h"
#include "control/node/port_list.h"
#include "control/node/reserved_ports.h"
#include "control/node/state.h"

#define SYSCTL "/proc/sys/net/ipv4/"

struct fixture {
	char dir[40], path[64];
	struct state *state;
	struct reserved_ports *ports;
};

static void
write_sysctl(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
operator_writes(const char *list)
{
	write_sysctl(SYSCTL "ip_local_reserved_ports", *list == '\0' ? "\n" : list);
}

static struct port_set
set(const char *list)
{
	struct port_set s;

	port_list_parse(list, &s);
	return s;
}

static void
start(struct fixture *f, const char *boot_id)
{
	char error[STATE_ERROR_SIZE];
	bool is_new_boot;

	assert_int_equal(state_open(&f->state, f->path, boot_id, &is_new_boot, error), 0);
	f->ports = reserved_ports_new(f->state);
	assert_non_null(f->ports);
}

static void
stop(struct fixture *f)
{
	reserved_ports_free(f->ports);
	state_close(f->state);
}

static int
setup(void **arg)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
		return -1;
	strcpy(f->dir, "/tmp/test_reserved_ports.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/%s", f->dir, STATE_FILE);
	start(f, "boot-1");
	*arg = f;
	return 0;
}

static int
teardown(void **arg)
{
	struct fixture *f = *arg;
	char command[96];

	stop(f);
	snprintf(command, sizeof(command), "rm -r %s", f->dir);
	/* a path of mkdtemp(): NOLINTNEXTLINE(cert-env33-c,bugprone-command-processor) */
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void
reserve(struct fixture *f, const char *list)
{
	const struct exposed e = { .version = 1, .own_ports = set(list) };
	char error[RESERVED_PORTS_ERROR_SIZE];

	assert_int_equal(reserved_ports_follow(f->ports, &e, true, error), 0);
}

static void
listed_are(const char *list)
{
	struct port_set listed;
	char *text;

	assert_int_equal(reserved_ports_listed(&listed), 0);
	text = port_list_format(&listed);
	assert_string_equal(text, list);
	free(text);
}

static void
test_lists_as_text(void **arg)
{
	static const char *const lists[] = { "", "1", "80,443", "0-65535", "1-3,5,7-8,65535", "65534-65535" };

	for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const struct port_set s = set(lists[i]);
		char *text = port_list_format(&s);

		assert_string_equal(text, lists[i]);
		free(text);
	}
	assert_memory_equal(&(struct port_set[]){ set("80,443\n") }, &(struct port_set[]){ set("443,80") },
		sizeof(struct port_set));
}

static void
test_exposed_ports_are_reserved_while_they_are(void **arg)
{
	struct fixture *f = *arg;

	reserve(f, "80,50051");
	listed_are("80,50051");
	reserve(f, "80-82");
	listed_are("80-82");
	reserve(f, "");
	listed_are("");
}

static void
test_the_operators_ports_stay(void **arg)
{
	struct fixture *f = *arg;

	operator_writes("8080,50051,60000-60009");
	reserve(f, "50051-50052,60005");
	listed_are("8080,50051-50052,60000-60009");
	reserve(f, "50052");
	listed_are("8080,50051-50052,60000-60009");
	reserve(f, "");
	listed_are("8080,50051,60000-60009");
}

static void
test_a_list_that_was_written_anew_is_the_operators(void **arg)
{
	struct fixture *f = *arg;

	reserve(f, "50051-50053");
	operator_writes("50052,8080");
	reserve(f, "50051-50053");
	listed_are("8080,50051-50053");
	reserve(f, "");
	listed_are("8080,50052");
	/* and what he takes out of his is ours while it is exposed */
	reserve(f, "50052");
	operator_writes("8080");
	reserve(f, "50052");
	listed_are("8080,50052");
	reserve(f, "");
	listed_are("8080");
}

static void
test_a_later_process_knows_which_are_ours(void **arg)
{
	struct fixture *f = *arg;
	struct port_set ours;

	operator_writes("8080,50052");
	reserve(f, "50051-50053");
	stop(f);
	start(f, "boot-1");
	assert_int_equal(reserved_ports_read(f->state, &ours), 0);
	assert_memory_equal(&ours, &(struct port_set[]){ set("50051,50053") }, sizeof(ours));
	reserve(f, "50053");
	listed_are("8080,50052-50053");
	reserve(f, "");
	listed_are("8080,50052");
}

/* Between the state file and the kernel's list. */
static void
test_a_crash_before_the_list_was_written(void **arg)
{
	struct fixture *f = *arg;

	reserve(f, "50051");
	assert_int_equal(state_put_reserved_ports(f->state, "50051-50053"), 0);
	stop(f);
	operator_writes("50051,50054");
	start(f, "boot-1");
	reserve(f, "50053");
	listed_are("50053-50054");
}

static void
test_a_boot_ends_all_reservations(void **arg)
{
	struct fixture *f = *arg;

	reserve(f, "50051");
	stop(f);
	start(f, "boot-2");
	/* as an administrator's file of sysctls, which was read before we came */
	operator_writes("50051");
	reserve(f, "50051");
	reserve(f, "");
	listed_are("50051");
}

/* The kernel takes and gives a page at a time. */
static void
test_thousands_of_ports(void **arg)
{
	struct fixture *f = *arg;
	struct exposed e = { .version = 1 };
	struct port_set *many = &e.own_ports, listed;
	char error[RESERVED_PORTS_ERROR_SIZE];

	for (unsigned i = 0; i < PORT_BLOCKS; i++)
		many->bits[i] = UINT64_C(0x5555555555555555);
	operator_writes("3,65533");
	assert_int_equal(reserved_ports_follow(f->ports, &e, false, error), 0);
	assert_int_equal(reserved_ports_listed(&listed), 0);
	many->bits[0] |= 1 << 3;
	many->bits[PORT_BLOCKS - 1] |= UINT64_C(1) << 61;
	assert_memory_equal(&listed, many, sizeof(listed));
	many->bits[PORT_BLOCKS / 2] = 0;
	e.version++;
	assert_int_equal(reserved_ports_follow(f->ports, &e, false, error), 0);
	assert_int_equal(reserved_ports_listed(&listed), 0);
	assert_memory_equal(&listed, many, sizeof(listed));
	stop(f);
	start(f, "boot-1");
	reserve(f, "");
	listed_are("3,65533");
}

static bool
is_given(int family)
{
	struct sockaddr_in6 any = { .sin6_family = (sa_family_t)family };
	int fd = socket(family, SOCK_STREAM, 0);
	bool is_bound = fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0;

	close(fd);
	return is_bound;
}

static void
test_the_kernel_gives_them_to_nobody(void **arg)
{
	struct fixture *f = *arg;

	write_sysctl(SYSCTL "ip_local_port_range", "50051 50052");
	reserve(f, "50051-50052");
	assert_false(is_given(AF_INET));
	assert_false(is_given(AF_INET6));
	reserve(f, "50051");
	assert_true(is_given(AF_INET));
	assert_true(is_given(AF_INET6));
}

static void
test_masqueraded_flows_do_not_get_them(void **arg)
{
	struct fixture *f = *arg;
	struct port_set claim, ours;

	write_sysctl(SYSCTL "ip_local_port_range", "20000 60999");
	operator_writes("20000-20127");
	reserve(f, "20064,20480");
	assert_int_equal(reserved_ports_read(f->state, &ours), 0);
	port_claim_read(&claim, 19968, 20607, &ours);
	assert_true(port_set_has(&claim, 20001));
	assert_true(
		port_set_has(&claim, 20064)); /* the operator's; exposed ports are excluded as they come */
	assert_false(port_set_has(&claim, 20480));
	assert_false(port_set_has(&claim, 20128));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists_as_text),
		cmocka_unit_test_setup_teardown(
			test_exposed_ports_are_reserved_while_they_are, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_operators_ports_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_list_that_was_written_anew_is_the_operators, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_later_process_knows_which_are_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_crash_before_the_list_was_written, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_boot_ends_all_reservations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_thousands_of_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_kernel_gives_them_to_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_masqueraded_flows_do_not_get_them, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
