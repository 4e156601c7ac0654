/* Backends to buckets: even to within one bucket, the same on every start whatever came before, and with few
 * changes when a backend comes or goes. The permutation fill of Maglev (Eisenbud et al., NSDI 2016, section
 * 3.4), on a power of two with odd strides, which visit every bucket, too. Pure. */
#ifndef RINGWAY_BUILD_MAGLEV_H
#define RINGWAY_BUILD_MAGLEV_H

#include <stdint.h>

/* The least even share that one bucket more or less may spoil: 16 buckets and more per backend. For few backends the
 * table is larger, since it costs nothing. */
#define MAGLEV_BUCKETS_PER_BACKEND 16
#define MAGLEV_BUCKETS_MIN 256
#define MAGLEV_BACKENDS_MAX 32768u

/* How many buckets n backends (1..MAGLEV_BACKENDS_MAX) get. A single one leaves no choice and has one bucket, which lies
 * next to it: a packet then touches one cache line less, and so many services have one backend that it counts. */
uint32_t maglev_size(uint32_t n);

/* Fills buckets[0..size) with numbers 0..n-1. hashes[i] is the hash of what backend i is, and with equal hashes the
 * order of the backends counts. scratch: 2 * n numbers. */
void maglev_fill(uint16_t *buckets, uint32_t size, const uint32_t *hashes, uint32_t n, uint32_t *scratch);

#endif
