#include "control/source/api/api_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS "items"

void
api_stream_init(
	struct api_stream *s, enum api_stream_kind kind, int (*fn)(json_t *object, void *arg), void *arg)
{
	*s = (struct api_stream){ .kind = kind, .fn = fn, .arg = arg };
}

void
api_stream_leave_out(struct api_stream *s, const struct api_path *unread, size_t n)
{
	s->unread = unread;
	s->n_unread = n;
}

void
api_stream_fini(struct api_stream *s)
{
	free(s->object.bytes);
	free(s->envelope.bytes);
	*s = (struct api_stream){ 0 };
}

static int
text_append(struct api_text *t, const char *bytes, size_t n, size_t max)
{
	size_t size = t->size == 0 ? 4096 : t->size;
	char *grown;

	if (n > max - t->n)
		return -EFBIG;
	while (size < t->n + n)
		size *= 2;
	if (size != t->size) {
		grown = realloc(t->bytes, size);
		if (grown == NULL)
			return -ENOMEM;
		t->bytes = grown;
		t->size = size;
	}
	memcpy(t->bytes + t->n, bytes, n);
	t->n += n;
	return 0;
}

/* A NUL in an annotation is legal; refusing it would let a tenant stop everybody's list. */
static json_t *
text_parse(const struct api_text *t)
{
	return json_loadb(t->bytes, t->n, JSON_ALLOW_NUL, NULL);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static int
give_away(struct api_stream *s)
{
	json_t *object;
	int result;

	s->object.n =
		api_trim(s->object.bytes, s->object.n, s->kind == API_STREAM_WATCH, s->unread, s->n_unread);
	object = text_parse(&s->object);
	s->in_object = false;
	s->needs_comma = true;
	if (object == NULL)
		return -EINVAL;
	result = s->fn(object, s->arg);
	s->object.n = 0;
	json_decref(object);
	return result < 0 ? result : 0;
}

/* Follows strings and brackets over one byte. False for a bracket that closes nothing. */
static bool
follow(struct api_stream *s, char c)
{
	if (s->in_string) {
		if (s->is_escaped)
			s->is_escaped = false;
		else if (c == '\\')
			s->is_escaped = true;
		else if (c == '"')
			s->in_string = false;
	} else if (c == '"') {
		s->in_string = true;
	} else if (c == '{' || c == '[') {
		s->depth++;
	} else if (c == '}' || c == ']') {
		if (s->depth == 0)
			return false;
		s->depth--;
	}
	return true;
}

/* Takes bytes of an object up to its end; *used says how many. */
static int
feed_object(struct api_stream *s, const char *bytes, size_t size, size_t *used)
{
	unsigned outside = s->in_items ? 2 : 0;
	size_t i = 0;
	int result;

	do {
		if (!follow(s, bytes[i++]))
			return -EINVAL;
	} while (i < size && s->depth > outside);
	*used = i;
	result = text_append(&s->object, bytes, i, API_OBJECT_MAX);
	if (result < 0 || s->depth > outside)
		return result;
	return give_away(s);
}

/* Between a list's items. */
static int
feed_items(struct api_stream *s, char c)
{
	if (is_space(c))
		return 0;
	if (c == ']' && !s->has_comma) {
		s->in_items = false;
		s->depth--;
		return text_append(&s->envelope, &c, 1, API_ENVELOPE_MAX);
	}
	if (c == ',' && s->needs_comma) {
		s->needs_comma = false;
		s->has_comma = true;
		return 0;
	}
	if (c != '{' || s->needs_comma)
		return -EINVAL;
	s->has_comma = false;
	s->in_object = true;
	return 0;
}

/* Looks out for the member "items" among those of the list itself. */
static void
follow_key(struct api_stream *s, char c)
{
	if (s->in_string) {
		if (!s->is_key) {
			s->is_key = true;
			s->key_len = 0;
		} else if (s->key_len < sizeof(s->key)) {
			s->key[s->key_len++] = c;
		}
	} else if (s->is_key) {
		s->is_key = false; /* this is the closing quote */
	} else if (c == ':') {
		s->is_items = s->key_len == strlen(ITEMS) && memcmp(s->key, ITEMS, s->key_len) == 0;
	}
}

/* Around a list's items. */
static int
feed_envelope(struct api_stream *s, char c)
{
	if (s->has_ended)
		return is_space(c) ? 0 : -EINVAL;
	if (s->depth == 0 && c != '{')
		return is_space(c) ? 0 : -EINVAL;
	if (s->is_items && c == '[') {
		s->is_items = false;
		s->in_items = true;
		s->has_comma = s->needs_comma = false;
		s->depth++;
		return text_append(&s->envelope, &c, 1, API_ENVELOPE_MAX);
	}
	if (!is_space(c))
		s->is_items = false;
	if (!follow(s, c))
		return -EINVAL;
	if (s->depth == 1)
		follow_key(s, c);
	s->has_ended = s->depth == 0;
	return text_append(&s->envelope, &c, 1, API_ENVELOPE_MAX);
}

/* Between a watch's values. */
static int
feed_values(struct api_stream *s, char c)
{
	if (is_space(c))
		return 0;
	if (c != '{')
		return -EINVAL;
	s->in_object = true;
	return 0;
}

int
api_stream_feed(struct api_stream *s, const char *bytes, size_t size)
{
	size_t i = 0, used = 0;
	int result = 0;

	while (i < size && result == 0) {
		if (!s->in_object) {
			if (s->kind == API_STREAM_WATCH)
				result = feed_values(s, bytes[i]);
			else if (s->in_items)
				result = feed_items(s, bytes[i]);
			else
				result = feed_envelope(s, bytes[i]);
		}
		if (s->in_object && result == 0) {
			result = feed_object(s, bytes + i, size - i, &used);
			i += used;
		} else {
			i++;
		}
	}
	return result;
}

int
api_stream_end(struct api_stream *s, json_t **envelope)
{
	*envelope = NULL;
	if (s->kind == API_STREAM_WATCH)
		return s->in_object ? -EINVAL : 0;
	if (!s->has_ended)
		return -EINVAL;
	*envelope = text_parse(&s->envelope);
	/* a name that is spelled with escapes hides items from us */
	if (*envelope != NULL && json_array_size(json_object_get(*envelope, ITEMS)) == 0)
		return 0;
	json_decref(*envelope);
	*envelope = NULL;
	return -EINVAL;
}
