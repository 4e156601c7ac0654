/* The bounded set of hosts that are looked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/node/neighbours.h"

static const struct mac_addr mac = { { 2, 0, 0, 0, 0, 7 } };

static struct ip_addr
host(unsigned i)
{
	return ip_addr_v4(be32_from(0x0a000000 + i));
}

static void
test_a_scan_finds_little_room_and_takes_nobody_elses(void **state)
{
	static struct neighbours s;
	struct ip_addr known = host(0), gateway = host(1), a;
	unsigned n = 0;

	assert_true(neighbours_add(&s, &known, false));
	assert_false(neighbours_add(&s, &known, false));
	assert_true(neighbours_learn(&s, &known, &mac));
	assert_false(neighbours_learn(&s, &known, &mac));
	for (unsigned i = 2; i < 5000; i++) {
		a = host(i);
		n += neighbours_add(&s, &a, false);
	}
	assert_int_equal(n, NEIGHBOURS_PENDING_MAX);
	assert_true(neighbours_add(&s, &gateway, true)); /* of a route: always */
	assert_true(neighbours_find(&s, &known)->is_resolved);

	/* who does not answer makes room */
	for (unsigned i = 2; i < 5000; i++) {
		a = host(i);
		neighbours_learn(&s, &a, NULL);
	}
	assert_int_equal(s.n, 2);
	assert_int_equal(s.n_pending, 0);
	neighbours_learn(&s, &gateway, NULL);
	assert_non_null(neighbours_find(&s, &gateway)); /* is asked for again */
}

static void
test_a_full_set_replaces_hosts_but_no_gateways(void **state)
{
	static struct neighbours s;
	struct ip_addr gateway = host(1), a;

	assert_true(neighbours_add(&s, &gateway, true));
	for (unsigned i = 2; i < 3 * NEIGHBOURS_MAX; i++) {
		a = host(i);
		assert_true(neighbours_add(&s, &a, false));
		assert_true(neighbours_learn(&s, &a, &mac));
	}
	assert_int_equal(s.n, NEIGHBOURS_MAX);
	assert_non_null(neighbours_find(&s, &gateway));
	assert_non_null(neighbours_find(&s, &a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_scan_finds_little_room_and_takes_nobody_elses),
		cmocka_unit_test(test_a_full_set_replaces_hosts_but_no_gateways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
