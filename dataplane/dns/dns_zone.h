/* What the node answers with authority: the cluster's zone, and those reverse names whose address is a service's or an endpoint's.
 * A hash of names; each name is one piece of memory with its records as they go onto the wire, so that an answer is a look-up
 * and a copy.
 *
 * Names are spread over DNS_SHARDS small open tables by their hash. A version of the zone is the array of these: the next version
 * begins as a copy of it (16 KB) and replaces the tables and names that change, whatever the number of names is. A look-up reads
 * an entry of that array, a cache line of slots, and the name.
 *
 * Records begin with a pointer to offset 12 as their owner (RFC 1035 section 4.1.4): that is where the question's name is, in the
 * letters of who asked. Names inside of records are written in full (RFC 2782 wants it so for SRV, RFC 3597 for all that is
 * newer than RFC 1035); only the glue's owners point into the question.
 *
 * Immutable once published (dns_zone_edit.h); look-ups by workers. */
#ifndef RINGWAY_DNS_ZONE_H
#define RINGWAY_DNS_ZONE_H

#include "dataplane/dns/dns_query.h"
#include "dataplane/net/byteorder.h"

#define DNS_SHARDS 1024
#define DNS_SHARD_SHIFT 54 /* hash >> this: the shard */

#define DNS_ZONE_NAME_MAX 128 /* bytes of the zone's own name */

/* What is before a record's data: owner, type, class, TTL, length (RFC 1035 section 4.1.3). Packed. */
#define DNS_RR_HEADER 12
#define DNS_RR_TTL 6
#define DNS_RR_LEN 10

/* The records of one type, in units that stay together when answers are rotated: one record, or a target's with the
 * addresses that belong to it. */
struct dns_set {
	uint16_t type;
	uint16_t
		stride; /* bytes of each unit, which is one record without glue, one behind the other; 0: see at */
	uint32_t n_units; /* at least 1 */
	uint32_t
		at; /* of the first record or, with stride 0, of the struct dns_unit; from the node's start */
};

struct dns_unit {
	uint32_t at; /* records, then glue; from the node's start */
	uint16_t len, n;
	uint16_t glue_len, n_glue;
};

enum dns_node_flag {
	DNS_NODE_APEX = 1 << 0,    /* the zone's own name: it has the SOA, too */
	DNS_NODE_REVERSE = 1 << 1, /* in in-addr.arpa or ip6.arpa, of which the rest is others' */
	DNS_NODE_PODS =
		1 << 2, /* names of addresses below it are these addresses (pod records, not verified) */
	DNS_NODE_PORT =
		1 << 3, /* _port._proto.SERVICE: it has the addresses of the service, as CoreDNS says */
	DNS_NODE_NAMED = 1 << 4, /* for the builder: its addresses have this name as theirs in reverse */
};

/* A name that exists; without sets, for the names below it. */
struct dns_node {
	uint32_t size;     /* bytes in all */
	uint32_t n_owners; /* for the builder: how many objects want it */
	uint8_t len, n_sets;
	uint8_t flags;      /* DNS_NODE_* */
	uint8_t prefix_len; /* DNS_NODE_PORT: bytes before the service's name */
	uint8_t name[];     /* lower case; then the sets, then units, then records */
};

struct dns_slot {
	const struct dns_node *node; /* NULL: free, and so are those behind it in its line */
	uint64_t hash;
};

/* A cache line's. */
#define DNS_LINE_SLOTS 4

struct dns_shard {
	struct dns_slot *slots; /* whole cache lines; at most half of them taken */
	uint32_t mask;          /* slots - 1 */
	uint32_t n;
};

/* From the type on; the owner is the caller's. */
struct dns_soa {
	uint16_t len;
	uint8_t bytes[2 * DNS_ZONE_NAME_MAX + 64];
};

struct dns_zone_edit;

struct dns_zone {
	uint64_t seed; /* of hashes */
	uint32_t ttl_s;
	uint32_t serial;
	uint8_t len, labels;             /* of the zone's name */
	uint8_t name[DNS_ZONE_NAME_MAX]; /* lower case */
	struct dns_soa soa;              /* of the zone, and what stands in for it in reverse zones */
	struct dns_zone_edit *edit;      /* dns_zone_edit.c */
	struct dns_shard shards[DNS_SHARDS];
};

/* A name's in the tables; it need not be padded. */
uint64_t dns_zone_hash(const struct dns_zone *z, const uint8_t *name, unsigned len);

/* NULL: there is no such name. The name is padded, its hash is dns_name_hash() with the zone's seed. */
const struct dns_node *dns_zone_find(
	const struct dns_zone *z, const uint8_t *name, unsigned len, uint64_t hash);

/* The same for a name that need not be padded. */
const struct dns_node *dns_zone_get(const struct dns_zone *z, const uint8_t *name, unsigned len);

/* Where in its shard the look-up of a name begins: at a line, which has 96 names of 100, so that one look at all of it says where. */
static inline uint32_t
dns_shard_home(const struct dns_shard *shard, uint64_t hash)
{
	return (uint32_t)hash & shard->mask & ~(uint32_t)(DNS_LINE_SLOTS - 1);
}

static inline const struct dns_slot *
dns_zone_line(const struct dns_zone *z, uint64_t hash)
{
	const struct dns_shard *shard = &z->shards[hash >> DNS_SHARD_SHIFT];

	return &shard->slots[dns_shard_home(shard, hash)];
}

/* Which slots of a line have that hash: a bit each. Without branches: where in its line a name is would be mispredicted. */
static inline unsigned
dns_line_match(const struct dns_slot *line, uint64_t hash)
{
	const __m128i *slots = (const __m128i *)line;
	__m128i wanted = _mm_set1_epi64x((int64_t)hash);
	__m128i first = _mm_cmpeq_epi64(_mm_unpackhi_epi64(slots[0], slots[1]), wanted);
	__m128i last = _mm_cmpeq_epi64(_mm_unpackhi_epi64(slots[2], slots[3]), wanted);

	return (unsigned)_mm_movemask_ps(
		_mm_shuffle_ps(_mm_castsi128_ps(first), _mm_castsi128_ps(last), _MM_SHUFFLE(2, 0, 2, 0)));
}

/* The first of them; the last slot, if there are none. */
static inline unsigned
dns_line_first(unsigned match)
{
	return (unsigned)__builtin_ctz(match | 1u << (DNS_LINE_SLOTS - 1));
}

/* A look-up reads three things, one after the other: the shard, which is near, a line of slots, and the name, which may be far away in
 * a large zone. For several names at once, the lines are fetched for all of them, then the names, then come the look-ups, so that what
 * takes long takes long once. In line, or else the compiler takes what only fetches for something that has no effect. */
static inline __attribute__((always_inline)) void
dns_zone_fetch_line(const struct dns_zone *z, uint64_t hash)
{
	__builtin_prefetch(dns_zone_line(z, hash));
}

/* What a name with an address or two takes. */
#define DNS_FETCH_LINES 3

/* For a name that is not there, the line is fetched again: a branch would often be mispredicted. Returns what the look-up will
 * probably find; NULL: nothing, or it is in another line. */
static inline __attribute__((always_inline)) const struct dns_node *
dns_zone_fetch_node(const struct dns_zone *z, uint64_t hash)
{
	const struct dns_slot *line = dns_zone_line(z, hash);
	unsigned match = dns_line_match(line, hash);
	uintptr_t is_there = -(uintptr_t)(match != 0);
	uintptr_t node = (uintptr_t)line[dns_line_first(match)].node;
	const uint8_t *at = (const uint8_t *)((node & is_there) | ((uintptr_t)line & ~is_there));

	for (unsigned i = 0; i < DNS_FETCH_LINES; i++)
		__builtin_prefetch(at + i * 64);
	return (const struct dns_node *)(node & is_there);
}

/* The same as dns_zone_find(), with what dns_zone_fetch_node() returned for the question's name. */
static inline const struct dns_node *
dns_zone_find_guessed(const struct dns_zone *z, const struct dns_query *q, const struct dns_node *guess)
{
	if (guess != NULL && guess->len == q->len && dns_bytes_equal(guess->name, q->name, q->len))
		return guess;
	return dns_zone_find(z, q->name, q->len, q->hash);
}

/* Whether the question's name is the zone's own or below it. */
bool dns_zone_holds(const struct dns_zone *z, const struct dns_query *q);

#define DNS_ARPA "\4arpa" /* with the root label, which ends the string */

/* Whether it may be one of those in in-addr.arpa and ip6.arpa. What is neither this nor held by the zone is not in its tables. */
static inline bool
dns_zone_may_reverse(const struct dns_query *q)
{
	return q->len >= sizeof(DNS_ARPA) &&
	       memcmp(q->name + q->len - sizeof(DNS_ARPA), DNS_ARPA, sizeof(DNS_ARPA)) == 0;
}

static inline const struct dns_set *
dns_node_sets(const struct dns_node *node)
{
	size_t at = sizeof(*node) + node->len;

	return (const struct dns_set *)((const uint8_t *)node + (at + 3) / 4 * 4);
}

/* NULL: none of this type. */
static inline const struct dns_set *
dns_node_find(const struct dns_node *node, uint16_t type)
{
	const struct dns_set *sets = dns_node_sets(node);

	for (unsigned i = 0; i < node->n_sets; i++)
		if (sets[i].type == type)
			return &sets[i];
	return NULL;
}

static inline const uint8_t *
dns_node_bytes(const struct dns_node *node, uint32_t at)
{
	return (const uint8_t *)node + at;
}

/* Of a set without stride. */
static inline const struct dns_unit *
dns_set_units(const struct dns_node *node, const struct dns_set *set)
{
	return (const struct dns_unit *)dns_node_bytes(node, set->at);
}

/* A record's length in all, when it begins with a two-byte owner. */
static inline unsigned
dns_rr_size(const uint8_t *rr)
{
	return DNS_RR_HEADER + ((unsigned)rr[DNS_RR_LEN] << 8 | rr[DNS_RR_LEN + 1]);
}

#endif
