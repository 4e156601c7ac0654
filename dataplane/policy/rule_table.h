/* The rules that one direction of a pod is subject to, compiled: an identity names a bit vector of the rules whose peers
 * it is among, a protocol and a port name one of the rules that they fit, and the verdict is their intersection. Its lowest
 * bit is the rule that allows. Two look-ups and an AND, whatever the number of rules: a vector begins with a word that
 * says which of its words have bits at all, and only these follow. Equal vectors are kept once. So a thousand rules and
 * 20,000 identities cost some ten kilobytes, and a packet a line of them.
 *
 * Shared by all pods with the same rules. Immutable once published; made by control/build/policy_compile.c with
 * rule_table_new(). */
#ifndef RINGWAY_POLICY_RULE_TABLE_H
#define RINGWAY_POLICY_RULE_TABLE_H

#include <string.h>

#include "dataplane/net/headers.h"
#include "dataplane/pkt.h"

enum policy_direction {
	POLICY_INGRESS,
	POLICY_EGRESS,
	N_POLICY_DIRECTIONS,
};

/* Protocols that have ports; all others match only rules that name none. */
enum port_class {
	PORT_CLASS_TCP,
	PORT_CLASS_UDP,
	PORT_CLASS_SCTP,
	N_PORT_CLASSES,
};

/* What rule_table_new() is told: ports of the server's side, both ends included. */
struct rule_ports {
	uint8_t proto; /* TCP, UDP or SCTP */
	uint16_t first, last;
};

/* One rule, or a part of one: an egress rule with a named port is a rule for each number that its peers have by that
 * name, with those peers, and the same id. */
struct rule {
	const uint64_t *peers; /* a bit per identity; NULL: any peer, IDENTITY_OTHER included */
	const struct rule_ports *ports;
	unsigned n_ports; /* 0: every protocol, also those without ports */
	uint32_t id;      /* of its hits: see policy_table.h */
};

/* So many in a table at most, parts counted. */
#define RULES_MAX 65535u

/* Ports are looked up by pages of 256. An entry is the vector of the whole page, or says where its intervals are: the ports
 * at which they begin (uint16_t, an even number of places), then the numbers of their vectors (uint32_t). The first may
 * begin before the page. Ten intervals and less lie in one cache line. */
#define PORT_PAGES 256u
#define PORT_PAGE_DIVIDED (UINT32_C(1) << 31) /* else the number of a vector */
#define PORT_PAGE_COUNT_SHIFT 18              /* intervals - 1, at most 255; below that where, in units: */
#define PORT_PAGE_UNIT 16u

/* Vectors are numbered by where they begin, in units of 1 << unit_shift bytes. */
struct rule_table {
	const uint8_t *peers;   /* by identity: number of its vector, of 1 << peer_shift bytes */
	const uint8_t *vectors; /* each a summary and the words, or groups of words, of which it has a bit */
	const uint32_t *pages;  /* [N_PORT_CLASSES][PORT_PAGES] */
	const uint8_t *divided; /* the intervals of divided pages */
	const uint32_t *ids;    /* by bit */
	uint32_t no_ports;      /* number of the vector of the rules without ports */
	uint32_t n_identities;
	uint16_t peer_mask; /* what of two bytes read there is the number */
	uint8_t peer_shift; /* 0: the numbers are small, and the peers half as large */
	uint8_t unit_shift;
	uint8_t group_shift; /* a bit of a summary is for 1 << group_shift words */
	bool is_one_word; /* at most 64 rules: a vector always has its word, and the summary is not asked */

	uint32_t n_rules;
	uint32_t n_vectors;
	uint32_t denied; /* number by which denials are counted, as hits of rules are: see policy_table.h */
};
static_assert(offsetof(struct rule_table, n_rules) <= CACHE_LINE, "what look-ups need is one line");

/* Compiles rules, of which the first that allows a packet is named for it. peers have n_identities (at most IDENTITIES_MAX)
 * bits each; an identity beyond that is one that no rule with peers matches, so a table need not be made anew for it.
 * No rules: everything is denied. 0; -ENOMEM; -E2BIG: more than RULES_MAX rules; -EINVAL: ports of another protocol, or
 * first > last. Control. */
int rule_table_new(
	struct rule_table **out, const struct rule *rules, unsigned n_rules, unsigned n_identities);
void rule_table_free(struct rule_table *t); /* NULL is fine */

/* The look-ups, in steps, so that a burst can prefetch between them. Workers. */

static inline const uint64_t *
rule_table_vector(const struct rule_table *t, uint32_t number)
{
	return (const uint64_t *)(t->vectors + ((size_t)number << t->unit_shift));
}

/* Where an identity's number is. */
static inline const uint8_t *
rule_table_peer(const struct rule_table *t, uint16_t identity)
{
	return &t->peers[(size_t)(identity < t->n_identities ? identity : 0) << t->peer_shift];
}

/* The rules whose peers the identity is among. */
static inline const uint64_t *
rule_table_peer_rules(const struct rule_table *t, uint16_t identity)
{
	uint16_t number;

	memcpy(&number, rule_table_peer(t, identity), sizeof(number));
	return rule_table_vector(t, number & t->peer_mask);
}

/* The entry of the page that the port of the server's side lies in; of a protocol without ports, the rules without. */
static inline const uint32_t *
rule_table_page(const struct rule_table *t, uint8_t proto, uint16_t port)
{
	enum port_class class = proto == PROTO_TCP   ? PORT_CLASS_TCP
				: proto == PROTO_UDP ? PORT_CLASS_UDP
						     : PORT_CLASS_SCTP;

	if (__builtin_expect(class == PORT_CLASS_SCTP && proto != PROTO_SCTP, 0))
		return &t->no_ports;
	return &t->pages[class * PORT_PAGES + port / PORT_PAGES];
}

static inline uint32_t
rule_table_page_count(uint32_t page)
{
	return ((page & ~PORT_PAGE_DIVIDED) >> PORT_PAGE_COUNT_SHIFT) + 1;
}

/* Where a divided page's intervals begin. */
static inline const uint16_t *
rule_table_firsts(const struct rule_table *t, uint32_t page)
{
	return (const uint16_t *)(t->divided +
				  (size_t)(page & ((1u << PORT_PAGE_COUNT_SHIFT) - 1)) * PORT_PAGE_UNIT);
}

/* The rules that fit the protocol and, where it has ports, the port, of an entry that rule_table_page() found. */
static inline const uint64_t *
rule_table_page_rules(const struct rule_table *t, uint32_t page, uint16_t port)
{
	const uint16_t *firsts, *at;
	uint32_t count;

	if (!(page & PORT_PAGE_DIVIDED))
		return rule_table_vector(t, page);
	firsts = at = rule_table_firsts(t, page);
	count = rule_table_page_count(page);
	for (uint32_t n = count, half; n > 1; n -= half) {
		half = n / 2;
		at += at[half] <= port ? half : 0;
	}
	return rule_table_vector(t, ((const uint32_t *)(firsts + count + count % 2))[at - firsts]);
}

static inline const uint64_t *
rule_table_port_rules(const struct rule_table *t, uint8_t proto, uint16_t port)
{
	return rule_table_page_rules(t, *rule_table_page(t, proto, port), port);
}

/* A vector's words of one of the groups that its summary has; below: the bits of the groups before it. */
static inline const uint64_t *
rule_table_group(const uint64_t *vector, uint64_t below, unsigned group_shift)
{
	return &vector[1 + ((size_t)__builtin_popcountll(vector[0] & below) << group_shift)];
}

/* The lowest bit that both vectors have, of tables with so many rules that a group is several words. */
int rule_table_meet_in_groups(const uint64_t *a, const uint64_t *b, unsigned group_shift);

/* The lowest bit that both vectors of this table have, or -1. */
static inline int
rule_table_meet(const struct rule_table *t, const uint64_t *a, const uint64_t *b)
{
	if (t->is_one_word)
		return (a[1] & b[1]) != 0 ? __builtin_ctzll(a[1] & b[1]) : -1;
	if (__builtin_expect(t->group_shift != 0, 0))
		return rule_table_meet_in_groups(a, b, t->group_shift);
	for (uint64_t groups = a[0] & b[0]; groups != 0; groups &= groups - 1) {
		uint64_t below = ~groups & (groups - 1);
		uint64_t both = *rule_table_group(a, below, 0) & *rule_table_group(b, below, 0);

		if (__builtin_expect(both != 0, 1))
			return __builtin_ctzll(groups) * 64 + __builtin_ctzll(both);
	}
	return -1;
}

/* All at once: the bit of the rule that allows, or -1. */
static inline int
rule_table_match(const struct rule_table *t, uint16_t identity, uint8_t proto, uint16_t port)
{
	return rule_table_meet(t, rule_table_peer_rules(t, identity), rule_table_port_rules(t, proto, port));
}

#endif
