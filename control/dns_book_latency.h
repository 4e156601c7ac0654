/* How long something took: bins that grow with what they hold (log-linear, 16 to each doubling), so that a quantile is off by no
 * more than a few percent whether it is microseconds or seconds; and sums for Prometheus. Of what happened since the start, the
 * latest is kept apart: two turns, of which the older is forgotten when the next begins. Control thread only. */
#ifndef RINGWAY_DNS_BOOK_LATENCY_H
#define RINGWAY_DNS_BOOK_LATENCY_H

#include <stdint.h>

#define DNS_LATENCY_MIN_SHIFT 10 /* what is below 1 us is one bin */
#define DNS_LATENCY_MAX_SHIFT 35 /* what takes 34 s or longer is in the last one */
#define DNS_LATENCY_SUB_SHIFT 4
#define DNS_LATENCY_BINS (1 + ((DNS_LATENCY_MAX_SHIFT - DNS_LATENCY_MIN_SHIFT) << DNS_LATENCY_SUB_SHIFT))

/* Upper bounds of Prometheus' buckets, in seconds, ascending; the last bucket has none. */
#define DNS_LATENCY_BOUNDS 8
extern const double dns_latency_bounds[DNS_LATENCY_BOUNDS];

/* Since the start; buckets are not cumulative here. */
struct dns_latency_sums {
	uint64_t n, sum_ns;
	uint64_t buckets[DNS_LATENCY_BOUNDS + 1];
};

struct dns_latency_turn {
	uint64_t n;
	uint32_t bins[DNS_LATENCY_BINS];
};

/* All zero: nothing yet. */
struct dns_latency {
	struct dns_latency_sums sums;
	struct dns_latency_turn *turns[2]; /* [0] the current one; allocated when there is something for it */
};

void dns_latency_fini(struct dns_latency *l);

/* Something took so long, weight times. Without memory, quantiles do without it. */
void dns_latency_add(struct dns_latency *l, uint64_t ns, uint32_t weight);

/* A new turn begins: the current one is the former, and that one is forgotten. */
void dns_latency_turn(struct dns_latency *l);

/* How many were added in both turns. */
uint64_t dns_latency_recent(const struct dns_latency *l);

/* What this part of them (0.5: the median) took at most; 0 when there are none. */
uint64_t dns_latency_quantile(const struct dns_latency *l, double part);

#endif
