#include "control/source/api/api_trim.h"

#include <stdint.h>
#include <string.h>

/* Reads ahead of where it writes. */
struct trimmer {
	const char *in, *end;
	char *out;
	const struct api_path *paths;
	bool is_event;
};

static bool trim_value(struct trimmer *t, uint64_t paths, unsigned depth);

static void
skip_space(struct trimmer *t)
{
	while (t->in < t->end && (*t->in == ' ' || *t->in == '\n' || *t->in == '\r' || *t->in == '\t'))
		t->in++;
}

/* Behind the closing quote of the string that begins here; NULL: there is none. */
static const char *
string_end(const char *at, const char *end)
{
	for (at++; at < end; at++) {
		if (*at == '"')
			return at + 1;
		if (*at == '\\' && ++at == end)
			break;
	}
	return NULL;
}

/* Behind the value that begins here; NULL: it has no end. */
static const char *
value_end(const char *at, const char *end)
{
	unsigned depth = 0;

	while (at < end) {
		switch (*at) {
		case '"':
			at = string_end(at, end);
			if (at == NULL || depth == 0)
				return at;
			break;
		case '{':
		case '[':
			depth++;
			at++;
			break;
		case '}':
		case ']':
			if (depth == 0)
				return at;
			at++;
			if (--depth == 0)
				return at;
			break;
		case ',':
			if (depth == 0)
				return at;
			at++;
			break;
		default:
			at++;
			break;
		}
	}
	return NULL;
}

static void
copy(struct trimmer *t, const char *from, size_t n)
{
	if (t->out != from)
		memmove(t->out, from, n);
	t->out += n;
}

static bool
copy_value(struct trimmer *t)
{
	const char *end = value_end(t->in, t->end);

	if (end == NULL || end == t->in)
		return false;
	copy(t, t->in, (size_t)(end - t->in));
	t->in = end;
	return true;
}

static bool
is_same(const char *key, const char *text, size_t len)
{
	return strlen(key) == len && memcmp(key, text, len) == 0;
}

/* The paths that go on with this key. */
static uint64_t
follow(const struct trimmer *t, uint64_t paths, unsigned depth, const char *key, size_t len)
{
	uint64_t going = 0;

	if (t->is_event && depth == 0)
		return is_same("object", key, len) ? paths : 0;
	depth -= t->is_event;
	for (; paths != 0; paths &= paths - 1) {
		unsigned i = (unsigned)__builtin_ctzll(paths);

		if (is_same(t->paths[i].keys[depth], key, len))
			going |= UINT64_C(1) << i;
	}
	return going;
}

/* Whether one of them ends with the key at this depth: then the member goes. */
static bool
is_unread(const struct trimmer *t, uint64_t paths, unsigned depth)
{
	if (t->is_event && depth == 0)
		return false;
	depth -= t->is_event;
	for (; paths != 0; paths &= paths - 1)
		if (t->paths[__builtin_ctzll(paths)].keys[depth + 1] == NULL)
			return true;
	return false;
}

/* From its key on; *is_first: no member was written yet. */
static bool
trim_member(struct trimmer *t, uint64_t paths, unsigned depth, bool *is_first)
{
	const char *key = t->in, *key_end;
	uint64_t going;

	key_end = *key == '"' ? string_end(key, t->end) : NULL;
	if (key_end == NULL)
		return false;
	going = follow(t, paths, depth, key + 1, (size_t)(key_end - key - 2));
	t->in = key_end;
	skip_space(t);
	if (t->in == t->end || *t->in != ':')
		return false;
	t->in++;
	skip_space(t);
	if (going != 0 && is_unread(t, going, depth)) {
		t->in = value_end(t->in, t->end);
		return t->in != NULL;
	}
	if (!*is_first)
		*t->out++ = ',';
	*is_first = false;
	copy(t, key, (size_t)(key_end - key));
	*t->out++ = ':';
	return trim_value(t, going, depth + 1);
}

/* Behind a member or an element: at the next one, or behind the bracket, which is noted. */
static bool
go_on(struct trimmer *t, char bracket, bool *is_over)
{
	skip_space(t);
	if (t->in == t->end || (*t->in != ',' && *t->in != bracket))
		return false;
	*is_over = *t->in++ == bracket;
	if (!*is_over)
		skip_space(t);
	return t->in < t->end || *is_over;
}

static bool
trim_object(struct trimmer *t, uint64_t paths, unsigned depth)
{
	bool is_first = true, is_over;

	*t->out++ = *t->in++;
	skip_space(t);
	is_over = t->in < t->end && *t->in == '}';
	t->in += is_over;
	while (!is_over)
		if (t->in == t->end || !trim_member(t, paths, depth, &is_first) || !go_on(t, '}', &is_over))
			return false;
	*t->out++ = '}';
	return true;
}

static bool
trim_list(struct trimmer *t, uint64_t paths, unsigned depth)
{
	uint64_t going = follow(t, paths, depth, "*", 1);
	bool is_first = true, is_over;

	*t->out++ = *t->in++;
	skip_space(t);
	is_over = t->in < t->end && *t->in == ']';
	t->in += is_over;
	while (!is_over) {
		if (!is_first)
			*t->out++ = ',';
		is_first = false;
		if (t->in == t->end || !trim_value(t, going, depth + 1) || !go_on(t, ']', &is_over))
			return false;
	}
	*t->out++ = ']';
	return true;
}

/* paths: those that lead through the value. No deeper than a path is long. */
static bool
trim_value(struct trimmer *t, uint64_t paths, unsigned depth)
{
	if (t->in == t->end)
		return false;
	if (paths != 0 && *t->in == '{')
		return trim_object(t, paths, depth);
	if (paths != 0 && *t->in == '[')
		return trim_list(t, paths, depth);
	return copy_value(t);
}

size_t
api_trim(char *text, size_t size, bool is_event, const struct api_path *paths, size_t n)
{
	struct trimmer t = {
		.in = text, .end = text + size, .out = text, .paths = paths, .is_event = is_event
	};

	if (n == 0)
		return size;
	skip_space(&t);
	if (!trim_value(&t, n == API_PATHS_MAX ? UINT64_MAX : (UINT64_C(1) << n) - 1, 0))
		return 0;
	skip_space(&t);
	return t.in == t.end ? (size_t)(t.out - text) : 0;
}
