/* The rules that one direction of a pod is subject to, compiled: an identity names a bit vector of the rules whose peers
 * it is among, a protocol and a port name one of the rules that they fit, and the verdict is their intersection. Its lowest
 * bit is the rule that allows. Two look-ups and an AND, whatever the number of rules: a vector begins with a word that
 * says which parts of it have bits at all, and most have few.
 *
 * Shared by all pods with the same rules. Equal vectors are kept once, so that a thousand rules and 20,000 identities do
 * not cost megabytes. Immutable once published; made by control/build/policy_compile.c with rule_table_new(). */
#ifndef RINGWAY_POLICY_RULE_TABLE_H
#define RINGWAY_POLICY_RULE_TABLE_H

#include "dataplane/net/headers.h"
#include "dataplane/pkt.h"

enum policy_direction {
	POLICY_INGRESS,
	POLICY_EGRESS,
	N_POLICY_DIRECTIONS,
};

enum rules_flag {
	RULES_AUDIT = 1 << 0, /* what no rule allows is counted as policy_would_drop, and passes */
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

struct rule_table {
	const uint16_t *peers;        /* by identity: number of its vector */
	const uint64_t *vectors;      /* number i begins at i * stride: a summary, then n_words words */
	const uint16_t *firsts;       /* of port intervals, by class, each sorted and beginning with 0 */
	const uint32_t *port_vectors; /* by interval: number of its vector */
	uint32_t class_begin[N_PORT_CLASSES + 1]; /* into firsts */
	uint32_t no_ports;                        /* number of the vector of the rules without ports */
	uint32_t n_identities;
	uint16_t stride, n_words;
	uint8_t group_shift; /* a bit of the summary is for 1 << group_shift words */
	uint8_t flags;       /* enum rules_flag */

	const uint32_t *ids; /* by bit */
	uint32_t n_rules;
	uint32_t n_vectors;
	uint32_t denied; /* number by which denials are counted, as hits of rules are: see policy_table.h */
};
static_assert(offsetof(struct rule_table, ids) == CACHE_LINE, "what look-ups need is one line");

/* Compiles rules, of which the first that allows a packet is named for it. peers have n_identities (at most IDENTITIES_MAX)
 * bits each; an identity beyond that is one that no rule with peers matches, so a table need not be made anew for it.
 * No rules: everything is denied. 0; -ENOMEM; -E2BIG: more than RULES_MAX rules; -EINVAL: ports of another protocol, or
 * first > last. Control. */
int rule_table_new(
	struct rule_table **out, const struct rule *rules, unsigned n_rules, unsigned n_identities);
void rule_table_free(struct rule_table *t); /* NULL is fine */

/* The look-ups, in steps, so that a burst can prefetch between them. Workers. */

static inline void
rule_table_prefetch_peer(const struct rule_table *t, uint16_t identity)
{
	__builtin_prefetch(&t->peers[identity < t->n_identities ? identity : 0]);
}

/* The rules whose peers the identity is among. */
static inline const uint64_t *
rule_table_peer_rules(const struct rule_table *t, uint16_t identity)
{
	return &t->vectors[(size_t)t->peers[identity < t->n_identities ? identity : 0] * t->stride];
}

/* The rules that fit the protocol and, where it has ports, the port of the server's side. */
static inline const uint64_t *
rule_table_port_rules(const struct rule_table *t, uint8_t proto, uint16_t port)
{
	enum port_class class = proto == PROTO_TCP   ? PORT_CLASS_TCP
				: proto == PROTO_UDP ? PORT_CLASS_UDP
						     : PORT_CLASS_SCTP;
	const uint16_t *at = &t->firsts[t->class_begin[class]];
	uint32_t n = t->class_begin[class + 1] - t->class_begin[class];

	if (class == PORT_CLASS_SCTP && proto != PROTO_SCTP)
		return &t->vectors[(size_t)t->no_ports * t->stride];
	for (uint32_t half; n > 1; n -= half) {
		half = n / 2;
		at += at[half] <= port ? half : 0;
	}
	return &t->vectors[(size_t)t->port_vectors[at - t->firsts] * t->stride];
}

/* The lowest bit that both vectors of this table have, or -1. */
static inline int
rule_table_meet(const struct rule_table *t, const uint64_t *a, const uint64_t *b)
{
	for (uint64_t groups = a[0] & b[0]; groups != 0; groups &= groups - 1) {
		unsigned from = (unsigned)__builtin_ctzll(groups) << t->group_shift;
		unsigned to = from + (1u << t->group_shift);

		for (unsigned word = from; word < to && word < t->n_words; word++)
			if ((a[1 + word] & b[1 + word]) != 0)
				return (int)(word * 64 +
					     (unsigned)__builtin_ctzll(a[1 + word] & b[1 + word]));
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
