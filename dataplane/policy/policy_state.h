/* What replies need, without connection tracking, of one local pod: which of its ports are servers', and to whom it was
 * allowed to be sent what it may answer (or the other way round).
 *
 * The server bitmap (TCP) has ports that are declared (container ports, endpoints: control), and learned ones: on which an
 * opening segment was allowed in, or at which sockets had accepted somebody when the pod became isolated. Control forgets them
 * when there is no socket any more (control/node/servers.h). Nothing that the pod itself sends can set it. By accepting
 * connections it can, and gains nothing: what it then sends from there is judged as an answer to whom was let in, and what
 * arrives there as ingress.
 *
 * The reply set has a tag for each flow that was allowed in one direction and would not be in the other: 48 bits of a
 * SipHash of the remote address, both ports and the protocol, in a line that other bits of it choose, so that who does not
 * have the key finds one by chance only, once in 2^45 packets. A hit only says in which direction a packet is to be judged.
 * Entries live for 135 to 180 seconds since they were last written. A line that is full gives up its oldest entry; when
 * that still lived, it counts, and the pod is the one to name: nobody else's entries are in there.
 *
 * Lives in memory that the caller gives and that outlives the process: fixed layout, no pointers; all zero is one that was
 * never used. Written by the worker that owns the pod's port, and by control through worker_call(). */
#ifndef RINGWAY_POLICY_POLICY_STATE_H
#define RINGWAY_POLICY_POLICY_STATE_H

#include <smmintrin.h>

#include "dataplane/net/headers.h"
#include "dataplane/pkt.h"
#include "dataplane/policy/siphash.h"

#define POLICY_STATE_VERSION 1u /* of the layout */

/* 16,384 flows: a server that answers 90 datagrams a second, each from another port, fills it in a reply's full time, and a
 * busier one's entries live for less. */
#define REPLY_LINES 2048u
#define REPLY_WAYS 8u /* of 8 bytes: a cache line */

/* Ages count in these, and so many old ones are alive. */
#define REPLY_AGE_NS UINT64_C(45000000000)
#define REPLY_AGES 3u

#define SERVERS_PER_SUMMARY 128u

struct policy_state {
	uint32_t version; /* 0: empty and never used */
	uint32_t size;    /* sizeof(struct policy_state) */
	uint64_t key[2];
	uint64_t n_displaced; /* entries that gave way while they lived */
	uint32_t n_learned;
	uint32_t pad32;
	uint64_t asks_spent_until_ns; /* policy_asks.h */
	uint64_t dns_told_ns;         /* when control was told last that the pod may not ask for names */
	uint64_t pad;
	/* A bit for every so many of the bitmap: a client's state costs this line alone. */
	uint64_t summary[65536 / SERVERS_PER_SUMMARY / 64];
	uint64_t servers[65536 / 64];
	uint64_t learned[65536 / 64];              /* which of them are; control reads it, too */
	uint64_t replies[REPLY_LINES][REPLY_WAYS]; /* the youngest first: tag << 16 | age; 0: free */
};
static_assert(offsetof(struct policy_state, summary) == 64, "one line, and one line");
static_assert(offsetof(struct policy_state, replies) % 64 == 0, "an entry's line is a cache line");

/* Takes over memory of sizeof(struct policy_state) bytes, cache-line aligned. What a former process left there is kept,
 * true; anything else is emptied and gets the key (random, new for each), false. Control. */
bool policy_state_adopt(struct policy_state *s, const uint64_t key[2]);

/* Forgets everything: for a pod with another's former memory. Control. */
void policy_state_clear(struct policy_state *s, const uint64_t key[2]);

/* Servers */

static inline bool
policy_is_server(const struct policy_state *s, uint16_t port)
{
	unsigned group = port / SERVERS_PER_SUMMARY;

	return (s->summary[group / 64] >> group % 64 & 1) && (s->servers[port / 64] >> port % 64 & 1);
}

/* Notes a declared one, or one as learned; true when that is news. A declared one cannot be learned. */
bool policy_declare_server(struct policy_state *s, uint16_t port);
bool policy_learn_server(struct policy_state *s, uint16_t port);

/* Ends one, however it came to be; false when there is none. Control, when no socket listens there, nor it is declared. */
bool policy_forget_server(struct policy_state *s, uint16_t port);

/* Replies */

/* The other end of a flow as the pod's packets have it: local port, remote address and port (after service translation:
 * a backend, not a frontend), protocol. Of an echo the identifier is the local port, and the remote one 0; what has no ports
 * has 0. The pod's own address is that of the remote one's family. */
static inline uint64_t
reply_tag(const struct policy_state *s, const struct ip_addr *remote, uint16_t remote_port,
	uint16_t local_port, uint8_t proto)
{
	uint64_t rest = (uint64_t)proto << 32 | (uint64_t)remote_port << 16 | local_port;

	return siphash(s->key, remote->w, 2, rest, 5, 1, 3);
}

static inline void
reply_prefetch(const struct policy_state *s, uint64_t tag)
{
	__builtin_prefetch(s->replies[tag % REPLY_LINES]);
}

/* A bit for each of a line's entries that has the tag: all eight compared at once, since where it stands is anybody's guess. */
static inline unsigned
reply_places(const uint64_t *line, uint64_t tag)
{
	const __m128i wanted = _mm_set1_epi64x((long long)(tag >> 16));
	unsigned places = 0;

	for (unsigned i = 0; i < REPLY_WAYS; i += 2) {
		__m128i two = _mm_srli_epi64(_mm_load_si128((const __m128i *)&line[i]), 16);

		places |= (unsigned)_mm_movemask_pd(_mm_castsi128_pd(_mm_cmpeq_epi64(two, wanted))) << i;
	}
	return places;
}

static inline bool
reply_is_alive(uint64_t entry, uint16_t age)
{
	return entry != 0 && (uint16_t)(age - (uint16_t)entry) <= REPLY_AGES;
}

/* Whether the tag is in there and alive. */
static inline bool
reply_find(const struct policy_state *s, uint64_t tag, uint64_t now_ns)
{
	const uint64_t *line = s->replies[tag % REPLY_LINES];
	unsigned places = reply_places(line, tag);

	return places != 0 && reply_is_alive(line[__builtin_ctz(places)], (uint16_t)(now_ns / REPLY_AGE_NS));
}

/* The rest of reply_write(): what is written is not what is there; places: of the same tag. */
bool reply_renew(struct policy_state *s, uint64_t *line, uint64_t entry, unsigned places);

/* Writes it, or makes it young again. False: an entry that lived gave way. */
static inline bool
reply_write(struct policy_state *s, uint64_t tag, uint64_t now_ns)
{
	uint64_t *line = s->replies[tag % REPLY_LINES];
	uint64_t entry = (tag & ~UINT64_C(0xffff)) | (uint16_t)(now_ns / REPLY_AGE_NS);
	unsigned places = reply_places(line, tag);

	if (places != 0 && line[__builtin_ctz(places)] == entry)
		return true;
	return reply_renew(s, line, entry, places);
}

/* Takes it out. */
void reply_forget(struct policy_state *s, uint64_t tag);

#endif
