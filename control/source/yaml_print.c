#include "control/source/yaml_print.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INDENT 2

static void print_block(FILE *f, const json_t *value, int indent, bool is_begun);

/* Words that YAML 1.1 takes for something else. */
static bool
is_reserved(const char *text)
{
	static const char *const words[] = { "y", "n", "yes", "no", "on", "off", "true", "false", "null" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(words[i], text) == 0)
			return true;
	return false;
}

/* Words, and IPv4 networks. */
static bool
is_plain(const char *text)
{
	size_t len = strlen(text);

	if (strchr(text, '/') != NULL && isdigit((unsigned char)*text))
		return strspn(text, "0123456789./") == len;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && strchr("-_./", text[i]) == NULL)
			return false;
	return isalpha((unsigned char)*text) && !is_reserved(text);
}

/* Also of empty collections. */
static void
print_scalar(FILE *f, const json_t *value)
{
	if (json_is_string(value) && is_plain(json_string_value(value)))
		fputs(json_string_value(value), f);
	else
		json_dumpf(value, f, JSON_ENCODE_ANY);
}

static void
print_key(FILE *f, const char *key)
{
	json_t *text = json_string(key);

	print_scalar(f, text);
	json_decref(text);
	fputc(':', f);
}

static bool
is_scalar(const json_t *value)
{
	return json_object_size(value) == 0 && json_array_size(value) == 0;
}

static void
print_member(FILE *f, const json_t *value, int indent)
{
	fputc(is_scalar(value) ? ' ' : '\n', f);
	print_block(f, value, indent, false);
}

/* is_begun: the first line's indentation is there already. */
static void
print_block(FILE *f, const json_t *value, int indent, bool is_begun)
{
	const char *key;
	json_t *member;
	size_t i;

	if (is_scalar(value)) {
		print_scalar(f, value);
		fputc('\n', f);
	} else if (json_is_object(value)) {
		json_object_foreach ((json_t *)value, key, member) {
			fprintf(f, "%*s", is_begun ? 0 : indent, "");
			is_begun = false;
			print_key(f, key);
			print_member(f, member, indent + INDENT);
		}
	} else {
		json_array_foreach (value, i, member) {
			fprintf(f, "%*s- ", is_begun ? 0 : indent, "");
			is_begun = false;
			print_block(f, member, indent + INDENT, true);
		}
	}
}

char *
yaml_print(const json_t *value)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	print_block(f, value, 0, false);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}
