/* Buckets that move from one backend to another (DESIGN 5.4). A frontend's backends change; its buckets follow in two
 * steps, so that no connection is torn from a backend that may still live:
 *
 *   1. what is published has the old buckets and the next ones (FRONTEND_MOVING). From then on workers open connections at
 *      the next backend, with an entry for each; all else goes by the old buckets.
 *   2. control lists the sockets of all clients, and makes entries for what an old bucket holds: the listing.
 *   3. the buckets that a listing saw through are settled: nothing depends on what they say, and they flip.
 *
 * Buckets of a backend that is known to be gone flip at once. A change in between only changes where a bucket goes next.
 * Planning is pure; the registry remembers what listings saw. One thread. */
#ifndef RINGWAY_BUILD_MOVES_H
#define RINGWAY_BUILD_MOVES_H

#include "dataplane/service/service_table.h"
#include "dataplane/service/unmoved.h"

struct moves;

/* One frontend that has moving buckets. */
struct move {
	struct ip_addr addr;
	uint16_t port;
	uint8_t proto;
	uint32_t service; /* as in struct frontend */
	uint32_t n_buckets, n_moving;
	uint32_t n_refused; /* at the last listing: flows for which there was no room */
	uint64_t since_ns;
	/* a bit for each bucket; of mask + 1 buckets, which may be fewer than n_buckets: NULL: none */
	uint32_t mask;
	uint64_t *listed;  /* moving since before the listing that goes on */
	uint64_t *settled; /* seen through by one that has ended */
	size_t at;         /* the registry's */
};

/* NULL if out of memory. */
struct moves *moves_new(void);
void moves_free(struct moves *m); /* NULL is fine */

size_t moves_n(const struct moves *m);
void moves_each(struct moves *m, void (*fn)(struct move *move, void *arg), void *arg);

/* NULL: it has no moving buckets. */
struct move *moves_find(const struct moves *m, const struct ip_addr *addr, uint16_t port, uint8_t proto);

/* What buckets name. */
struct bucket_side {
	const struct backend
		*backends; /* by address, port and generation; 0 is a generation that is not known */
	uint32_t n;        /* that serve; what is behind them only leaves */
	uint32_t n_all;
	const uint16_t *buckets; /* NULL: there are no backends */
	uint32_t mask;
};

/* What is to be published. Arrays are the caller's, with room for as many buckets as the larger side has, and as many leaving
 * backends as 'old' has. */
struct move_plan {
	uint32_t n_buckets;
	uint16_t *buckets;  /* indices into the target's n_all backends, then into the leaving ones */
	uint32_t n_leaving; /* backends that no new flow gets */
	uint32_t *leaving;  /* indices into the old side's */
	uint32_t *map;      /* scratch: n_all of the old side */
	uint32_t n_moving;  /* 0: buckets are the target's, and it is no move */
};

/* Plans the way from 'old' to 'target'. 'move' is the frontend's record, if it has one. is_gone tells which old backends
 * are no more. */
void moves_plan(struct move_plan *plan, const struct bucket_side *old, const struct bucket_side *target,
	struct move *move, bool (*is_gone)(const struct backend *b, void *arg), void *arg);

/* A plan with moving buckets was made: its record, made if there is none. NULL if out of memory. */
struct move *moves_begin(struct moves *m, const struct frontend *f, uint32_t n_moving, uint64_t now_ns);

/* It is over, or its frontend is gone. */
void moves_end(struct moves *m, const struct ip_addr *addr, uint16_t port, uint8_t proto);

/* A listing: workers have all seen these tables before it begins. False if out of memory. */
bool moves_listing_begin(struct moves *m, const struct service_table *t);

/* There was no room for a flow's entry, and it is one to wait for: its bucket (by the flow's hash) stays. */
void moves_listing_refuse(struct move *move, uint32_t hash);

/* Likewise for what workers noted meanwhile, of all of them together. */
void moves_listing_refuse_unmoved(struct moves *m, struct unmoved *unmoved);

/* All sockets were seen: buckets are settled. Returns how many frontends have some. Or the listing failed. */
size_t moves_listing_end(struct moves *m);
void moves_listing_cancel(struct moves *m);

#endif
