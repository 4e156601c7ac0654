/* Sorts by 128-bit keys, as addresses are and beginnings of names: by digits, of which those that all keys share cost nothing, so
 * that thousands of addresses of one network take some ten microseconds per thousand. Any thread. */
#ifndef RINGWAY_BUILD_KEY_SORT_H
#define RINGWAY_BUILD_KEY_SORT_H

#include <stddef.h>
#include <stdint.h>

struct sort_key {
	uint64_t high, low;
	uint32_t index; /* of whose key it is; those with the same key stay in order */
};

/* scratch: as much room. */
void key_sort(struct sort_key *keys, struct sort_key *scratch, size_t n);

#endif
