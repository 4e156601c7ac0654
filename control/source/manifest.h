/* One file of manifests to objects. Pure but for reading the file; any thread. */
#ifndef RINGWAY_SOURCE_MANIFEST_H
#define RINGWAY_SOURCE_MANIFEST_H

#include "control/model/store.h"

#define MANIFEST_ERRORS_MAX 20 /* more are counted, not kept */

struct manifest_item {
	struct object *object;
	uint64_t
		hash; /* of what was written, wherever it stands in the file; of what was unread: the same for all */
};

struct manifest {
	bool is_draft; /* see source_config */
	size_t n_items, items_size;
	struct manifest_item *items;
	size_t n_errors; /* texts kept: at most MANIFEST_ERRORS_MAX */
	char *errors[MANIFEST_ERRORS_MAX];
};

/* Fills *m. name stands for the path in messages. False when there are errors; the objects of the file's good parts are
 * there all the same, and one of OBJECT_UNREAD_POLICY for each part that may hold a policy and cannot be read (unread.h). */
bool manifest_read(struct manifest *m, const char *path, const char *name, bool is_draft);

/* Adds an object that stands for what cannot be read at all, and may hold any policy. */
void manifest_hide_all(struct manifest *m, const char *place);
void manifest_fini(struct manifest *m);

void manifest_add_error(struct manifest *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
