/* A NetworkPolicy (networking.k8s.io/v1) as it was written: what Kubernetes tells apart by nil and empty is told apart here.
 * Plain data, immutable once in the store. */
#ifndef RINGWAY_MODEL_NETWORK_POLICY_H
#define RINGWAY_MODEL_NETWORK_POLICY_H

#include "control/model/object.h"

enum selector_operator {
	SELECTOR_IN,
	SELECTOR_NOT_IN,
	SELECTOR_EXISTS,
	SELECTOR_DOES_NOT_EXIST,
};

struct selector_expression {
	char *key;
	enum selector_operator op;
	size_t n_values; /* none of SELECTOR_EXISTS and SELECTOR_DOES_NOT_EXIST */
	char **values;
};

/* All of it must hold: an empty one selects everything. Where nil means something else, it is a pointer, and NULL. */
struct selector {
	struct labels match_labels;
	size_t n_expressions;
	struct selector_expression *expressions;
};

struct ip_block {
	struct ip_prefix cidr;
	size_t n_excepts;
	struct ip_prefix *excepts; /* each inside of cidr, and smaller */
};

/* Either an ipBlock, or a selector at least. */
struct policy_peer {
	struct selector *namespaces; /* NULL: the policy's own */
	struct selector *pods;       /* NULL: all of the namespaces selected */
	struct ip_block *block;      /* NULL: pods */
};

/* A range of numbers, or a name that means another number on each pod that has it. */
struct policy_port {
	uint8_t proto; /* IANA number */
	uint16_t first, last;
	char *name; /* NULL: the numbers */
};

struct policy_rule {
	size_t n_peers; /* 0: everybody */
	struct policy_peer *peers;
	size_t n_ports; /* 0: every port of every protocol */
	struct policy_port *ports;
};

/* Defaults are filled in. */
struct network_policy_object {
	struct object object;
	struct selector pods;
	bool isolates[2];  /* by enum policy_direction: policyTypes, or what it defaults to */
	size_t n_rules[2]; /* those of a direction that the policy does not isolate mean nothing */
	struct policy_rule *rules[2];
};

/* What may be a policy, or hold some, and cannot be read: whoever it may select is closed. Its name is the source's, for
 * nothing but to tell one from another; what it is called is in its origin. */
struct unread_policy_object {
	struct object object; /* ns: "" when it may be of any namespace */
	struct selector pods; /* whom it selects, as far as that is known */
};

/* "pods of namespace shop that it may select are closed until ...": what follows from one, as a sentence. */
void unread_policy_describe(const struct unread_policy_object *unread, char *text, size_t size);

/* Copies of their own, NULL if out of memory; NULL may be freed. */
struct selector *selector_copy(const struct selector *s);
void selector_free(struct selector *s);
void selector_fini(struct selector *s); /* of one inside of something else, zeroed at least */
struct ip_block *ip_block_copy(const struct ip_block *block);
void ip_block_free(struct ip_block *block);

/* Of object_free(). */
void network_policy_fini(struct object *object);
void unread_policy_fini(struct object *object);

#endif
