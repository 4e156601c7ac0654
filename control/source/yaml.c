#include "control/source/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "control/source/yaml_scalar.h"

/* Where a value stands: by its container and its key (hashed) or index, since jansson's values have no room for it and
 * small ones (true, null) are shared. */
struct line {
	const json_t *container;
	uint64_t member;
	unsigned line;
};

struct document {
	json_t *value;
	unsigned line;
};

struct yaml_file {
	struct document *documents;
	size_t n_documents;
	struct line *lines; /* sorted once everything is read */
	size_t n_lines, lines_size;
	unsigned n_before; /* lines before the part that this is */
	json_t *kept;      /* what was merged away: its address must not be used again while lines name it */
};

struct anchor {
	char *name;
	json_t *value;
	size_t n_nodes;
};

struct reader {
	yaml_parser_t parser;
	struct yaml_file *file;
	struct anchor *anchors; /* of this document */
	size_t n_anchors;
	size_t n_nodes; /* read so far; the difference over a container is what it holds */
	size_t n_alias_nodes;
	struct yaml_error *error;
	int result;
};

static uint64_t
key_hash(const char *key)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	for (; *key != '\0'; key++)
		hash = (hash ^ (unsigned char)*key) * 0x100000001b3;
	return hash;
}

static json_t *fail(struct reader *r, size_t line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static json_t *
fail(struct reader *r, size_t line, const char *format, ...)
{
	va_list args;

	if (r->result != 0)
		return NULL;
	r->result = -EINVAL;
	r->error->line = (unsigned)line + (line == 0 ? 0 : r->file->n_before);
	va_start(args, format);
	vsnprintf(r->error->message, sizeof(r->error->message), format, args);
	va_end(args);
	return NULL;
}

static json_t *
fail_memory(struct reader *r)
{
	fail(r, 0, "out of memory");
	r->result = -ENOMEM;
	return NULL;
}

static bool
next_event(struct reader *r, yaml_event_t *event)
{
	yaml_parser_t *p = &r->parser;

	if (yaml_parser_parse(p, event))
		return true;
	if (p->error == YAML_MEMORY_ERROR)
		fail_memory(r);
	else if (p->error == YAML_READER_ERROR)
		fail(r, p->mark.line + 1, "%s (byte %zu)", p->problem, p->problem_offset);
	else
		fail(r, p->problem_mark.line + 1, "%s%s%s", p->context == NULL ? "" : p->context,
			p->context == NULL ? "" : ": ", p->problem);
	return false;
}

static bool
note_line(struct reader *r, const json_t *container, uint64_t member, size_t line)
{
	struct yaml_file *f = r->file;

	if (f->n_lines == f->lines_size) {
		size_t size = f->lines_size == 0 ? 256 : f->lines_size * 2;
		struct line *lines = realloc(f->lines, size * sizeof(*lines));

		if (lines == NULL) {
			fail_memory(r);
			return false;
		}
		f->lines = lines;
		f->lines_size = size;
	}
	f->lines[f->n_lines++] = (struct line){ container, member, (unsigned)line };
	return true;
}

static bool
note_anchor(struct reader *r, const yaml_char_t *name, json_t *value, size_t n_nodes)
{
	struct anchor *anchors;

	if (name == NULL)
		return true;
	anchors = realloc(r->anchors, (r->n_anchors + 1) * sizeof(*anchors));
	if (anchors != NULL) {
		r->anchors = anchors;
		anchors[r->n_anchors].name = strdup((const char *)name);
	}
	if (anchors == NULL || anchors[r->n_anchors].name == NULL) {
		fail_memory(r);
		return false;
	}
	anchors[r->n_anchors].value = json_incref(value);
	anchors[r->n_anchors].n_nodes = n_nodes;
	r->n_anchors++;
	return true;
}

static void
forget_anchors(struct reader *r)
{
	for (size_t i = 0; i < r->n_anchors; i++) {
		free(r->anchors[i].name);
		json_decref(r->anchors[i].value);
	}
	free(r->anchors);
	r->anchors = NULL;
	r->n_anchors = 0;
}

/* The last anchor of that name counts. One that is still being read is not known yet, so no value contains itself. */
static json_t *
read_alias(struct reader *r, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;

	for (size_t i = r->n_anchors; i-- > 0;) {
		if (strcmp(r->anchors[i].name, name) != 0)
			continue;
		r->n_alias_nodes += r->anchors[i].n_nodes;
		r->n_nodes += r->anchors[i].n_nodes;
		if (r->n_alias_nodes > YAML_ALIAS_NODES_MAX)
			return fail(r, event->start_mark.line + 1,
				"aliases stand for more than %d values: write out what is meant",
				YAML_ALIAS_NODES_MAX);
		return json_incref(r->anchors[i].value);
	}
	return fail(r, event->start_mark.line + 1, "*%s refers to an anchor that is not set before it", name);
}

#define TAG_PREFIX "tag:yaml.org,2002:"

static json_t *
read_scalar(struct reader *r, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	const char *tag = (const char *)event->data.scalar.tag;
	size_t size = event->data.scalar.length, line = event->start_mark.line + 1;
	const char *problem;
	json_t *value;

	r->n_nodes++;
	if (tag == NULL && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
		value = yaml_plain_scalar(text, size, &problem);
		return value != NULL ? value : fail(r, line, "%s", problem);
	}
	if (tag == NULL || strcmp(tag, "!") == 0 || strcmp(tag, TAG_PREFIX "str") == 0) {
		value = json_stringn(text, size);
		return value != NULL ? value : fail(r, line, "not UTF-8");
	}
	if (strcmp(tag, TAG_PREFIX "int") == 0 || strcmp(tag, TAG_PREFIX "float") == 0 ||
		strcmp(tag, TAG_PREFIX "bool") == 0 || strcmp(tag, TAG_PREFIX "null") == 0) {
		value = yaml_plain_scalar(text, size, &problem);
		if (value != NULL && !json_is_string(value))
			return value;
		json_decref(value);
		return fail(
			r, line, "\"%.40s\" is not of its tag's type, %s", text, tag + strlen(TAG_PREFIX));
	}
	return fail(r, line, "the tag %.80s is not understood", tag);
}

static json_t *read_node(struct reader *r, yaml_event_t *event, unsigned depth);

static json_t *
read_sequence(struct reader *r, yaml_event_t *start, unsigned depth)
{
	json_t *array = json_array();
	yaml_event_t event;
	bool is_good = array != NULL;

	while (is_good && next_event(r, &event)) {
		size_t line = event.start_mark.line + 1;
		json_t *element;

		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return array;
		}
		element = read_node(r, &event, depth + 1);
		yaml_event_delete(&event);
		is_good = element != NULL && note_line(r, array, json_array_size(array), line);
		if (is_good && json_array_append_new(array, element) < 0)
			is_good = fail_memory(r) != NULL;
		else if (!is_good)
			json_decref(element);
	}
	json_decref(array);
	return NULL;
}

/* "<<: *defaults": members that the mapping does not name itself. */
static bool
merge_members(struct reader *r, json_t *object, const json_t *from, size_t line)
{
	const char *key;
	json_t *value;

	if (json_is_array(from)) {
		size_t i;

		json_array_foreach (from, i, value) {
			if (!json_is_object(value)) {
				fail(r, line, "<< takes mappings only");
				return false;
			}
			if (!merge_members(r, object, value, line))
				return false;
		}
		return true;
	}
	if (!json_is_object(from)) {
		fail(r, line, "<< takes a mapping or a list of mappings");
		return false;
	}
	json_object_foreach ((json_t *)from, key, value) {
		if (json_object_get(object, key) != NULL)
			continue;
		if (!note_line(r, object, key_hash(key), line) || json_object_set(object, key, value) < 0)
			return false;
	}
	return true;
}

static json_t *
read_mapping(struct reader *r, yaml_event_t *start, unsigned depth)
{
	json_t *object = json_object(), *merge = NULL;
	size_t merge_line = 0;
	yaml_event_t key;

	while (object != NULL && next_event(r, &key)) {
		yaml_event_t event;
		const char *name;
		json_t *value;
		size_t line = key.start_mark.line + 1;
		bool is_merge, is_good;

		if (key.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&key);
			is_good = merge == NULL || (merge_members(r, object, merge, merge_line) &&
							   json_array_append(r->file->kept, merge) == 0);
			if (!is_good)
				break;
			json_decref(merge);
			return object;
		}
		if (key.type != YAML_SCALAR_EVENT) {
			fail(r, line, "a key must be a plain word, not a mapping, list or alias");
			yaml_event_delete(&key);
			break;
		}
		name = (const char *)key.data.scalar.value;
		is_merge = key.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strcmp(name, "<<") == 0;
		is_good = strlen(name) == key.data.scalar.length;
		if (!is_good)
			fail(r, line, "a key holds a NUL byte");
		else if (json_object_get(object, name) != NULL || (is_merge && merge != NULL))
			is_good = fail(r, line, "the key \"%.80s\" is given twice", name) != NULL;
		is_good = is_good && next_event(r, &event);
		if (!is_good) {
			yaml_event_delete(&key);
			break;
		}
		/* a mapping or list begins on the line after its key, where nobody looks for it */
		value = read_node(r, &event, depth + 1);
		yaml_event_delete(&event);
		if (value != NULL && is_merge) {
			merge = value;
			merge_line = line;
		} else if (value != NULL && !(note_line(r, object, key_hash(name), line) &&
						    json_object_set_new(object, name, value) == 0)) {
			fail(r, line, "the key \"%.80s\" cannot be stored", name);
			value = NULL;
		}
		yaml_event_delete(&key);
		if (value == NULL)
			break;
	}
	json_decref(merge);
	json_decref(object);
	return NULL;
}

static json_t *
read_node(struct reader *r, yaml_event_t *event, unsigned depth)
{
	size_t before = r->n_nodes;
	const yaml_char_t *anchor = NULL;
	json_t *value;

	if (depth > YAML_DEPTH_MAX)
		return fail(r, event->start_mark.line + 1, "nested deeper than %d levels", YAML_DEPTH_MAX);
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return read_alias(r, event);
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		value = read_scalar(r, event);
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		r->n_nodes++;
		value = read_sequence(r, event, depth);
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		r->n_nodes++;
		value = read_mapping(r, event, depth);
		break;
	default:
		return fail(r, event->start_mark.line + 1, "a value is missing");
	}
	if (value != NULL && !note_anchor(r, anchor, value, r->n_nodes - before)) {
		json_decref(value);
		return NULL;
	}
	return value;
}

static bool
add_document(struct reader *r, json_t *value, size_t line)
{
	struct yaml_file *f = r->file;
	struct document *documents = realloc(f->documents, (f->n_documents + 1) * sizeof(*documents));

	if (documents == NULL) {
		json_decref(value);
		fail_memory(r);
		return false;
	}
	f->documents = documents;
	documents[f->n_documents++] = (struct document){ value, (unsigned)line };
	return true;
}

static void
read_stream(struct reader *r)
{
	yaml_event_t event;
	bool is_end = false;

	while (!is_end && r->result == 0 && next_event(r, &event)) {
		json_t *value;

		switch (event.type) {
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_START_EVENT:
			break;
		case YAML_DOCUMENT_END_EVENT:
			forget_anchors(r);
			break;
		case YAML_STREAM_END_EVENT:
			is_end = true;
			break;
		default:
			value = read_node(r, &event, 0);
			if (value != NULL)
				add_document(r, value, event.start_mark.line + 1);
			break;
		}
		yaml_event_delete(&event);
	}
	forget_anchors(r);
}

static int
line_compare(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->container != y->container)
		return x->container < y->container ? -1 : 1;
	return x->member < y->member ? -1 : x->member > y->member;
}

int
yaml_part_parse(
	struct yaml_file **out, const char *text, size_t size, unsigned n_before, struct yaml_error *error)
{
	struct reader r = { .error = error };

	*out = NULL;
	r.file = calloc(1, sizeof(*r.file));
	if (r.file != NULL)
		r.file->kept = json_array();
	if (r.file == NULL || r.file->kept == NULL || !yaml_parser_initialize(&r.parser)) {
		yaml_file_free(r.file);
		*error = (struct yaml_error){ .message = "out of memory" };
		return -ENOMEM;
	}
	r.file->n_before = n_before;
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
	read_stream(&r);
	yaml_parser_delete(&r.parser);
	if (r.result != 0) {
		yaml_file_free(r.file);
		return r.result;
	}
	if (r.file->n_lines != 0)
		qsort(r.file->lines, r.file->n_lines, sizeof(*r.file->lines), line_compare);
	*out = r.file;
	return 0;
}

int
yaml_file_parse(struct yaml_file **out, const char *text, size_t size, struct yaml_error *error)
{
	return yaml_part_parse(out, text, size, 0, error);
}

void
yaml_file_free(struct yaml_file *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->n_documents; i++)
		json_decref(f->documents[i].value);
	json_decref(f->kept);
	free(f->documents);
	free(f->lines);
	free(f);
}

size_t
yaml_n_documents(const struct yaml_file *f)
{
	return f->n_documents;
}

json_t *
yaml_document(const struct yaml_file *f, size_t i)
{
	return f->documents[i].value;
}

unsigned
yaml_document_line(const struct yaml_file *f, size_t i)
{
	return f->documents[i].line + f->n_before;
}

static unsigned
find_line(const struct yaml_file *f, const json_t *container, uint64_t member)
{
	struct line key = { .container = container, .member = member };
	const struct line *found = NULL;

	if (f != NULL && f->n_lines != 0)
		found = bsearch(&key, f->lines, f->n_lines, sizeof(key), line_compare);
	return found == NULL ? 0 : found->line + f->n_before;
}

unsigned
yaml_member_line(const struct yaml_file *f, const json_t *object, const char *key)
{
	return find_line(f, object, key_hash(key));
}

unsigned
yaml_element_line(const struct yaml_file *f, const json_t *array, size_t index)
{
	return find_line(f, array, index);
}
