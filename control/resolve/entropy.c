#include "control/resolve/entropy.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static void
refill(struct entropy *e)
{
	ssize_t got;

	/* up to 256 bytes come whole, unless a signal comes before the kernel's generator was ever ready */
	do
		got = getrandom(e->lot, sizeof(e->lot), 0);
	while (got < 0 && errno == EINTR);
	if (got != sizeof(e->lot))
		abort(); /* with numbers that can be guessed, answers can be forged */
	e->left = sizeof(e->lot) / sizeof(e->lot[0]);
}

uint16_t
entropy_u16(struct entropy *e)
{
	uint16_t value;

	if (e->left == 0)
		refill(e);
	value = e->lot[--e->left];
	e->lot[e->left] = 0; /* what was used is not kept */
	return value;
}

uint32_t
entropy_below(struct entropy *e, uint32_t n)
{
	return entropy_u16(e) * n >> 16;
}
