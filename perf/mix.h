/* Random numbers by arithmetic, shared with the BPF traffic generator. */
#ifndef RINGWAY_PERF_MIX_H
#define RINGWAY_PERF_MIX_H

/* Spreads the bits of a counter (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
 * 2014). */
static inline unsigned long long
mix(unsigned long long x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* 0 to n - 1, from 32 random bits. */
static inline unsigned
below(unsigned random, unsigned n)
{
	return (unsigned)((unsigned long long)random * n >> 32);
}

/* A service of n_services for 64 random bits, when hot_percent of all go to the first n_hot (0: none is
 * hot). */
static inline unsigned
mix_service(unsigned long long random, unsigned n_services, unsigned hot_percent, unsigned n_hot)
{
	unsigned low = (unsigned)random, high = (unsigned)(random >> 32);

	if (hot_percent == 0)
		return below(low, n_services);
	if (below(high, 100) < hot_percent)
		return below(low, n_hot);
	return n_hot + below(low, n_services - n_hot);
}

#endif
