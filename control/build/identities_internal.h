/* What identities.c (numbers), identity_groups.c (pods by what policies see of them), identity_traits.c (what policies ask) and
 * identity_blocks.c (networks) share; nobody else includes it. */
#ifndef RINGWAY_BUILD_IDENTITIES_INTERNAL_H
#define RINGWAY_BUILD_IDENTITIES_INTERNAL_H

#include "control/build/identities.h"

enum trait_kind {
	TRAIT_PODS,
	TRAIT_BLOCK,
	TRAIT_PORT,
};

struct trait_record {
	struct trait trait; /* first: what others see */
	enum trait_kind kind;
	unsigned refs;
	bool is_new;
	char *key;                           /* tells equal ones */
	char *ns;                            /* TRAIT_PODS without namespaces */
	struct selector *namespaces, *pods;  /* TRAIT_PODS; NULL as in policy_peer */
	struct ip_block *block;              /* TRAIT_BLOCK */
	const struct port_name_record *name; /* TRAIT_PORT */
	uint16_t port;
	uint64_t *members, *former; /* of trait.members; room for as many identities each */
};

struct port_name_record {
	struct port_name name; /* first */
	struct port_name_record *next;
	unsigned refs;
	char *text;
	uint8_t proto;
	bool is_new;
};

/* Pods that policies cannot tell apart but by their addresses. */
struct pod_group {
	char *key; /* key_size bytes: all of it as text */
	size_t key_size;
	unsigned refs;
	size_t index; /* in identities.groups */
	bool is_stale;
	const char *ns;       /* in key, as what follows */
	struct labels labels; /* sorted */
	size_t n_ports;
	struct container_port *ports; /* named ones */
	uint64_t *bits;               /* traits, of identities.n_words words; without networks */
};

struct known_pod {
	char *ns, *name;
	uint64_t uid, static_uid; /* as struct pod_object has them */
	struct pod_group *group;
	size_t n_addrs;
	struct ip_addr *addrs;
};

/* The networks of all ipBlocks, excepts too, each with the blocks that addresses are in of which it is the longest. */
struct networks {
	struct identity_table *table; /* to index; NULL: there are no blocks */
	size_t n;                     /* [0]: in none */
	struct ip_prefix *prefixes;
	uint64_t *bits; /* n times identities.n_words */
};

/* Numbers by sets of traits: chains in a hash. */
struct numbers {
	unsigned n, room; /* n: the highest in use, and one */
	uint64_t *bits;   /* by number, n_words each */
	uint64_t *used;   /* by number: the settling that used it last; 0: free */
	uint32_t *next;   /* by number */
	uint32_t *heads;  /* HEADS of them; 0: none, as 0 is never in a chain */
	unsigned lowest;  /* none below is free */
};

struct identities {
	const struct store *store;
	uint64_t settled;
	bool is_dirty, are_groups_new, are_blocks_new;
	unsigned n_words; /* of a set of traits */
	void *pods;       /* tsearch, as are the next two */
	void *group_index;
	void *trait_index;
	size_t n_groups, groups_room;
	struct pod_group **groups;
	unsigned n_traits;            /* ids in use are below */
	struct trait_record **traits; /* by id, n_words * 64 of them; NULL: free */
	struct port_name_record *port_names;
	struct networks networks;
	struct numbers numbers;
	size_t member_words; /* of trait_record.members */
	uint64_t *scratch;   /* n_words */
};

/* identity_groups.c */
void groups_free(struct identities *ids);
const struct known_pod *known_pod_find(const struct identities *ids, const char *ns, const char *name);
void known_pods_each(
	const struct identities *ids, void (*fn)(const struct known_pod *pod, void *arg), void *arg);

/* identity_traits.c: brings groups and traits together, and gives the traits the members that the numbers say. */
int traits_evaluate(struct identities *ids);
int traits_count_members(struct identities *ids);
void traits_free(struct identities *ids);

/* identities.c: room for wider sets. */
bool numbers_widen(struct numbers *numbers, unsigned n_words, unsigned wider);

/* identity_blocks.c */
int networks_build(struct identities *ids);
size_t networks_find(const struct identities *ids, const struct ip_addr *addr); /* index; 0: none */
void networks_free(struct networks *networks);

/* Bits. */
static inline bool
bit_is_set(const uint64_t *bits, unsigned i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static inline void
bit_set(uint64_t *bits, unsigned i)
{
	bits[i / 64] |= UINT64_C(1) << i % 64;
}

static inline void
bit_clear(uint64_t *bits, unsigned i)
{
	bits[i / 64] &= ~(UINT64_C(1) << i % 64);
}

#endif
