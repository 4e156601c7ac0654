/* What is exposed, as a list with versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "control/node/exposed.h"
#include "dataplane/service/service_table_edit.h"
#include "tests/support/exposed.h"

static const struct exposed_frontend *
find(const struct exposed *e, const char *text, uint16_t port, uint8_t proto)
{
	struct ip_addr addr;

	assert_true(ip_addr_parse(text, &addr));
	for (size_t i = 0; i < e->n; i++)
		if (ip_addr_eq(&e->items[i].addr, &addr) && e->items[i].port == port &&
			e->items[i].proto == proto)
			return &e->items[i];
	return NULL;
}

static void
test_it_has_what_the_outside_reaches(void **state)
{
	struct fixture *f = fixture_new(1, false);
	struct exposed e = { 0 };

	exposed_services(f);
	assert_int_equal(exposed_follow(&e, &f->tables), 0);
	assert_true(find(&e, "192.0.2.1", PORT_NEAR, PROTO_TCP)->is_own);
	assert_true(find(&e, "2001:db8::1", PORT_NEAR, PROTO_UDP)->is_own);
	assert_false(find(&e, BALANCER_V4, 80, PROTO_TCP)->is_own);
	assert_null(find(&e, "192.0.2.1", PORT_HIDDEN, PROTO_TCP));
	assert_true(port_set_has(&e.own_ports, PORT_NEAR));
	assert_false(port_set_has(&e.own_ports, PORT_HIDDEN));
	assert_false(port_set_has(&e.own_ports, 80));
	for (size_t i = 1; i < e.n; i++) {
		const struct exposed_frontend *a = &e.items[i - 1], *b = &e.items[i];
		int by_addr = ip_addr_cmp(&a->addr, &b->addr);

		assert_true(by_addr < 0 ||
			    (by_addr == 0 &&
				    (a->proto < b->proto || (a->proto == b->proto && a->port < b->port))));
	}
	exposed_fini(&e);
	fixture_free(f);
}

static void
test_a_version_is_one_content(void **state)
{
	struct fixture *f = fixture_new(1, false);
	struct exposed e = { 0 };
	uint64_t version;

	assert_int_equal(exposed_follow(&e, NULL), 0);
	assert_int_equal(e.version, 0);
	/* nothing exposed is something known, too */
	assert_int_equal(exposed_follow(&e, &f->tables), 0);
	assert_int_equal(e.n, 0);
	assert_int_not_equal(version = e.version, 0);
	exposed_services(f);
	assert_int_equal(exposed_follow(&e, &f->tables), 0);
	assert_true(e.version > version && e.n != 0);
	version = e.version;
	assert_int_equal(exposed_follow(&e, &f->tables), 0);
	e.seen_changes--; /* looked at again, but the same */
	assert_int_equal(exposed_follow(&e, &f->tables), 0);
	assert_int_equal(e.version, version);
	exposed_fini(&e);
	fixture_free(f);
}

/* A balancer's, which another node had until now. */
static void
test_an_address_becomes_the_nodes_own(void **state)
{
	struct ip_prefix balancer;
	struct fixture *f = fixture_new(1, false);
	struct exposed e = { 0 };
	uint64_t version;

	exposed_services(f);
	assert_int_equal(exposed_follow(&e, &f->tables), 0);
	version = e.version;
	assert_true(ip_prefix_parse(BALANCER_V4 "/32", &balancer));
	route_table_add(f->routes, &balancer, ROUTE_HOST, 0);
	e.seen_routes = NULL; /* as a table of its own would be */
	assert_int_equal(exposed_follow(&e, &f->tables), 0);
	assert_true(e.version > version);
	assert_true(find(&e, BALANCER_V4, 80, PROTO_TCP)->is_own);
	assert_true(port_set_has(&e.own_ports, 80));
	exposed_fini(&e);
	fixture_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_has_what_the_outside_reaches),
		cmocka_unit_test(test_a_version_is_one_content),
		cmocka_unit_test(test_an_address_becomes_the_nodes_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
