/* Publication: readers see whole versions, and a grace period is over only when each has quiesced or sleeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <pthread.h>

#include "dataplane/snapshot.h"

static int
setup(void **state)
{
	*state = snapshot_new(2);
	return *state == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	snapshot_free(*state);
	return 0;
}

static void
test_nothing_is_in_force_before_the_first_publication(void **state)
{
	assert_null(snapshot_get(*state));
}

static void
test_publish_returns_what_it_replaced(void **state)
{
	struct tables first = { .version = 1 }, second = { .version = 2 };
	uint64_t grace;

	assert_null(snapshot_publish(*state, &first, &grace));
	assert_ptr_equal(snapshot_get(*state), &first);
	assert_ptr_equal(snapshot_publish(*state, &second, &grace), &first);
	assert_ptr_equal(snapshot_get(*state), &second);
}

static void
test_a_grace_period_waits_for_each_online_worker(void **state)
{
	struct snapshot *s = *state;
	struct tables tables = { .version = 1 };
	uint64_t grace;

	snapshot_online(s, 0);
	snapshot_online(s, 1);
	snapshot_publish(s, &tables, &grace);
	assert_false(snapshot_is_over(s, grace));
	snapshot_quiesce(s, 0);
	assert_false(snapshot_is_over(s, grace));
	snapshot_quiesce(s, 1);
	assert_true(snapshot_is_over(s, grace));
}

static void
test_a_sleeping_worker_holds_nothing_up(void **state)
{
	struct snapshot *s = *state;
	struct tables tables = { .version = 1 };
	uint64_t grace;

	snapshot_online(s, 0);
	snapshot_online(s, 1);
	snapshot_offline(s, 1);
	snapshot_publish(s, &tables, &grace);
	snapshot_quiesce(s, 0);
	assert_true(snapshot_is_over(s, grace));
	snapshot_wait(s, grace);
}

/* What is retired beside the tables waits for the same readers. */
static void
test_what_is_retired_waits_for_each_online_worker(void **state)
{
	struct snapshot *s = *state;
	uint64_t grace;

	snapshot_online(s, 0);
	snapshot_online(s, 1);
	grace = snapshot_retire(s);
	snapshot_quiesce(s, 0);
	assert_false(snapshot_is_over(s, grace));
	snapshot_quiesce(s, 1);
	assert_true(snapshot_is_over(s, grace));
	snapshot_quiesce(s, 1);
	assert_false(snapshot_is_over(s, snapshot_retire(s)));
}

/* A reader that never sees freed or half-written tables, while a writer publishes and frees. */
struct reader {
	struct snapshot *s;
	bool stop;
	uint64_t seen;
};

static void *
reader_main(void *arg)
{
	struct reader *r = arg;

	snapshot_online(r->s, 0);
	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		const struct tables *t = snapshot_get(r->s);

		if (t != NULL) {
			if ((uintptr_t)t->node != t->version)
				abort();
			__atomic_store_n(&r->seen, t->version, __ATOMIC_RELAXED);
		}
		snapshot_quiesce(r->s, 0);
	}
	snapshot_offline(r->s, 0);
	return NULL;
}

static void
test_a_reader_sees_only_whole_versions(void **state)
{
	struct reader r = { .s = *state };
	pthread_t thread;
	struct tables *last = NULL;

	assert_int_equal(pthread_create(&thread, NULL, reader_main, &r), 0);
	for (uint64_t version = 1; version <= 2000; version++) {
		struct tables *next = calloc(1, sizeof(*next));
		uint64_t grace;

		assert_non_null(next);
		next->version = version;
		next->node = (const void *)(uintptr_t)version; /* a second field that must match the first */
		snapshot_publish(r.s, next, &grace);
		snapshot_wait(r.s, grace);
		free(last);
		last = next;
	}
	while (__atomic_load_n(&r.seen, __ATOMIC_RELAXED) != 2000)
		sched_yield();
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	free(last);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_nothing_is_in_force_before_the_first_publication, setup, teardown),
		cmocka_unit_test_setup_teardown(test_publish_returns_what_it_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_grace_period_waits_for_each_online_worker, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_what_is_retired_waits_for_each_online_worker, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_sleeping_worker_holds_nothing_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_reader_sees_only_whole_versions, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
