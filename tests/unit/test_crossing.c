/* Between two workers: packets keep their order and content, a full ring says so, frames go home to their
 * umem. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "dataplane/crossing.h"
#include "dataplane/io/umem.h"

static int
setup(void **state)
{
	*state = crossing_new(2);
	return *state == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	crossing_free(*state);
	return 0;
}

static void
test_packets_arrive_whole_and_in_order(void **state)
{
	struct crossing *c = *state;
	struct burst b = { 0 };
	struct pkt p = { 0 };

	for (uint16_t i = 0; i < 5; i++) {
		p.sport = i;
		p.new_dst = ip_addr_v4(be32_from(i));
		assert_true(crossing_put(c, 0, 1, &p));
	}
	assert_false(crossing_is_empty(c, 1));
	assert_true(crossing_is_empty(c, 0));
	assert_int_equal(crossing_take(c, 1, &b), 5);
	for (uint16_t i = 0; i < 5; i++) {
		assert_int_equal(b.pkts[i].sport, i);
		assert_int_equal(be32_host(ip_addr_to_v4(&b.pkts[i].new_dst)), i);
	}
	assert_true(crossing_is_empty(c, 1));
}

static void
test_take_fills_only_the_room_of_the_burst(void **state)
{
	struct crossing *c = *state;
	struct burst b = { .n = BURST_MAX - 2 };
	struct pkt p = { 0 };

	for (unsigned i = 0; i < 5; i++)
		assert_true(crossing_put(c, 0, 1, &p));
	assert_int_equal(crossing_take(c, 1, &b), 2);
	assert_int_equal(b.n, BURST_MAX);
	b.n = 0;
	assert_int_equal(crossing_take(c, 1, &b), 3);
}

/* Two workers hand over more than the third takes: it takes from both. */
static void
test_each_worker_gets_its_turn(void **state)
{
	struct crossing *c = crossing_new(3);
	unsigned taken[3] = { 0 };

	assert_non_null(c);
	for (unsigned round = 0; round < 64; round++) {
		struct burst b = { 0 };

		for (uint8_t from = 0; from < 2; from++)
			for (struct pkt p = { .origin_worker = from }; crossing_put(c, from, 2, &p);)
				;
		assert_int_equal(crossing_take(c, 2, &b), BURST_MAX);
		BURST_FOREACH (&b, p)
			taken[p->origin_worker]++;
	}
	assert_in_range(taken[0], 64 * BURST_MAX * 2 / 5, 64 * BURST_MAX * 3 / 5);
	assert_int_equal(taken[0] + taken[1], 64 * BURST_MAX);
	crossing_free(c);
}

static void
test_a_full_ring_refuses(void **state)
{
	struct crossing *c = *state;
	struct pkt p = { 0 };
	unsigned n = 0;

	while (crossing_put(c, 0, 1, &p))
		n++;
	assert_in_range(n, CROSSING_DEPTH - 1, CROSSING_DEPTH);
}

static void
test_frames_go_home(void **state)
{
	struct crossing *c = *state;
	struct umem *u;

	assert_int_equal(umem_new(&u, 0, 0, 512, 2048, -1), 0);
	for (unsigned round = 0; round < 10; round++) {
		uint8_t *frames[256];

		for (unsigned i = 0; i < 256; i++)
			frames[i] = umem_get(u) + UMEM_HEADROOM + i;
		assert_int_equal(u->n_free, 256);
		for (unsigned i = 0; i < 256; i++)
			crossing_return(c, 1, u, frames[i]);
		crossing_collect(c, 0);
		assert_int_equal(u->n_free, 512);
	}
	umem_free(u);
}

/* By way of a third worker, more may come than a ring holds while their owner is held up. */
static void
test_frames_that_find_no_room_go_home_later(void **state)
{
	const unsigned n_frames = 8 * CROSSING_DEPTH;
	struct crossing *c = *state;
	struct umem *u;
	uint8_t *frame;

	assert_int_equal(umem_new(&u, 0, 0, n_frames, 2048, -1), 0);
	while ((frame = umem_get(u)) != NULL)
		crossing_return(c, 1, u, frame + 2047);
	for (unsigned round = 0; round < 8; round++) {
		crossing_collect(c, 0);
		crossing_kick(c, 1);
	}
	assert_int_equal(u->n_free, n_frames);
	for (unsigned i = 0; i < n_frames; i++) /* each of them once */
		*(uint32_t *)(u->base + (size_t)i * 2048) = 0;
	while ((frame = umem_get(u)) != NULL)
		assert_int_equal((*(uint32_t *)frame)++, 0);
	umem_free(u);
}

static bool
is_woken(const struct crossing *c, unsigned worker)
{
	uint64_t n;

	return read(crossing_wait_fd(c, worker), &n, sizeof(n)) == sizeof(n);
}

static void
test_a_kick_wakes_only_sleepers_that_were_given_something(void **state)
{
	struct crossing *c = *state;
	struct pkt p = { 0 };

	crossing_put(c, 0, 1, &p);
	crossing_kick(c, 0);
	assert_false(is_woken(c, 1));

	crossing_sleep(c, 1);
	crossing_kick(c, 0);
	assert_false(is_woken(c, 1));
	crossing_put(c, 0, 1, &p);
	crossing_kick(c, 0);
	assert_true(is_woken(c, 1));

	crossing_wake(c, 1);
	crossing_awake(c, 1);
	assert_false(is_woken(c, 1));
}

/* One thread hands over, the other takes and sends frames home: none is lost or seen twice. */
struct stream {
	struct crossing *c;
	struct umem *u;
	unsigned n;
};

static void *
producer_main(void *arg)
{
	struct stream *s = arg;

	for (unsigned sent = 0; sent < s->n;) {
		struct pkt p = { .umem = s->u };

		crossing_collect(s->c, 0);
		p.data = umem_get(s->u);
		if (p.data == NULL) {
			sched_yield();
			continue;
		}
		memcpy(p.data, &sent, sizeof(sent));
		if (crossing_put(s->c, 0, 1, &p)) {
			sent++;
		} else {
			umem_put(s->u, p.data);
			sched_yield();
		}
	}
	return NULL;
}

static void
test_two_threads_lose_no_frame(void **state)
{
	struct stream s = { .c = *state, .n = 100000 };
	struct burst b = { 0 };
	unsigned expected = 0;
	pthread_t producer;

	assert_int_equal(umem_new(&s.u, 0, 0, 512, 2048, -1), 0);
	assert_int_equal(pthread_create(&producer, NULL, producer_main, &s), 0);
	while (expected < s.n) {
		b.n = 0;
		if (crossing_take(s.c, 1, &b) == 0)
			sched_yield();
		BURST_FOREACH (&b, p) {
			unsigned number;

			memcpy(&number, p->data, sizeof(number));
			assert_int_equal(number, expected);
			expected++;
			crossing_return(s.c, 1, p->umem, p->data);
		}
	}
	pthread_join(producer, NULL);
	crossing_collect(s.c, 0);
	assert_int_equal(s.u->n_free, s.u->n_frames);
	umem_free(s.u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_packets_arrive_whole_and_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_take_fills_only_the_room_of_the_burst, setup, teardown),
		cmocka_unit_test(test_each_worker_gets_its_turn),
		cmocka_unit_test_setup_teardown(test_a_full_ring_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_frames_go_home, setup, teardown),
		cmocka_unit_test_setup_teardown(test_frames_that_find_no_room_go_home_later, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_kick_wakes_only_sleepers_that_were_given_something, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_threads_lose_no_frame, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
