#include "control/source/api/api_stream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What was given away, as compact JSON, one after the other. */
struct seen {
	char text[4096];
	unsigned n;
	int answer;
};

static int
note(json_t *object, void *arg)
{
	struct seen *seen = arg;
	char *text = json_dumps(object, JSON_COMPACT);

	assert_true(strlen(seen->text) + strlen(text) < sizeof(seen->text));
	strcat(seen->text, text);
	free(text);
	seen->n++;
	return seen->answer;
}

/* Feeds the text in pieces of this size; what stands around a list's items follows them, behind a '|'. */
static int
cut(struct seen *seen, enum api_stream_kind kind, const char *text, size_t size, size_t piece)
{
	struct api_stream s;
	json_t *envelope = NULL;
	int result = 0, answer = seen->answer;
	char *around;

	*seen = (struct seen){ .answer = answer };
	api_stream_init(&s, kind, note, seen);
	for (size_t at = 0; at < size && result == 0; at += piece)
		result = api_stream_feed(&s, text + at, size - at < piece ? size - at : piece);
	if (result == 0)
		result = api_stream_end(&s, &envelope);
	if (envelope != NULL) {
		around = json_dumps(envelope, JSON_COMPACT);
		strcat(seen->text, "|");
		strcat(seen->text, around);
		free(around);
		json_decref(envelope);
	}
	api_stream_fini(&s);
	return result;
}

static void
check(enum api_stream_kind kind, const char *text, const char *wanted)
{
	struct seen seen = { .answer = 0 };
	size_t size = strlen(text);

	for (size_t piece = 1; piece <= size; piece++) {
		char *copy = malloc(size); /* exactly, so that reading on is caught */

		for (size_t i = 0; i < size; i++)
			copy[i] = text[i];
		assert_int_equal(cut(&seen, kind, copy, size, piece), 0);
		assert_string_equal(seen.text, wanted);
		free(copy);
	}
}

static void
check_refused(enum api_stream_kind kind, const char *text)
{
	struct seen seen = { .answer = 0 };

	for (size_t piece = 1; piece <= strlen(text) + 1; piece++)
		if (cut(&seen, kind, text, strlen(text), piece) != -EINVAL)
			fail_msg("%s is not refused", text);
}

static void
test_a_list_is_cut_into_its_items(void **state)
{
	check(API_STREAM_LIST,
		"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[{\"a\":1},{\"b\":["
		"{}]}]}\n",
		"{\"a\":1}{\"b\":[{}]}|{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},"
		"\"items\":[]}");
	check(API_STREAM_LIST, " { \"items\" : [ { \"a\" : \"]}\" } , {} ] , \"metadata\" : { } } ",
		"{\"a\":\"]}\"}{}|{\"items\":[],\"metadata\":{}}");
	check(API_STREAM_LIST, "{\"items\":[]}", "|{\"items\":[]}");
	check(API_STREAM_LIST, "{\"items\":null,\"x\":[1]}", "|{\"items\":null,\"x\":[1]}");
}

static void
test_items_elsewhere_are_no_items(void **state)
{
	const char *const others[] = {
		"{\"metadata\":{\"items\":[{\"a\":1}]}}",
		"{\"items\":{\"items\":[{\"a\":1}]}}",
		"{\"kind\":\"items\",\"x\":[{}]}",
		"{\"items\":\"[{}]\",\"x\":[{\"y\":2}]}",
		"{\"itemsX\":[{}],\"item\":[{}],\"itemsitemsitems\":[{}],\"\":[{}]}",
		"{\"ite\\\"ms\":[{}]}",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char wanted[256];

		snprintf(wanted, sizeof(wanted), "|%s", others[i]);
		check(API_STREAM_LIST, others[i], wanted);
	}
}

static void
test_strings_hide_brackets_and_quotes(void **state)
{
	check(API_STREAM_LIST, "{\"m\":\"}]\\\"{\",\"items\":[{\"a\":\"\\\\\"},{\"b\":\"\\\"}{[\"}]}",
		"{\"a\":\"\\\\\"}{\"b\":\"\\\"}{[\"}|{\"m\":\"}]\\\"{\",\"items\":[]}");
	check(API_STREAM_WATCH, "{\"a\":\"\\u0000\"}", "{\"a\":\"\\u0000\"}");
}

static void
test_a_watch_is_cut_into_its_events(void **state)
{
	check(API_STREAM_WATCH, "{\"type\":\"ADDED\",\"object\":{\"x\":1}}\n{\"type\":\"BOOKMARK\"}\n",
		"{\"type\":\"ADDED\",\"object\":{\"x\":1}}{\"type\":\"BOOKMARK\"}");
	check(API_STREAM_WATCH, "\n{}{}\r\n", "{}{}");
	check(API_STREAM_WATCH, "", "");
}

static void
test_what_is_no_answer_is_refused(void **state)
{
	const char *const lists[] = { "", "{", "[]", "<html>", "{\"items\":[{}", "{\"items\":[{}{}]}",
		"{\"items\":[,{}]}", "{\"items\":[{},]}", "{\"items\":[{},,{}]}", "{\"items\":[1]}",
		"{\"items\":[[]]}", "{\"items\":[{}]}x", "{\"items\":[{}]}{}", "{\"items\":[{]}]}",
		"{\"items\":[{\"a\"}]}", "{\"items\":[]", "{\"a\":}", "{]", "{\"items\":[}",
		"{\"ite\\u006ds\":[{}]}" };
	const char *const watches[] = { "x", "[]", "{", "{\"a\":\"", "{]", "}", "{\"a\" 1}" };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		check_refused(API_STREAM_LIST, lists[i]);
	for (size_t i = 0; i < sizeof(watches) / sizeof(watches[0]); i++)
		check_refused(API_STREAM_WATCH, watches[i]);
}

static void
test_an_error_of_the_receiver_ends_it(void **state)
{
	struct seen seen = { .answer = -ENOMEM };

	assert_int_equal(cut(&seen, API_STREAM_WATCH, "{}{}", 4, 4), -ENOMEM);
	assert_int_equal(seen.n, 1);
}

/* A server that never ends an object must not take all memory. */
static void
test_what_never_ends_is_cut_off(void **state)
{
	struct api_stream s;
	char bytes[65536];
	size_t fed = 0;
	int result;

	memset(bytes, 'x', sizeof(bytes));
	api_stream_init(&s, API_STREAM_WATCH, note, NULL);
	result = api_stream_feed(&s, "{\"", 2);
	for (; result == 0 && fed <= 2 * (size_t)API_OBJECT_MAX; fed += sizeof(bytes))
		result = api_stream_feed(&s, bytes, sizeof(bytes));
	assert_int_equal(result, -EFBIG);
	assert_true(fed <= (size_t)API_OBJECT_MAX + sizeof(bytes));
	api_stream_fini(&s);
	api_stream_init(&s, API_STREAM_LIST, note, NULL);
	result = api_stream_feed(&s, "{\"", 2);
	for (fed = 0; result == 0 && fed <= 2 * (size_t)API_ENVELOPE_MAX; fed += sizeof(bytes))
		result = api_stream_feed(&s, bytes, sizeof(bytes));
	assert_int_equal(result, -EFBIG);
	api_stream_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_list_is_cut_into_its_items),
		cmocka_unit_test(test_items_elsewhere_are_no_items),
		cmocka_unit_test(test_strings_hide_brackets_and_quotes),
		cmocka_unit_test(test_a_watch_is_cut_into_its_events),
		cmocka_unit_test(test_what_is_no_answer_is_refused),
		cmocka_unit_test(test_an_error_of_the_receiver_ends_it),
		cmocka_unit_test(test_what_never_ends_is_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
