#include "control/model/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct object *
pod(const char *ns, const char *name, const char *node)
{
	struct pod_object *p = calloc(1, sizeof(*p));

	p->object = (struct object){ .kind = OBJECT_POD, .ns = strdup(ns), .name = strdup(name) };
	p->node = strdup(node);
	p->ports = calloc(1, sizeof(*p->ports));
	p->n_ports = 1;
	p->ports[0].name = strdup("web");
	p->addrs = calloc(2, sizeof(*p->addrs));
	return &p->object;
}

static void
append(const struct object *object, void *arg)
{
	char *text = arg;

	sprintf(text + strlen(text), "%s/%s ", object->ns, object->name);
}

static void
test_put_get_remove(void **state)
{
	struct store *s = store_new();
	char text[64] = "";
	uint64_t generation = store_generation(s, OBJECT_POD);

	assert_int_equal(store_put(s, pod("b", "x", "n1")), 0);
	assert_int_equal(store_put(s, pod("a", "y", "n1")), 0);
	assert_int_equal(store_put(s, pod("a", "x", "n1")), 0);
	assert_int_equal(store_put(s, pod("a", "x", "n2")), 0);
	assert_int_equal(store_count(s, OBJECT_POD), 3);
	assert_int_equal(store_generation(s, OBJECT_POD), generation + 4);
	assert_int_equal(store_generation(s, OBJECT_SERVICE), 0);
	assert_string_equal(((const struct pod_object *)store_get(s, OBJECT_POD, "a", "x"))->node, "n2");
	assert_null(store_get(s, OBJECT_POD, "b", "y"));
	assert_null(store_get(s, OBJECT_NODE, "a", "x"));
	store_each(s, OBJECT_POD, append, text);
	assert_string_equal(text, "a/x a/y b/x ");

	assert_true(store_remove(s, OBJECT_POD, "a", "x"));
	assert_false(store_remove(s, OBJECT_POD, "a", "x"));
	assert_int_equal(store_count(s, OBJECT_POD), 2);
	assert_int_equal(store_generation(s, OBJECT_POD), generation + 5);
	store_free(s);
	store_free(NULL);
	object_free(NULL);
}

static void
test_many(void **state)
{
	struct store *s = store_new();
	char name[32];

	for (unsigned i = 0; i < 150000; i++) {
		snprintf(name, sizeof(name), "p%u", i * 7919 % 150000);
		assert_int_equal(store_put(s, pod("default", name, "n")), 0);
	}
	assert_int_equal(store_count(s, OBJECT_POD), 150000);
	assert_non_null(store_get(s, OBJECT_POD, "default", "p149999"));
	store_free(s);
}

static void
test_labels(void **state)
{
	struct label items[] = { { "app", "web" }, { "tier", "" } };
	struct labels labels = { 2, items };

	assert_string_equal(labels_get(&labels, "tier"), "");
	assert_null(labels_get(&labels, "ap"));
	assert_string_equal(object_kind_name(OBJECT_ENDPOINT_SLICE), "EndpointSlice");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_get_remove),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
