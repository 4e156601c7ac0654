/* Numbers that nobody can guess, from the kernel's generator: with a query's source port, its id is what keeps strangers from
 * answering in an upstream's name (RFC 5452). Taken in lots, so that a number costs no system call. One thread. */
#ifndef RINGWAY_RESOLVE_ENTROPY_H
#define RINGWAY_RESOLVE_ENTROPY_H

#include <stdint.h>

struct entropy {
	uint16_t lot[128];
	unsigned left; /* of them; zero at first */
};

uint16_t entropy_u16(struct entropy *e);

/* Below n, which is not 0 and at most 65536. The first numbers are a little more likely, by n / 65536 at most: for choices, not
 * for secrets. */
uint32_t entropy_below(struct entropy *e, uint32_t n);

#endif
