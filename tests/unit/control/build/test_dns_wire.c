#include "control/build/dns_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void
assert_round(const char *text, const char *wanted)
{
	char buf[DNS_TEXT_SIZE];
	struct dns_wire name;

	assert_true(dns_wire_parse(text, &name));
	assert_string_equal(dns_wire_format(name.bytes, buf), wanted);
}

static void
names_are_read_and_written(void **state)
{
	struct dns_wire name;

	assert_true(dns_wire_parse("Web.shop", &name));
	assert_int_equal(name.len, 10);
	assert_memory_equal(name.bytes, "\3web\4shop", 10);
	assert_round("web.shop.", "web.shop.");
	assert_round(".", ".");
	assert_round("a\\.b.c", "a\\.b.c.");
	assert_round("a\\032b\\255.c", "a\\032b\\255.c.");
	assert_round("a\\\\b", "a\\\\b.");
}

static void
what_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = { "", "..", ".a", "a..b", "a\\", "a\\300",
		"0123456789012345678901234567890123456789012345678901234567890123" };
	char long_name[2 * 128 + 1] = "";
	struct dns_wire name;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(dns_wire_parse(bad[i], &name));
	for (unsigned i = 0; i < 127; i++)
		memcpy(long_name + (size_t)2 * i, "a.", 3);
	assert_true(dns_wire_parse(long_name, &name));
	assert_int_equal(name.len, 255);
	memcpy(long_name + (size_t)2 * 127, "a", 2);
	assert_false(dns_wire_parse(long_name, &name));
}

static void
assert_reverse(const char *addr, const char *wanted)
{
	char buf[DNS_TEXT_SIZE];
	struct dns_wire name;
	struct ip_addr a;

	assert_true(ip_addr_parse(addr, &a));
	dns_wire_reverse(&a, &name);
	assert_string_equal(dns_wire_format(name.bytes, buf), wanted);
}

static void
addresses_have_reverse_names(void **state)
{
	assert_reverse("10.1.0.7", "7.0.1.10.in-addr.arpa.");
	assert_reverse("2001:db8::567:89ab",
		"b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_read_and_written),
		cmocka_unit_test(what_is_no_name_is_refused),
		cmocka_unit_test(addresses_have_reverse_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
