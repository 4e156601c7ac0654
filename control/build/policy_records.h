/* The cluster's policies, as the builder of their tables has them: ordered, and with traits and numbers for what is in use on
 * this node. Control thread only. */
#ifndef RINGWAY_BUILD_POLICY_RECORDS_H
#define RINGWAY_BUILD_POLICY_RECORDS_H

#include "control/build/identities.h"
#include "control/build/policy_numbers.h"

/* A rule in use. */
struct rule_record {
	uint32_t number;
	struct trait **traits; /* one for each peer, then NULL; never NULL itself */
	size_t n_names;
	struct port_name *
		*names; /* one for each port; NULL for those without a name, and for all of ingress */
};

struct policy_record {
	char *ns, *name;
	uint64_t serial; /* of this version of it: no two records have the same */
	/* In the store. Only good until that changes, so only for builds, which begin by following it. */
	const struct network_policy_object *object;
	bool isolates[N_POLICY_DIRECTIONS];
	unsigned n_users;                               /* pods of this node that it selects */
	bool is_in_use;                                 /* has rules */
	struct rule_record *rules[N_POLICY_DIRECTIONS]; /* as many as the object has, and an empty one, of
								directions that it isolates */
};

struct policy_records {
	uint64_t last_serial;
	size_t n, room;
	struct policy_record **items; /* by namespace and name */
};

/* The first policy of a namespace: those that follow it are at greater indexes. */
size_t policy_records_first(const struct policy_records *r, const char *ns);

/* The store has another policy by this name, or none any more. 0 or -ENOMEM. */
int policy_records_follow(struct policy_records *r, const struct store *store, struct identities *ids,
	struct policy_numbers *numbers, const char *ns, const char *name);

/* Has what is used, and only that, known to the identities. 0 or -ENOMEM. */
int policy_record_use(struct policy_record *p, struct identities *ids, struct policy_numbers *numbers);
void policy_record_unuse(struct policy_record *p, struct identities *ids, struct policy_numbers *numbers);

/* Forgets all, and gives their numbers back; identities go by themselves. */
void policy_records_clear(struct policy_records *r, struct policy_numbers *numbers);

#endif
