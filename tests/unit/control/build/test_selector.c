#include "control/build/selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct label items[] = { { "app", "web" }, { "tier", "" } };
static const struct labels labels = { .n = 2, .items = items };
static const struct labels none;

static void
match_labels_must_all_be_there(void **state)
{
	struct label wanted[] = { { "app", "web" }, { "tier", "" } }, other[] = { { "app", "db" } };
	struct label missing[] = { { "app", "web" }, { "x", "" } };
	struct selector s = { 0 };

	assert_true(selector_matches(&s, &labels));
	assert_true(selector_matches(&s, &none));
	assert_true(selector_is_empty(&s));
	s.match_labels = (struct labels){ 2, wanted };
	assert_true(selector_matches(&s, &labels));
	assert_false(selector_matches(&s, &none));
	assert_false(selector_is_empty(&s));
	s.match_labels = (struct labels){ 1, other };
	assert_false(selector_matches(&s, &labels));
	/* an empty value is not a missing key */
	s.match_labels = (struct labels){ 2, missing };
	assert_false(selector_matches(&s, &labels));
}

static void
expressions_mean_what_the_api_says(void **state)
{
	static const struct {
		const char *key;
		enum selector_operator op;
		const char *value;
		bool matches;
	} cases[] = {
		{ "app", SELECTOR_IN, "web", true },
		{ "app", SELECTOR_IN, "db", false },
		{ "x", SELECTOR_IN, "web", false },
		{ "x", SELECTOR_IN, "", false },
		{ "tier", SELECTOR_IN, "", true },
		{ "app", SELECTOR_NOT_IN, "web", false },
		{ "app", SELECTOR_NOT_IN, "db", true },
		{ "x", SELECTOR_NOT_IN, "web", true },
		{ "tier", SELECTOR_NOT_IN, "", false },
		{ "app", SELECTOR_EXISTS, NULL, true },
		{ "tier", SELECTOR_EXISTS, NULL, true },
		{ "x", SELECTOR_EXISTS, NULL, false },
		{ "app", SELECTOR_DOES_NOT_EXIST, NULL, false },
		{ "x", SELECTOR_DOES_NOT_EXIST, NULL, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *values[] = { "other", (char *)cases[i].value };
		struct selector_expression both[] = {
			{ .key = (char *)cases[i].key, .op = cases[i].op, .n_values = 2, .values = values },
			{ .key = "app", .op = SELECTOR_DOES_NOT_EXIST },
		};
		struct selector s = { .n_expressions = 1, .expressions = both };

		if (cases[i].value == NULL)
			both[0].n_values = 0;
		if (selector_matches(&s, &labels) != cases[i].matches)
			fail_msg("case %zu", i);
		/* all must hold */
		s.n_expressions = 2;
		assert_false(selector_matches(&s, &labels));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(match_labels_must_all_be_there),
		cmocka_unit_test(expressions_mean_what_the_api_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
