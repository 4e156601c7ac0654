/* Session affinity: by the client's address alone, evenly, and across changes of the backends for as long as the service
 * says. Through the real stages, and the table by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "dataplane/net/flow_key.h"
#include "dataplane/service/affinity.h"
#include "dataplane/service/service_table_edit.h"
#include "dataplane/stages.h"
#include "tests/support/fixtures.h"

#define SECOND UINT64_C(1000000000)
#define TIMEOUT_S 600
#define BACKENDS 10
#define BUCKETS 256

static const struct names {
	const char *pod, *frontend, *backend;
} families[N_FAMILIES] = {
	[V4] = { "10.244.1.10", "10.96.0.10", "10.244.2.0" },
	[V6] = { "fd00:10:244:1::10", "fd00:10:96::a", "fd00:10:244:2::" },
};

static struct ip_addr
addr_at(const char *base, unsigned n)
{
	struct ip_addr a;

	assert_true(ip_addr_parse(base, &a));
	a.b[14] = (uint8_t)(a.b[14] + (n >> 8));
	a.b[15] = (uint8_t)(a.b[15] + n);
	return a;
}

/* One frontend with affinity, whose bucket i goes to backend (i + turn) % n. */
static struct service_table *
table(unsigned family, uint8_t proto, unsigned n, unsigned turn, uint32_t generation)
{
	const struct frontend_shape shape = { .n_backends = n, .n_buckets = BUCKETS, .has_extra = true };
	struct service_table *t = service_table_new(NULL, 1, n);
	struct frontend front = { .addr = addr_at(families[family].frontend, 0),
		.port = 80,
		.proto = proto,
		.flags = FRONTEND_AFFINITY };
	struct frontend_parts parts;
	uint32_t ref;

	assert_int_equal(service_table_shape(t, &front, &shape, &parts), 0);
	assert_int_equal(service_table_add(t, &front, &ref), 0);
	parts.extra->affinity_timeout_s = TIMEOUT_S;
	for (unsigned i = 0; i < n; i++) {
		parts.backends[i] = (struct backend){ .addr = addr_at(families[family].backend, 1 + i),
			.port = 8080,
			.slot = 1,
			.generation = generation };
		assert_int_equal(service_table_link(t, &parts.backends[i], proto, ref), 0);
	}
	for (unsigned i = 0; i < BUCKETS; i++)
		parts.buckets[i] = (uint16_t)((i + turn) % n);
	service_table_commit(t);
	return t;
}

static struct fixture *
world(struct service_table *services)
{
	struct fixture *f = fixture_new(1, false);

	service_table_free(f->services);
	f->services = services;
	f->tables.services = services;
	return f;
}

static void
now_serves(struct fixture *f, struct service_table *services)
{
	service_table_free(f->services);
	f->services = services;
	f->tables.services = services;
}

static struct pkt *
put_packet(struct burst *b, enum origin origin, const struct ip_addr *src, uint16_t sport,
	const struct ip_addr *dst, uint16_t dport, uint8_t proto, uint8_t tcp_flags)
{
	struct pkt *p = &b->pkts[0];

	memset(b, 0, sizeof(*b));
	b->n = 1;
	*p = (struct pkt){
		.origin = (uint8_t)origin,
		.in_port = FIXTURE_POD1,
		.out_port = FIXTURE_POD1,
		.family = ip_addr_is_v4(src) ? 4 : 6,
		.proto = proto,
		.tcp_flags = tcp_flags,
		.src = *src,
		.new_src = *src,
		.sport = sport,
		.new_sport = sport,
		.dst = *dst,
		.new_dst = *dst,
		.dport = dport,
		.new_dport = dport,
		.vtep = FDB_NONE,
		.hash = flow_hash(src, dst, sport, dport, proto),
	};
	burst_look(b);
	return p;
}

/* Which backend a client's packet goes to; checks that the backend's answer comes back from the frontend. */
static unsigned
ask(struct fixture *f, unsigned family, const struct ip_addr *client, uint16_t sport, uint8_t proto,
	uint8_t tcp_flags)
{
	static struct burst b;
	struct ip_addr frontend = addr_at(families[family].frontend, 0);
	struct ip_addr first = addr_at(families[family].backend, 1);
	struct pkt sent, *p = put_packet(&b, ORIGIN_POD, client, sport, &frontend, 80, proto, tcp_flags);

	translate_send_burst(&f->tables, f->workers[0], &b);
	assert_int_equal(p->verdict, VERDICT_CONTINUE);
	sent = *p;
	p = put_packet(&b, ORIGIN_UPLINK, &sent.new_dst, sent.new_dport, &sent.new_src, sent.new_sport, proto,
		TCP_ACK);
	translate_receive_burst(&f->tables, f->workers[0], &b);
	assert_int_equal(p->verdict, VERDICT_CONTINUE);
	assert_true(ip_addr_eq(&p->new_src, &frontend) && ip_addr_eq(&p->new_dst, client));
	assert_int_equal(p->new_sport, 80);
	assert_int_equal(p->new_dport, sport);
	return (unsigned)sent.new_dst.b[15] - first.b[15];
}

static void
pass_time(struct fixture *f, unsigned seconds)
{
	f->workers[0]->now_ns += seconds * SECOND;
}

static void
a_client_has_one_backend_whatever_its_ports(void **state)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP };

	for (unsigned variant = 0; variant < 4; variant++) {
		unsigned family = variant % 2;
		uint8_t proto = protos[variant / 2];
		struct fixture *f = world(table(family, proto, BACKENDS, 0, 1));
		struct ip_addr client = addr_at(families[family].pod, 0);
		unsigned first = ask(f, family, &client, 40000, proto, TCP_SYN);

		for (unsigned sport = 1; sport < 65536; sport++) {
			assert_int_equal(ask(f, family, &client, (uint16_t)sport, proto, TCP_SYN), first);
			nat_flows_delete_client(f->exceptions[0], &client);
		}
		fixture_free(f);
	}
}

/* Pearson's chi-square with 9 degrees of freedom exceeds 27.9 once in a thousand. */
static void
clients_spread_evenly(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		struct fixture *f = world(table(family, PROTO_TCP, BACKENDS, 0, 1));
		unsigned seen[BACKENDS] = { 0 }, n = 20000;
		double chi_square = 0;

		for (unsigned i = 0; i < n; i++) {
			struct ip_addr client = addr_at(family == V4 ? "10.245.0.0" : "fd00:10:245::", i);

			seen[ask(f, family, &client, 40000, PROTO_TCP, TCP_SYN)]++;
		}
		for (unsigned i = 0; i < BACKENDS; i++) {
			unsigned share = (BUCKETS + BACKENDS - 1 - i) / BACKENDS;
			double wanted = (double)n * share / BUCKETS;

			chi_square += (seen[i] - wanted) * (seen[i] - wanted) / wanted;
		}
		assert_true(chi_square < 27.9);
		fixture_free(f);
	}
}

static void
a_client_stays_when_backends_change(void **state)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP };

	for (unsigned variant = 0; variant < 4; variant++) {
		unsigned family = variant % 2;
		uint8_t proto = protos[variant / 2];
		struct fixture *f = world(table(family, proto, BACKENDS, 0, 1));
		struct ip_addr client = addr_at(families[family].pod, 0);
		unsigned first = ask(f, family, &client, 40000, proto, TCP_SYN);

		now_serves(f, table(family, proto, BACKENDS, 1, 1));
		for (uint16_t sport = 40001; sport < 40005; sport++)
			assert_int_equal(ask(f, family, &client, sport, proto, TCP_SYN), first);
		/* what it began goes on there */
		assert_int_equal(ask(f, family, &client, 40001, proto, TCP_ACK), first);
		fixture_free(f);
	}
}

static void
for_as_long_as_the_service_says(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		struct fixture *f = world(table(family, PROTO_TCP, BACKENDS, 0, 1));
		struct ip_addr client = addr_at(families[family].pod, 0);
		unsigned first = ask(f, family, &client, 40000, PROTO_TCP, TCP_SYN);

		now_serves(f, table(family, PROTO_TCP, BACKENDS, 1, 1));
		pass_time(f, TIMEOUT_S - 1);
		assert_int_equal(ask(f, family, &client, 40001, PROTO_TCP, TCP_SYN), first);
		pass_time(f, TIMEOUT_S - 1); /* since the last one */
		assert_int_equal(ask(f, family, &client, 40002, PROTO_TCP, TCP_SYN), first);
		pass_time(f, TIMEOUT_S);
		assert_int_equal(ask(f, family, &client, 40003, PROTO_TCP, TCP_SYN), (first + 1) % BACKENDS);
		fixture_free(f);
	}
}

/* A backend that is gone, and another pod with its address, are nobody's choice. */
static void
and_as_long_as_the_backend_serves(void **state)
{
	for (unsigned family = 0; family < N_FAMILIES; family++) {
		struct ip_addr client = addr_at(families[family].pod, 0);
		struct fixture *f = world(table(family, PROTO_TCP, BACKENDS, 0, 1));
		unsigned first = ask(f, family, &client, 40000, PROTO_TCP, TCP_SYN);

		now_serves(f, table(family, PROTO_TCP, BACKENDS, 1, 2));
		assert_int_equal(ask(f, family, &client, 40001, PROTO_TCP, TCP_SYN), (first + 1) % BACKENDS);
		fixture_free(f);

		f = world(table(family, PROTO_TCP, BACKENDS, BACKENDS - first, 1));
		while ((first = ask(f, family, &client, 40000, PROTO_TCP, TCP_SYN)) == 0) {
			nat_flows_delete_client(f->exceptions[0], &client);
			client.b[15]++;
		}
		now_serves(f, table(family, PROTO_TCP, 1, 0, 1));
		assert_int_equal(ask(f, family, &client, 40001, PROTO_TCP, TCP_SYN), 0);
		now_serves(f, table(family, PROTO_TCP, BACKENDS, BACKENDS - first, 1));
		assert_int_equal(ask(f, family, &client, 40002, PROTO_TCP, TCP_SYN), 0);
		fixture_free(f);
	}
}

/* Through the table alone. */
static const struct frontend_extra ten_minutes = { .affinity_timeout_s = TIMEOUT_S };

static struct frontend
frontend_at(uint16_t port)
{
	return (struct frontend){ .addr = addr_at(families[V4].frontend, 0),
		.port = port,
		.proto = PROTO_TCP,
		.extra = &ten_minutes };
}

static struct backend
backend_at(unsigned n)
{
	return (struct backend){ .addr = addr_at(families[V4].backend, n), .port = 8080, .generation = n };
}

static struct affinity *
new_table(uint32_t capacity)
{
	struct affinity *a = aligned_alloc(CACHE_LINE, affinity_size(capacity));

	assert_non_null(a);
	memset(a, 0, affinity_size(capacity));
	assert_int_equal(affinity_adopt(a, capacity, 0), 0);
	return a;
}

/* A hundred sets' worth of strangers, each under another address. */
static void
flood(struct affinity *a, const struct frontend *f, const struct backend *b, uint64_t now_ns)
{
	for (unsigned i = 0; i < 6400; i++) {
		struct ip_addr stranger = addr_at("198.18.0.0", i);

		affinity_note(a, &stranger, f, b, false, now_ns);
	}
}

static void
a_stranger_takes_room_from_strangers_only(void **state)
{
	struct affinity *a = new_table(64);
	struct frontend f = frontend_at(80);
	struct backend b = backend_at(1), other = backend_at(2);
	struct ip_addr known[16], stranger = addr_at("203.0.113.1", 0);

	affinity_note(a, &stranger, &f, &b, false, 0);
	assert_non_null(affinity_find(a, &stranger, &f, 0)); /* there is room */
	for (unsigned i = 0; i < 16; i++) {
		known[i] = addr_at(families[V4].pod, i);
		affinity_note(a, &known[i], &f, &b, true, 0);
	}
	/* a stranger who says that it is one of them, does not make it a stranger */
	affinity_note(a, &known[0], &f, &other, false, SECOND);
	flood(a, &f, &b, 2 * SECOND);
	assert_null(affinity_find(a, &stranger, &f, 2 * SECOND));
	for (unsigned i = 0; i < 16; i++)
		assert_non_null(affinity_find(a, &known[i], &f, 2 * SECOND));
	/* whoever is known gets its place among them */
	affinity_note(a, &stranger, &f, &b, true, 2 * SECOND);
	flood(a, &f, &b, 2 * SECOND);
	assert_non_null(affinity_find(a, &stranger, &f, 2 * SECOND));
	free(a);
}

static void
in_a_set_of_known_clients_a_strangers_address_chooses(void **state)
{
	struct affinity *a = new_table(8);
	struct frontend f = frontend_at(80);
	struct backend b = backend_at(1), chosen = backend_at(2);
	struct ip_addr stranger = addr_at("203.0.113.1", 0);

	for (unsigned i = 0; i < 8; i++) {
		struct ip_addr client = addr_at(families[V4].pod, i);

		affinity_note(a, &client, &f, &b, true, 0);
	}
	affinity_note(a, &stranger, &f, &b, false, 0);
	assert_null(affinity_find(a, &stranger, &f, 0));
	assert_ptr_equal(affinity_keep(a, &stranger, &f, &chosen, true, 0), &chosen);
	/* until one of them is forgotten */
	affinity_note(a, &stranger, &f, &b, false, TIMEOUT_S * SECOND);
	assert_non_null(affinity_find(a, &stranger, &f, TIMEOUT_S * SECOND));
	assert_ptr_equal(affinity_keep(NULL, &stranger, &f, &chosen, true, 0), &chosen);
	free(a);
}

static void
who_has_most_makes_room(void **state)
{
	struct affinity *a = new_table(64);
	struct ip_addr client = addr_at(families[V4].pod, 0), neighbour = addr_at(families[V4].pod, 1);
	struct frontend its = frontend_at(80);
	struct backend b = backend_at(1);

	affinity_note(a, &neighbour, &its, &b, true, 0);
	for (uint16_t port = 1; port < 1000; port++) {
		struct frontend f = frontend_at(port);

		affinity_note(a, &client, &f, &b, true, SECOND);
		assert_non_null(affinity_find(a, &client, &f, SECOND));
	}
	assert_non_null(affinity_find(a, &neighbour, &its, SECOND));
	free(a);
}

static void
the_next_process_goes_on_with_it(void **state)
{
	struct affinity *a = new_table(64);
	struct ip_addr client = addr_at(families[V4].pod, 0);
	struct frontend f = frontend_at(80), half = frontend_at(81), old = frontend_at(82);
	struct backend b = backend_at(1);

	affinity_note(a, &client, &old, &b, true, 0);
	affinity_note(a, &client, &f, &b, true, 60 * SECOND);
	affinity_note(a, &client, &half, &b, true, 60 * SECOND);
	((struct affinity_entry *)affinity_find(a, &client, &half, 60 * SECOND))->proto = 0;
	assert_int_equal(affinity_adopt(a, 64, TIMEOUT_S * SECOND), 1);
	assert_non_null(affinity_find(a, &client, &f, TIMEOUT_S * SECOND));
	/* of another boot, whose clock was far ahead */
	affinity_note(a, &client, &f, &b, true, 1000000 * SECOND);
	assert_int_equal(affinity_adopt(a, 64, SECOND), 0);
	a->version++;
	assert_int_equal(affinity_adopt(a, 64, SECOND), 0);
	free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_has_one_backend_whatever_its_ports),
		cmocka_unit_test(clients_spread_evenly),
		cmocka_unit_test(a_client_stays_when_backends_change),
		cmocka_unit_test(for_as_long_as_the_service_says),
		cmocka_unit_test(and_as_long_as_the_backend_serves),
		cmocka_unit_test(a_stranger_takes_room_from_strangers_only),
		cmocka_unit_test(in_a_set_of_known_clients_a_strangers_address_chooses),
		cmocka_unit_test(who_has_most_makes_room),
		cmocka_unit_test(the_next_process_goes_on_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
