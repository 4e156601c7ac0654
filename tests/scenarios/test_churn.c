/* Endpoints come and go, on a fake clock: no flow that stands changes its backend unless that died, no new one goes to a backend
 * that left once that is published, and a new backend soon has its share. Under TCP, UDP and session affinity, over both
 * families, with one and two workers; each change twice in a row, with time in between and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "tests/scenarios/churn_world.h"

#define N_BACKENDS 4
#define N_OPEN 100

static void
list_backend(struct churn_world *w, unsigned i)
{
	w->backends[i] = (struct churn_backend){ true, true, true, true, false };
}

static unsigned
first_ready(const struct churn_world *w)
{
	for (unsigned i = 0; i < CHURN_BACKENDS; i++)
		if (w->backends[i].is_listed && w->backends[i].ready)
			return i;
	fail_msg("nobody is ready");
	return 0;
}

static unsigned
first_unused(const struct churn_world *w)
{
	for (unsigned i = 0; i < CHURN_BACKENDS; i++)
		if (!w->backends[i].is_alive && !w->backends[i].is_listed)
			return i;
	fail_msg("all are in use");
	return 0;
}

/* Steps, each published by itself. */

static void
remove_one(struct churn_world *w)
{
	w->backends[first_ready(w)].is_listed = false;
}

static void
add_one(struct churn_world *w)
{
	list_backend(w, first_unused(w));
}

/* One that left, and lives. */
static void
take_back(struct churn_world *w)
{
	for (unsigned i = 0; i < CHURN_BACKENDS; i++)
		if (w->backends[i].is_alive && !w->backends[i].is_listed) {
			list_backend(w, i);
			return;
		}
}

static void
make_unready(struct churn_world *w)
{
	w->backends[first_ready(w)].ready = false;
}

static void
make_ready(struct churn_world *w)
{
	for (unsigned i = 0; i < CHURN_BACKENDS; i++)
		if (w->backends[i].is_listed && !w->backends[i].terminating)
			w->backends[i].ready = true;
}

static void
terminate_one(struct churn_world *w)
{
	struct churn_backend *b = &w->backends[first_ready(w)];

	b->ready = false;
	b->terminating = true;
}

static void
take_out_terminating(struct churn_world *w)
{
	for (unsigned i = 0; i < CHURN_BACKENDS; i++)
		w->backends[i].is_listed &= !w->backends[i].terminating;
}

static void
end_terminating(struct churn_world *w)
{
	for (unsigned i = 0; i < CHURN_BACKENDS; i++)
		if (w->backends[i].terminating)
			w->backends[i] = (struct churn_backend){ 0 };
}

static void
replace_one(struct churn_world *w)
{
	terminate_one(w);
	add_one(w);
}

static void
terminate_all(struct churn_world *w)
{
	for (unsigned i = 0; i < CHURN_BACKENDS; i++)
		if (w->backends[i].is_listed) {
			w->backends[i].ready = false;
			w->backends[i].terminating = true;
		}
}

#define STEPS_MAX 8

static const struct scenario {
	const char *name;
	void (*steps[STEPS_MAX])(struct churn_world *w);
} scenarios[] = {
	{ "a backend is removed", { remove_one, take_back } },
	{ "a backend drains, leaves and dies",
		{ terminate_one, take_out_terminating, end_terminating, add_one } },
	{ "readiness flaps", { make_unready, make_ready } },
	{ "it scales up, and down again", { add_one, add_one, remove_one, remove_one } },
	{ "a rolling update",
		{ replace_one, replace_one, take_out_terminating, replace_one, end_terminating } },
	{ "all drain, and others come", { terminate_all, add_one, add_one, end_terminating } },
};

/* Ticks between steps: not even a listing's, some of them, enough. */
static const unsigned pauses[] = { 1, 2, 12 };

static void
settle(struct churn_world *w)
{
	for (unsigned i = 0; churn_is_moving(w) || w->is_listing; i++) {
		assert_int_not_equal(i, 30);
		churn_tick(w);
	}
}

static void
open_many(struct churn_world *w)
{
	for (unsigned i = 0; i < N_OPEN; i++)
		churn_open(w, i % 3 == 0);
}

/* The silent ones, too. A datagram socket's that nobody is connected to was quiet for too long to be waited for. */
static void
exchange_all(struct churn_world *w)
{
	for (unsigned i = 0; i < CHURN_FLOWS; i++)
		if (w->flows[i].is_open && !(w->kind == CHURN_UNCONNECTED && w->flows[i].is_silent))
			churn_exchange(w, &w->flows[i]);
}

static void
run(const struct scenario *s, enum churn_kind kind, unsigned n_workers, unsigned pause)
{
	struct churn_world *w = churn_new(kind, n_workers, N_BACKENDS);

	open_many(w);
	for (unsigned i = 0; i < 2 * STEPS_MAX; i++) {
		void (*step)(struct churn_world *) = s->steps[i % STEPS_MAX];

		if (step == NULL)
			continue;
		step(w);
		churn_publish(w);
		for (unsigned k = 0; k < pause; k++)
			churn_tick(w);
	}
	settle(w);
	for (unsigned i = 0; i < 130; i++) /* sweeps look at what was quiet */
		churn_tick(w);
	exchange_all(w);
	churn_free(w);
}

static void
run_all(enum churn_kind kind)
{
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		for (size_t p = 0; p < sizeof(pauses) / sizeof(pauses[0]); p++)
			for (unsigned n_workers = 1; n_workers <= 2; n_workers++) {
				print_message("  %s, %u s between steps, %u workers\n", scenarios[i].name,
					pauses[p], n_workers);
				run(&scenarios[i], kind, n_workers, pauses[p]);
			}
}

static void
connections_keep_their_backends(void **state)
{
	run_all(CHURN_TCP);
}

static void
connections_with_affinity_keep_their_backends(void **state)
{
	run_all(CHURN_AFFINITY);
}

static void
connections_that_no_kernel_shows_keep_their_backends(void **state)
{
	run_all(CHURN_OPAQUE);
}

static void
connected_datagram_sockets_keep_their_backends(void **state)
{
	run_all(CHURN_CONNECTED);
}

static void
unconnected_datagram_sockets_keep_backends_that_serve(void **state)
{
	run_all(CHURN_UNCONNECTED);
}

static void
a_new_backend_soon_has_its_share(void **state)
{
	static const enum churn_kind kinds[] = { CHURN_TCP, CHURN_CONNECTED, CHURN_UNCONNECTED };

	for (unsigned i = 0; i < 3; i++) {
		struct churn_world *w = churn_new(kinds[i], 2, N_BACKENDS);
		unsigned n = 0, n_new = 0, added;

		open_many(w);
		add_one(w);
		added = N_BACKENDS;
		churn_publish(w);
		for (unsigned second = 0; second < 60; second++) {
			for (unsigned k = 0; k < 40 && (churn_is_tcp(w) || !w->is_listing); k++) {
				struct churn_flow *flow = churn_open(w, false);

				n++;
				n_new += flow->backend == added;
				flow->is_open = false;
			}
			churn_tick(w);
		}
		print_message("  the new backend has %u of %u new flows\n", n_new, n);
		assert_true(n_new * 10 * (N_BACKENDS + 1) >= n * 8);
		churn_free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_keep_their_backends),
		cmocka_unit_test(connections_with_affinity_keep_their_backends),
		cmocka_unit_test(connections_that_no_kernel_shows_keep_their_backends),
		cmocka_unit_test(connected_datagram_sockets_keep_their_backends),
		cmocka_unit_test(unconnected_datagram_sockets_keep_backends_that_serve),
		cmocka_unit_test(a_new_backend_soon_has_its_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
