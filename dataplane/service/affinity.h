/* Which backend a client has at a frontend with session affinity (ClientIP). The bucket of the client's address says it
 * by itself until the frontend's backends change; this table remembers it across such changes, for the service's timeout
 * since the client's last new connection or datagram, as kube-proxy does.
 *
 * Each worker has one for the pods whose ports it has and for the host, and one for the clients outside whose flows it owns
 * (flow_owner.h), so that the outside takes nothing from pods. Bounded: a full set of a few entries makes room at the cost
 * of the client that has most of them. A stranger, who may have written any address on its packet, takes room from
 * strangers only: in a set full of clients that are known it gets none, and its address alone chooses.
 *
 * It lives in memory that the caller gives and that outlives the process: fixed layout, no pointers, and an entry's protocol
 * is written last, so one that a killed process left half-written is no entry. Times are CLOCK_MONOTONIC in nanoseconds,
 * ports in host byte order. */
#ifndef RINGWAY_SERVICE_AFFINITY_H
#define RINGWAY_SERVICE_AFFINITY_H

#include "dataplane/burst.h"
#include "dataplane/service/service_table.h"

#define AFFINITY_ENTRIES 16384 /* per table; a power of two */

struct affinity_entry {
	struct ip_addr client, frontend, backend;
	uint16_t frontend_port, backend_port;
	uint32_t generation; /* the backend's */
	uint32_t expires_s;
	uint8_t proto; /* 0: not in use */
	bool is_known; /* the client is who it says: a pod, or one outside that has answered us */
	uint8_t pad[2];
};
static_assert(sizeof(struct affinity_entry) == CACHE_LINE, "one line per entry");

/* Opaque. */
struct affinity {
	uint32_t version;
	uint32_t capacity;
	uint8_t pad[56];
	struct affinity_entry entries[];
};
static_assert(sizeof(struct affinity) == CACHE_LINE, "entries begin on a cache line");

/* Bytes for a table of that many entries. */
size_t affinity_size(uint32_t capacity);

/* Makes a table in memory of affinity_size(capacity) bytes, aligned to a cache line: with what a former process left
 * there, or empty when that was of another version or size. Returns how many entries live. */
uint32_t affinity_adopt(struct affinity *a, uint32_t capacity, uint64_t now_ns);

/* The client's entry at a frontend, or NULL. */
const struct affinity_entry *affinity_find(
	const struct affinity *a, const struct ip_addr *client, const struct frontend *f, uint64_t now_ns);

/* Notes that the client has this backend (address, port, generation) there, from now on for the frontend's timeout. A client
 * that is known once stays so. */
void affinity_note(struct affinity *a, const struct ip_addr *client, const struct frontend *f,
	const struct backend *backend, bool is_known, uint64_t now_ns);

/* The backend for a new flow of a client: the one that it has, as long as that may have what comes from there (is_outside:
 * through an exposed frontend), else the one that is chosen. a may be NULL: then the chosen one. */
const struct backend *affinity_keep(const struct affinity *a, const struct ip_addr *client,
	const struct frontend *f, const struct backend *chosen, bool is_outside, uint64_t now_ns);

/* Says of a new flow what its client's entry is, and what becomes of it: kept is what affinity_keep() returned. */
void affinity_trace(const struct affinity *a, struct burst *b, const char *stage,
	const struct ip_addr *client, const struct frontend *f, const struct backend *kept, uint64_t now_ns);

#endif
