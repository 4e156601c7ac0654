#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/net/error_budget.h"

#define SECOND_NS UINT64_C(1000000000)

static unsigned
take_all(struct error_budget *e, enum reply_kind kind, uint64_t now_ns)
{
	unsigned n = 0;

	while (error_budget_take(e, kind, now_ns))
		n++;
	return n;
}

static void
a_burst_passes_and_no_more(void **state)
{
	static const uint64_t starts[] = { 0, 1, 77 * SECOND_NS };

	for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		struct error_budget e = { 0 };

		assert_int_equal(take_all(&e, REPLY_TTL, starts[i]), ERROR_BURST);
	}
}

static void
tokens_come_back_one_by_one(void **state)
{
	struct error_budget e = { 0 };
	uint64_t now_ns = 5 * SECOND_NS;

	take_all(&e, REPLY_TTL, now_ns);
	assert_int_equal(take_all(&e, REPLY_TTL, now_ns + ERROR_INTERVAL_NS - 1), 0);
	assert_int_equal(take_all(&e, REPLY_TTL, now_ns + ERROR_INTERVAL_NS), 1);
	assert_int_equal(take_all(&e, REPLY_TTL, now_ns + 4 * ERROR_INTERVAL_NS), 3);
}

static void
quiet_saves_no_more_than_a_burst(void **state)
{
	struct error_budget e = { 0 };

	take_all(&e, REPLY_TOO_BIG, SECOND_NS);
	assert_int_equal(take_all(&e, REPLY_TOO_BIG, 3600 * SECOND_NS), ERROR_BURST);
}

static void
kinds_do_not_share(void **state)
{
	struct error_budget e = { 0 };

	take_all(&e, REPLY_TTL, SECOND_NS);
	take_all(&e, REPLY_UNREACHABLE, SECOND_NS);
	assert_int_equal(take_all(&e, REPLY_TOO_BIG, SECOND_NS), ERROR_BURST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_passes_and_no_more),
		cmocka_unit_test(tokens_come_back_one_by_one),
		cmocka_unit_test(quiet_saves_no_more_than_a_burst),
		cmocka_unit_test(kinds_do_not_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
