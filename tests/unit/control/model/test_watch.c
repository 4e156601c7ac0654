/* What consumers are told of changes in the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/model/store.h"
#include "control/model/watch.h"
#include "tests/support/objects.h"

struct told {
	unsigned n;
	char text[512];
};

static void
note(enum object_kind kind, const char *ns, const char *name, void *arg)
{
	struct told *t = arg;
	size_t len = strlen(t->text);

	t->n++;
	snprintf(t->text + len, sizeof(t->text) - len, "%s %s/%s;", object_kind_name(kind), ns, name);
}

static void
put(struct store *s, const char *name)
{
	put_service(s, "ns", name, NULL, NULL, "10.96.0.1", NULL, 80, PROTO_TCP);
}

/* Takes what changed, which has to be this; NULL: anything may have. */
static void
assert_told(struct store_watch *w, const char *want)
{
	struct told t = { 0 };

	assert_int_equal(store_watch_take(w, note, &t), want != NULL);
	assert_string_equal(t.text, want == NULL ? "" : want);
	assert_true(store_watch_is_idle(w));
}

static void
a_key_that_changed_is_told_once(void **state)
{
	struct store *s = store_new();
	struct store_watch *w =
		store_watch_new(store_watches(s), 1u << OBJECT_SERVICE | 1u << OBJECT_ENDPOINT_SLICE);
	struct told t = { 0 };

	assert_false(store_watch_is_idle(w));
	put(s, "before");
	assert_told(w, NULL);
	put(s, "b");
	put(s, "a");
	put(s, "b");
	store_remove(s, OBJECT_SERVICE, "ns", "a");
	store_remove(s, OBJECT_SERVICE, "ns", "nobody");
	put_node(s, "node", "192.0.2.1", NULL, NULL);
	put_slice(s, "ns", "b", "10.244.0.1", 80, PROTO_TCP, true, "", "");
	assert_false(store_watch_is_idle(w));
	assert_true(store_watch_take(w, note, &t));
	assert_int_equal(t.n, 3); /* in whatever order */
	assert_non_null(strstr(t.text, "Service ns/a;"));
	assert_non_null(strstr(t.text, "Service ns/b;"));
	assert_non_null(strstr(t.text, "EndpointSlice ns/b-4;"));
	assert_told(w, "");
	store_watch_free(w);
	store_free(s);
}

static void
each_consumer_is_told_for_itself(void **state)
{
	struct store *s = store_new();
	struct store_watch *w = store_watch_new(store_watches(s), 1u << OBJECT_SERVICE),
			   *x = store_watch_new(store_watches(s), 1u << OBJECT_SERVICE), *nodes;

	assert_told(w, NULL);
	put(s, "a");
	assert_told(w, "Service ns/a;");
	assert_told(x, NULL);
	nodes = store_watch_new(store_watches(s), 1u << OBJECT_NODE);
	put(s, "a");
	assert_told(nodes, NULL);
	store_watch_free(w);
	assert_told(x, "Service ns/a;");
	put_node(s, "node", "192.0.2.1", NULL, NULL);
	assert_told(nodes, "Node /node;");
	store_watch_free(x);
	put(s, "a");
	assert_told(nodes, "");
	store_watch_free(nodes);
	store_free(s);
}

static void
too_many_changes_are_not_listed(void **state)
{
	struct store *s = store_new();
	struct store_watch *w = store_watch_new(store_watches(s), 1u << OBJECT_SERVICE);
	char name[16];

	assert_told(w, NULL);
	for (unsigned i = 0; i <= STORE_WATCH_MAX; i++) {
		snprintf(name, sizeof(name), "%u", i);
		put(s, name);
	}
	assert_told(w, NULL);
	put(s, "a");
	assert_told(w, "Service ns/a;");
	store_watch_free(w);
	store_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_that_changed_is_told_once),
		cmocka_unit_test(each_consumer_is_told_for_itself),
		cmocka_unit_test(too_many_changes_are_not_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
