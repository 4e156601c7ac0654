/* What the looks of lint (lint_looks.h) are at: the store's objects by namespaces, and what is asked of them; and where they put
 * what they find. For no others. */
#ifndef RINGWAY_LINT_LINT_WORLD_H
#define RINGWAY_LINT_LINT_WORLD_H

#include "control/lint/lint.h"
#include "control/model/nearest.h"
#include "dataplane/policy/rule_table.h"

#define SELECTOR_TEXT_SIZE 256

struct lint_namespace {
	const char *name;
	struct label own;            /* its name, as the API server labels it */
	struct labels implied;       /* that alone */
	const struct labels *labels; /* the object's; NULL: there is none */
	size_t first_pod, n_pods;
};

/* The store by namespaces. Pods are those that policies can isolate or name: not with their node's network, nor ended. */
struct lint_world {
	struct lint *out;
	const struct store *store;
	size_t n_pods, n_namespaces, n_policies, n_nodes;
	const struct pod_object **pods;    /* by namespace and name, as the policies are */
	struct lint_namespace *namespaces; /* by name */
	const struct network_policy_object **policies;
	const struct node_object **nodes;
};

/* False: out of memory; then there is nothing to end. */
bool lint_world_init(struct lint_world *w, struct lint *out, const struct store *store);
void lint_world_fini(struct lint_world *w);

/* NULL: no object is of this namespace. */
const struct lint_namespace *lint_namespace(const struct lint_world *w, const char *name);
const struct labels *lint_namespace_labels(const struct lint_namespace *ns);

/* "app=web,tier in (a,b),!x"; "{}" of an empty one. */
const char *lint_selector_text(const struct selector *s, char text[static SELECTOR_TEXT_SIZE]);

/* Guesses what a selector that does not match these labels was meant to say. */
void lint_guess(struct nearest *n, const struct selector *s, const struct labels *labels);

/* Whether a peer with selectors is this pod. */
bool lint_is_peer(const struct lint_world *w, const char *policy_ns, const struct policy_peer *peer,
	const struct pod_object *pod);
bool lint_block_has(const struct ip_block *block, const struct ip_addr *addr);

/* A finding, as struct lint_finding has it; advice is copied. */
void lint_add(struct lint_world *w, const struct network_policy_object *policy, const char *kind,
	int direction, int rule, const char *advice, const char *format, ...)
	__attribute__((format(printf, 7, 8)));

#endif
