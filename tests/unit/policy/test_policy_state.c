/* Server ports and the reply set, on a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/policy_state.h"

#define SECOND UINT64_C(1000000000)

static const uint64_t key[2] = { 1, 2 };

static struct policy_state *
state_new(void)
{
	struct policy_state *s = aligned_alloc(CACHE_LINE, sizeof(*s));

	memset(s, 0, sizeof(*s));
	assert_false(policy_state_adopt(s, key));
	return s;
}

static uint64_t
tag_of(const struct policy_state *s, unsigned n)
{
	struct ip_addr remote = ip_addr_v4(be32_from(0x0a000000 + (n >> 8)));

	return reply_tag(s, &remote, (uint16_t)n, 53, PROTO_UDP);
}

static void
each_port_has_a_bit_of_its_own(void **state)
{
	struct policy_state *s = state_new();

	for (unsigned port = 0; port < 65536; port += 3) {
		assert_false(policy_is_server(s, (uint16_t)port));
		assert_true(policy_learn_server(s, (uint16_t)port));
		assert_false(policy_learn_server(s, (uint16_t)port));
	}
	for (unsigned port = 0; port < 65536; port++)
		assert_int_equal(policy_is_server(s, (uint16_t)port), port % 3 == 0);
	for (unsigned port = 0; port < 65536; port++)
		assert_int_equal(policy_forget_server(s, (uint16_t)port), port % 3 == 0);
	for (unsigned i = 0; i < sizeof(s->summary) / sizeof(s->summary[0]); i++)
		assert_int_equal(s->summary[i], 0);
	assert_int_equal(s->n_learned, 0);
	free(s);
}

static void
what_is_declared_is_not_learned(void **state)
{
	struct policy_state *s = state_new();

	policy_declare_server(s, 80);
	assert_false(policy_learn_server(s, 80));
	policy_learn_server(s, 81);
	policy_learn_server(s, 8443);
	policy_declare_server(s, 8443);
	assert_int_equal(s->learned[80 / 64], UINT64_C(1) << 81 % 64);
	assert_int_equal(s->learned[8443 / 64], 0);
	assert_int_equal(s->n_learned, 1);
	free(s);
}

static void
a_former_process_leaves_its_state_and_nothing_else_passes_for_it(void **state)
{
	const uint64_t other[2] = { 3, 4 };
	struct policy_state *s = aligned_alloc(CACHE_LINE, sizeof(*s));

	memset(s, 0xa5, sizeof(*s));
	assert_false(policy_state_adopt(s, key));
	assert_false(policy_is_server(s, 80));
	policy_learn_server(s, 80);
	reply_write(s, tag_of(s, 1), 0);
	assert_true(policy_state_adopt(s, other));
	assert_true(policy_is_server(s, 80));
	assert_int_equal(s->n_learned, 1);
	assert_true(reply_find(s, tag_of(s, 1), 0));
	policy_state_clear(s, other);
	assert_false(policy_is_server(s, 80));
	assert_false(reply_find(s, tag_of(s, 1), 0));
	assert_true(s->key[0] == 3 && s->key[1] == 4);
	free(s);
}

static void
an_entry_lives_for_two_minutes_at_least_and_three_at_most(void **state)
{
	struct policy_state *s = state_new();

	for (unsigned start = 0; start < 200; start += 7) {
		uint64_t tag = tag_of(s, start);

		assert_false(reply_find(s, tag, start * SECOND));
		assert_true(reply_write(s, tag, start * SECOND));
		assert_true(reply_find(s, tag, (start + 134) * SECOND));
		assert_false(reply_find(s, tag, (start + 181) * SECOND));
		/* written again it lives on */
		assert_true(reply_write(s, tag, (start + 100) * SECOND));
		assert_true(reply_find(s, tag, (start + 234) * SECOND));
		reply_forget(s, tag);
		assert_false(reply_find(s, tag, (start + 234) * SECOND));
	}
	free(s);
}

static void
every_part_of_a_flow_tells(void **state)
{
	struct policy_state *s = state_new();
	struct ip_addr a = ip_addr_v4(be32_from(0x0a000001)), b = ip_addr_v4(be32_from(0x0a000002));

	reply_write(s, reply_tag(s, &a, 1, 2, PROTO_UDP), 0);
	assert_true(reply_find(s, reply_tag(s, &a, 1, 2, PROTO_UDP), 0));
	assert_false(reply_find(s, reply_tag(s, &b, 1, 2, PROTO_UDP), 0));
	assert_false(reply_find(s, reply_tag(s, &a, 2, 2, PROTO_UDP), 0));
	assert_false(reply_find(s, reply_tag(s, &a, 1, 1, PROTO_UDP), 0));
	assert_false(reply_find(s, reply_tag(s, &a, 2, 1, PROTO_UDP), 0));
	assert_false(reply_find(s, reply_tag(s, &a, 1, 2, PROTO_TCP), 0));
	free(s);
}

/* What is written once is found, until there is too much: then the oldest of a line go first, and it counts. */
static void
a_full_set_gives_up_what_is_oldest(void **state)
{
	const unsigned room = REPLY_LINES * REPLY_WAYS;
	struct policy_state *s = state_new();
	unsigned n_lost = 0, n_found = 0;

	for (unsigned i = 0; i < room / 8; i++)
		assert_true(reply_write(s, tag_of(s, i), SECOND));
	for (unsigned i = 0; i < room / 8; i++)
		assert_true(reply_find(s, tag_of(s, i), SECOND));
	for (unsigned i = room / 8; i < 4 * room; i++)
		n_lost += !reply_write(s, tag_of(s, i), SECOND);
	assert_int_equal(s->n_displaced, n_lost);
	assert_in_range(n_lost, 3 * room - 1, 3 * room + room / 8);
	for (unsigned i = 4 * room - room / 8; i < 4 * room; i++)
		assert_true(reply_find(s, tag_of(s, i), SECOND));
	for (unsigned i = 0; i < 4 * room; i++)
		n_found += reply_find(s, tag_of(s, i), SECOND);
	assert_int_equal(n_found, 4 * room - n_lost);
	free(s);
}

static void
the_dead_make_room(void **state)
{
	const unsigned room = REPLY_LINES * REPLY_WAYS;
	struct policy_state *s = state_new();

	for (unsigned i = 0; i < 4 * room; i++)
		reply_write(s, tag_of(s, i), SECOND);
	s->n_displaced = 0;
	for (unsigned i = 0; i < room / 8; i++)
		assert_true(reply_write(s, tag_of(s, i), 300 * SECOND));
	assert_int_equal(s->n_displaced, 0);
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_port_has_a_bit_of_its_own),
		cmocka_unit_test(what_is_declared_is_not_learned),
		cmocka_unit_test(a_former_process_leaves_its_state_and_nothing_else_passes_for_it),
		cmocka_unit_test(an_entry_lives_for_two_minutes_at_least_and_three_at_most),
		cmocka_unit_test(every_part_of_a_flow_tells),
		cmocka_unit_test(a_full_set_gives_up_what_is_oldest),
		cmocka_unit_test(the_dead_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
