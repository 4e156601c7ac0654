/* JSON values as YAML for people: block style, two spaces, plain text where YAML reads that as the same text. What it prints,
 * yaml.h reads as the same value. Pure; any thread. */
#ifndef RINGWAY_SOURCE_YAML_PRINT_H
#define RINGWAY_SOURCE_YAML_PRINT_H

#include <jansson.h>

/* One document, which ends with a newline. The caller's to free; NULL if out of memory. */
char *yaml_print(const json_t *value);

#endif
