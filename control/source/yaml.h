/* YAML text to JSON values, with the line of every node. The scalar rules are those of kubectl (which reads YAML 1.1):
 * plain true, yes and on are booleans, ~ and null are null, 0x10 and 0777 are numbers, what is quoted is a string. JSON
 * is read by the same parser, since YAML contains it. Values are shared where the text uses aliases: treat them as
 * immutable. Refused: duplicate keys, keys that are not scalars, .inf and .nan (JSON has none), unknown tags, nesting
 * beyond YAML_DEPTH_MAX, and aliases that would blow up (YAML_ALIAS_NODES_MAX). */
#ifndef RINGWAY_SOURCE_YAML_H
#define RINGWAY_SOURCE_YAML_H

#include <jansson.h>
#include <stddef.h>

#define YAML_DEPTH_MAX 64
#define YAML_ALIAS_NODES_MAX 100000 /* values that all aliases of a file stand for, together */

struct yaml_file;

struct yaml_error {
	unsigned line; /* from 1 */
	char message[256];
};

/* Reads all documents. 0, or -EINVAL with the error, or -ENOMEM. */
int yaml_file_parse(struct yaml_file **out, const char *text, size_t size, struct yaml_error *error);

/* The same for a part of a text, which begins behind so many lines: all lines told are those of the whole text. */
int yaml_part_parse(
	struct yaml_file **out, const char *text, size_t size, unsigned n_before, struct yaml_error *error);
void yaml_file_free(struct yaml_file *f);

size_t yaml_n_documents(const struct yaml_file *f);

/* An empty document is null. The file keeps the reference. */
json_t *yaml_document(const struct yaml_file *f, size_t i);

/* Lines: of a document, of an object's member (its value), of an array's element. 0 when there is no such,
 * or no file (NULL). */
unsigned yaml_document_line(const struct yaml_file *f, size_t i);
unsigned yaml_member_line(const struct yaml_file *f, const json_t *object, const char *key);
unsigned yaml_element_line(const struct yaml_file *f, const json_t *array, size_t index);

#endif
