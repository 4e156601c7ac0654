#include "control/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/log.h"

struct pair {
	struct loop *loop;
	struct loop_fd *watches[2];
	int fds[2];
	unsigned calls;
};

/* Whoever comes first removes both: the other's event was already read from the kernel. */
static void
remove_both(uint32_t events, void *arg)
{
	struct pair *p = arg;

	p->calls++;
	for (int i = 0; i < 2; i++) {
		loop_fd_remove(p->watches[i]);
		close(p->fds[i]);
	}
}

static void
test_what_was_removed_is_not_called(void **state)
{
	struct pair p = { .loop = loop_new() };

	for (int i = 0; i < 2; i++) {
		p.fds[i] = eventfd(1, EFD_NONBLOCK);
		p.watches[i] = loop_fd_add(p.loop, p.fds[i], EPOLLIN, remove_both, &p);
		assert_non_null(p.watches[i]);
	}
	assert_int_equal(loop_round(p.loop, 0), 2);
	assert_int_equal(p.calls, 1);
	loop_free(p.loop);
}

static void
count(void *arg)
{
	++*(unsigned *)arg;
}

static void
test_timers(void **state)
{
	struct loop *l = loop_new();
	unsigned once = 0, often = 0, never = 0;
	struct loop_timer *a = loop_timer_new(l, count, &once);
	struct loop_timer *b = loop_timer_new(l, count, &often);
	struct loop_timer *c = loop_timer_new(l, count, &never);

	loop_timer_set(a, 0, 0);
	loop_timer_set(b, NS_PER_MS, NS_PER_MS);
	loop_timer_set(c, NS_PER_MS, 0);
	assert_true(loop_timer_is_set(c));
	loop_timer_cancel(c);
	while (often < 3)
		assert_true(loop_round(l, 1000) > 0);
	assert_int_equal(once, 1);
	assert_int_equal(never, 0);
	assert_false(loop_timer_is_set(a));
	assert_true(loop_timer_is_set(b));
	assert_false(loop_timer_is_set(c));
	loop_timer_free(a);
	loop_timer_free(b);
	loop_timer_free(c);
	loop_free(l);
}

struct again {
	struct loop *loop;
	struct loop_task task;
	unsigned runs;
};

static void
run_again(void *arg)
{
	struct again *a = arg;

	if (++a->runs < 3)
		loop_defer(a->loop, &a->task);
}

static void
test_deferred_work(void **state)
{
	struct loop *l = loop_new();
	unsigned runs = 0, cancelled = 0;
	struct loop_task task = { .fn = count, .arg = &runs };
	struct loop_task other = { .fn = count, .arg = &cancelled };
	struct again a = { .loop = l };

	loop_defer(l, &task);
	loop_defer(l, &other);
	loop_defer(l, &task);
	loop_cancel(l, &other);
	loop_round(l, -1);
	assert_int_equal(runs, 1);
	assert_int_equal(cancelled, 0);

	a.task = (struct loop_task){ .fn = run_again, .arg = &a };
	loop_defer(l, &a.task);
	for (unsigned round = 1; round <= 3; round++) {
		loop_round(l, -1);
		assert_int_equal(a.runs, round);
	}
	loop_free(l);
}

static void
stop(int signo, void *arg)
{
	assert_int_equal(signo, SIGUSR1);
	loop_stop(arg);
}

static void
test_signals(void **state)
{
	struct loop *l = loop_new();

	assert_int_equal(loop_on_signal(l, SIGUSR2, stop, l), 0);
	assert_int_equal(loop_on_signal(l, SIGUSR1, stop, l), 0);
	kill(getpid(), SIGUSR1);
	assert_int_equal(loop_run(l), 0);
	loop_free(l);
}

static void
keep_line(enum log_level level, const char *line, void *arg)
{
	unsigned *n = arg;

	assert_string_equal(line, "a\\b c  d");
	++*n;
}

static void
test_log(void **state)
{
	struct log_site site = { 0 };
	uint32_t held_back = 0;
	unsigned n_lines = 0;

	log_set_sink(keep_line, &n_lines);
	log_info("a\\b %s", "c\n\td");
	log_debug("not at this level");
	log_set_sink(NULL, NULL);
	assert_int_equal(n_lines, 1);

	for (unsigned i = 0; i < LOG_BURST; i++)
		assert_true(log_site_admits(&site, 1000, &held_back));
	assert_false(log_site_admits(&site, 1000, &held_back));
	assert_false(log_site_admits(&site, 1000, &held_back));
	assert_true(log_site_admits(&site, 1001, &held_back));
	assert_int_equal(held_back, 2);
	assert_false(log_site_admits(&site, 1001, &held_back));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_removed_is_not_called),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_deferred_work),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
