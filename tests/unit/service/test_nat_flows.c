/* Two-way entries: both ways, bounds, ageing, and what survives a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/service/flow_owner.h"
#include "dataplane/service/nat_flows.h"

#define CAPACITY 256
#define QUOTA 100
#define SECOND UINT64_C(1000000000)
#define START (1000 * SECOND)

/* Every test runs once with IPv4 and once with IPv6 addresses. */
static const struct family {
	const char *client, *client2, *frontend, *frontend2, *backend;
} families[] = {
	{ "10.244.1.10", "10.244.1.11", "10.96.0.10", "10.96.0.11", "10.244.2.7" },
	{ "fd00:10:244:1::a", "fd00:10:244:1::b", "fd00:10:96::a", "fd00:10:96::b", "fd00:10:244:2::7" },
};
#define FOREACH_FAMILY(f) for (const struct family *f = families; f < families + 2; f++)

static const struct nat_flows_config config = { .capacity = CAPACITY, .quota = QUOTA };
static const struct nat_ports any_port = NAT_PORTS_EXCEPTIONS;

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(text, &a));
	return a;
}

static struct nat_flows *
table_new(void)
{
	struct nat_flows *e = aligned_alloc(64, nat_flows_size(CAPACITY));

	memset(e, 0xa5, nat_flows_size(CAPACITY));
	assert_int_equal(nat_flows_adopt(e, &config, START), 0);
	assert_true(nat_flows_is_empty(e));
	return e;
}

static struct nat_flow
flow(const char *client, uint16_t port, const char *frontend, const char *backend, uint8_t proto)
{
	return (struct nat_flow){
		.client = addr(client),
		.client_port = port,
		.frontend = addr(frontend),
		.frontend_port = 80,
		.backend = addr(backend),
		.backend_port = 8080,
		.wire = addr(client),
		.wire_port = port,
		.proto = proto,
	};
}

static struct nat_flow *
find_forward(struct nat_flows *e, const struct nat_flow *x)
{
	return nat_flows_find_forward(
		e, &x->client, x->client_port, &x->frontend, x->frontend_port, x->proto);
}

static struct nat_flow *
find_reverse(struct nat_flows *e, const struct nat_flow *x)
{
	return nat_flows_find_reverse(e, &x->backend, x->backend_port, &x->wire, x->wire_port, x->proto);
}

static void
an_entry_is_found_from_both_sides_until_it_is_removed(void **state)
{
	FOREACH_FAMILY(f)
	{
		struct nat_flows *e = table_new();
		struct nat_flow want = flow(f->client, 5000, f->frontend, f->backend, PROTO_TCP);
		struct nat_flow other = flow(f->client, 5000, f->frontend, f->backend, PROTO_UDP);
		struct nat_flow *x = nat_flows_add(e, &want, &any_port, START);

		assert_non_null(x);
		assert_int_equal(x->wire_port, 5000);
		assert_ptr_equal(find_forward(e, &want), x);
		assert_ptr_equal(find_reverse(e, x), x);
		assert_null(find_forward(e, &other));
		assert_null(find_reverse(e, &other));
		nat_flows_remove(e, x);
		assert_null(find_forward(e, &want));
		assert_null(find_reverse(e, &want));
		assert_true(nat_flows_is_empty(e));
		free(e);
	}
}

static bool
is_odd(const void *arg, uint16_t port)
{
	return port % 2 != 0;
}

static void
a_taken_port_is_replaced_by_one_of_the_exceptions_own(void **state)
{
	FOREACH_FAMILY(f)
	{
		struct nat_flows *e = table_new();
		struct nat_flow first = flow(f->client, 5000, f->frontend, f->backend, PROTO_TCP);
		struct nat_flow second = flow(f->client, 5000, f->frontend2, f->backend, PROTO_TCP);
		struct nat_ports odd_port = NAT_PORTS_EXCEPTIONS;
		struct nat_flow *x;

		odd_port.is_usable = is_odd;
		assert_non_null(nat_flows_add(e, &first, &any_port, START));
		assert_null(nat_flows_add(e, &second, NULL, START));
		x = nat_flows_add(e, &second, &odd_port, START);
		assert_non_null(x);
		assert_in_range(x->wire_port, EXCEPTION_PORT_FIRST, EXCEPTION_PORT_LAST);
		assert_int_equal(x->wire_port % 2, 1);
		assert_ptr_equal(find_forward(e, &second), x);
		assert_ptr_equal(find_reverse(e, x), x);
		assert_ptr_not_equal(find_reverse(e, &first), x);
		free(e);
	}
}

static void
one_client_cannot_use_the_table_up(void **state)
{
	FOREACH_FAMILY(f)
	{
		struct nat_flows *e = table_new();
		struct nat_flow x;
		struct ip_addr client = addr(f->client);

		for (uint16_t i = 0; i < QUOTA; i++) {
			x = flow(f->client, (uint16_t)(5000 + i), f->frontend, f->backend, PROTO_UDP);
			assert_true(nat_flows_has_room(e, &client));
			assert_non_null(nat_flows_add(e, &x, &any_port, START));
		}
		x = flow(f->client, 6000, f->frontend, f->backend, PROTO_UDP);
		assert_false(nat_flows_has_room(e, &client));
		assert_null(nat_flows_add(e, &x, &any_port, START));
		assert_int_equal(e->n_refused_quota, 1);
		x = flow(f->client2, 6000, f->frontend, f->backend, PROTO_UDP);
		assert_non_null(nat_flows_add(e, &x, &any_port, START));

		nat_flows_delete_client(e, &client);
		assert_int_equal(e->n, 1);
		assert_true(nat_flows_has_room(e, &client));
		free(e);
	}
}

static void
a_network_is_one_client_where_its_machines_choose_addresses(void **state)
{
	const struct nat_flows_config by_network = {
		.capacity = CAPACITY, .quota = QUOTA, .by_network = true
	};
	struct nat_flows *e = table_new();
	struct nat_flow x;
	struct ip_addr named, network = addr("2001:db8:1:2::");
	uint64_t when_ns;
	char client[64];

	nat_flows_adopt(e, &by_network, START);
	assert_false(nat_flows_refused(e, &named, &when_ns));
	for (uint16_t i = 0; i <= QUOTA; i++) {
		snprintf(client, sizeof(client), "2001:db8:1:2:%x::%x", i, i);
		x = flow(client, 5000, families[1].frontend, families[1].backend, PROTO_TCP);
		assert_true((nat_flows_add(e, &x, NULL, START + i) != NULL) == (i < QUOTA));
	}
	assert_int_equal(nat_flows_count_of(e, &x.client), QUOTA);
	assert_true(nat_flows_refused(e, &named, &when_ns));
	assert_true(ip_addr_eq(&named, &network));
	assert_int_equal(when_ns, START + QUOTA);
	x = flow("2001:db8:1:3::1", 5000, families[1].frontend, families[1].backend, PROTO_TCP);
	assert_non_null(nat_flows_add(e, &x, NULL, START));
	/* neighbours by IPv4 are not */
	for (uint16_t i = 0; i <= QUOTA; i++) {
		snprintf(client, sizeof(client), "203.0.113.%u", i);
		x = flow(client, 5000, families[0].frontend, families[0].backend, PROTO_TCP);
		assert_non_null(nat_flows_add(e, &x, NULL, START));
	}
	free(e);
}

/* Strangers choose addresses, and know the hash: the chain of a client's account is bounded. */
static void
accounts_of_one_hash_are_bounded(void **state)
{
	struct nat_flows *e = table_new();
	struct nat_flow x = flow("203.0.0.1", 5000, families[0].frontend, families[0].backend, PROTO_TCP);
	uint32_t chain = addr_hash(&x.client, 0, 0) & (CAPACITY - 1);
	unsigned n = 0;

	for (uint32_t i = 0; i < 64 * CAPACITY; i++) {
		x.client.d[3] = x.wire.d[3] = __builtin_bswap32(0xcb000001 + i);
		if ((addr_hash(&x.client, 0, 0) & (CAPACITY - 1)) == chain)
			n += nat_flows_add(e, &x, NULL, START) != NULL;
	}
	assert_int_equal(n, 32);
	x = flow("10.244.1.10", 5000, families[0].frontend, families[0].backend, PROTO_TCP);
	assert_int_not_equal(addr_hash(&x.client, 0, 0) & (CAPACITY - 1), chain);
	assert_non_null(nat_flows_add(e, &x, NULL, START));
	free(e);
}

static void
a_full_table_refuses_and_recovers(void **state)
{
	struct nat_flows *e = table_new();
	struct nat_flow x = flow("10.0.0.0", 5000, "10.96.0.10", "10.244.2.7", PROTO_UDP);

	for (unsigned i = 0; i < CAPACITY; i++) {
		x.client.b[15] = x.wire.b[15] = (uint8_t)i;
		assert_non_null(nat_flows_add(e, &x, &any_port, START));
	}
	x.client.b[14] = x.wire.b[14] = 1;
	assert_false(nat_flows_has_room(e, &x.client));
	assert_null(nat_flows_add(e, &x, &any_port, START));
	assert_int_equal(e->n_refused_full, 1);
	for (unsigned i = 0; i < CAPACITY; i++)
		nat_flows_expire_some(e, START + NAT_FLOW_UDP_IDLE_NS);
	assert_true(nat_flows_is_empty(e));
	assert_non_null(nat_flows_add(e, &x, &any_port, START));
	free(e);
}

static void
expire(struct nat_flows *e, uint64_t now_ns)
{
	for (unsigned i = 0; i < CAPACITY; i++)
		nat_flows_expire_some(e, now_ns);
}

static void
datagrams_age_and_quiet_connections_do_not(void **state)
{
	static const struct {
		const char *what;
		uint8_t proto;
		uint8_t forward, reverse; /* TCP flags seen */
		uint64_t idle_ns;
		bool lives;
	} cases[] = {
		{ "a datagram, recently", PROTO_UDP, 0, 0, NAT_FLOW_UDP_IDLE_NS - 1, true },
		{ "a datagram, long ago", PROTO_UDP, 0, 0, NAT_FLOW_UDP_IDLE_NS, false },
		{ "an association, recently", PROTO_SCTP, 0, 0, NAT_FLOW_SCTP_IDLE_NS - 1, true },
		{ "an association, long ago", PROTO_SCTP, 0, 0, NAT_FLOW_SCTP_IDLE_NS, false },
		{ "a quiet connection", PROTO_TCP, TCP_ACK, TCP_ACK, 1000000 * SECOND, true },
		{ "half closed", PROTO_TCP, TCP_FIN | TCP_ACK, TCP_ACK, 1000000 * SECOND, true },
		{ "closed, recently", PROTO_TCP, TCP_FIN, TCP_FIN, NAT_FLOW_CLOSED_IDLE_NS - 1, true },
		{ "closed", PROTO_TCP, TCP_FIN, TCP_FIN, NAT_FLOW_CLOSED_IDLE_NS, false },
		{ "reset", PROTO_TCP, TCP_ACK, TCP_RST, NAT_FLOW_CLOSED_IDLE_NS, false },
		{ "reset by a stranger", PROTO_TCP, TCP_RST, TCP_ACK, 1000000 * SECOND, true },
		{ "reset by the client", PROTO_TCP, TCP_RST, 0xff, NAT_FLOW_CLOSED_IDLE_NS, false },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nat_flows *e = table_new();
		struct nat_flow want = flow("10.244.1.10", 5000, "10.96.0.10", "10.244.2.7", cases[i].proto);
		struct nat_flow *x = nat_flows_add(e, &want, &any_port, START);

		print_message("%s\n", cases[i].what);
		nat_flow_seen(x, true, cases[i].forward, START + 1);
		if (cases[i].reverse != 0xff)
			nat_flow_seen(x, false, cases[i].reverse, START + 2);
		expire(e, START + 2 + cases[i].idle_ns);
		assert_int_equal(find_forward(e, &want) != NULL, cases[i].lives);
		free(e);
	}
}

static void
control_deletes_what_it_saw_unless_used_since(void **state)
{
	struct nat_flows *e = table_new();
	struct nat_flow copies[4], x;
	uint32_t cursor = 0;
	unsigned n = 0, got;

	for (unsigned i = 0; i < 10; i++) {
		x = flow("10.244.1.10", (uint16_t)(5000 + i), "10.96.0.10", "10.244.2.7", PROTO_TCP);
		assert_non_null(nat_flows_add(e, &x, &any_port, START));
	}
	while (nat_flows_copy_some(e, &cursor, copies, 4, &got))
		n += got;
	assert_int_equal(n, 10);

	cursor = 0;
	assert_true(nat_flows_copy_some(e, &cursor, copies, 2, &got));
	assert_int_equal(got, 2);
	nat_flow_seen(find_forward(e, &copies[0]), true, TCP_ACK, START + 1);
	assert_false(nat_flows_delete(e, &copies[0]));
	assert_true(nat_flows_delete(e, &copies[1]));
	assert_false(nat_flows_delete(e, &copies[1]));
	assert_int_equal(e->n, 9);
	free(e);
}

static void
the_next_process_finds_every_whole_entry(void **state)
{
	struct nat_flows *e = table_new();
	struct nat_flow want[10], *half, *twin;

	for (unsigned i = 0; i < 10; i++) {
		const struct family *f = &families[i % 2];

		want[i] = flow(f->client, (uint16_t)(5000 + i), f->frontend, f->backend, PROTO_TCP);
		assert_non_null(nat_flows_add(e, &want[i], &any_port, START + 5 * SECOND));
	}
	half = find_forward(e, &want[0]); /* died while writing it */
	half->proto = 0;
	twin = find_forward(e, &want[2]); /* something wrote over it */
	twin->client_port = want[4].client_port;
	e->n = 77;
	assert_int_equal(nat_flows_adopt(e, &config, START), 8);
	assert_int_equal(e->n, 8);
	assert_null(find_forward(e, &want[0]));
	assert_null(find_forward(e, &want[2]));
	for (unsigned i = 0; i < 10; i++) {
		if (i == 0 || i == 2)
			continue;
		assert_non_null(find_forward(e, &want[i]));
		assert_non_null(find_reverse(e, find_forward(e, &want[i])));
		assert_int_equal(find_forward(e, &want[i])->last_seen_ns, START);
	}
	e->version++;
	assert_int_equal(nat_flows_adopt(e, &config, START), 0);
	free(e);
}

/* Adds and removes at random, and compares with a list. */
static void
random_changes_keep_the_table_whole(void **state)
{
	enum { N = 400 };
	static struct nat_flow list[N];
	static bool is_in[N];
	struct nat_flows *e = table_new();
	unsigned n = 0, seed = 1;

	for (unsigned i = 0; i < N; i++) {
		const struct family *f = &families[i % 2];

		list[i] = flow(i % 3 ? f->client : f->client2, (uint16_t)(5000 + i / 2 % 64),
			i % 5 ? f->frontend : f->frontend2, f->backend, i % 7 ? PROTO_UDP : PROTO_TCP);
		list[i].frontend_port = (uint16_t)(80 + i);
	}
	for (unsigned round = 0; round < 20000; round++) {
		unsigned i = (unsigned)rand_r(&seed) % N;
		struct nat_flow *x = find_forward(e, &list[i]);

		assert_int_equal(x != NULL, is_in[i]);
		if (x != NULL) {
			assert_ptr_equal(find_reverse(e, x), x);
			nat_flows_remove(e, x);
			is_in[i] = false;
			n--;
		} else if (nat_flows_add(e, &list[i], &any_port, START) != NULL) {
			is_in[i] = true;
			n++;
		}
		assert_int_equal(e->n, n);
	}
	assert_int_equal(nat_flows_adopt(e, &config, START), n);
	free(e);
}

/* Half-open flows come from strangers: the table always takes another, and which entry goes is chance. */
static void
a_table_that_evicts_always_has_room(void **state)
{
	struct nat_flows *e = aligned_alloc(64, nat_flows_size(CAPACITY));
	const struct nat_flows_config half_open = { .capacity = CAPACITY, .evicts = true };
	struct nat_flow x = flow("198.51.0.0", 5000, "192.0.2.1", "10.244.2.7", PROTO_TCP);
	unsigned survivors = 0;

	memset(e, 0, nat_flows_size(CAPACITY));
	nat_flows_adopt(e, &half_open, START);
	for (unsigned i = 0; i < 4 * CAPACITY; i++) {
		x.client.b[14] = (uint8_t)(i >> 8);
		x.client.b[15] = (uint8_t)i;
		x.wire = x.client;
		assert_true(nat_flows_has_room(e, &x.client));
		assert_non_null(nat_flows_add(e, &x, NULL, START));
		assert_non_null(find_forward(e, &x));
	}
	assert_int_equal(e->n, CAPACITY);
	assert_int_equal(e->n_evicted, 3 * CAPACITY);
	assert_int_equal(e->n_refused_full, 0);
	/* the first come are as likely to go as any: (1 - 1/256)^(3 * 256) of them, about 5%, are left */
	for (unsigned i = 0; i < CAPACITY; i++) {
		x.client.b[14] = 0;
		x.client.b[15] = (uint8_t)i;
		survivors += find_forward(e, &x) != NULL;
	}
	assert_in_range(survivors, 1, CAPACITY / 8);
	assert_int_equal(nat_flows_adopt(e, &half_open, START), CAPACITY);
	free(e);
}

/* Each worker hands out ports of its own blocks, so that an answer tells whose flow it belongs to. */
static void
replacement_ports_are_the_workers_own(void **state)
{
	for (uint8_t n_workers = 1; n_workers <= 5; n_workers++)
		for (uint8_t worker = 0; worker < n_workers; worker++) {
			struct owned_ports owned = flow_owner_ports(1024, 65535, worker, n_workers);
			struct nat_flows *e = table_new(), *other = table_new();
			struct nat_flow want =
				flow("198.51.100.7", 5000, "192.0.2.1", "10.244.2.7", PROTO_UDP);
			const struct nat_ports ports = { .first = 1024,
				.last = 65535,
				.worker = worker,
				.n_workers = n_workers,
				.also = other };
			struct nat_flow *x;

			want.wire_port = 0;
			assert_non_null(nat_flows_add(other, &want, &ports, START));
			x = nat_flows_add(e, &want, &ports, START);
			assert_int_equal(flow_owner_of_port(x->wire_port, n_workers), worker);
			assert_null(nat_flows_find_reverse(
				other, &x->backend, x->backend_port, &x->wire, x->wire_port, x->proto));
			assert_in_range(owned.n, (65536 - 1024) / n_workers - FLOW_OWNER_BLOCK,
				(65536 - 1024) / n_workers + FLOW_OWNER_BLOCK);
			for (uint32_t i = 0; i < owned.n; i++) {
				assert_in_range(flow_owner_port(&owned, i), 1024, 65535);
				assert_int_equal(
					flow_owner_of_port(flow_owner_port(&owned, i), n_workers), worker);
			}
			free(e);
			free(other);
		}
}

/* A flood to one backend uses its ports up before the table is full. */
static void
a_table_that_evicts_has_always_a_port(void **state)
{
	const struct nat_flows_config evicting = { .capacity = CAPACITY, .evicts = true };
	const struct nat_ports ports = { .first = 1024, .last = 1024 + FLOW_OWNER_BLOCK - 1 };

	FOREACH_FAMILY(f)
	{
		struct nat_flows *e = table_new();

		assert_int_equal(nat_flows_adopt(e, &evicting, START), 0);
		for (uint16_t port = 1; port < 1000; port++) {
			struct nat_flow want = flow(f->client, port, f->frontend, f->backend, PROTO_TCP);

			want.wire_port = 0;
			assert_non_null(nat_flows_add(e, &want, &ports, START));
			assert_non_null(find_forward(e, &want));
		}
		assert_int_equal(e->n + e->n_evicted, 999);
		assert_in_range(e->n, 1, FLOW_OWNER_BLOCK);
		free(e);
	}
}

static void
a_confirmed_flow_moves_as_it_is(void **state)
{
	struct nat_flows *half_open = table_new(), *inbound = table_new();
	struct nat_flow want = flow("198.51.100.7", 5000, "192.0.2.1", "10.244.2.7", PROTO_TCP);
	struct nat_flow *x = nat_flows_add(half_open, &want, NULL, START);

	x->flags |= NAT_FLOW_ANSWERED;
	x->seq = 4711;
	x = nat_flows_move(inbound, half_open, x, START + 1);
	assert_true(nat_flows_is_empty(half_open));
	assert_ptr_equal(find_forward(inbound, &want), x);
	assert_int_equal(x->seq, 4711);
	assert_int_equal(x->flags, NAT_FLOW_ANSWERED);

	/* with no room there it stays */
	want.client_port = 6000;
	want.wire_port = 6000;
	for (unsigned i = 0; i < QUOTA; i++, want.frontend_port++, want.wire_port++)
		nat_flows_add(inbound, &want, &any_port, START);
	want.wire_port = 7000;
	x = nat_flows_add(half_open, &want, NULL, START);
	assert_ptr_equal(nat_flows_move(inbound, half_open, x, START), x);
	assert_int_equal(half_open->n, 1);
	nat_flows_delete_backend(half_open, &want.backend);
	assert_true(nat_flows_is_empty(half_open));
	free(half_open);
	free(inbound);
}

static void
entries_end_with_their_backends(void **state)
{
	FOREACH_FAMILY(f)
	{
		struct nat_flows *e = table_new();
		struct nat_flow old = flow(f->client, 5000, f->frontend, f->backend, PROTO_TCP);
		struct nat_flow new = flow(f->client, 5001, f->frontend, f->backend, PROTO_TCP);
		struct nat_flow other = flow(f->client, 5002, f->frontend, f->backend, PROTO_TCP);
		struct nat_flow unknown = flow(f->client, 5003, f->frontend, f->backend, PROTO_TCP);
		const struct backend_end reused = { .addr = addr(f->backend), .port = 8080, .generation = 2 };
		const struct backend_end ends[2] = { { .pod = 8 }, { .pod = 9 } };
		uint32_t cursor = 0;
		unsigned rounds = 1;

		old.generation = 1;
		new.generation = 2;
		new.pod = 9;
		other.generation = 1;
		other.backend_port = 8081;
		nat_flows_add(e, &old, &any_port, START);
		nat_flows_add(e, &new, &any_port, START);
		nat_flows_add(e, &other, &any_port, START);
		nat_flows_add(e, &unknown, &any_port, START);
		while (nat_flows_delete_ended(e, &cursor, CAPACITY / 4, &reused, 1))
			rounds++;
		assert_in_range(rounds, 4, 5);
		assert_null(find_forward(e, &old));
		assert_non_null(find_forward(e, &new));
		assert_int_equal(e->n, 3);
		cursor = 0;
		assert_false(nat_flows_delete_ended(e, &cursor, UINT32_MAX, ends, 2));
		assert_null(find_forward(e, &new));
		assert_non_null(find_forward(e, &other));
		assert_non_null(find_forward(e, &unknown));
		free(e);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_is_found_from_both_sides_until_it_is_removed),
		cmocka_unit_test(a_taken_port_is_replaced_by_one_of_the_exceptions_own),
		cmocka_unit_test(one_client_cannot_use_the_table_up),
		cmocka_unit_test(a_network_is_one_client_where_its_machines_choose_addresses),
		cmocka_unit_test(accounts_of_one_hash_are_bounded),
		cmocka_unit_test(a_full_table_refuses_and_recovers),
		cmocka_unit_test(datagrams_age_and_quiet_connections_do_not),
		cmocka_unit_test(control_deletes_what_it_saw_unless_used_since),
		cmocka_unit_test(the_next_process_finds_every_whole_entry),
		cmocka_unit_test(random_changes_keep_the_table_whole),
		cmocka_unit_test(a_table_that_evicts_always_has_room),
		cmocka_unit_test(replacement_ports_are_the_workers_own),
		cmocka_unit_test(a_table_that_evicts_has_always_a_port),
		cmocka_unit_test(a_confirmed_flow_moves_as_it_is),
		cmocka_unit_test(entries_end_with_their_backends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
