#include "control/report/event_book.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/report/sightings.h"

#define S UINT64_C(1000000000)
#define WALL 1790000000

static const struct event_subject pod = { "Pod", "v1", "shop", "web-0", "uid-1" },
				  node = { "Node", "v1", "", "a", "" };

static void
note(struct event_book *b, const struct event_subject *about, const char *message, uint64_t now_s)
{
	event_book_note(b, REPORT_DNS_DENIED, about, message, false, now_s * S, WALL + (int64_t)now_s);
}

/* The next request as "METHOD path count", answered with the status. */
static const char *
next(struct event_book *b, uint64_t now_s, long status)
{
	static char text[512];
	struct event_write w;
	uint64_t wait_ns;
	json_t *body;

	if (!event_book_next(b, now_s * S, &w, &wait_ns)) {
		snprintf(text, sizeof(text), "wait %llu", (unsigned long long)(wait_ns / S));
		return text;
	}
	body = json_loads(w.body, 0, NULL);
	snprintf(text, sizeof(text), "%s %s %lld", w.method, w.path,
		json_integer_value(json_object_get(body, "count")));
	json_decref(body);
	event_book_written(b, w.entry, status);
	event_write_fini(&w);
	return text;
}

static void
assert_next(struct event_book *b, uint64_t now_s, long status, const char *begin, const char *end)
{
	const char *text = next(b, now_s, status);

	if (strncmp(text, begin, strlen(begin)) != 0 || strlen(text) < strlen(end) ||
		strcmp(text + strlen(text) - strlen(end), end) != 0)
		fail_msg("'%s' is not '%s ... %s'", text, begin, end);
}

static void
an_event_is_what_the_api_server_takes(void **state)
{
	struct event_book *b = event_book_new("a");
	struct event_write w;
	uint64_t wait_ns;
	json_t *body, *expected;
	const char *name;

	note(b, &pod, "m", 1);
	assert_true(event_book_next(b, S, &w, &wait_ns));
	assert_string_equal(w.method, "POST");
	assert_string_equal(w.path, "/api/v1/namespaces/shop/events");
	assert_string_equal(w.content_type, "application/json");
	body = json_loads(w.body, 0, NULL);
	name = json_string_value(json_object_get(json_object_get(body, "metadata"), "name"));
	assert_memory_equal(name, "web-0.", 6);
	assert_int_equal(strlen(name), 6 + 16);
	expected = json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s, s:s, s:s, s:s}, s:s, s:s, s:s, s:{s:s, "
			     "s:s}, s:s, s:s, s:i, s:s, s:s}",
		"kind", "Event", "apiVersion", "v1", "metadata", "name", name, "namespace", "shop",
		"involvedObject", "kind", "Pod", "apiVersion", "v1", "namespace", "shop", "name", "web-0",
		"uid", "uid-1", "reason", "DNSDenied", "message", "m", "type", "Warning", "source",
		"component", "ringwayd", "host", "a", "firstTimestamp", "2026-09-21T14:13:21Z",
		"lastTimestamp", "2026-09-21T14:13:21Z", "count", 1, "reportingComponent",
		"ringway.io/ringwayd", "reportingInstance", "a");
	if (!json_equal(body, expected))
		assert_string_equal(w.body, "the expected one");
	json_decref(body);
	json_decref(expected);
	event_write_fini(&w);
	event_book_free(b);
}

static void
the_same_is_counted_for_ten_minutes(void **state)
{
	struct event_book *b = event_book_new("a");

	note(b, &pod, "m", 1);
	note(b, &pod, "m", 2);
	assert_next(b, 2, 201, "POST /api/v1/namespaces/shop/events ", " 2");
	assert_string_equal(next(b, 2, 0), "wait 0");
	note(b, &pod, "m", 500);
	note(b, &pod, "other", 501);
	note(b, &node, "m", 501);
	assert_next(b, 502, 201, "POST /api/v1/namespaces/shop/events ", " 1");
	assert_next(b, 502, 201, "POST /api/v1/namespaces/default/events ", " 1");
	assert_next(b, 502, 200, "PATCH /api/v1/namespaces/shop/events/web-0.", " 3");
	/* ten minutes from the last one */
	note(b, &pod, "m", 1000);
	assert_next(b, 1000, 200, "PATCH ", " 4");
	note(b, &pod, "m", 1600);
	assert_next(b, 1600, 201, "POST ", " 1");
	assert_string_equal(next(b, 1600, 0), "wait 0");
	event_book_free(b);
}

static void
an_object_has_a_burst_and_then_one_a_minute(void **state)
{
	struct event_book *b = event_book_new("a");
	char text[8];

	for (unsigned i = 0; i < EVENT_OBJECT_BURST + 2; i++) {
		snprintf(text, sizeof(text), "%u", i);
		note(b, &pod, text, 1);
	}
	for (unsigned i = 0; i < EVENT_OBJECT_BURST; i++)
		assert_next(b, 1, 201, "POST", " 1");
	assert_string_equal(next(b, 1, 0), "wait 60");
	/* others go on */
	note(b, &node, "m", 1);
	assert_next(b, 1, 201, "POST /api/v1/namespaces/default/", " 1");
	/* what waits is counted up, and written once */
	note(b, &pod, "11", 2);
	assert_string_equal(next(b, 31, 0), "wait 30");
	assert_next(b, 61, 201, "POST", "");
	assert_string_equal(next(b, 61, 0), "wait 60");
	assert_next(b, 121, 201, "POST", "");
	assert_string_equal(next(b, 121, 0), "wait 0");
	event_book_free(b);
}

static void
a_node_has_a_burst_and_then_one_in_ten_seconds(void **state)
{
	struct event_book *b = event_book_new("a");
	char name[16];

	for (unsigned i = 0; i < EVENT_NODE_BURST + 1; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		note(b, &(struct event_subject){ "Pod", "v1", "x", name, "" }, "m", 1);
	}
	for (unsigned i = 0; i < EVENT_NODE_BURST; i++)
		assert_next(b, 1, 201, "POST", " 1");
	assert_string_equal(next(b, 1, 0), "wait 10");
	assert_next(b, 11, 201, "POST", " 1");
	assert_string_equal(next(b, 11, 0), "wait 0");
	event_book_free(b);
}

static void
what_the_server_says_matters(void **state)
{
	struct event_book *b = event_book_new("a");

	/* away: the same again */
	note(b, &pod, "m", 1);
	assert_next(b, 1, 0, "POST", " 1");
	assert_next(b, 2, 429, "POST", " 1");
	assert_next(b, 3, 403, "POST", " 1");
	/* it was said already */
	assert_next(b, 4, 409, "POST", " 1");
	assert_string_equal(next(b, 5, 0), "wait 0");
	/* it has forgotten it meanwhile */
	note(b, &pod, "m", 6);
	assert_next(b, 6, 404, "PATCH", " 2");
	assert_next(b, 7, 201, "POST", " 2");
	/* its namespace is gone */
	note(b, &pod, "n", 8);
	assert_int_equal(event_book_n_lost(b), 0);
	assert_next(b, 8, 404, "POST", " 1");
	assert_string_equal(next(b, 9, 0), "wait 0");
	assert_int_equal(event_book_n_lost(b), 1);
	event_book_free(b);
}

static void
what_has_no_room_is_lost_and_counted(void **state)
{
	struct event_book *b = event_book_new("a");
	char name[300];

	for (unsigned i = 0; i < EVENT_BOOK_ROOM + 3; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		note(b, &(struct event_subject){ "Pod", "v1", "x", name, "" }, "m", 1);
	}
	assert_int_equal(event_book_n_lost(b), 3);
	/* what is written makes room */
	assert_next(b, 1, 201, "POST", " 1");
	note(b, &pod, "m", 1);
	assert_int_equal(event_book_n_lost(b), 3);
	/* what is no name does not get into a URL, and a long one is cut where the rest is one */
	assert_next(b, 1, 201, "POST", " 1");
	note(b, &(struct event_subject){ "Pod", "v1", "../x", "p", "" }, "m", 1);
	assert_int_equal(event_book_n_lost(b), 4);
	event_book_free(b);
	b = event_book_new("a");
	memset(name, 'a', 253);
	name[253] = '\0';
	name[199] = '.';
	name[198] = '-';
	note(b, &(struct event_subject){ "Pod", "v1", "x", name, "" }, "m", 1);
	assert_next(b, 1, 201, "POST", " 1");
	note(b, &(struct event_subject){ "Pod", "v1", "x", name, "" }, "m", 2);
	name[198] = '.';
	assert_next(b, 2, 200, "PATCH", " 2");
	assert_non_null(strstr(next(b, 2, 0), "wait"));
	/* without anybody to tell nothing happens */
	note(NULL, &pod, "m", 1);
	event_book_free(b);
}

static void
nodes_name_what_they_share_alike(void **state)
{
	struct event_book *a = event_book_new("a"), *b = event_book_new("b");
	struct event_write w, v;
	uint64_t wait_ns;
	json_t *x, *y;

	event_book_note(a, REPORT_ADDRESS_REFUSED, &pod, "m", true, S, WALL);
	event_book_note(b, REPORT_ADDRESS_REFUSED, &pod, "m", true, 9 * S, WALL + 7);
	assert_true(event_book_next(a, S, &w, &wait_ns));
	assert_true(event_book_next(b, 9 * S, &v, &wait_ns));
	x = json_loads(w.body, 0, NULL);
	y = json_loads(v.body, 0, NULL);
	assert_true(json_equal(json_object_get(x, "metadata"), json_object_get(y, "metadata")));
	json_decref(x);
	json_decref(y);
	event_write_fini(&w);
	event_write_fini(&v);
	event_book_free(a);
	event_book_free(b);
}

static void
only_what_was_not_so_before_is_news(void **state)
{
	struct sightings s;

	assert_int_equal(sightings_init(&s), 0);
	assert_true(sightings_see(&s, 7));
	assert_true(sightings_see(&s, 3));
	sightings_end(&s);
	assert_false(sightings_see(&s, 3));
	assert_true(sightings_see(&s, 5));
	sightings_end(&s);
	assert_true(sightings_see(&s, 7));
	assert_false(sightings_see(&s, 5));
	sightings_end(&s);
	for (unsigned i = 0; i < SIGHTINGS_MAX; i++)
		assert_true(sightings_see(&s, 100 + i));
	assert_false(sightings_see(&s, 1));
	sightings_end(&s);
	sightings_fini(&s);
}

static void
the_readme_names_every_reason(void **state)
{
	static char text[1 << 18];
	FILE *file = fopen(SOURCE_ROOT "/README.md", "r");
	char name[64];

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	for (unsigned r = 0; r < N_EVENT_REASONS; r++) {
		snprintf(name, sizeof(name), "`%s`", event_reason_name((enum event_reason)r));
		if (strstr(text, name) == NULL)
			fail_msg("README.md does not know %s", name);
		assert_true(*event_reason_help((enum event_reason)r) != '\0');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_what_the_api_server_takes),
		cmocka_unit_test(the_same_is_counted_for_ten_minutes),
		cmocka_unit_test(an_object_has_a_burst_and_then_one_a_minute),
		cmocka_unit_test(a_node_has_a_burst_and_then_one_in_ten_seconds),
		cmocka_unit_test(what_the_server_says_matters),
		cmocka_unit_test(what_has_no_room_is_lost_and_counted),
		cmocka_unit_test(nodes_name_what_they_share_alike),
		cmocka_unit_test(the_readme_names_every_reason),
		cmocka_unit_test(only_what_was_not_so_before_is_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
