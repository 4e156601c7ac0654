/* An answer in a line, for people: "NOERROR: A 10.96.0.10", "NXDOMAIN, not authoritative". Pure; any thread. */
#ifndef RINGWAY_RESOLVE_SHADOW_TEXT_H
#define RINGWAY_RESOLVE_SHADOW_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define SHADOW_TEXT_SIZE 240

/* "SRV", "TYPE64". Returns a text, or buf with one. */
#define SHADOW_TYPE_SIZE 16
const char *shadow_type_text(uint16_t type, char buf[static SHADOW_TYPE_SIZE]);

/* Records in the order of their texts, so that rotated answers read the same; what does not fit is "...". Returns buf. */
const char *shadow_text(const uint8_t *message, size_t size, char buf[static SHADOW_TEXT_SIZE]);

#endif
