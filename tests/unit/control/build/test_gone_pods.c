#include "control/build/gone_pods.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/support/objects.h"

static void
count(uint64_t pod, void *arg)
{
	++*(unsigned *)arg;
}

static unsigned
update(struct gone_pods *g)
{
	unsigned n = 0;

	gone_pods_update(g, count, &n);
	return n;
}

static void
what_is_out_of_sight_is_not_gone(void **state)
{
	struct store *s = store_new();
	struct gone_pods *g = gone_pods_new(s);

	put_pod(s, "ns", "a", "here", NULL, NULL, NULL, NULL);
	put_pod(s, "ns", "b", "there", NULL, NULL, NULL, NULL);
	put_pod(s, "ns", "c", "there", NULL, NULL, NULL, NULL);
	assert_int_equal(update(g), 0);
	assert_true(store_remove(s, OBJECT_POD, "ns", "c"));
	assert_int_equal(update(g), 1);
	assert_true(gone_pods_has(g, pod_digest("ns", "c")));
	assert_true(store_lose(s, OBJECT_POD, "ns", "b"));
	assert_false(store_lose(s, OBJECT_POD, "ns", "b"));
	assert_int_equal(update(g), 0);
	assert_false(gone_pods_has(g, pod_digest("ns", "b")));
	assert_true(gone_pods_has(g, pod_digest("ns", "c")));
	/* what goes later is gone */
	assert_true(store_remove(s, OBJECT_POD, "ns", "a"));
	assert_int_equal(update(g), 1);
	assert_true(gone_pods_has(g, pod_digest("ns", "a")));
	gone_pods_free(g);
	store_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_out_of_sight_is_not_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
