/* Files with one JSON object a line, as cases are written. Any thread. */
#ifndef RINGWAY_OFFLINE_JSON_LINES_H
#define RINGWAY_OFFLINE_JSON_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define JSON_LINES_FILE_MAX (256u << 20) /* bytes */

struct json_lines {
	const char *file; /* the caller's, as is errors */
	FILE *errors;
	size_t n_errors;
	int (*take)(json_t *object, unsigned line, void *arg); /* 0, or -errno to stop */
	void *arg;
};

/* Calls take() for each object. Empty lines are skipped; what is no object is written to errors, "file:line: ...", and counted.
 * 0; or -errno, with a line too: the file cannot be read, or out of memory, or as take() said. */
int json_lines_read(struct json_lines *l);

/* An object whose fields are taken one by one: all that is wrong with it is said. */
struct json_line {
	struct json_lines *lines;
	unsigned line;
	const json_t *object;
	bool has_failed;
};

/* Says what is wrong with it, and counts it. */
void json_line_fail(struct json_line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A text, the object's, that must be there unless it is optional. NULL: it is not, or it is wrong. */
const char *json_line_text(struct json_line *l, const char *key, bool is_optional);

/* Fails if there are other keys than these n. */
void json_line_check_keys(struct json_line *l, const char *const *known, size_t n);

#endif
