/* What a plain YAML scalar means, by the rules of kubectl (YAML 1.1 as go-yaml reads it). */
#ifndef RINGWAY_SOURCE_YAML_SCALAR_H
#define RINGWAY_SOURCE_YAML_SCALAR_H

#include <jansson.h>

/* The value of an unquoted scalar: null, a boolean, a number, otherwise a string. NULL with a message when JSON cannot
 * say it (.inf, an integer beyond 64 bits) or it is not UTF-8. */
json_t *yaml_plain_scalar(const char *text, size_t size, const char **problem);

#endif
