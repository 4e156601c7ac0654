/* A token bucket on a clock that is given. It keeps one number, the time at which it is full again, so it needs no refilling
 * (ITU-T I.371 calls it the virtual scheduling algorithm). One thread. */
#ifndef RINGWAY_RESOLVE_TOKENS_H
#define RINGWAY_RESOLVE_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

struct tokens {
	uint64_t interval_ns; /* from one token to the next */
	uint64_t depth_ns;    /* of a full bucket: its tokens times the interval */
	uint64_t full_at_ns;
};

/* Full. per_s: at least 1; burst: how many a full one has, at least 1. */
static inline void
tokens_init(struct tokens *t, uint32_t per_s, uint32_t burst)
{
	t->interval_ns = UINT64_C(1000000000) / per_s;
	t->depth_ns = t->interval_ns * burst;
	t->full_at_ns = 0;
}

/* What is missing to a full bucket, as time. */
static inline uint64_t
tokens_missing_ns(const struct tokens *t, uint64_t now_ns)
{
	return t->full_at_ns > now_ns ? t->full_at_ns - now_ns : 0;
}

static inline bool
tokens_has(const struct tokens *t, uint64_t now_ns)
{
	return tokens_missing_ns(t, now_ns) + t->interval_ns <= t->depth_ns;
}

/* Whether more than half of the bucket is there: nobody who needs one now would wait for one that is taken. */
static inline bool
tokens_has_spare(const struct tokens *t, uint64_t now_ns)
{
	return tokens_missing_ns(t, now_ns) * 2 <= t->depth_ns - t->interval_ns;
}

/* Takes one, also one that is not there: those who come later pay for it. */
static inline void
tokens_take(struct tokens *t, uint64_t now_ns)
{
	t->full_at_ns = now_ns + tokens_missing_ns(t, now_ns) + t->interval_ns;
}

/* When there is one. */
static inline uint64_t
tokens_next_ns(const struct tokens *t, uint64_t now_ns)
{
	uint64_t missing = tokens_missing_ns(t, now_ns) + t->interval_ns;

	return missing <= t->depth_ns ? now_ns : now_ns + missing - t->depth_ns;
}

#endif
