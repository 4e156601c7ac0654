/* The resolver's thread: takes what workers could not answer, asks upstream servers through the kernel's sockets (so its packets go
 * where any process's of this node go, and no worker waits), and gives the answers back to the workers. What it does with queries is in
 * resolve.h; it is the one writer of the cache and a reader of the snapshot, who is offline while it sleeps.
 *
 * Control makes, starts, stops and frees it; what there is to see may be read by any thread at any time. */
#ifndef RINGWAY_RESOLVE_RESOLVER_H
#define RINGWAY_RESOLVE_RESOLVER_H

#include "control/resolve/resolve.h"

struct resolver;
struct snapshot;

struct resolver_config {
	struct snapshot *snapshot; /* of which it is reader number ... */
	unsigned reader;
	unsigned n_workers;
	struct dns_rings *rings;
	int fd; /* the eventfd that the rings were made with */
	struct dns_cache *cache;
	struct dns_entry_limits limits;
	uint32_t queries_per_s;
	uint32_t in_flight_per_pod;
};

/* 0 or -errno. What it is given outlives it. */
int resolver_new(struct resolver **out, const struct resolver_config *config);

/* It has stopped. NULL is fine. */
void resolver_free(struct resolver *r);

/* 0 or -errno. */
int resolver_start(struct resolver *r);

/* Waits for its round to end; clients that wait are not told. NULL, and one that does not run, are fine. */
void resolver_stop(struct resolver *r);

uint64_t resolver_counter(const struct resolver *r, enum resolver_counter which);

/* As of the last round. */
struct resolve_books resolver_books(struct resolver *r);

/* Copies up to 'room' of the servers that have been asked, as of the last round; returns how many. */
unsigned resolver_upstreams(struct resolver *r, struct upstream *out, unsigned room);

/* The same of what shadow mode found to differ. */
unsigned resolver_divergences(struct resolver *r, struct shadow_divergence *out, unsigned room);

#endif
