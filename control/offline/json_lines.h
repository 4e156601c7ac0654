/* Files with one JSON object a line, as cases are written. Any thread. */
#ifndef RINGWAY_OFFLINE_JSON_LINES_H
#define RINGWAY_OFFLINE_JSON_LINES_H

#include <jansson.h>
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

/* Says what is wrong with a line, and counts it. */
void json_lines_fail(struct json_lines *l, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
