/* The spread that buckets, outer source ports and tables rely on: chi-square over keys as a cluster has them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "dataplane/net/flow_key.h"

#define BINS 256
#define KEYS 65536

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

/* 99.99% of random draws lie below this for 255 degrees of freedom. */
#define CHI_SQUARE_LIMIT 346.0

static double
chi_square(const unsigned bins[BINS])
{
	double expected = (double)KEYS / BINS, sum = 0;

	for (unsigned i = 0; i < BINS; i++)
		sum += (bins[i] - expected) * (bins[i] - expected) / expected;
	return sum;
}

static void
check_spread(const char *src_text, const char *dst_text, unsigned n_ports, unsigned shift)
{
	struct ip_addr src = addr(src_text), dst = addr(dst_text);
	unsigned bins[BINS] = { 0 };

	for (unsigned i = 0; i < KEYS; i++) {
		src.b[15] = (uint8_t)(i / n_ports);
		src.b[14] = (uint8_t)(i / n_ports >> 8);
		bins[flow_hash(&src, &dst, (uint16_t)(33792 + i % n_ports), 80, 6) >> shift & (BINS - 1)]++;
	}
	assert_true(chi_square(bins) < CHI_SQUARE_LIMIT);
}

static void
flows_spread_over_low_and_high_bits(void **state)
{
	static const unsigned n_ports[] = { 1, 2, 256, 8192, 65536 };

	for (unsigned i = 0; i < sizeof(n_ports) / sizeof(n_ports[0]); i++) {
		for (unsigned shift = 0; shift <= 24; shift += 8) {
			check_spread("10.244.0.0", "10.96.0.10", n_ports[i], shift);
			check_spread("fd00:10:244::", "fd00:10:96::a", n_ports[i], shift);
		}
	}
}

static void
addresses_spread(void **state)
{
	struct ip_addr a[2] = { addr("10.96.0.0"), addr("fd00:10:96::") };

	for (unsigned family = 0; family < 2; family++) {
		unsigned bins[BINS] = { 0 };

		for (unsigned i = 0; i < KEYS; i++) {
			a[family].b[15] = (uint8_t)i;
			a[family].b[14] = (uint8_t)(i >> 8);
			bins[addr_hash(&a[family], 443, 6) & (BINS - 1)]++;
		}
		assert_true(chi_square(bins) < CHI_SQUARE_LIMIT);
	}
}

static void
every_field_counts(void **state)
{
	struct ip_addr a = addr("10.0.0.1"), b = addr("10.0.0.2");
	uint32_t h = flow_hash(&a, &b, 1000, 80, 6);

	assert_int_not_equal(h, flow_hash(&b, &a, 1000, 80, 6));
	assert_int_not_equal(h, flow_hash(&a, &b, 80, 1000, 6));
	assert_int_not_equal(h, flow_hash(&a, &b, 1000, 80, 17));
	assert_int_not_equal(addr_hash(&a, 80, 6), addr_hash(&a, 80, 17));
	assert_int_not_equal(addr_hash(&a, 80, 6), addr_hash(&a, 81, 6));
}

/* A restart must find each flow in the bucket where it was: these values are part of the contract. */
static void
the_function_does_not_change(void **state)
{
	struct ip_addr a = addr("10.244.1.10"), b = addr("10.96.0.10");

	assert_int_equal(flow_hash(&a, &b, 40000, 80, 6), 0xc7e5b7c0);
	assert_int_equal(addr_hash(&b, 80, 6), 0x6580ea80);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_spread_over_low_and_high_bits),
		cmocka_unit_test(addresses_spread),
		cmocka_unit_test(every_field_counts),
		cmocka_unit_test(the_function_does_not_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
