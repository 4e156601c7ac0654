/* Between workers and the resolver: messages arrive whole, a full ring says so, no pod takes more than its share, and nobody
 * sleeps over something that was put. */
#include "dataplane/dns/dns_ring.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

struct fixture {
	int fd;
	struct dns_rings *rings;
};

static int
setup(void **state)
{
	static struct fixture f;

	f.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f.rings = dns_rings_new(2, f.fd);
	*state = &f;
	return f.rings == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	dns_rings_free(f->rings);
	close(f->fd);
	return 0;
}

/* How often a bell was rung since the last look. */
static unsigned
heard(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? (unsigned)n : 0;
}

static struct dns_miss
miss_of(uint16_t port, uint16_t size)
{
	struct dns_miss miss = { .client = { .port = port, .client_port = 4000, .received_ns = 7 },
		.udp_size = 1232,
		.size = size };

	for (unsigned i = 0; i < size; i++)
		miss.message[i] = (uint8_t)(port + i);
	return miss;
}

static void
test_misses_arrive_whole_and_in_order(void **state)
{
	struct fixture *f = *state;
	struct dns_miss got;

	for (uint16_t port = 0; port < 10; port++) {
		struct dns_miss miss = miss_of(port, (uint16_t)(30 + port));

		assert_true(dns_miss_put(f->rings, 1, &miss));
	}
	assert_false(dns_miss_take(f->rings, 0, &got));
	for (uint16_t port = 0; port < 10; port++) {
		struct dns_miss miss = miss_of(port, (uint16_t)(30 + port));

		assert_true(dns_miss_take(f->rings, 1, &got));
		assert_memory_equal(&got, &miss, sizeof(miss));
	}
	assert_false(dns_miss_take(f->rings, 1, &got));
}

static void
test_told_arrives_whole(void **state)
{
	struct fixture *f = *state;
	struct dns_told told = {
		.client = { .port = 5, .is_host = true }, .source = 3, .size = DNS_UDP_SIZE_MAX
	};
	struct dns_told got;

	memset(told.message, 0xa5, sizeof(told.message));
	assert_true(dns_told_put(f->rings, 0, &told));
	assert_false(dns_told_take(f->rings, 1, &got));
	assert_true(dns_told_take(f->rings, 0, &got));
	assert_memory_equal(&got, &told, sizeof(told));
}

static void
test_a_pod_has_its_share_of_misses(void **state)
{
	struct fixture *f = *state;
	struct dns_miss loud = miss_of(3, 20), quiet = miss_of(4, 20), got;

	for (unsigned i = 0; i < DNS_MISS_SHARE; i++)
		assert_true(dns_miss_put(f->rings, 0, &loud));
	assert_false(dns_miss_put(f->rings, 0, &loud));
	assert_true(dns_miss_put(f->rings, 0, &quiet));
	assert_true(dns_miss_take(f->rings, 0, &got));
	assert_true(dns_miss_put(f->rings, 0, &loud));
	assert_false(dns_miss_put(f->rings, 0, &loud));
}

static void
test_full_rings_say_so(void **state)
{
	struct fixture *f = *state;
	struct dns_told told = { .size = 12 };
	unsigned n = 0;

	for (uint16_t port = 0; n < 2 * DNS_MISS_DEPTH; port = (uint16_t)((port + 1) % PORTS_MAX), n++) {
		struct dns_miss miss = miss_of(port, 20);

		if (!dns_miss_put(f->rings, 0, &miss))
			break;
	}
	assert_in_range(n, DNS_MISS_DEPTH / 2, DNS_MISS_DEPTH);
	for (n = 0; n < 2 * DNS_TOLD_DEPTH && dns_told_put(f->rings, 0, &told); n++)
		;
	assert_in_range(n, DNS_TOLD_DEPTH / 2, DNS_TOLD_DEPTH);
}

static void
test_the_resolver_is_woken_once(void **state)
{
	struct fixture *f = *state;
	struct dns_miss miss = miss_of(3, 20), got;

	dns_miss_kick(f->rings, 0);
	assert_int_equal(heard(f->fd), 0);
	assert_true(dns_miss_put(f->rings, 0, &miss));
	assert_int_equal(heard(f->fd), 0);
	dns_miss_kick(f->rings, 0);
	assert_true(dns_miss_put(f->rings, 0, &miss));
	dns_miss_kick(f->rings, 0);
	dns_miss_kick(f->rings, 0);
	assert_int_equal(heard(f->fd), 1);
	while (dns_miss_take(f->rings, 0, &got))
		;
	assert_true(dns_miss_put(f->rings, 0, &miss));
	dns_miss_kick(f->rings, 0);
	assert_int_equal(heard(f->fd), 1);
}

static void
test_a_worker_is_woken_once(void **state)
{
	struct fixture *f = *state;
	struct dns_told told = { .size = 12 }, got;

	assert_true(dns_told_put(f->rings, 1, &told));
	assert_true(dns_told_put(f->rings, 1, &told));
	assert_int_equal(heard(dns_told_fd(f->rings, 1)), 1);
	assert_int_equal(heard(dns_told_fd(f->rings, 0)), 0);
	while (dns_told_take(f->rings, 1, &got))
		;
	assert_true(dns_told_put(f->rings, 1, &told));
	assert_true(dns_told_take(f->rings, 1, &got));
	assert_false(dns_told_take(f->rings, 1, &got));
	assert_int_equal(heard(dns_told_fd(f->rings, 1)), 0); /* read when the ring was found empty */
}

/* The resolver may be held up between putting an answer and writing to the descriptor. */
static void
test_a_bell_that_is_late_is_heard(void **state)
{
	struct fixture *f = *state;
	struct dns_told told = { .size = 12 }, got;
	int fd = dns_told_fd(f->rings, 1);
	uint64_t one = 1;

	assert_true(dns_told_put(f->rings, 1, &told));
	assert_int_equal(heard(fd), 1); /* as if it had not been written yet */
	assert_true(dns_told_take(f->rings, 1, &got));
	assert_false(dns_told_take(f->rings, 1, &got));
	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
	assert_false(dns_told_take(f->rings, 1, &got));
	assert_int_equal(heard(fd), 0); /* or the worker would never sleep again */
	assert_true(dns_told_put(f->rings, 1, &told));
	assert_int_equal(heard(fd), 1);
}

#define PASSED_ON 20000

/* Sleeps on the bell whenever there is nothing, and sends each miss back. */
static void *
resolve(void *arg)
{
	struct fixture *f = arg;
	unsigned n = 0;

	while (n < PASSED_ON) {
		struct dns_told told = { .size = 12, .source = 1 };
		struct dns_miss miss;
		uint64_t rings;

		while (read(f->fd, &rings, sizeof(rings)) < 0)
			;
		for (; dns_miss_take(f->rings, 0, &miss); n++) {
			told.client = miss.client;
			while (!dns_told_put(f->rings, 0, &told))
				;
		}
	}
	return NULL;
}

static void
test_nothing_is_slept_over(void **state)
{
	struct fixture f = { .fd = eventfd(0, EFD_CLOEXEC) };
	unsigned put = 0, told = 0;
	pthread_t thread;

	(void)state;
	f.rings = dns_rings_new(1, f.fd);
	assert_non_null(f.rings);
	assert_int_equal(pthread_create(&thread, NULL, resolve, &f), 0);
	while (told < PASSED_ON) {
		struct dns_miss miss = miss_of(9, 20);
		struct dns_told got;

		miss.client.received_ns = put;
		if (put < PASSED_ON && dns_miss_put(f.rings, 0, &miss))
			put++;
		dns_miss_kick(f.rings, 0);
		for (; dns_told_take(f.rings, 0, &got); told++)
			assert_int_equal(got.client.received_ns, told);
	}
	pthread_join(thread, NULL);
	dns_rings_free(f.rings);
	close(f.fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_misses_arrive_whole_and_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_told_arrives_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_pod_has_its_share_of_misses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_rings_say_so, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_resolver_is_woken_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_worker_is_woken_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_bell_that_is_late_is_heard, setup, teardown),
		cmocka_unit_test(test_nothing_is_slept_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
