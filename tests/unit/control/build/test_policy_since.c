/* Which policies are in force as they are written, and since when. */
#include "control/build/policy_since.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/model/network_policy.h"
#include "control/model/watch.h"

static void
put(struct store *s, const char *name)
{
	struct network_policy_object *p = calloc(1, sizeof(*p));

	p->object =
		(struct object){ .kind = OBJECT_NETWORK_POLICY, .ns = strdup("shop"), .name = strdup(name) };
	assert_int_equal(store_put(s, &p->object), 0);
}

static void
a_text_is_in_force_since_the_version_that_was_made_of_it(void **state)
{
	struct store *store = store_new();
	struct policy_since *s;

	put(store, "before");
	s = policy_since_new(store);
	assert_int_equal(policy_since_version(s, "shop", "before"), 0);
	put(store, "b");
	policy_since_published(s, 3);
	assert_int_equal(policy_since_version(s, "shop", "before"), 3);
	assert_int_equal(policy_since_version(s, "shop", "b"), 3);
	put(store, "a");
	put(store, "b");
	assert_int_equal(policy_since_version(s, "shop", "a"), 0);
	assert_int_equal(policy_since_version(s, "shop", "b"), 0); /* what it says now is not in force */
	assert_int_equal(policy_since_version(s, "shop", "before"), 3);
	policy_since_published(s, 5);
	policy_since_published(s, 6);
	assert_int_equal(policy_since_version(s, "shop", "a"), 5);
	assert_int_equal(policy_since_version(s, "shop", "b"), 5);
	assert_int_equal(policy_since_version(s, "shop", "before"), 3);
	store_remove(store, OBJECT_NETWORK_POLICY, "shop", "a");
	assert_int_equal(policy_since_version(s, "shop", "a"), 0);
	put(store, "a");
	policy_since_published(s, 7);
	assert_int_equal(policy_since_version(s, "shop", "a"), 7);
	assert_int_equal(policy_since_version(s, "bank", "a"), 0);
	policy_since_free(s);
	store_free(store);
}

/* More than a watch lists. */
static void
all_count_as_changed_when_too_much_did(void **state)
{
	struct store *store = store_new();
	struct policy_since *s = policy_since_new(store);
	char name[16];

	put(store, "old");
	policy_since_published(s, 1);
	for (unsigned i = 0; i <= STORE_WATCH_MAX; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		put(store, name);
	}
	assert_int_equal(policy_since_version(s, "shop", "p77"), 0);
	policy_since_published(s, 2);
	assert_int_equal(policy_since_version(s, "shop", "p77"), 2);
	assert_int_equal(policy_since_version(s, "shop", "old"), 2);
	policy_since_free(s);
	store_free(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_in_force_since_the_version_that_was_made_of_it),
		cmocka_unit_test(all_count_as_changed_when_too_much_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
