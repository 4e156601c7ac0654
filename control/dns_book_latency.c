#include "control/dns_book_latency.h"

#include <stdlib.h>

#define SUB_BINS (1u << DNS_LATENCY_SUB_SHIFT)

const double dns_latency_bounds[DNS_LATENCY_BOUNDS] = { 0.0001, 0.001, 0.005, 0.02, 0.1, 0.5, 2, 5 };

void
dns_latency_fini(struct dns_latency *l)
{
	free(l->turns[0]);
	free(l->turns[1]);
	*l = (struct dns_latency){ 0 };
}

static unsigned
bin_of(uint64_t ns)
{
	unsigned shift;

	if (ns < UINT64_C(1) << DNS_LATENCY_MIN_SHIFT)
		return 0;
	if (ns >= UINT64_C(1) << DNS_LATENCY_MAX_SHIFT)
		return DNS_LATENCY_BINS - 1;
	shift = 63 - (unsigned)__builtin_clzll(ns);
	return 1 + ((shift - DNS_LATENCY_MIN_SHIFT) << DNS_LATENCY_SUB_SHIFT) +
	       (unsigned)((ns >> (shift - DNS_LATENCY_SUB_SHIFT)) & (SUB_BINS - 1));
}

/* The least that falls into the bin; of one behind the last, where that ends. */
static uint64_t
bin_start(unsigned bin)
{
	unsigned shift;

	if (bin == 0)
		return 0;
	shift = DNS_LATENCY_MIN_SHIFT + ((bin - 1) >> DNS_LATENCY_SUB_SHIFT);
	return (uint64_t)(SUB_BINS + ((bin - 1) & (SUB_BINS - 1))) << (shift - DNS_LATENCY_SUB_SHIFT);
}

void
dns_latency_add(struct dns_latency *l, uint64_t ns, uint32_t weight)
{
	unsigned bucket = 0;

	while (bucket < DNS_LATENCY_BOUNDS && (double)ns > dns_latency_bounds[bucket] * 1e9)
		bucket++;
	l->sums.n += weight;
	l->sums.sum_ns += ns * weight;
	l->sums.buckets[bucket] += weight;
	if (l->turns[0] == NULL && (l->turns[0] = calloc(1, sizeof(*l->turns[0]))) == NULL)
		return;
	l->turns[0]->n += weight;
	l->turns[0]->bins[bin_of(ns)] += weight;
}

void
dns_latency_turn(struct dns_latency *l)
{
	free(l->turns[1]);
	l->turns[1] = l->turns[0];
	l->turns[0] = NULL;
}

uint64_t
dns_latency_recent(const struct dns_latency *l)
{
	return (l->turns[0] == NULL ? 0 : l->turns[0]->n) + (l->turns[1] == NULL ? 0 : l->turns[1]->n);
}

uint64_t
dns_latency_quantile(const struct dns_latency *l, double part)
{
	double wanted = part * (double)dns_latency_recent(l), before = 0;

	if (wanted <= 0)
		return 0;
	for (unsigned bin = 0; bin < DNS_LATENCY_BINS; bin++) {
		double n = 0;

		for (unsigned turn = 0; turn < 2; turn++)
			n += l->turns[turn] == NULL ? 0 : l->turns[turn]->bins[bin];
		if (n != 0 && before + n >= wanted)
			return bin_start(bin) + (uint64_t)((double)(bin_start(bin + 1) - bin_start(bin)) *
							   (wanted - before) / n);
		before += n;
	}
	return bin_start(DNS_LATENCY_BINS);
}
