/* Which file gave which object. What a file says is put into the store in its name; of an object that two files give, what the
 * first said stays. Control thread only. */
#ifndef RINGWAY_SOURCE_FILES_CLAIMS_H
#define RINGWAY_SOURCE_FILES_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct claim;
struct manifest;
struct store;

/* All files'. Zero but for the store is good. */
struct claims {
	struct store *store;
	void *tree; /* tsearch, by kind, namespace and name */
	uint64_t n_readings;
	bool has_changed; /* the store did; whoever looks at it clears it */
};

/* One file's. Zero but for the name, which is the caller's, is good. */
struct file_claims {
	const char *name; /* for messages */
	size_t n;
	struct claim **claims;
	bool has_conflict; /* another file gives an object of this one */
};

/* What the file says from now on is in the manifest, which loses what the store took, and gains errors. Returns whether the file
 * gave up objects: files with a conflict may give them now. */
bool claims_apply(struct claims *all, struct file_claims *f, struct manifest *m);

/* The objects stay in the store. First all files', then the rest. */
void file_claims_fini(struct file_claims *f);
void claims_fini(struct claims *all);

#endif
