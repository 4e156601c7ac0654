/* What policy_build.c (the builder's life), policy_select.c (which policies are whose) and policy_sets.c (tables, shared by
 * those whose they are) have in common; nobody else includes it. */
#ifndef RINGWAY_BUILD_POLICY_BUILD_INTERNAL_H
#define RINGWAY_BUILD_POLICY_BUILD_INTERNAL_H

#include "control/build/policy_build.h"
#include "control/build/policy_compile.h"
#include "control/build/policy_records.h"
#include "control/model/watch.h"

/* A table, and how many versions have it. One more while it is a set's. */
struct compiled {
	unsigned refs;
	struct rule_table *table;
};

/* One direction of pods that the same policies isolate. These are of one namespace, so one mode is theirs; another one makes
 * another set, for what was dropped and what passed are counted apart. */
struct policy_set {
	struct policy_set *next;
	uint32_t hash;
	enum policy_direction direction;
	bool is_audit;
	size_t n, n_named;
	uint64_t *serials; /* n: what it is known by, with the next */
	uint16_t *named;
	uint32_t number;           /* by which denials are counted */
	struct compiled *compiled; /* NULL: not yet, or it could not be made */
	uint64_t compiled_at;      /* as identities_settled() */
	bool is_used;              /* by a pod, in this build */
	bool is_too_large;
};

#define UNREAD_TEXT_SIZE 512

/* A pod of this node. */
struct local {
	struct local_pod pod; /* its names are ours */
	bool is_dirty;        /* what selects it is to be found out */
	bool is_undecided;
	char unread
		[UNREAD_TEXT_SIZE]; /* what may select it and could not be read, as a sentence; "": nothing */
	bool is_audit;              /* as its namespace is, now */
	size_t n;
	struct policy_record **policies;              /* that select it, by namespace and name */
	struct policy_set *sets[N_POLICY_DIRECTIONS]; /* NULL: not isolated */
};

struct policy_builder {
	struct store *store;
	struct store_watch *watch;
	struct identities *ids; /* NULL: to be made, or there are no policies */
	struct policy_numbers *numbers;
	struct policy_records records;
	size_t n_locals;
	struct local *locals;
	struct policy_set *sets;
	struct shared_identities *identities; /* in force; NULL: none */
	struct policy_version *versions;      /* not released */
	bool is_started, is_full;             /* is_full: there are too many identities */
	enum policy_mode mode;                /* of the cluster */
};

/* policy_select.c. Each 0 or -ENOMEM. */

/* Makes the locals those of the facts; *are_new: others than before. */
int locals_follow(struct policy_builder *b, const struct build_facts *facts, bool *are_new);
void locals_free(struct policy_builder *b);

/* The store has another object. */
void locals_pod_changed(struct policy_builder *b, const char *ns, const char *name);
void locals_policy_changed(struct policy_builder *b, const char *ns); /* "": any namespace */

/* Finds out what selects whom, and has what is used, and only that, known to the identities. */
int locals_select(struct policy_builder *b);

/* policy_sets.c */

/* Gives each isolated pod its sets, and the sets their tables, as far as they are not right already. 0 or -ENOMEM. */
int sets_compile(struct policy_builder *b);
void sets_free(struct policy_builder *b);
void compiled_release(struct compiled *c); /* NULL is fine */

#endif
