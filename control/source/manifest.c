#include "control/source/manifest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/log.h"
#include "control/source/decode.h"
#include "control/source/digest.h"
#include "control/source/text_file.h"
#include "control/source/unread.h"

#define FILE_MAX (256u << 20) /* bytes */

void
manifest_add_error(struct manifest *m, const char *format, ...)
{
	char *text;
	va_list args;

	if (m->n_errors == MANIFEST_ERRORS_MAX)
		return;
	va_start(args, format);
	if (vasprintf(&text, format, args) >= 0)
		m->errors[m->n_errors++] = text;
	va_end(args);
}

static bool
add_item(struct manifest *m, struct object *object, const json_t *value)
{
	struct manifest_item *item;

	if (m->n_items == m->items_size) {
		size_t size = m->items_size == 0 ? 16 : 2 * m->items_size;
		struct manifest_item *items = realloc(m->items, size * sizeof(*items));

		if (items == NULL)
			return false;
		m->items = items;
		m->items_size = size;
	}
	item = &m->items[m->n_items++];
	*item = (struct manifest_item){ .object = object, .hash = json_digest(value) };
	return true;
}

/* Takes over what may be NULL, and gives it a name: unique within the file, so that no two are one object. */
static void
add_unread(struct manifest *m, struct unread_policy_object *unread, int result, const char *place)
{
	bool is_good = result == 0;

	if (is_good && unread != NULL) {
		is_good = asprintf(&unread->object.name, "%s/%zu", place, m->n_items) >= 0;
		if (!is_good)
			unread->object.name = NULL;
		is_good = is_good && add_item(m, &unread->object, NULL);
	}
	if (is_good)
		return;
	if (unread != NULL)
		object_free(&unread->object);
	manifest_add_error(m, "%s: out of memory", place);
}

void
manifest_hide_all(struct manifest *m, const char *place)
{
	struct unread_policy_object *unread;
	int result = unread_of_nothing(place, &unread);

	add_unread(m, unread, result, place);
}

static void
note_unread(struct manifest *m, const struct yaml_file *f, json_t *value, const char *place)
{
	struct unread_policy_object *unread;
	int result = unread_of_value(f, value, place, &unread);

	add_unread(m, unread, result, place);
}

static void
read_object(struct manifest *m, const struct yaml_file *f, json_t *value, unsigned line, const char *name)
{
	struct decode_error error;
	const char *ignored;
	struct object *object;
	char origin[512];

	snprintf(origin, sizeof(origin), "%s:%u", name, line);
	if ((m->is_draft ? object_decode_draft : object_decode)(
		    f, value, line, origin, &object, &ignored, &error) < 0) {
		const char *kind = json_string_value(json_object_get(value, "kind"));
		const char *called =
			json_string_value(json_object_get(json_object_get(value, "metadata"), "name"));
		char who[160] = "";

		if (kind != NULL)
			snprintf(who, sizeof(who), " (%.60s %.80s)", kind,
				called == NULL ? "without a name" : called);
		manifest_add_error(m, "%s:%u: %s%s%s%s", name, error.line, error.field,
			*error.field == '\0' ? "" : ": ", error.message, who);
		note_unread(m, f, value, origin);
	} else if (object == NULL) {
		log_debug("%s: %s is of no use to the dataplane", origin, ignored == NULL ? "it" : ignored);
	} else if (!add_item(m, object, value)) {
		object_free(object);
		manifest_add_error(m, "%s: out of memory", origin);
	}
}

static bool
is_list(const json_t *value)
{
	const char *kind = json_string_value(json_object_get(value, "kind"));

	return kind != NULL && strcmp(kind, "List") == 0 && json_is_array(json_object_get(value, "items"));
}

static void
read_documents(struct manifest *m, const struct yaml_file *f, const char *name)
{
	for (size_t i = 0; i < yaml_n_documents(f); i++) {
		json_t *value = yaml_document(f, i), *items, *item;
		size_t j;

		if (json_is_null(value))
			continue; /* "---" with nothing behind it */
		if (!is_list(value)) {
			read_object(m, f, value, yaml_document_line(f, i), name);
			continue;
		}
		items = json_object_get(value, "items");
		json_array_foreach (items, j, item)
			read_object(m, f, item, yaml_element_line(f, items, j), name);
	}
}

static bool
is_document_start(const char *text, size_t size)
{
	return size >= 3 && memcmp(text, "---", 3) == 0 && (size == 3 || strchr(" \t\r\n", text[3]) != NULL);
}

/* Where the next document begins: at a line "---", which ends whatever stands before it. */
static size_t
next_document(const char *text, size_t size, size_t at)
{
	while (at < size) {
		const char *end = memchr(text + at, '\n', size - at);

		if (end == NULL)
			return size;
		at = (size_t)(end - text) + 1;
		if (is_document_start(text + at, size - at))
			return at;
	}
	return size;
}

static void
read_part(struct manifest *m, const char *text, size_t size, unsigned n_before, const char *name)
{
	struct unread_policy_object *unread;
	struct yaml_error error;
	struct yaml_file *f;
	char place[512];
	int result;

	if (yaml_part_parse(&f, text, size, n_before, &error) == 0) {
		read_documents(m, f, name);
		yaml_file_free(f);
		return;
	}
	manifest_add_error(m, "%s:%u: %s", name, error.line, error.message);
	snprintf(place, sizeof(place), "%s:%u", name, error.line);
	result =
		unread_of_text(text, size, error.line > n_before ? error.line - n_before : 1, place, &unread);
	add_unread(m, unread, result, place);
}

/* Of a text that is no YAML as a whole: each document by itself. */
static void
read_parts(
	struct manifest *m, const char *text, size_t size, const char *name, const struct yaml_error *error)
{
	unsigned n_lines = 0;

	for (size_t at = 0, end; at < size; at = end) {
		end = next_document(text, size, at);
		read_part(m, text + at, end - at, n_lines, name);
		for (const char *c = text + at; (c = memchr(c, '\n', (size_t)(text + end - c))) != NULL; c++)
			n_lines++;
	}
	/* it is the whole that is wrong: what the parts say may not be all */
	if (m->n_errors == 0) {
		manifest_add_error(m, "%s:%u: %s", name, error->line, error->message);
		manifest_hide_all(m, name);
	}
}

bool
manifest_read(struct manifest *m, const char *path, const char *name, bool is_draft)
{
	struct yaml_error error;
	struct yaml_file *f;
	char *text;
	size_t size;
	int result = text_file_read(path, FILE_MAX, &text, &size);

	*m = (struct manifest){ .is_draft = is_draft };
	if (result < 0) {
		manifest_add_error(m, "%s: cannot be read: %s", name, strerror(-result));
		manifest_hide_all(m, name);
		return false;
	}
	if (yaml_file_parse(&f, text, size, &error) < 0) {
		read_parts(m, text, size, name, &error);
	} else {
		read_documents(m, f, name);
		yaml_file_free(f);
	}
	free(text);
	return m->n_errors == 0;
}

void
manifest_fini(struct manifest *m)
{
	for (size_t i = 0; i < m->n_items; i++)
		object_free(m->items[i].object);
	free(m->items);
	for (size_t i = 0; i < m->n_errors; i++)
		free(m->errors[i]);
	*m = (struct manifest){ 0 };
}
