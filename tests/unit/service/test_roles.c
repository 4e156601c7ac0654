#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/service/roles.h"

static void
each_port_and_protocol_has_a_bit_of_its_own(void **state)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP };
	struct roles *r = calloc(1, sizeof(*r));

	for (unsigned i = 0; i < 2; i++) {
		uint8_t proto = protos[i];

		for (unsigned port = 0; port < 65536; port++) {
			assert_false(roles_has(r, proto, (uint16_t)port));
			assert_true(roles_set(r, proto, (uint16_t)port));
			assert_false(roles_set(r, proto, (uint16_t)port));
			assert_true(roles_has(r, proto, (uint16_t)port));
		}
	}
	free(r);
}

static void
a_former_process_leaves_its_bits_and_nothing_else_passes_for_them(void **state)
{
	struct roles *r = malloc(sizeof(*r));

	memset(r, 0xa5, sizeof(*r));
	assert_false(roles_adopt(r));
	assert_false(roles_has(r, PROTO_UDP, 53));
	roles_set(r, PROTO_UDP, 53);
	assert_true(roles_adopt(r));
	assert_true(roles_has(r, PROTO_UDP, 53));
	r->version++;
	assert_false(roles_adopt(r));
	assert_false(roles_has(r, PROTO_UDP, 53));
	roles_set(r, PROTO_TCP, 80);
	roles_clear(r);
	assert_false(roles_has(r, PROTO_TCP, 80));
	assert_true(roles_adopt(r));
	free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_port_and_protocol_has_a_bit_of_its_own),
		cmocka_unit_test(a_former_process_leaves_its_bits_and_nothing_else_passes_for_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
