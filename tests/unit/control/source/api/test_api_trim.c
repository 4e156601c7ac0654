#include "control/source/api/api_trim.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/source/api/api_kind.h"

static const struct api_path paths[] = {
	{ { "metadata", "managedFields" } },
	{ { "metadata", "annotations", "a.b/c" } },
	{ { "spec", "list", "*", "env" } },
	{ { "status" } },
};

/* NULL: refused. */
static void
check_as(bool is_event, const char *text, const char *wanted)
{
	size_t size = strlen(text), n;
	char *copy = malloc(size + 1); /* one byte more, which must stay */

	for (size_t i = 0; i < size; i++)
		copy[i] = text[i];
	copy[size] = 'x';
	n = api_trim(copy, size, is_event, paths, sizeof(paths) / sizeof(paths[0]));
	assert_int_equal(n, wanted == NULL ? 0 : strlen(wanted));
	if (wanted != NULL)
		assert_memory_equal(copy, wanted, n);
	assert_int_equal(copy[size], 'x');
	free(copy);
}

static void
check(const char *text, const char *wanted)
{
	check_as(false, text, wanted);
}

static void
test_members_go(void **state)
{
	check("{\"metadata\":{\"managedFields\":[{\"a\":\"]}\\\"\"}],\"name\":\"x\"},\"status\":{}}",
		"{\"metadata\":{\"name\":\"x\"}}");
	check("{\"metadata\":{\"name\":\"x\",\"managedFields\":{}}}", "{\"metadata\":{\"name\":\"x\"}}");
	check("{\"metadata\":{\"managedFields\":null}}", "{\"metadata\":{}}");
	check("{\"metadata\":{\"annotations\":{\"x\":\"1\",\"a.b/c\":\"2\",\"y\":\"3\"}}}",
		"{\"metadata\":{\"annotations\":{\"x\":\"1\",\"y\":\"3\"}}}");
	check("{\"spec\":{\"list\":[{\"env\":1,\"a\":2},{\"a\":3,\"env\":4},{\"env\":5},7,[]]}}",
		"{\"spec\":{\"list\":[{\"a\":2},{\"a\":3},{},7,[]]}}");
	check("{\"status\":-1.5e3,\"a\":[],\"status\":\"x\",\"b\":true}", "{\"a\":[],\"b\":true}");
}

static void
test_others_stay(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"managedFields\":1,\"a\":{\"metadata\":{\"managedFields\":1}}}",
		"{\"metadata\":{\"managedField\":1,\"managedFieldss\":2,\"\":3}}",
		"{\"metadata\":[{\"managedFields\":1}],\"spec\":\"list\"}",
		"{\"spec\":{\"list\":{\"env\":1}}}",
		"{\"metadata\":{\"managed\\u0046ields\":1}}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check(texts[i], texts[i]);
}

static void
test_space_between_tokens(void **state)
{
	check(" {\n \"metadata\" : { \"managedFields\" : [ 1 , 2 ] , \"name\" : \"a b\" } "
	      ",\t\"status\":1\r} ",
		"{\"metadata\":{\"name\":\"a b\"}}");
}

static void
test_an_events_object(void **state)
{
	check_as(true, "{\"type\":\"ADDED\",\"object\":{\"status\":{},\"metadata\":{\"managedFields\":[]}}}",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}");
	check_as(true, "{\"status\":1,\"metadata\":{\"managedFields\":[]}}",
		"{\"status\":1,\"metadata\":{\"managedFields\":[]}}");
}

/* Whatever is cut off anywhere is no JSON any more. */
static void
test_what_is_cut_is_refused(void **state)
{
	static const char text[] =
		"{\"metadata\":{\"managedFields\":[\"\\\"\"],\"a\":[1,{}]},\"status\":\"x\"}";
	char part[sizeof(text)];

	for (size_t n = 1; n < sizeof(text) - 1; n++) {
		memcpy(part, text, n);
		part[n] = '\0';
		check(part, NULL);
	}
	check("{\"status\":1}}", NULL);
	check("{\"status\":1,}", NULL);
	check("{\"a\" 1}", NULL);
}

/* Every kind's list: no member that is needed to tell the object is in it. */
static void
test_the_kinds(void **state)
{
	static const char *const kept[][3] = { { "metadata", "name" }, { "metadata", "namespace" },
		{ "metadata", "uid" }, { "metadata", "resourceVersion" }, { "metadata", "labels" },
		{ "metadata", "annotations" }, { "metadata", "creationTimestamp" },
		{ "metadata", "deletionTimestamp" } };

	for (unsigned k = 0; k < N_API_KINDS; k++) {
		assert_true(api_kinds[k].n_unread <= API_PATHS_MAX);
		for (unsigned i = 0; i < api_kinds[k].n_unread; i++) {
			const char *const *keys = api_kinds[k].unread[i].keys;

			assert_non_null(keys[1]);
			for (size_t j = 0; j < sizeof(kept) / sizeof(kept[0]); j++)
				assert_false(keys[2] == NULL && strcmp(keys[0], kept[j][0]) == 0 &&
					     strcmp(keys[1], kept[j][1]) == 0);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members_go),
		cmocka_unit_test(test_others_stay),
		cmocka_unit_test(test_space_between_tokens),
		cmocka_unit_test(test_an_events_object),
		cmocka_unit_test(test_what_is_cut_is_refused),
		cmocka_unit_test(test_the_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
