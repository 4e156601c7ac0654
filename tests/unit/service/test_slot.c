/* Properties of the slot in a source port, over all ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/service/hairpin.h"
#include "dataplane/service/slot.h"

static void
forward_then_reverse_is_the_identity(void **state)
{
	for (unsigned port = CLIENT_PORT_FIRST; port <= CLIENT_PORT_LAST; port++) {
		for (unsigned slot = 0; slot < SLOTS; slot++) {
			uint16_t wire = slot_encode((uint16_t)port, slot), back;

			assert_int_equal(slot_decode(wire, &back), slot);
			assert_int_equal(back, port);
		}
	}
}

static void
each_slot_has_its_range_and_no_other_port_is_decoded(void **state)
{
	static const struct {
		unsigned first, last;
		int slot;
	} ranges[] = {
		{ 0, 1023, -1 },
		{ 1024, 16383, 2 },
		{ EXCEPTION_PORT_FIRST, EXCEPTION_PORT_LAST, -1 },
		{ 17408, 32767, 3 },
		{ 32768, 33791, -1 },
		{ CLIENT_PORT_FIRST, CLIENT_PORT_LAST, 0 },
		{ 49152, 50175, -1 },
		{ 50176, 65535, 1 },
	};
	unsigned next = 0;

	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		assert_int_equal(ranges[i].first, next);
		for (unsigned port = ranges[i].first; port <= ranges[i].last; port++) {
			uint16_t client_port;

			assert_int_equal(slot_decode((uint16_t)port, &client_port), ranges[i].slot);
			assert_int_equal(slot_is_client_port((uint16_t)port), ranges[i].slot == 0);
		}
		next = ranges[i].last + 1;
	}
	assert_int_equal(next, 65536);
}

static void
hairpin_addresses_name_their_slot_and_nothing_else_does(void **state)
{
	static const char *const others[] = { "169.254.1.1", "fe80::1", "169.254.20.10", "169.254.1.15",
		"169.254.1.20", "169.254.2.16", "fd72:696e:6777:6179::f", "fd72:696e:6777:6179::14",
		"fd72:696e:6777:6179::1:10", "fd72:696e:6777:617a::10", "fe80::10", "10.0.0.16", "::" };

	for (unsigned slot = 0; slot < SLOTS; slot++) {
		for (unsigned v4 = 0; v4 < 2; v4++) {
			struct ip_addr a = hairpin_addr(v4, slot);

			assert_int_equal(ip_addr_is_v4(&a), v4);
			assert_int_equal(hairpin_slot(&a), slot);
		}
	}
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct ip_addr a;

		assert_true(ip_addr_parse(others[i], &a));
		assert_int_equal(hairpin_slot(&a), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward_then_reverse_is_the_identity),
		cmocka_unit_test(each_slot_has_its_range_and_no_other_port_is_decoded),
		cmocka_unit_test(hairpin_addresses_name_their_slot_and_nothing_else_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
