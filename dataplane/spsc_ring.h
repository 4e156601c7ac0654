/* A ring with one producer and one consumer, in ordinary memory: rte_ring_create_elem() takes that of DPDK's EAL, which does not run
 * here. Elements are copied; their size is a multiple of 4. Whoever makes it frees it with free(). Any thread. */
#ifndef RINGWAY_SPSC_RING_H
#define RINGWAY_SPSC_RING_H

#include <rte_ring_elem.h>
#include <stdlib.h>

/* depth: a power of two; one less fits in. NULL if out of memory. */
static inline struct rte_ring *
spsc_ring_new(const char *name, unsigned element_size, unsigned depth)
{
	ssize_t size = rte_ring_get_memsize_elem(element_size, depth);
	struct rte_ring *ring = size < 0 ? NULL : aligned_alloc(RTE_CACHE_LINE_SIZE, (size_t)size);

	if (ring == NULL || rte_ring_init(ring, name, depth, RING_F_SP_ENQ | RING_F_SC_DEQ) != 0) {
		free(ring);
		return NULL;
	}
	return ring;
}

#endif
