/* One file of manifests to objects. Pure but for reading the file; any thread. */
#ifndef RINGWAY_SOURCE_MANIFEST_H
#define RINGWAY_SOURCE_MANIFEST_H

#include "control/model/store.h"

#define MANIFEST_ERRORS_MAX 20 /* more are counted, not kept */

struct manifest_item {
	struct object *object;
	uint64_t hash; /* of what was written, wherever it stands in the file */
};

struct manifest {
	size_t n_items, items_size;
	struct manifest_item *items;
	size_t n_errors; /* texts kept: at most MANIFEST_ERRORS_MAX */
	char *errors[MANIFEST_ERRORS_MAX];
};

/* Fills *m. name stands for the path in messages. False when there are errors; the objects of the file's good parts are
 * there all the same. */
bool manifest_read(struct manifest *m, const char *path, const char *name);
void manifest_fini(struct manifest *m);

void manifest_add_error(struct manifest *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
