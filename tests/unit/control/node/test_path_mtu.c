/* What tunnels were found to take: only ever less, for a while, and bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/node/path_mtu.h"

#define START UINT64_C(5000000000)
#define END (START + PATH_MTU_LIFETIME_NS)

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

static void
news_lower_a_tunnel_for_a_while(void **state)
{
	const struct ip_addr tunnels[] = { addr("192.0.2.2"), addr("2001:db8::2") };
	struct path_mtus *p = path_mtus_new();

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(path_mtu_of(p, &tunnels[i]), 0);
		assert_true(path_mtu_learn(p, &tunnels[i], 1350, START));
		assert_false(path_mtu_learn(p, &tunnels[i], 1350, START));
		assert_int_equal(path_mtu_of(p, &tunnels[i]), 1350);
	}
	assert_true(path_mtu_learn(p, &tunnels[0], 1280, START + 1));
	assert_false(path_mtus_expire(p, END - 1));
	assert_true(path_mtus_expire(p, END));
	assert_int_equal(path_mtu_of(p, &tunnels[1]), 0);
	assert_int_equal(path_mtu_of(p, &tunnels[0]), 1280);
	assert_true(path_mtus_expire(p, END + 1));
	assert_int_equal(path_mtu_of(p, &tunnels[0]), 0);
	path_mtus_free(p);
}

/* RFC 8201 section 4: a message that a packet was too big never raises the estimate. Two of them may come before the
 * tables that the first one changes. */
static void
news_never_raise_a_tunnel(void **state)
{
	const struct ip_addr tunnel = addr("192.0.2.2");
	struct path_mtus *p = path_mtus_new();

	assert_true(path_mtu_learn(p, &tunnel, 1280, START));
	assert_false(path_mtu_learn(p, &tunnel, 1400, START + 1));
	assert_int_equal(path_mtu_of(p, &tunnel), 1280);
	assert_true(path_mtus_expire(p, END)); /* nor does it make the lower one last longer */
	assert_true(path_mtu_learn(p, &tunnel, 1400, END));
	path_mtus_free(p);
}

static void
the_oldest_gives_way(void **state)
{
	struct path_mtus *p = path_mtus_new();
	struct ip_addr first = addr("fd00::1"), a = addr("fd00::");

	for (uint32_t i = 1; i <= 1025; i++) {
		a.b[14] = (uint8_t)(i >> 8);
		a.b[15] = (uint8_t)i;
		assert_true(path_mtu_learn(p, &a, 1300, START + i));
	}
	assert_int_equal(path_mtu_of(p, &a), 1300);
	assert_int_equal(path_mtu_of(p, &first), 0);
	a = addr("fd00::2");
	assert_int_equal(path_mtu_of(p, &a), 1300);
	path_mtus_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(news_lower_a_tunnel_for_a_while),
		cmocka_unit_test(news_never_raise_a_tunnel),
		cmocka_unit_test(the_oldest_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
