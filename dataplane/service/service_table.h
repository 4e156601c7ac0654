/* Services: from a frontend to one of its backends, and from a backend's reply back to the frontend, without
 * a flow table (DESIGN section 5). A packet costs four cache lines: frontend, bucket, backend, and the bitmap
 * of its port's role, or on the way back the reverse entry in place of the bitmap. Immutable once published;
 * written by control/build/service_build.c. */
#ifndef RINGWAY_SERVICE_TABLE_H
#define RINGWAY_SERVICE_TABLE_H

#include "dataplane/net/flow_key.h"
#include "dataplane/pkt.h"
#include "dataplane/service/slot.h"

#define FRONTEND_NONE UINT32_MAX

/* A service's address, port and protocol. One cache line, in open addressing: its index is its place. */
struct frontend {
	struct ip_addr addr;
	uint16_t port;
	uint8_t proto; /* 0: free place */
	uint8_t flags;
	uint32_t service; /* number of the service, for counters and explain */
	uint32_t bucket_base;
	uint32_t bucket_mask; /* buckets - 1 */
	uint32_t backend_base;
	uint32_t n_backends; /* 0: no endpoint is ready */
	uint8_t pad[CACHE_LINE - 40];
};
static_assert(sizeof(struct frontend) == CACHE_LINE, "one line per frontend");

/* An endpoint as one frontend sees it. Two to a cache line. */
struct backend {
	struct ip_addr addr;
	uint16_t port;
	uint8_t slot; /* of this (backend, frontend) pair; 0: all three are taken, so flows become exceptions
		       */
	uint8_t flags;
	uint32_t generation; /* changes when the address is reused by another pod */
	uint32_t endpoint;   /* number of the endpoint, for explain */
	uint32_t pad;
};
static_assert(sizeof(struct backend) == CACHE_LINE / 2, "two backends per line");

/* Which frontends stand behind a backend's address, port and protocol. Two to a cache line, open addressing. */
struct reverse {
	struct ip_addr addr;
	uint16_t port;
	uint8_t proto; /* 0: free place */
	uint8_t pad;
	uint32_t frontend[SLOTS - 1]; /* by slot - 1, index into frontends; FRONTEND_NONE */
};
static_assert(sizeof(struct reverse) == CACHE_LINE / 2, "two reverse entries per line");

/* The numbers of places in the open-addressed arrays are powers of two, and at most half of them are taken. */
struct service_table {
	uint32_t frontend_mask;
	uint32_t reverse_mask;
	uint32_t addr_mask;
	uint32_t n_frontends;
	uint32_t n_backends;
	uint32_t n_reverses;
	uint32_t n_buckets;
	struct frontend *frontends;
	struct reverse *reverses;
	struct backend *backends;
	struct ip_addr *addrs; /* that frontends have, open addressing; none: free place */
	uint16_t *buckets;     /* of frontend f and hash h: buckets[f->bucket_base + (h & f->bucket_mask)] +
				  f->backend_base */
};

/* A table with room for so many of each, without any yet; NULL if out of memory. The builder fills backends
 * and buckets itself. One allocation, on huge pages when it is large. */
struct service_table *service_table_new(
	uint32_t n_frontends, uint32_t n_backends, uint32_t n_buckets, uint32_t n_reverses);
void service_table_free(struct service_table *t);

/* Adds a frontend, whose index it returns; FRONTEND_NONE when there is one with its address, port and protocol.
 * Before publication. */
uint32_t service_table_add_frontend(struct service_table *t, const struct frontend *f);

/* Notes which frontend is behind a backend in a slot of 1..3. Before publication. */
void service_table_add_reverse(
	struct service_table *t, const struct backend *b, uint8_t proto, uint32_t frontend);

/* Whether some frontend has the address. Workers. */
bool service_table_has_addr(const struct service_table *t, const struct ip_addr *addr);

/* The look-ups, with the key's addr_hash(). Workers. */

static inline const struct frontend *
service_frontend(const struct service_table *t, uint32_t hash, const struct ip_addr *addr, uint16_t port,
	uint8_t proto)
{
	for (uint32_t i = hash & t->frontend_mask;; i = (i + 1) & t->frontend_mask) {
		const struct frontend *f = &t->frontends[i];

		if (f->proto == 0)
			return NULL;
		if (f->port == port && f->proto == proto && ip_addr_eq(&f->addr, addr))
			return f;
	}
}

static inline const struct reverse *
service_reverse(const struct service_table *t, uint32_t hash, const struct ip_addr *addr, uint16_t port,
	uint8_t proto)
{
	for (uint32_t i = hash & t->reverse_mask;; i = (i + 1) & t->reverse_mask) {
		const struct reverse *r = &t->reverses[i];

		if (r->proto == 0)
			return NULL;
		if (r->port == port && r->proto == proto && ip_addr_eq(&r->addr, addr))
			return r;
	}
}

/* Where the bucket for a flow's hash is. */
static inline const uint16_t *
service_bucket(const struct service_table *t, const struct frontend *f, uint32_t flow)
{
	return &t->buckets[f->bucket_base + (flow & f->bucket_mask)];
}

static inline const struct backend *
service_backend(const struct service_table *t, const struct frontend *f, uint16_t bucket)
{
	return &t->backends[f->backend_base + bucket];
}

#endif
