/* Which addresses the node's own processes get a way to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "control/node/exposed.h"
#include "control/node/own_ways.h"
#include "dataplane/service/service_table_edit.h"
#include "tests/support/exposed.h"

static void
assert_ways(const struct fixture *f, const char *const *wanted, size_t n_wanted)
{
	struct exposed e = { 0 };
	struct ip_addr *addrs;
	size_t n;

	assert_int_equal(exposed_follow(&e, &f->tables), 0);
	addrs = calloc(e.n + 1, sizeof(*addrs));
	assert_non_null(addrs);
	n = own_ways_choose(&e, addrs);
	assert_int_equal(n, n_wanted);
	for (size_t i = 0; i < n; i++) {
		char text[IP_ADDR_STRLEN];

		assert_string_equal(ip_addr_format(&addrs[i], text), wanted[i]);
	}
	free(addrs);
	exposed_fini(&e);
}

/* The fixture's, with node ports, host ports and a load balancer that has several ports in three protocols. */
static void
test_balancers_have_one_each(void **state)
{
	static const char *const wanted[] = { BALANCER_V4, BALANCER_V6 };
	struct fixture *f = fixture_new(1, false);

	assert_ways(f, NULL, 0);
	exposed_services(f);
	assert_ways(f, wanted, 2);
	fixture_free(f);
}

static void
add(struct fixture *f, const char *addr, enum frontend_kind kind)
{
	struct service_table *last = f->services, *next = service_table_next(last);
	struct frontend front = {
		.port = 80,
		.proto = PROTO_TCP,
		.kind = (uint8_t)kind,
		.flags = kind == FRONTEND_CLUSTER_IP ? 0 : FRONTEND_EXPOSED,
	};
	uint32_t ref;

	assert_true(ip_addr_parse(addr, &front.addr));
	assert_int_equal(service_table_add(next, &front, &ref), 0);
	service_table_commit(next);
	f->services = next;
	f->tables.services = next;
	service_table_free(last);
}

static void
test_external_addresses_too_but_not_the_nodes_own(void **state)
{
	static const char *const wanted[] = { "198.51.100.1", "203.0.113.200", "2001:db8:80::1" };
	struct fixture *f = fixture_new(1, false);

	add(f, "203.0.113.200", FRONTEND_EXTERNAL_IP);
	add(f, "2001:db8:80::1", FRONTEND_EXTERNAL_IP);
	add(f, "198.51.100.1", FRONTEND_LOAD_BALANCER);
	add(f, "10.96.9.9", FRONTEND_CLUSTER_IP);
	add(f, "192.0.2.1", FRONTEND_LOAD_BALANCER); /* the node's */
	assert_ways(f, wanted, 3);
	fixture_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_balancers_have_one_each),
		cmocka_unit_test(test_external_addresses_too_but_not_the_nodes_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
