#include "control/offline/json_lines.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "control/source/text_file.h"

void
json_lines_fail(struct json_lines *l, unsigned line, const char *format, ...)
{
	va_list args;

	fprintf(l->errors, "%s:%u: ", l->file, line);
	va_start(args, format);
	vfprintf(l->errors, format, args);
	va_end(args);
	fputc('\n', l->errors);
	l->n_errors++;
}

static int
read_line(struct json_lines *l, const char *text, size_t size, unsigned line)
{
	json_error_t error;
	json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	int result = 0;

	if (object == NULL)
		json_lines_fail(l, line, "not a JSON object: %s", error.text);
	else if (!json_is_object(object))
		json_lines_fail(l, line, "must be a JSON object");
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
			json_lines_fail(l, 1, "holds a NUL byte: it is no text");
		else
			result = read_lines(l, text);
		free(text);
	}
	if (result < 0)
		fprintf(l->errors, "%s: %s\n", l->file, strerror(-result));
	return result;
}
