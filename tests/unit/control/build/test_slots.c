#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/build/slots.h"

#define SECOND UINT64_C(1000000000)

static const struct family {
	const char *backend, *frontends[5];
} families[] = {
	{ "10.244.1.10", { "10.96.0.1", "10.96.0.2", "10.96.0.3", "10.96.0.4", "10.96.0.5" } },
	{ "fd00:10:244:1::a",
		{ "fd00:10:96::1", "fd00:10:96::2", "fd00:10:96::3", "fd00:10:96::4", "fd00:10:96::5" } },
};
#define FOREACH_FAMILY(f) for (const struct family *f = families; f < families + 2; f++)

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

static uint8_t
assign(struct slots *s, const struct family *f, unsigned frontend)
{
	struct ip_addr backend = addr(f->backend), front = addr(f->frontends[frontend]);

	return slots_assign(s, &backend, 8080, 6, &front, 80);
}

/* A build in which these frontends exist, and no others: a bit each. Checks their slots, in order. */
static void
build(struct slots *s, const struct family *f, uint64_t now_s, unsigned frontends, const uint8_t *want)
{
	slots_begin(s, now_s * SECOND);
	for (unsigned i = 0, n = 0; i < 5; i++)
		if (frontends & 1u << i)
			assert_int_equal(assign(s, f, i), want[n++]);
	for (unsigned i = 0; i < 5; i++) {
		struct ip_addr backend = addr(f->backend), front = addr(f->frontends[i]);

		if (!(frontends & 1u << i))
			slots_release(s, &backend, 8080, 6, &front, 80);
	}
}

static void
three_frontends_have_a_slot_and_keep_it(void **state)
{
	FOREACH_FAMILY(f)
	{
		struct slots *s = slots_new();

		build(s, f, 1, 0x0f, (uint8_t[]){ 1, 2, 3, 0 });
		build(s, f, 2, 0x0f, (uint8_t[]){ 1, 2, 3, 0 });
		build(s, f, 3, 0x1e, (uint8_t[]){ 2, 3, 0, 0 });
		slots_free(s);
	}
}

static void
a_released_slot_rests_before_another_has_it(void **state)
{
	FOREACH_FAMILY(f)
	{
		struct slots *s = slots_new();

		build(s, f, 1000, 0x07, (uint8_t[]){ 1, 2, 3 });
		build(s, f, 1001, 0x06, (uint8_t[]){ 2, 3 });
		build(s, f, 1001 + SLOT_REST_S - 1, 0x0e, (uint8_t[]){ 2, 3, 0 });
		build(s, f, 1001 + SLOT_REST_S, 0x0e, (uint8_t[]){ 2, 3, 1 });
		slots_free(s);
	}
}

static void
a_slot_that_flows_still_use_rests_on(void **state)
{
	FOREACH_FAMILY(f)
	{
		struct slots *s = slots_new();
		struct ip_addr backend = addr(f->backend), front = addr(f->frontends[0]);

		build(s, f, 1000, 0x07, (uint8_t[]){ 1, 2, 3 });
		build(s, f, 1001, 0x06, (uint8_t[]){ 2, 3 });
		slots_touch(s, &backend, 8080, 6, &front, 80, (1001 + SLOT_REST_S - 1) * SECOND);
		slots_touch(s, &backend, 8081, 6, &front, 80, (1001 + SLOT_REST_S - 1) * SECOND);
		build(s, f, 1001 + SLOT_REST_S, 0x0e, (uint8_t[]){ 2, 3, 0 });
		build(s, f, 1001 + 2 * SLOT_REST_S, 0x0e, (uint8_t[]){ 2, 3, 1 });
		slots_free(s);
	}
}

static void
who_comes_back_in_time_finds_its_slot(void **state)
{
	FOREACH_FAMILY(f)
	{
		struct slots *s = slots_new();

		build(s, f, 1000, 0x03, (uint8_t[]){ 1, 2 });
		build(s, f, 1001, 0x01, (uint8_t[]){ 1 });
		build(s, f, 1050, 0x07, (uint8_t[]){ 1, 2, 3 });
		build(s, f, 1000 + 2 * SLOT_REST_S, 0x07, (uint8_t[]){ 1, 2, 3 });
		slots_free(s);
	}
}

static void
count_record(const struct slot_record *r, void *arg)
{
	++*(unsigned *)arg;
}

/* What went while no process looked. */
static void
what_the_first_build_does_not_ask_for_is_released(void **state)
{
	struct slot_record r = { addr("10.244.1.10"), addr("10.96.0.1"), 8080, 80, 6, 1, 0 };
	struct slots *s = slots_new();

	assert_int_equal(slots_load(s, &r), 0);
	r.frontend_addr = addr("10.96.0.2");
	r.slot = 2;
	assert_int_equal(slots_load(s, &r), 0);
	slots_begin(s, 1000 * SECOND);
	assert_int_equal(assign(s, families, 0), 1);
	assert_int_equal(assign(s, families, 2), 3);
	slots_release_unasked(s);
	slots_begin(s, (1000 + SLOT_REST_S - 1) * SECOND);
	assert_int_equal(assign(s, families, 3), 0);
	slots_begin(s, (1000 + SLOT_REST_S) * SECOND);
	assert_int_equal(assign(s, families, 3), 2);
	slots_free(s);
}

static void
many_pairs_come_and_go(void **state)
{
	struct slots *s = slots_new();
	struct ip_addr backend = addr("10.244.0.0"), frontend = addr("10.96.0.1");
	unsigned n = 0;

	for (unsigned round = 0; round < 10; round++) {
		slots_begin(s, (1000 + round * SLOT_REST_S) * SECOND);
		for (unsigned i = 0; i < 1000; i++) {
			backend.b[15] = (uint8_t)i;
			backend.b[14] = (uint8_t)(i >> 8);
			if ((i + round) % 2)
				assert_int_equal(slots_assign(s, &backend, 80, 6, &frontend, 80), 1);
			else
				slots_release(s, &backend, 80, 6, &frontend, 80);
		}
	}
	slots_each(s, count_record, &n);
	assert_int_equal(n, 1000); /* half of them rest */
	slots_begin(s, (1000 + 10 * SLOT_REST_S) * SECOND);
	n = 0;
	slots_each(s, count_record, &n);
	assert_int_equal(n, 500);
	slots_free(s);
}

static void
backends_do_not_share_slots(void **state)
{
	struct slots *s = slots_new();
	struct ip_addr frontend = addr("10.96.0.1"), other = addr("10.96.0.2");

	slots_begin(s, SECOND);
	for (unsigned i = 0; i < 1000; i++) {
		struct ip_addr backend = addr("10.244.0.0");

		backend.b[15] = (uint8_t)i;
		backend.b[14] = (uint8_t)(i >> 8);
		for (unsigned proto = 6; proto <= 17; proto += 11) {
			assert_int_equal(slots_assign(s, &backend, 80, (uint8_t)proto, &frontend, 80), 1);
			assert_int_equal(slots_assign(s, &backend, 80, (uint8_t)proto, &other, 80), 2);
			assert_int_equal(slots_assign(s, &backend, 80, (uint8_t)proto, &frontend, 81), 3);
			assert_int_equal(slots_assign(s, &backend, 81, (uint8_t)proto, &other, 80), 1);
		}
	}
	slots_free(s);
}

/* What a process writes down, and the next one reads. */
struct records {
	unsigned n;
	struct slot_record records[16];
};

static void
write_down(const struct slot_record *r, bool is_forgotten, void *arg)
{
	struct records *all = arg;
	unsigned i = 0;

	while (i < all->n && !(ip_addr_eq(&all->records[i].frontend_addr, &r->frontend_addr) &&
				     ip_addr_eq(&all->records[i].backend_addr, &r->backend_addr)))
		i++;
	if (is_forgotten) {
		assert_true(i < all->n);
		all->records[i] = all->records[--all->n];
		return;
	}
	if (i == all->n)
		all->n++;
	all->records[i] = *r;
}

static struct slots *
restart(struct slots *s, struct records *r)
{
	unsigned n = 0;

	slots_each_change(s, write_down, r);
	slots_changes_written(s);
	slots_each(s, count_record, &n);
	assert_int_equal(r->n, n);
	slots_free(s);
	s = slots_new();
	for (unsigned i = r->n; i-- > 0;) /* in whatever order */
		assert_int_equal(slots_load(s, &r->records[i]), 0);
	return s;
}

static void
a_restart_changes_nothing(void **state)
{
	FOREACH_FAMILY(f)
	{
		struct records r = { 0 };
		struct slots *s = slots_new();

		build(s, f, 1000, 0x07, (uint8_t[]){ 1, 2, 3 });
		s = restart(s, &r);
		build(s, f, 1001, 0x06, (uint8_t[]){ 2, 3 });
		s = restart(s, &r);
		build(s, f, 1002, 0x1e, (uint8_t[]){ 2, 3, 0, 0 });
		s = restart(s, &r);
		build(s, f, 1001 + SLOT_REST_S, 0x1e, (uint8_t[]){ 2, 3, 1, 0 });
		s = restart(s, &r);
		build(s, f, 1002 + SLOT_REST_S, 0x10, (uint8_t[]){ 0 });
		s = restart(s, &r);
		build(s, f, 1002 + 2 * SLOT_REST_S, 0x10, (uint8_t[]){ 1 });
		s = restart(s, &r);
		assert_int_equal(r.n, 1);
		slots_free(s);
	}
}

static void
count_change(const struct slot_record *record, bool is_forgotten, void *arg)
{
	++*(unsigned *)arg;
}

/* The disk may be full for a while. */
static void
what_was_not_written_is_told_again(void **state)
{
	struct slots *s = slots_new();
	unsigned n = 0;

	build(s, families, 1, 0x03, (uint8_t[]){ 1, 2 });
	slots_each_change(s, count_change, &n);
	assert_int_equal(n, 2);
	build(s, families, 2, 0x07, (uint8_t[]){ 1, 2, 3 });
	slots_each_change(s, count_change, &n);
	assert_int_equal(n, 2 + 3);
	slots_changes_written(s);
	slots_each_change(s, count_change, &n);
	assert_int_equal(n, 5);
	slots_free(s);
}

static void
records_that_contradict_are_left_out(void **state)
{
	struct slots *s = slots_new();
	struct slot_record r = { addr("10.244.1.10"), addr("10.96.0.2"), 8080, 80, 6, 2, 0 };

	assert_int_equal(slots_load(s, &r), 0);
	r.slot = 3; /* the same pair again */
	assert_int_equal(slots_load(s, &r), 0);
	r.frontend_addr = addr("10.96.0.3");
	r.slot = 2; /* taken */
	assert_int_equal(slots_load(s, &r), 0);
	r.slot = 4;
	assert_int_equal(slots_load(s, &r), 0);
	r.slot = 0;
	assert_int_equal(slots_load(s, &r), 0);
	build(s, families, 1, 0x07, (uint8_t[]){ 1, 2, 3 });
	slots_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_frontends_have_a_slot_and_keep_it),
		cmocka_unit_test(a_released_slot_rests_before_another_has_it),
		cmocka_unit_test(a_slot_that_flows_still_use_rests_on),
		cmocka_unit_test(who_comes_back_in_time_finds_its_slot),
		cmocka_unit_test(what_the_first_build_does_not_ask_for_is_released),
		cmocka_unit_test(many_pairs_come_and_go),
		cmocka_unit_test(backends_do_not_share_slots),
		cmocka_unit_test(a_restart_changes_nothing),
		cmocka_unit_test(what_was_not_written_is_told_again),
		cmocka_unit_test(records_that_contradict_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
