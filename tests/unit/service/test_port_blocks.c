/* Ports in blocks: whose they are, how they grow and come back, and that no two flows to one destination share one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dataplane/service/port_blocks.h"

#define CAPACITY 4096
#define FIRST 16384
#define BLOCKS 8 /* in the range */

static struct port_set range;

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

static struct nat_flows *
flows_new(void)
{
	const struct nat_flows_config config = { .capacity = CAPACITY, .quota = CAPACITY };
	struct nat_flows *e = aligned_alloc(64, (nat_flows_size(CAPACITY) + 63) / 64 * 64);

	assert_non_null(e);
	memset(e, 0, nat_flows_size(CAPACITY));
	nat_flows_adopt(e, &config, 0);
	return e;
}

static struct nat_flow
flow(const char *client, uint16_t client_port, const char *to, uint16_t port)
{
	return (struct nat_flow){ .client = addr(client),
		.client_port = client_port,
		.frontend = addr(to),
		.frontend_port = port,
		.backend = addr(to),
		.backend_port = port,
		.wire = addr("192.0.2.1"),
		.has_block = true,
		.proto = PROTO_UDP };
}

/* The port that the flow got; 0: none. */
static uint16_t
add(struct port_blocks *b, struct nat_flows *e, struct nat_flow f, bool *is_quota)
{
	f.wire_port = port_blocks_choose(b, &range, &f, is_quota);
	if (f.wire_port != 0) {
		port_blocks_take(b, &f);
		assert_non_null(nat_flows_add(e, &f, NULL, 0));
	}
	return f.wire_port;
}

static int
setup(void **state)
{
	for (unsigned i = 0; i < BLOCKS; i++)
		range.bits[FIRST / 64 + i] = ~UINT64_C(0);
	return 0;
}

static void
a_client_gets_blocks_as_it_needs_them_and_no_more_than_its_share(void **state)
{
	struct nat_flows *e = flows_new();
	struct port_blocks *b = port_blocks_adopt(&(struct port_blocks_tables){ .outbound = e }, 0, 1, 3);
	unsigned blocks_used = 0, n = 0;
	bool is_quota = false;

	for (uint16_t i = 0; i < 1000; i++)
		n += add(b, e, flow("10.244.1.10", (uint16_t)(1000 + i), "203.0.113.7", 53), &is_quota) != 0;
	assert_true(is_quota);
	assert_in_range(n, 64 * 3 * 9 / 10, 64 * 3);
	for (unsigned i = 0; i < PORT_BLOCKS; i++)
		blocks_used += nat_flows_block_uses(e, i) != 0;
	assert_int_equal(blocks_used, 3);

	/* all its ports again for another destination, none of another client's */
	n = 0;
	for (uint16_t i = 0; i < 64; i++)
		n += add(b, e, flow("10.244.1.10", (uint16_t)(1000 + i), "203.0.113.8", 53), &is_quota) != 0;
	assert_int_equal(n, 64);
	for (uint16_t i = 0; i < 64; i++) {
		uint16_t port =
			add(b, e, flow("10.244.1.11", (uint16_t)(1000 + i), "203.0.113.7", 53), &is_quota);
		struct ip_addr other = addr("10.244.1.11");

		assert_int_not_equal(port, 0);
		assert_true(ip_addr_eq(&b->owner[port / 64], &other));
	}
	port_blocks_free(b);
	free(e);
}

/* explain only wants to know. */
static void
to_choose_is_not_to_take(void **state)
{
	struct nat_flows *e = flows_new();
	struct port_blocks *b = port_blocks_adopt(&(struct port_blocks_tables){ .outbound = e }, 0, 1, 3);
	struct nat_flow f = flow("10.244.1.10", 1000, "203.0.113.7", 53);
	struct port_blocks before;
	bool is_quota;
	uint16_t port;

	for (unsigned round = 0; round < 2; round++) {
		/* in a block of its own at first, then in the one that it has */
		before = *b;
		port = port_blocks_choose(b, &range, &f, &is_quota);
		assert_int_not_equal(port, 0);
		assert_memory_equal(&before, b, sizeof(before));
		assert_int_equal(add(b, e, f, &is_quota), port);
		f.client_port++;
	}
	port_blocks_free(b);
	free(e);
}

static void
a_block_is_free_when_its_last_flow_has_ended(void **state)
{
	struct nat_flows *e = flows_new();
	struct port_blocks *b =
		port_blocks_adopt(&(struct port_blocks_tables){ .outbound = e }, 0, 1, BLOCKS);
	struct ip_addr client = addr("10.244.1.10");
	bool is_quota;

	for (uint16_t i = 0; i < 64 * BLOCKS; i++)
		add(b, e, flow("10.244.1.10", (uint16_t)(1000 + i), "203.0.113.7", 53), &is_quota);
	assert_int_equal(add(b, e, flow("10.244.1.11", 1, "203.0.113.9", 53), &is_quota), 0);
	assert_false(is_quota);
	nat_flows_delete_client(e, &client);
	assert_int_not_equal(add(b, e, flow("10.244.1.11", 1, "203.0.113.9", 53), &is_quota), 0);
	port_blocks_free(b);
	free(e);
}

static void
workers_give_out_their_own_blocks_and_ports_that_are_free(void **state)
{
	struct port_set all = range;
	bool is_quota;

	range.bits[FIRST / 64 + 2] = 0; /* the host uses these */
	range.bits[FIRST / 64 + 3] = UINT64_C(1) << 9;
	for (unsigned worker = 0; worker < 2; worker++) {
		struct nat_flows *e = flows_new();
		struct port_blocks *b = port_blocks_adopt(
			&(struct port_blocks_tables){ .outbound = e }, worker, 2, PORT_BLOCKS);
		unsigned n = 0;

		for (uint16_t i = 0; i < 500; i++) {
			uint16_t port = add(b, e,
				flow("10.244.1.10", (uint16_t)(1000 + i), "203.0.113.7", 53), &is_quota);

			if (port == 0)
				continue;
			assert_int_equal(flow_owner_of_port(port, 2), worker);
			assert_true(port_set_has(&range, port));
			n++;
		}
		assert_in_range(n, 64 * 3 * 8 / 10, 64 * 3 + 1);
		port_blocks_free(b);
		free(e);
	}
	range = all;
}

static void
owners_are_known_again_after_a_restart(void **state)
{
	const struct nat_flows_config config = { .capacity = CAPACITY, .quota = CAPACITY };
	struct nat_flows *e = flows_new();
	struct port_blocks *b = port_blocks_adopt(&(struct port_blocks_tables){ .outbound = e }, 0, 1, 4);
	struct nat_flow f = flow("10.244.1.10", 1000, "203.0.113.7", 53);
	bool is_quota;
	uint16_t port = add(b, e, f, &is_quota);

	port_blocks_free(b);
	assert_int_equal(nat_flows_adopt(e, &config, 0), 1);
	b = port_blocks_adopt(&(struct port_blocks_tables){ .outbound = e }, 0, 1, 4);
	assert_true(ip_addr_eq(&b->owner[port / 64], &f.client));
	assert_int_equal(add(b, e, flow("10.244.1.10", 1001, "203.0.113.7", 53), &is_quota) / 64, port / 64);
	port_blocks_free(b);

	/* with another number of workers, ports that are another's now bring no answers */
	for (unsigned worker = 0; worker < 2; worker++) {
		nat_flows_adopt(e, &config, 0);
		b = port_blocks_adopt(&(struct port_blocks_tables){ .outbound = e }, worker, 2, 4);
		port_blocks_free(b);
		if (flow_owner_of_port(port, 2) != worker)
			break;
		assert_int_equal(e->n, 2);
	}
	assert_true(nat_flows_is_empty(e));
	free(e);
}

/* A worker's tables, for clients outside, too. */
static struct port_blocks_tables
tables_new(void)
{
	const struct nat_flows_config config = { .capacity = CAPACITY, .evicts = true };
	struct port_blocks_tables t = {
		.outbound = flows_new(), .inbound = flows_new(), .half_open = flows_new()
	};

	nat_flows_adopt(t.half_open, &config, 1);
	return t;
}

static void
tables_free(const struct port_blocks_tables *t)
{
	free(t->outbound);
	free(t->inbound);
	free(t->half_open);
}

/* A flow of a client outside, half-open or confirmed at once; its port, 0: none. */
static uint16_t
add_shared(struct port_blocks *b, uint16_t client_port, const char *to, bool is_confirmed)
{
	struct nat_flow f = flow("203.0.113.77", client_port, to, 80), *x;

	f.wire_port = port_blocks_choose_shared(b, &range, &f);
	if (f.wire_port == 0)
		return 0;
	x = nat_flows_add(b->flows.half_open, &f, NULL, 0);
	assert_non_null(x);
	if (is_confirmed)
		assert_ptr_not_equal(nat_flows_move(b->flows.inbound, b->flows.half_open, x, 0), x);
	return f.wire_port;
}

static void
clients_outside_share_half_of_the_blocks(void **state)
{
	struct port_blocks_tables t = tables_new();
	struct port_blocks *b = port_blocks_adopt(&t, 0, 1, BLOCKS);
	uint64_t blocks = 0;
	unsigned n = 0;
	bool is_quota;

	for (uint16_t i = 0; i < 5000; i++) {
		uint16_t port = add_shared(b, (uint16_t)(1000 + i), "192.0.2.2", false);

		assert_true(port_set_has(&range, port));
		blocks |= UINT64_C(1) << (port - FIRST) / 64;
	}
	assert_int_equal(__builtin_popcountll(blocks), BLOCKS / 2);
	assert_in_range(t.half_open->n, 64 * BLOCKS / 2 * 9 / 10, 64 * BLOCKS / 2);
	/* the other half is for pods, and none of it for clients outside while pods have it */
	for (uint16_t i = 0; i < 64 * BLOCKS; i++)
		n += add(b, t.outbound, flow("10.244.1.10", (uint16_t)(1000 + i), "192.0.2.2", 80),
			     &is_quota) != 0;
	assert_in_range(n, 64 * BLOCKS / 2 * 8 / 10, 64 * BLOCKS / 2);
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_int_equal(nat_flows_block_uses(t.outbound, FIRST / 64 + i) != 0, !(blocks >> i & 1));
	port_blocks_free(b);
	tables_free(&t);
}

static void
what_is_half_open_has_a_port_until_another_needs_it(void **state)
{
	struct port_blocks_tables t = tables_new();
	struct port_blocks *b = port_blocks_adopt(&t, 0, 1, BLOCKS);
	unsigned n = 0;

	for (uint16_t i = 0; i < 1000; i++)
		n += add_shared(b, (uint16_t)(1000 + i), "192.0.2.2", i % 8 == 0) != 0;
	assert_int_equal(n, 1000);
	assert_int_equal(t.inbound->n, 125);
	/* confirmed flows keep theirs, to the last one */
	for (uint16_t i = 0; i < 20000 && t.inbound->n < 64 * BLOCKS / 2; i++)
		add_shared(b, (uint16_t)(3000 + i), "192.0.2.2", true);
	assert_int_equal(t.inbound->n, 64 * BLOCKS / 2);
	assert_int_equal(add_shared(b, 1, "192.0.2.2", false), 0);
	/* towards another destination they are free */
	assert_int_not_equal(add_shared(b, 1, "192.0.2.3", false), 0);
	port_blocks_free(b);
	tables_free(&t);
}

static void
blocks_go_from_clients_outside_to_pods_and_back(void **state)
{
	struct port_blocks_tables t = tables_new();
	struct port_blocks *b = port_blocks_adopt(&t, 0, 1, BLOCKS);
	struct ip_addr client = addr("203.0.113.77"), pod = addr("10.244.1.10");
	bool is_quota;

	for (unsigned round = 0; round < 3; round++) {
		unsigned n = 0;

		for (uint16_t i = 0; i < 1000; i++)
			assert_int_not_equal(add_shared(b, (uint16_t)(1000 + i), "192.0.2.2", false), 0);
		nat_flows_delete_client(t.half_open, &client);
		for (uint16_t i = 0; i < 64 * BLOCKS; i++)
			n += add(b, t.outbound, flow("10.244.1.10", (uint16_t)(1000 + i), "192.0.2.2", 80),
				     &is_quota) != 0;
		assert_in_range(n, 64 * BLOCKS * 8 / 10, 64 * BLOCKS);
		assert_int_equal(add_shared(b, 1, "192.0.2.2", false), 0);
		nat_flows_delete_client(t.outbound, &pod);
	}
	port_blocks_free(b);
	tables_free(&t);
}

static void
what_clients_outside_share_is_known_again_after_a_restart(void **state)
{
	struct port_blocks_tables t = tables_new();
	struct port_blocks *b = port_blocks_adopt(&t, 0, 1, BLOCKS);
	uint16_t port = add_shared(b, 1, "192.0.2.2", true), other;
	bool is_quota;

	port_blocks_free(b);
	b = port_blocks_adopt(&t, 0, 1, BLOCKS);
	for (uint16_t i = 0; i < 64 * BLOCKS; i++) {
		other = add(
			b, t.outbound, flow("10.244.1.10", (uint16_t)(1000 + i), "192.0.2.2", 80), &is_quota);
		assert_int_not_equal(other / 64, port / 64);
	}
	assert_int_equal(add_shared(b, 2, "192.0.2.2", true) / 64, port / 64);
	port_blocks_free(b);

	/* another worker's now */
	b = port_blocks_adopt(&t, (port / 64 + 1) % 2, 2, BLOCKS);
	assert_true(nat_flows_is_empty(t.inbound));
	port_blocks_free(b);
	tables_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_gets_blocks_as_it_needs_them_and_no_more_than_its_share),
		cmocka_unit_test(to_choose_is_not_to_take),
		cmocka_unit_test(a_block_is_free_when_its_last_flow_has_ended),
		cmocka_unit_test(workers_give_out_their_own_blocks_and_ports_that_are_free),
		cmocka_unit_test(owners_are_known_again_after_a_restart),
		cmocka_unit_test(clients_outside_share_half_of_the_blocks),
		cmocka_unit_test(what_is_half_open_has_a_port_until_another_needs_it),
		cmocka_unit_test(blocks_go_from_clients_outside_to_pods_and_back),
		cmocka_unit_test(what_clients_outside_share_is_known_again_after_a_restart),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
