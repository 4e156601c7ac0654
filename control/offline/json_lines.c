#include "control/offline/json_lines.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "control/source/text_file.h"

static void say(struct json_lines *l, unsigned line, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

static void
say(struct json_lines *l, unsigned line, const char *format, va_list args)
{
	fprintf(l->errors, "%s:%u: ", l->file, line);
	vfprintf(l->errors, format, args);
	fputc('\n', l->errors);
	l->n_errors++;
}

void
json_line_fail(struct json_line *l, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(l->lines, l->line, format, args);
	va_end(args);
	l->has_failed = true;
}

static void fail(struct json_lines *l, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void
fail(struct json_lines *l, unsigned line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(l, line, format, args);
	va_end(args);
}

const char *
json_line_text(struct json_line *l, const char *key, bool is_optional)
{
	const json_t *value = json_object_get(l->object, key);

	if (value == NULL && is_optional)
		return NULL;
	if (value == NULL)
		json_line_fail(l, "\"%s\" is missing", key);
	else if (!json_is_string(value) || *json_string_value(value) == '\0')
		json_line_fail(l, "\"%s\" must be text, and not empty", key);
	else
		return json_string_value(value);
	return NULL;
}

/* "a, b and c" */
static void
list_words(const char *const *words, size_t n, char *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < n && len < size; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%s",
			i == 0       ? ""
			: i + 1 == n ? " and "
				     : ", ",
			words[i]);
}

void
json_line_check_keys(struct json_line *l, const char *const *known, size_t n)
{
	char words[256] = "";
	const char *key;
	json_t *value;

	list_words(known, n, words, sizeof(words));
	json_object_foreach ((json_t *)l->object, key, value) {
		size_t i = 0;

		while (i < n && strcmp(key, known[i]) != 0)
			i++;
		if (i == n)
			json_line_fail(l, "\"%.60s\" is not known here; there are %s", key, words);
	}
}

static int
read_line(struct json_lines *l, const char *text, size_t size, unsigned line)
{
	json_error_t error;
	json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	int result = 0;

	if (object == NULL)
		fail(l, line, "not a JSON object: %s", error.text);
	else if (!json_is_object(object))
		fail(l, line, "must be a JSON object");
	else
		result = l->take(object, line, l->arg);
	json_decref(object);
	return result;
}

static bool
is_blank(const char *text, size_t size)
{
	return strspn(text, " \t\r") >= size;
}

static int
read_lines(struct json_lines *l, const char *text)
{
	int result = 0;

	for (unsigned line = 1; result == 0 && *text != '\0'; line++) {
		size_t size = strcspn(text, "\n");

		if (!is_blank(text, size))
			result = read_line(l, text, size, line);
		text += size + (text[size] == '\n');
	}
	return result;
}

int
json_lines_read(struct json_lines *l)
{
	char *text;
	size_t size;
	int result = text_file_read(l->file, JSON_LINES_FILE_MAX, &text, &size);

	if (result == 0) {
		if (strlen(text) != size)
			fail(l, 1, "holds a NUL byte: it is no text");
		else
			result = read_lines(l, text);
		free(text);
	}
	if (result < 0)
		fprintf(l->errors, "%s: %s\n", l->file, strerror(-result));
	return result;
}
