/* What tells whether a JSON value is still the same. Pure; any thread. */
#ifndef RINGWAY_SOURCE_DIGEST_H
#define RINGWAY_SOURCE_DIGEST_H

#include <jansson.h>
#include <stdint.h>

/* 64 bits of what it says, in whatever order its members stand; of NULL, always the same. No protection against those who mean to collide. */
uint64_t json_digest(const json_t *value);

#endif
