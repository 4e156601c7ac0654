#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/overlay/fdb_table.h"

#define NODES 5000

static struct ip_addr
vtep(unsigned i)
{
	static const char *const base[] = { "192.0.0.0", "2001:db8::" };
	struct ip_addr a;

	assert_true(ip_addr_parse(base[i % 2], &a));
	a.b[14] = (uint8_t)(i >> 8);
	a.b[15] = (uint8_t)i;
	return a;
}

/* Every third index is not in use, as after nodes have left. */
static bool
is_used(unsigned i)
{
	return i % 3 != 0;
}

static void
finds_every_node_and_no_other(void **state)
{
	struct fdb_table *t = fdb_table_new(NODES);
	struct ip_addr none = { 0 };

	for (unsigned i = 0; i < NODES; i++)
		if (is_used(i))
			t->entries[i].vtep = vtep(i);
	fdb_table_index(t);
	for (unsigned i = 0; i < NODES; i++) {
		struct ip_addr a = vtep(i);

		assert_int_equal(fdb_lookup(t, &a), is_used(i) ? i : FDB_NONE);
	}
	assert_int_equal(fdb_lookup(t, &none), FDB_NONE);
	fdb_table_free(t);
}

static void
an_empty_table_knows_nobody(void **state)
{
	struct fdb_table *t = fdb_table_new(0);
	struct ip_addr a = vtep(1);

	assert_int_equal(fdb_lookup(t, &a), FDB_NONE);
	fdb_table_index(t);
	assert_int_equal(fdb_lookup(t, &a), FDB_NONE);
	fdb_table_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_node_and_no_other),
		cmocka_unit_test(an_empty_table_knows_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
