#include "control/source/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint64_t
digest(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	uint64_t sum;

	assert_non_null(value);
	sum = json_digest(value);
	json_decref(value);
	return sum;
}

static void
test_order_of_members_does_not_count(void **state)
{
	assert_true(digest("{\"a\": 1, \"b\": {\"c\": [1, 2], \"d\": null}}") ==
		    digest("{ \"b\" : {\"d\": null, \"c\": [1, 2]}, \"a\": 1 }"));
}

/* All of these say something else. */
static void
test_what_differs(void **state)
{
	static const char *const texts[] = { "null", "true", "false", "0", "1", "-1", "0.0", "1.0", "\"\"",
		"\"0\"", "\"a\"", "\"b\"", "\"12345678\"", "\"123456789\"", "\"12345678\\u0000\"", "[]",
		"[[]]", "{}", "[1]", "[1, 2]", "[2, 1]", "[[1], 2]", "[[1, 2]]", "{\"a\": 1}", "{\"a\": 2}",
		"{\"b\": 1}", "{\"a\": \"1\"}", "{\"a\": 1, \"b\": 2}", "{\"a\": 2, \"b\": 1}",
		"{\"a\": {\"b\": 1}}", "{\"a\": {\"b\": 2}}", "{\"a\": [\"b\"]}", "{\"a\": \"b\"}",
		"{\"b\": \"a\"}", "{\"a\": null}", "{\"a\": \"\"}" };
	size_t n = sizeof(texts) / sizeof(texts[0]);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (digest(texts[i]) == digest(texts[j]))
				fail_msg("%s and %s", texts[i], texts[j]);
	assert_true(json_digest(NULL) == json_digest(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_of_members_does_not_count),
		cmocka_unit_test(test_what_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
