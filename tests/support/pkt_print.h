/* A frame in words, for failing tests. */
#ifndef TESTS_SUPPORT_PKT_PRINT_H
#define TESTS_SUPPORT_PKT_PRINT_H

#include <stdint.h>
#include <stdio.h>

/* Header by header on one line, then the bytes; bytes that differ from 'other' (may be NULL) are marked. */
void pkt_print(FILE *to, const char *title, const uint8_t *frame, unsigned len, const uint8_t *other,
	unsigned other_len);

#endif
