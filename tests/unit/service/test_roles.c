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

/* Bit by bit, in an order of its own; the neighbours stay, and so does what is declared. */
static void
what_was_learned_can_be_forgotten(void **state)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP };
	struct roles *r = calloc(1, sizeof(*r));

	roles_set(r, PROTO_TCP, 8080);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned port = 0; port < 65536; port++)
			assert_int_equal(roles_learn(r, protos[i], (uint16_t)port), i == 1 || port != 8080);
	roles_set(r, PROTO_UDP, 5353);
	assert_int_equal(r->n_learned, 2 * 65536 - 2);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < 65536; k++) {
			uint16_t port = (uint16_t)(k * 40503);
			bool declared = port == (i == 0 ? 8080 : 5353);

			assert_true(roles_has(r, protos[i], port));
			assert_int_equal(roles_unlearn(r, protos[i], port), !declared);
			assert_int_equal(roles_has(r, protos[i], port), declared);
		}
	assert_int_equal(r->n_learned, 0);
	free(r);
}

static void
note_port(uint8_t proto, uint16_t port, void *arg)
{
	*(uint32_t *)arg = *(uint32_t *)arg * 31 + ((uint32_t)proto << 16 | port);
}

static void
what_was_learned_is_told_and_counted_again(void **state)
{
	struct roles *r = calloc(1, sizeof(*r));
	uint32_t told = 0, expected = 0;

	roles_adopt(r);
	roles_set(r, PROTO_TCP, 80);
	roles_learn(r, PROTO_TCP, 60000);
	roles_learn(r, PROTO_UDP, 5353);
	r->n_learned = 99;
	assert_true(roles_adopt(r));
	assert_int_equal(r->n_learned, 2);
	roles_each_learned(r, note_port, &told);
	note_port(PROTO_TCP, 60000, &expected);
	note_port(PROTO_UDP, 5353, &expected);
	assert_int_equal(told, expected);
	free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_port_and_protocol_has_a_bit_of_its_own),
		cmocka_unit_test(a_former_process_leaves_its_bits_and_nothing_else_passes_for_them),
		cmocka_unit_test(what_was_learned_can_be_forgotten),
		cmocka_unit_test(what_was_learned_is_told_and_counted_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
