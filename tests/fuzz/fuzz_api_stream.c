/* Answers of the API server, cut as the first byte says: however they arrive, the same objects come out as when they arrive
 * at once, and of what is JSON as a whole, those that are in it. With members left out, the objects are those without them. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/source/api/api_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static int
collect(json_t *object, void *arg)
{
	CHECK(json_is_object(object));
	return json_array_append(arg, object);
}

static const struct api_path unread[] = { { { "metadata", "managedFields" } }, { { "a", "*", "b" } },
	{ { "c" } } };
#define N_UNREAD (sizeof(unread) / sizeof(unread[0]))

static void
leave_out(json_t *value, const char *const *keys)
{
	json_t *element;
	size_t i;

	if (keys[1] == NULL)
		json_object_del(value, keys[0]);
	else if (strcmp(keys[0], "*") != 0 || json_is_object(value))
		leave_out(json_object_get(value, keys[0]), keys + 1);
	else
		json_array_foreach (value, i, element)
			leave_out(element, keys + 1);
}

/* Returns what was given away; *result as of the stream. */
static json_t *
run(enum api_stream_kind kind, bool is_trimmed, const char *text, size_t size, size_t piece, int *result,
	json_t **envelope)
{
	json_t *objects = json_array();
	struct api_stream s;

	*envelope = NULL;
	*result = 0;
	api_stream_init(&s, kind, collect, objects);
	if (is_trimmed)
		api_stream_leave_out(&s, unread, N_UNREAD);
	for (size_t at = 0; at < size && *result == 0; at += piece)
		*result = api_stream_feed(&s, text + at, size - at < piece ? size - at : piece);
	if (*result == 0)
		*result = api_stream_end(&s, envelope);
	api_stream_fini(&s);
	return objects;
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	enum api_stream_kind kind = size != 0 && (input[0] & 1) ? API_STREAM_LIST : API_STREAM_WATCH;
	json_t *trimmed, *around_trimmed, *at_once, *in_pieces, *around, *around_pieces, *whole, *items;
	int result, result_pieces;
	char *text;

	if (size < 2)
		return 0;
	text = malloc(size - 1);
	memcpy(text, input + 1, size - 1);
	at_once = run(kind, false, text, size - 1, size - 1, &result, &around);
	in_pieces =
		run(kind, false, text, size - 1, 1 + (input[0] >> 1) % 16, &result_pieces, &around_pieces);
	CHECK(result == result_pieces && json_equal(at_once, in_pieces));
	CHECK((around == NULL) == (around_pieces == NULL) &&
		(around == NULL || json_equal(around, around_pieces)));
	trimmed = run(kind, true, text, size - 1, size - 1, &result_pieces, &around_trimmed);
	whole = json_loadb(text, size - 1, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
	if (kind == API_STREAM_LIST && json_is_object(whole) && result == 0) {
		items = json_object_get(whole, "items");
		if (json_array_size(items) != 0)
			CHECK(json_equal(items, at_once));
		for (size_t i = 0; i < json_array_size(at_once); i++)
			for (size_t j = 0; j < N_UNREAD; j++)
				leave_out(json_array_get(at_once, i), unread[j].keys);
		/* names that are written with escapes stay */
		CHECK(result_pieces == 0 &&
			(memchr(text, '\\', size - 1) != NULL || json_equal(trimmed, at_once)));
	}
	json_decref(around_trimmed);
	json_decref(trimmed);
	json_decref(whole);
	json_decref(around);
	json_decref(around_pieces);
	json_decref(at_once);
	json_decref(in_pieces);
	free(text);
	return 0;
}
