/* Services: from a frontend to one of its backends, and from a backend's reply back to the frontend, without
 * a flow table (DESIGN section 5). A packet costs four cache lines: frontend, bucket, backend, and the bitmap
 * of its port's role, or on the way back the reverse entry in place of the bitmap. Immutable once published;
 * written by control/build/service_rebuild.c through service_table_edit.h.
 *
 * Frontends, reverse entries and addresses lie in shards by the top bits of their hash, each an open-addressed
 * array of its own, and each frontend's backends and buckets in a piece of its own. So a change copies a few
 * shards, and the new version shares all others, and all other pieces, with the one before. */
#ifndef RINGWAY_SERVICE_TABLE_H
#define RINGWAY_SERVICE_TABLE_H

#include "dataplane/net/flow_key.h"
#include "dataplane/pkt.h"
#include "dataplane/service/slot.h"

#define SERVICE_SHARDS 64
#define SERVICE_SHARD_SHIFT 26 /* of a hash: its top six bits */

/* Reference to no frontend. */
#define FRONTEND_NONE UINT32_MAX

/* What a frontend's address is. */
enum frontend_kind {
	FRONTEND_CLUSTER_IP,
	FRONTEND_NODE_PORT,
	FRONTEND_LOAD_BALANCER,
	FRONTEND_EXTERNAL_IP,
	FRONTEND_HOST_PORT,
	FRONTEND_LOCAL_ADDRESS, /* of the DNS service, on this node (dns.localAddresses) */
	N_FRONTEND_KINDS,
};

/* Whether the outside reaches it. */
static inline bool
frontend_kind_is_exposed(uint8_t kind)
{
	return kind != FRONTEND_CLUSTER_IP && kind != FRONTEND_LOCAL_ADDRESS;
}

enum frontend_flag {
	FRONTEND_EXPOSED = 1 << 0,  /* reachable from outside */
	FRONTEND_AFFINITY = 1 << 1, /* sessionAffinity ClientIP: extra->affinity_timeout_s */
	FRONTEND_MOVING = 1 << 2,   /* extra->next_buckets differ from buckets (DESIGN 5.4) */
	FRONTEND_LOCAL = 1 << 3,    /* externalTrafficPolicy Local: extra->outside_buckets for what comes from
					    outside, whose address is kept */
	FRONTEND_DROP_EMPTY = 1 << 4,    /* without backends because of a Local policy: drop, do not reject */
	FRONTEND_SOURCE_RANGES = 1 << 5, /* extra->ranges: who may come, from outside or inside */
	FRONTEND_ADMITS_NODE = 1 << 6,   /* one of this node's addresses is in them: its own processes may */
};

enum backend_flag {
	BACKEND_LOCAL = 1 << 0,    /* on this node, by the endpoint's node name */
	BACKEND_DRAINING = 1 << 1, /* it serves for want of ready ones, but goes */
	BACKEND_OUTSIDE = 1 << 2,  /* what comes from outside may go there */
};

/* An endpoint as one frontend sees it. Two to a cache line. */
struct backend {
	struct ip_addr addr;
	uint16_t port;
	uint8_t slot;  /* of this (backend, frontend) pair; 0: all three are taken, so flows become exceptions
		       */
	uint8_t flags; /* enum backend_flag */
	uint32_t generation; /* changes when the address is reused by another pod */
	uint64_t pod;        /* its pod's name, as control writes it in short; 0: none that is known */
};
static_assert(sizeof(struct backend) == CACHE_LINE / 2, "two backends per line");

/* What few frontends need besides. In the frontend's piece. */
struct frontend_extra {
	uint32_t n_leaving; /* of a move: backends that only old buckets name, behind all others */
	uint32_t affinity_timeout_s;
	uint32_t n_ranges;
	const struct ip_prefix *ranges;
	uint32_t next_mask; /* buckets - 1 */
	uint32_t outside_mask;
	const uint16_t *next_buckets;    /* of a move, when it is through: service_next_bucket() */
	const uint16_t *outside_buckets; /* for what comes from outside; indices into backends */
	uint32_t n_outside;              /* backends in them; 0: nobody, and no buckets */
	uint32_t n_outside_only; /* of these, that inside traffic does not use: behind n_backends others */
};

/* A service's address, port and protocol. One cache line, in open addressing: its place is its reference. */
struct frontend {
	struct ip_addr addr;
	uint16_t port;
	uint8_t proto; /* 0: free place; FRONTEND_GONE */
	uint8_t kind;  /* enum frontend_kind */
	uint16_t flags;
	uint16_t pad;
	uint32_t service;     /* number of the service, for counters and explain: service_builder_name() */
	uint32_t bucket_mask; /* buckets - 1 */
	uint32_t
		n_backends; /* for inside traffic; 0: no endpoint serves it, but a move's old buckets may name some */
	uint32_t
		piece_size; /* of backends, buckets and extra, in one piece from backends on; 0: there is none */
	const struct backend *backends;
	const uint16_t *buckets; /* indices into backends; never NULL, but of no meaning without backends */
	const struct frontend_extra *extra; /* NULL for most */
};
static_assert(sizeof(struct frontend) == CACHE_LINE, "one line per frontend");

/* In frontend.proto: a place that was taken once, and look-ups go on behind it. No packet has this protocol (RFC 3692
 * reserves it), and none asks for it. */
#define FRONTEND_GONE 255

/* Which frontends stand behind a backend's address, port and protocol. Two to a cache line, open addressing. */
struct reverse {
	struct ip_addr addr;
	uint16_t port;
	uint8_t proto;                /* 0: free place */
	uint8_t n_slotless;           /* frontends that have it without a slot; stays at 255 when there */
	uint32_t frontend[SLOTS - 1]; /* by slot - 1, references; FRONTEND_NONE */
};
static_assert(sizeof(struct reverse) == CACHE_LINE / 2, "two reverse entries per line");

/* An address that frontends have. */
struct service_addr {
	struct ip_addr addr; /* none: free place */
	uint64_t n_frontends;
};

struct service_table_edit;

/* All shards of a kind have as many places, a power of two, and one at least is free, so that look-ups end. */
struct service_table {
	uint32_t frontend_mask; /* places of a shard - 1 */
	uint32_t reverse_mask;
	uint32_t addr_mask;
	uint32_t n_frontends;
	uint32_t n_reverses;
	uint64_t exposed_changes; /* so often did a frontend become reachable from outside, or ended to be */
	bool has_exposed_affinity; /* one that is reachable from outside has or, in a version before, had affinity */
	struct frontend *frontends[SERVICE_SHARDS];
	struct reverse *reverses[SERVICE_SHARDS];
	struct service_addr *addrs[SERVICE_SHARDS];
	struct service_table_edit *edit; /* control's: what belongs to whom */
};

/* Whether some frontend has the address. Workers. */
bool service_table_has_addr(const struct service_table *t, const struct ip_addr *addr);

/* Whether a frontend of this version has the backend. Workers. */
bool service_has_backend(
	const struct service_table *t, const struct frontend *f, const struct ip_addr *addr, uint16_t port);

/* The look-ups, with the key's addr_hash(). Workers. */

static inline void
service_prefetch_frontend(const struct service_table *t, uint32_t hash)
{
	__builtin_prefetch(&t->frontends[hash >> SERVICE_SHARD_SHIFT][hash & t->frontend_mask]);
}

static inline void
service_prefetch_reverse(const struct service_table *t, uint32_t hash)
{
	__builtin_prefetch(&t->reverses[hash >> SERVICE_SHARD_SHIFT][hash & t->reverse_mask]);
}

static inline const struct frontend *
service_frontend(const struct service_table *t, uint32_t hash, const struct ip_addr *addr, uint16_t port,
	uint8_t proto)
{
	const struct frontend *shard = t->frontends[hash >> SERVICE_SHARD_SHIFT];

	for (uint32_t i = hash & t->frontend_mask;; i = (i + 1) & t->frontend_mask) {
		const struct frontend *f = &shard[i];

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
	const struct reverse *shard = t->reverses[hash >> SERVICE_SHARD_SHIFT];

	for (uint32_t i = hash & t->reverse_mask;; i = (i + 1) & t->reverse_mask) {
		const struct reverse *r = &shard[i];

		if (r->proto == 0)
			return NULL;
		if (r->port == port && r->proto == proto && ip_addr_eq(&r->addr, addr))
			return r;
	}
}

/* The reference of the i-th place of a shard of frontends. */
static inline uint32_t
service_ref(uint32_t shard, uint32_t i)
{
	return shard << SERVICE_SHARD_SHIFT | i;
}

/* The place in its shard that a reference names. */
static inline uint32_t
service_ref_place(uint32_t ref)
{
	return ref & ((UINT32_C(1) << SERVICE_SHARD_SHIFT) - 1);
}

/* The frontend that a reference of this version (not FRONTEND_NONE) names. */
static inline const struct frontend *
service_frontend_at(const struct service_table *t, uint32_t ref)
{
	return &t->frontends[ref >> SERVICE_SHARD_SHIFT][service_ref_place(ref)];
}

/* The reference of the frontend with this address, port and protocol in this version; FRONTEND_NONE. Any thread. */
uint32_t service_table_ref(
	const struct service_table *t, const struct ip_addr *addr, uint16_t port, uint8_t proto);

/* What chooses a flow's bucket: its five-tuple's hash, or with affinity its client's address alone. */
static inline uint32_t
service_flow(const struct frontend *f, uint32_t hash, const struct ip_addr *client)
{
	return __builtin_expect((f->flags & FRONTEND_AFFINITY) != 0, 0) ? addr_hash(client, 0, 0) : hash;
}

/* Where the bucket for what service_flow() says is. */
static inline const uint16_t *
service_bucket(const struct frontend *f, uint32_t flow)
{
	return &f->buckets[flow & f->bucket_mask];
}

static inline const struct backend *
service_backend(const struct frontend *f, uint16_t bucket)
{
	return &f->backends[bucket];
}

/* Whether its buckets name backends. */
static inline bool
service_has_buckets(const struct frontend *f)
{
	return f->n_backends != 0 || (f->flags & FRONTEND_MOVING) != 0;
}

/* In a bucket of a move: in the end nobody serves. */
#define BUCKET_NONE UINT16_MAX

/* Of a moving frontend: what is in a flow's bucket when the move is through. */
static inline uint16_t
service_next_bucket(const struct frontend *f, uint32_t flow)
{
	return f->n_backends == 0 ? BUCKET_NONE : f->extra->next_buckets[flow & f->extra->next_mask];
}

/* The backend that a connection gets which opens now, or NULL. */
static inline const struct backend *
service_choice(const struct frontend *f, uint32_t flow)
{
	if (f->n_backends == 0)
		return NULL;
	return service_backend(
		f, f->flags & FRONTEND_MOVING ? service_next_bucket(f, flow) : *service_bucket(f, flow));
}

/* Whether loadBalancerSourceRanges let this address in. */
static inline bool
service_admits(const struct frontend *f, const struct ip_addr *client)
{
	if (!(f->flags & FRONTEND_SOURCE_RANGES))
		return true;
	for (uint32_t i = 0; i < f->extra->n_ranges; i++)
		if (ip_prefix_contains(&f->extra->ranges[i], client))
			return true;
	return false;
}

/* Calls fn for each frontend, in no order. Control. */
void service_table_each(
	const struct service_table *t, void (*fn)(const struct frontend *f, void *arg), void *arg);

#endif
