/* What failed a moment ago is known for a second, and only so much of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "control/loop.h"
#include "control/resolve/failures.h"

#define NOW (1000 * NS_PER_S)

static struct dns_cache_key
key_of(uint64_t number)
{
	return (struct dns_cache_key){ .hash = number * UINT64_C(0x9e3779b97f4a7c15), .type = 1 };
}

static void
a_failure_is_known_for_a_second(void **state)
{
	static struct failures f;
	struct dns_cache_key key = key_of(1), other = key;

	(void)state;
	other.dnssec = true;
	assert_false(failures_has(&f, &key, NOW));
	failures_note(&f, &key, NOW);
	assert_true(failures_has(&f, &key, NOW + NS_PER_S - 1));
	assert_false(failures_has(&f, &other, NOW));
	assert_false(failures_has(&f, &key, NOW + NS_PER_S));
	failures_note(&f, &key, NOW + NS_PER_S / 2); /* again */
	assert_true(failures_has(&f, &key, NOW + NS_PER_S));
	failures_forget(&f, &other);
	assert_true(failures_has(&f, &key, NOW));
	failures_forget(&f, &key);
	assert_false(failures_has(&f, &key, NOW));
}

static void
the_latest_are_known_of_more_than_there_is_room_for(void **state)
{
	static struct failures f;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		struct dns_cache_key key = key_of(i);

		failures_note(&f, &key, NOW + i);
		assert_true(failures_has(&f, &key, NOW + i));
	}
	for (unsigned i = 0; i < 10000; i++) {
		struct dns_cache_key key = key_of(i);

		n += failures_has(&f, &key, NOW + 10000);
		if (i >= 9900) /* in a set of its own, or beside few others */
			assert_true(failures_has(&f, &key, NOW + 10000));
	}
	assert_int_equal(n, FAILURE_SETS * FAILURE_WAYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_known_for_a_second),
		cmocka_unit_test(the_latest_are_known_of_more_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
