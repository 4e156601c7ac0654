/* Which ranges of ports lead the node's own processes to its node ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>

#include "control/node/own_ports.h"

static void
cover_is(const uint16_t *ports, size_t n, const char *wanted)
{
	struct port_range ranges[OWN_PORTS_RANGES_MAX];
	size_t n_ranges = own_ports_cover(ports, n, ranges);
	char text[512];
	int len = 0;

	for (size_t i = 0; i < n_ranges; i++)
		len += snprintf(
			text + len, sizeof(text) - (size_t)len, "%u-%u ", ranges[i].first, ranges[i].last);
	assert_string_equal(text, wanted);
}

static void
test_few_ports_are_covered_alone(void **state)
{
	cover_is((const uint16_t[]){ 30080 }, 1, "30080-30080 ");
	cover_is((const uint16_t[]){ 30080, 30081, 30082 }, 3, "30080-30082 ");
	cover_is((const uint16_t[]){ 80, 443, 30080, 30081, 30083 }, 5,
		"80-80 443-443 30080-30081 30083-30083 ");
	cover_is((const uint16_t[]){ 1, 65535 }, 2, "1-1 65535-65535 ");
}

static void
test_of_many_those_that_lie_closest_share_a_range(void **state)
{
	uint16_t ports[2 * OWN_PORTS_RANGES_MAX];
	char wanted[512];
	int len = 0;

	/* pairs, the last one closer together than those before: as many ranges as there are, and then one less */
	for (uint16_t i = 0; i < OWN_PORTS_RANGES_MAX; i++) {
		ports[2 * i] = (uint16_t)(1000 + 100 * i);
		ports[2 * i + 1] = (uint16_t)(1010 + 100 * i);
		len += snprintf(
			wanted + len, sizeof(wanted) - (size_t)len, "%u-%u ", ports[2 * i], ports[2 * i + 1]);
	}
	cover_is(ports, 2 * OWN_PORTS_RANGES_MAX, wanted);
	cover_is((const uint16_t[]){ 80, 443, 1000, 1002, 1100, 1200, 1300, 1400, 1500, 1600, 1700, 1800,
			 1900, 2000, 2100, 2200, 2300, 2302 },
		18,
		"80-80 443-443 1000-1002 1100-1100 1200-1200 1300-1300 1400-1400 1500-1500 1600-1600 "
		"1700-1700 "
		"1800-1800 1900-1900 2000-2000 2100-2100 2200-2200 2300-2302 ");
}

/* Every port is covered, at most so many ranges are used, and none of the gaps left open is narrower than one closed. */
static void
test_any_ports(void **state)
{
	static uint16_t ports[3000];
	struct port_range ranges[OWN_PORTS_RANGES_MAX];

	srand(7);
	for (unsigned round = 0; round < 200; round++) {
		size_t n = 0, n_ranges, at = 0;
		unsigned closed = 0, open = UINT16_MAX;

		for (unsigned port = 1 + (unsigned)rand() % 30000; n < 3000 && port <= UINT16_MAX;
			port += 1 + (unsigned)rand() % (1u << round % 12))
			ports[n++] = (uint16_t)port;
		n_ranges = own_ports_cover(ports, n, ranges);
		assert_in_range(n_ranges, 1, OWN_PORTS_RANGES_MAX);
		for (size_t i = 0; i < n; i++) {
			unsigned gap = i == 0 ? 0 : (unsigned)ports[i] - ports[i - 1];

			if (ports[i] > ranges[at].last) {
				at++;
				assert_int_equal(ports[i], ranges[at].first);
				open = gap < open ? gap : open;
			} else if (gap > closed) {
				closed = gap;
			}
			assert_in_range(ports[i], ranges[at].first, ranges[at].last);
		}
		assert_int_equal(at + 1, n_ranges);
		assert_int_equal(ranges[n_ranges - 1].last, ports[n - 1]);
		assert_true(closed <= open);
		assert_true(closed <= 1 || n_ranges == OWN_PORTS_RANGES_MAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_ports_are_covered_alone),
		cmocka_unit_test(test_of_many_those_that_lie_closest_share_a_range),
		cmocka_unit_test(test_any_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
