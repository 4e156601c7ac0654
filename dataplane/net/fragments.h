/* What a worker knows about datagrams that come in fragments: the ports that only the first fragment carries, so that the
 * later ones are handled as it was; and the fragments that came before their first, which wait for it a while.
 *
 * All bounded. Keyed by what its sender chooses, so a full set of entries makes room at the cost of the source that has
 * most of them in it, strangers first, and a source may not have more than a share of those that wait, nor strangers more
 * than half of it: who floods us with fragments harms his own. One worker owns it. Times are CLOCK_MONOTONIC in nanoseconds. */
#ifndef RINGWAY_NET_FRAGMENTS_H
#define RINGWAY_NET_FRAGMENTS_H

#include "dataplane/burst.h"

#define FRAGMENT_ENTRIES 8192 /* datagrams per worker */
#define FRAGMENT_WAYS 8

/* How long a datagram's later fragments are known by its first (RFC 791 section 3.2 has 15 s for reassembly). */
#define FRAGMENT_NS (15 * UINT64_C(1000000000))

/* Fragments that overtake their first do so by little. */
#define FRAGMENT_WAIT_NS UINT64_C(500000000)
#define FRAGMENT_WAITING 128
#define FRAGMENT_WAITING_SHARE 48 /* of one source: a datagram of 64 KB */

struct fragment_entry {
	struct ip_addr src, dst;
	uint32_t id;
	uint8_t key_proto; /* IPv4: of its header; IPv6 does not tell datagrams apart by it (RFC 8200 section 4.5) */
	uint8_t proto; /* and what the first fragment carried */
	uint8_t tcp_flags;
	uint16_t sport, dport;
	uint64_t expires_ns; /* 0: not in use */
	bool is_stranger;    /* sent by the underlay, where a source may be anybody's word */
	uint8_t pad[7];
};
static_assert(sizeof(struct fragment_entry) == CACHE_LINE, "a set of entries is as many lines");

struct fragments {
	struct fragment_entry entries[FRAGMENT_ENTRIES];
	struct pkt waiting[FRAGMENT_WAITING];
	uint64_t until_ns[FRAGMENT_WAITING];
	unsigned n_waiting;
	bool has_news;          /* a first fragment was noted since somebody waits */
	uint64_t look_again_ns; /* when the first of them has waited long enough */
};

/* NULL if out of memory. */
struct fragments *fragments_new(void);
void fragments_free(struct fragments *f);

/* Of a first fragment: notes its ports. */
void fragments_note(struct fragments *f, const struct pkt *p, uint64_t now_ns);

/* Of a later one: fills in what its first said. False when that is not known. */
bool fragments_complete(const struct fragments *f, struct pkt *p, uint64_t now_ns);

/* Takes a packet that waits for its first fragment. False: there is no room. */
bool fragments_hold(struct fragments *f, const struct pkt *p, uint64_t now_ns);

/* Whether fragments_take() may have something. */
static inline bool
fragments_are_due(const struct fragments *f, uint64_t now_ns)
{
	return f->n_waiting != 0 && (f->has_news || now_ns >= f->look_again_ns);
}

/* Adds to the burst, as far as there is room, those that need not wait any longer: undecided when their first has come,
 * else dropped. Only those that waited in this half: out of a tunnel (PKT_DECAPPED) or not. */
void fragments_take(struct fragments *f, bool decapped, struct burst *b, uint64_t now_ns);

#endif
