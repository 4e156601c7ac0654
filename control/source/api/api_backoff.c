#include "control/source/api/api_backoff.h"

void
api_backoff_init(struct api_backoff *b, uint64_t seed)
{
	*b = (struct api_backoff){ .random = seed | 1, .last_ms = API_BACKOFF_MIN_MS };
}

uint32_t
api_backoff_random(struct api_backoff *b, uint32_t low, uint32_t high)
{
	/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" */
	b->random ^= b->random >> 12;
	b->random ^= b->random << 25;
	b->random ^= b->random >> 27;
	return low +
	       (uint32_t)(((b->random * 0x2545f4914f6cdd1dull >> 32) * ((uint64_t)high - low + 1)) >> 32);
}

uint32_t
api_backoff_next(struct api_backoff *b)
{
	uint32_t high = 3 * b->last_ms;

	b->last_ms = api_backoff_random(
		b, API_BACKOFF_MIN_MS, high > API_BACKOFF_MAX_MS ? API_BACKOFF_MAX_MS : high);
	return b->last_ms;
}

uint32_t
api_backoff_after(struct api_backoff *b, uint32_t retry_after_s)
{
	uint32_t ms = api_backoff_next(b), asked_s = retry_after_s;

	if (asked_s > API_RETRY_AFTER_MAX_S)
		asked_s = API_RETRY_AFTER_MAX_S;
	if (ms >= asked_s * 1000)
		return ms;
	return api_backoff_random(b, asked_s * 1000, asked_s * 1250);
}

void
api_backoff_reset(struct api_backoff *b)
{
	b->last_ms = API_BACKOFF_MIN_MS;
}
