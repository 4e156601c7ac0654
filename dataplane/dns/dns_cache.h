/* Answers of others, kept on the node: a hash of immutable entries in memory of a fixed size. An entry has its records as they go
 * onto the wire, so that an answer is a look-up, a copy, and the TTLs.
 *
 * Who reads: workers and any other reader of the snapshot. An entry that was found lives until that reader's next
 * snapshot_quiesce(); the writer (dns_cache_edit.h), who is one thread, replaces and unlinks entries meanwhile and uses their memory
 * again after a grace period.
 *
 * The index: buckets of DNS_CACHE_WAYS slots, two cache lines beside each other; an entry is in the bucket that its hash says or
 * nowhere, so a look-up reads these lines and, if a slot's tag fits, the entry. That bounds it whatever is in the cache; and who makes
 * up names does not know the seed.
 *
 * Times are clock_now_ns()'s. All functions allocate nothing. */
#ifndef RINGWAY_DNS_CACHE_H
#define RINGWAY_DNS_CACHE_H

#include <assert.h>

#include "dataplane/dns/dns_reply.h"

#define DNS_CACHE_WAYS 16
#define DNS_CACHE_UNIT 64 /* entries begin at multiples of it */

/* For how long clients may keep an answer that is stale (RFC 8767 section 4). */
#define DNS_STALE_TTL_S 30

/* What an answer is kept under. The class is IN: it is asked upstream whatever class a client wrote. */
struct dns_cache_key {
	const uint8_t *name; /* lower case, padded, aligned to DNS_CHUNK, as dns_query_scan() leaves it */
	uint64_t hash;       /* of name, with dns_cache_seed() */
	uint16_t type;
	uint8_t len;            /* of name, with the root label */
	bool dnssec;            /* DO: signatures are part of the answer (RFC 4035 section 3.2.1) */
	bool checking_disabled; /* CD: nor has anybody checked them */
};

enum dns_entry_flag {
	DNS_ENTRY_DNSSEC = 1 << 0,    /* of the key */
	DNS_ENTRY_CD = 1 << 1,        /* of the key */
	DNS_ENTRY_TRUNCATED = 1 << 2, /* too large for UDP: the answer is TC without records */
	DNS_ENTRY_NEGATIVE = 1 << 3,  /* NODATA or NXDOMAIN */
};

/* Behind it: the name, padded to chunks; where the TTLs are and where the compression pointers are, as offsets in the body; the
 * body, which is what goes behind the question. Pointers count as in a message whose question has this entry's name. */
struct dns_entry {
	/* what changes while it can be found; atomics, relaxed */
	uint64_t
		serve_stale_until_ns; /* writer: once it is expired it is served until then (RFC 8767), but not beyond stale_s */
	uint8_t is_used;           /* readers set it, the writer clears it */
	uint8_t is_prefetch_asked; /* a reader sets it, once */
	uint8_t is_unlinked;       /* the writer's own */
	uint8_t unused[5];

	uint64_t hash; /* of name, type and flags: dns_cache_hash() */
	uint64_t expires_ns;
	uint32_t life_s;  /* from when it was stored to expires_ns */
	uint32_t stale_s; /* how long behind expires_ns it may be served */
	uint16_t size;    /* bytes of all, a multiple of DNS_CACHE_UNIT */
	uint16_t type;
	uint16_t body_at, body_len; /* from the entry's start */
	uint16_t rotate_at;         /* in the body: rotate_n addresses that are equals */
	uint8_t rotate_n, rotate_stride;
	uint8_t len; /* of the name */
	uint8_t flags;
	uint8_t rcode;
	uint8_t n_answers, n_authorities;
	uint8_t n_pointers;
	_Alignas(DNS_CHUNK) uint8_t name[];
};

static_assert(sizeof(struct dns_entry) == DNS_CACHE_UNIT, "the head is one cache line");

enum dns_life {
	DNS_LIFE_FRESH,
	DNS_LIFE_STALE,   /* expired, but it may be served now, with DNS_STALE_TTL_S */
	DNS_LIFE_EXPIRED, /* as if it were not there */
};

struct dns_cache_edit;

struct dns_cache {
	uint64_t *
		slots; /* by bucket, atomics: tag (32 bits of the hash) and the entry's place in units, plus 1; 0: free */
	uint64_t bucket_mask;
	uint8_t *entries;
	uint64_t seed;
	struct dns_cache_edit *edit;
};

/* Of name, type and flags. */
static inline uint64_t
dns_cache_hash(uint64_t name_hash, uint16_t type, unsigned flags)
{
	return dns_fold(name_hash ^ ((uint64_t)type << 2 | (flags & (DNS_ENTRY_DNSSEC | DNS_ENTRY_CD))),
		UINT64_C(0xa54ff53a5f1d36f1)); /* the digits of 5's root */
}

static inline unsigned
dns_cache_key_flags(const struct dns_cache_key *key)
{
	return (key->dnssec ? DNS_ENTRY_DNSSEC : 0) | (key->checking_disabled ? DNS_ENTRY_CD : 0);
}

/* The key of a query that was scanned with dns_cache_seed(); it has the query's name. */
static inline struct dns_cache_key
dns_cache_key_of(const struct dns_query *q, const uint8_t *payload)
{
	return (struct dns_cache_key){
		.name = q->name,
		.hash = q->hash,
		.type = q->type,
		.len = q->len,
		.dnssec = q->wants_dnssec,
		.checking_disabled = (payload[DNS_FLAGS_AT + 1] & DNS_FLAG_CD) != 0,
	};
}

/* The seed that names are hashed with: dns_query_scan() and the zone take the same. */
static inline uint64_t
dns_cache_seed(const struct dns_cache *c)
{
	return c->seed;
}

/* For a burst: begins to load what dns_cache_find() reads first, for all keys; then, when that has come, the entries' beginnings; and
 * then what they have beyond that. */
static inline void
dns_cache_prefetch(const struct dns_cache *c, const struct dns_cache_key *key)
{
	uint64_t hash = dns_cache_hash(key->hash, key->type, dns_cache_key_flags(key));

	/* the other line has something only if this one was full before */
	__builtin_prefetch(c->slots + (hash & c->bucket_mask) * DNS_CACHE_WAYS);
}

/* Two lines are all of an entry with a name of 32 letters and an address. Returns what dns_cache_find() will probably find; NULL:
 * nothing, or it is in the bucket's other line. */
const struct dns_entry *dns_cache_prefetch_entry(const struct dns_cache *c, const struct dns_cache_key *key);

/* A long answer's other lines follow each other, as the processor notices. */
#define DNS_ENTRY_FETCH_LINES 5

static inline void
dns_cache_prefetch_body(const struct dns_entry *e)
{
	for (unsigned line = 2; line < DNS_ENTRY_FETCH_LINES && line * 64 < e->size; line++)
		__builtin_prefetch((const uint8_t *)e + line * 64);
}

/* The entry of that key, in any state of its life. NULL: none. */
const struct dns_entry *dns_cache_find(const struct dns_cache *c, const struct dns_cache_key *key);

/* The same, with what dns_cache_prefetch_entry() returned for it since the last snapshot_quiesce(): mostly the index is not read again. */
const struct dns_entry *dns_cache_find_guessed(
	const struct dns_cache *c, const struct dns_cache_key *key, const struct dns_entry *guess);

static inline enum dns_life
dns_entry_life(const struct dns_entry *e, uint64_t now_ns)
{
	if (now_ns < e->expires_ns)
		return DNS_LIFE_FRESH;
	return now_ns < __atomic_load_n(&e->serve_stale_until_ns, __ATOMIC_RELAXED) ? DNS_LIFE_STALE
										    : DNS_LIFE_EXPIRED;
}

/* What clients are told: what is left, in seconds, at least 1, unless it is an answer that nobody keeps. A reader's clock may be
 * behind the writer's. */
static inline uint32_t
dns_entry_ttl(const struct dns_entry *e, uint64_t now_ns)
{
	uint64_t left_s;

	if (now_ns >= e->expires_ns)
		return e->life_s == 0 ? 0 : DNS_STALE_TTL_S;
	left_s = (e->expires_ns - now_ns + 999999999) / 1000000000;
	return left_s < e->life_s ? (uint32_t)left_s : e->life_s;
}

/* Notes that somebody asked for it, so that it stays. True, once: it was asked for before, and less than a tenth of its life is left,
 * so it should be asked for upstream now (a DNS_MISS_PREFETCH). */
bool dns_entry_use(const struct dns_entry *e, uint64_t now_ns);

/* Makes a query's payload the reply: flags, records, OPT if the query had one. The payload has room for 'room' bytes, which bounds
 * the reply, and so does the client (q->udp_size) and DNS_UDP_SIZE_MAX. Records are whole or left out with TC set; addresses that are
 * equals are turned by 'rotation', any number; ede is an enum dns_ede, told where there is room. ttl_s: dns_entry_ttl().
 * The query's name is the entry's or, where that is an NXDOMAIN, one below it (RFC 8020). False: there is no room for the question
 * and OPT, and the payload is untouched. Version of EDNS: not looked at (dns_reply_error() says BADVERS). */
bool dns_entry_answer(const struct dns_entry *e, const struct dns_query *q, uint8_t *payload, size_t room,
	uint32_t ttl_s, uint32_t rotation, uint16_t ede, struct dns_reply *out);

/* The same for a reply that dns_answer() left with DNS_LEAVES in *out: adds what the entry knows of the name outside (whose key is
 * that name, and the query's type). The chain's records and AA stay. */
bool dns_entry_continue(const struct dns_entry *e, const struct dns_query *q, uint8_t *payload, size_t room,
	uint32_t ttl_s, uint32_t rotation, uint16_t ede, struct dns_reply *out);

#endif
