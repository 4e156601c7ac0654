/* How long to wait before the next try: decorrelated jitter, so that the nodes of a cluster do not come back all at once
 * when its API server does. Each wait is random between the shortest and three times the one before. Pure. */
#ifndef RINGWAY_SOURCE_API_BACKOFF_H
#define RINGWAY_SOURCE_API_BACKOFF_H

#include <stdint.h>

#define API_BACKOFF_MIN_MS 500
#define API_BACKOFF_MAX_MS 30000
#define API_RETRY_AFTER_MAX_S 300 /* a server that asks for more is not believed */

struct api_backoff {
	uint64_t random; /* state of the generator, never 0 */
	uint32_t last_ms;
};

/* Any seed; the same one gives the same waits. */
void api_backoff_init(struct api_backoff *b, uint64_t seed);

/* The next wait in milliseconds. */
uint32_t api_backoff_next(struct api_backoff *b);

/* And at least what the server asked for, with up to a quarter on top, since it asks all of its clients for the same. */
uint32_t api_backoff_after(struct api_backoff *b, uint32_t retry_after_s);

/* It worked: the next wait is short again. */
void api_backoff_reset(struct api_backoff *b);

/* From low to high, both included. */
uint32_t api_backoff_random(struct api_backoff *b, uint32_t low, uint32_t high);

#endif
