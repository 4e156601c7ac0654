#include "control/source/yaml.h"
#include "control/source/yaml_print.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_values(void **state)
{
	static const struct {
		const char *yaml, *json;
	} cases[] = {
		{ "a: 1", "{\"a\":1}" },
		{ "[true, True, yes, on, y]", "[true,true,true,true,true]" },
		{ "[false, No, OFF, n]", "[false,false,false,false]" },
		{ "['true', \"no\", '1', '~']", "[\"true\",\"no\",\"1\",\"~\"]" },
		{ "[~, null, Null, ]", "[null,null,null]" },
		{ "a:\nb: ''", "{\"a\":null,\"b\":\"\"}" },
		{ "[0x1F, 0o17, 017, 0b101, -12, +3, 0]", "[31,15,15,5,-12,3,0]" },
		{ "[1.5, 1e3, .5, 08, 1.2.3.4, 10.0.0.1, 1_000]",
			"[1.5,1000.0,0.5,8.0,\"1.2.3.4\",\"10.0.0.1\",\"1_000\"]" },
		{ "[9223372036854775807, -9223372036854775808]",
			"[9223372036854775807,-9223372036854775808]" },
		{ "[10.0.0.0/8, fd00::1, 80:tcp, 2001-01-01, -, 0x]",
			"[\"10.0.0.0/8\",\"fd00::1\",\"80:tcp\",\"2001-01-01\",\"-\",\"0x\"]" },
		{ "[!!str 1, !!int \"2\", ! 3]", "[\"1\",2,\"3\"]" },
		{ "1: x\nno: z", "{\"1\":\"x\",\"no\":\"z\"}" },
		{ "a: |\n  x\n  y\n", "{\"a\":\"x\\ny\\n\"}" },
		{ "{\n\t\"a\": [1, \"\\u00e9\\/\"],\n\t\"b\": {}\n}", "{\"a\":[1,\"\xc3\xa9/\"],\"b\":{}}" },
		{ "a: &x {k: 1}\nb: *x", "{\"a\":{\"k\":1},\"b\":{\"k\":1}}" },
		{ "a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}",
			"{\"a\":{\"k\":1,\"l\":2},\"b\":{\"k\":3,\"l\":2}}" },
		{ "b: {<<: [{k: 1}, {k: 2, l: 2}]}", "{\"b\":{\"k\":1,\"l\":2}}" },
		{ "", NULL },
		{ "# nothing\n", NULL },
		{ "---\n", "null" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct yaml_error error = { 0 };
		struct yaml_file *f;
		char *json;

		if (yaml_file_parse(&f, cases[i].yaml, strlen(cases[i].yaml), &error) < 0)
			fail_msg("%s: line %u: %s", cases[i].yaml, error.line, error.message);
		assert_int_equal(yaml_n_documents(f), cases[i].json == NULL ? 0 : 1);
		if (cases[i].json != NULL) {
			json = json_dumps(yaml_document(f, 0), JSON_COMPACT | JSON_ENCODE_ANY);
			assert_string_equal(json, cases[i].json);
			free(json);
		}
		yaml_file_free(f);
	}
}

#define TEN(x) "[" x "," x "," x "," x "," x "," x "," x "," x "," x "," x "]"

static void
test_errors(void **state)
{
	static const struct {
		const char *yaml;
		unsigned line;
		const char *message; /* how it begins */
	} cases[] = {
		{ "a: 1\nb: 2\na: 3", 3, "the key \"a\" is given twice" },
		{ "a:\n\tb: 1", 2,
			"while scanning for the next token: found character that cannot start any token" },
		{ "a: [1\nb: 2", 2, "while parsing a flow sequence: did not find expected ',' or ']'" },
		{ "a: \"x\n\n", 3, "while scanning a quoted scalar" },
		{ "a: \xff\xfe", 1, "invalid" },
		{ "{a: b}: c", 1, "a key must be a plain word" },
		{ "a: .inf", 1, "JSON has no infinity" },
		{ "a: 99999999999999999999", 1, "the number is too large" },
		{ "a: !custom x", 1, "the tag !custom is not understood" },
		{ "a: !!int x", 1, "\"x\" is not of its tag's type" },
		{ "x: 1\na: *nowhere", 2, "*nowhere refers to an anchor" },
		{ "a: &a [*a]", 1, "*a refers to an anchor" },
		{ "a: {<<: 1}", 1, "<< takes a mapping" },
		/* ten to the sixth values in six lines */
		{ "a: &a " TEN("x") "\nb: &b " TEN("*a") "\nc: &c " TEN("*b") "\nd: &d " TEN(
			  "*c") "\ne: &e " TEN("*d") "\nf: &f " TEN("*e"),
			5, "aliases stand for more than 100000 values" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct yaml_error error = { 0 };
		struct yaml_file *f;

		assert_int_equal(yaml_file_parse(&f, cases[i].yaml, strlen(cases[i].yaml), &error), -EINVAL);
		assert_null(f);
		if (error.line != cases[i].line ||
			strncmp(error.message, cases[i].message, strlen(cases[i].message)) != 0)
			fail_msg("%s: got line %u: %s", cases[i].yaml, error.line, error.message);
	}
}

static void
test_depth(void **state)
{
	char deep[4096];
	struct yaml_error error;
	struct yaml_file *f;

	memset(deep, '[', sizeof(deep));
	assert_int_equal(yaml_file_parse(&f, deep, sizeof(deep), &error), -EINVAL);
	assert_string_equal(error.message, "nested deeper than 64 levels");
}

static void
test_lines(void **state)
{
	static const char text[] = "# head\n"
				   "kind: A\n"
				   "spec:\n"
				   "  ports:\n"
				   "  - port: 1\n"
				   "  - port: 2\n"
				   "    name: x\n"
				   "---\n"
				   "\n"
				   "kind: B\n";
	struct yaml_error error;
	struct yaml_file *f;
	json_t *root, *ports;

	assert_int_equal(yaml_file_parse(&f, text, strlen(text), &error), 0);
	assert_int_equal(yaml_n_documents(f), 2);
	assert_int_equal(yaml_document_line(f, 0), 2);
	assert_int_equal(yaml_document_line(f, 1), 10);
	root = yaml_document(f, 0);
	assert_int_equal(yaml_member_line(f, root, "kind"), 2);
	assert_int_equal(yaml_member_line(f, root, "spec"), 3);
	assert_int_equal(yaml_member_line(f, root, "nothing"), 0);
	ports = json_object_get(json_object_get(root, "spec"), "ports");
	assert_int_equal(yaml_element_line(f, ports, 1), 6);
	assert_int_equal(yaml_member_line(f, json_array_get(ports, 1), "name"), 7);
	assert_int_equal(yaml_element_line(f, ports, 2), 0);
	yaml_file_free(f);
}

/* Printed for people, and read back as the same. */
static void
test_print(void **state)
{
	static const struct {
		const char *json, *yaml;
	} cases[] = {
		{ "{\"a\": {\"b\": [1, \"x\", [true, null]], \"c\": {}}, \"d\": []}",
			"a:\n  b:\n    - 1\n    - x\n    - - true\n      - null\n  c: {}\nd: []\n" },
		{ "[{\"k\": \"v\", \"l\": [\"w\"]}]", "- k: v\n  l:\n    - w\n" },
		{ "{\"yes\": \"no\", \"app.kubernetes.io/name\": \"v1.2-x_y\"}",
			"\"yes\": \"no\"\napp.kubernetes.io/name: v1.2-x_y\n" },
		{ "[\"\", \"1\", \"0x1\", \"1e3\", \"~\", \"null\", \"-\", \"a b\", \"a: b\", \"#\", "
		  "\"a\\nb\", \"ä\"]",
			"- \"\"\n- \"1\"\n- \"0x1\"\n- \"1e3\"\n- \"~\"\n- \"null\"\n- \"-\"\n- \"a b\"\n- "
			"\"a: b\"\n- \"#\"\n- \"a\\nb\"\n- \"ä\"\n" },
		{ "[\"10.0.0.1/32\", \"10.0.0.1\", \"fd00::1/128\", \"1/2\"]",
			"- 10.0.0.1/32\n- \"10.0.0.1\"\n- \"fd00::1/128\"\n- 1/2\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *value = json_loads(cases[i].json, 0, NULL);
		char *text = yaml_print(value);
		struct yaml_error error;
		struct yaml_file *f;

		assert_string_equal(text, cases[i].yaml);
		if (yaml_file_parse(&f, text, strlen(text), &error) != 0)
			fail_msg("%s: %s", text, error.message);
		assert_true(json_equal(yaml_document(f, 0), value));
		yaml_file_free(f);
		free(text);
		json_decref(value);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
