#include "control/build/maglev.h"

#include <string.h>

#include "dataplane/net/flow_key.h"

#define FREE UINT16_MAX

uint32_t
maglev_size(uint32_t n)
{
	uint32_t size = MAGLEV_BUCKETS_MIN;

	if (n == 1)
		return 1;
	while (size < n * MAGLEV_BUCKETS_PER_BACKEND)
		size *= 2;
	return size;
}

void
maglev_fill(uint16_t *buckets, uint32_t size, const uint32_t *hashes, uint32_t n, uint32_t *scratch)
{
	uint32_t *next = scratch, *stride = scratch + n;

	for (uint32_t i = 0; i < n; i++) {
		next[i] = hashes[i];
		stride[i] = hash_mix(hashes[i]) | 1;
	}
	memset(buckets, 0xff, size * sizeof(*buckets));
	for (uint32_t filled = 0; filled < size;) {
		for (uint32_t i = 0; i < n && filled < size; i++, filled++) {
			while (buckets[next[i] & (size - 1)] != FREE)
				next[i] += stride[i];
			buckets[next[i] & (size - 1)] = (uint16_t)i;
		}
	}
}
