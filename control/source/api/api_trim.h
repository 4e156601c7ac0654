/* Takes out of an object's text what nobody here reads, before it is parsed: half of what a server sends is who manages which field,
 * and the parser's time and memory go by bytes. Pure; any thread. */
#ifndef RINGWAY_SOURCE_API_TRIM_H
#define RINGWAY_SOURCE_API_TRIM_H

#include <stdbool.h>
#include <stddef.h>

#define API_PATH_KEYS 5
#define API_PATHS_MAX 64

/* A member by its keys, from the object down; "*" stands for each element of a list. Fewer keys end with NULL. */
struct api_path {
	const char *keys[API_PATH_KEYS + 1];
};

/* In place, of a text that is one JSON object with these n members, or a watch's event with such as its "object". A member whose
 * name is written with escapes stays. Returns the new size; 0 when it sees that the text is no JSON, which is not looked for: what
 * stays is as good as it was, what goes may be anything. */
size_t api_trim(char *text, size_t size, bool is_event, const struct api_path *paths, size_t n);

#endif
