/* One kind's objects on their way from the API server into the store. What is listed anew and what changed only where nobody
 * here looks is no change. A list replaces what was known only when it is complete: then goes what was not in it. An object that
 * cannot be used is an error in force until it is replaced or gone, and its last good version stays. Control thread only. */
#ifndef RINGWAY_SOURCE_API_OBJECTS_H
#define RINGWAY_SOURCE_API_OBJECTS_H

#include <jansson.h>

#include "control/source/api/api_kind.h"

#define API_OBJECT_ERRORS_MAX 20 /* kept; more are only logged */

struct api_objects;
struct api_saved;
struct store;

/* The store outlives it. NULL if out of memory. */
struct api_objects *api_objects_new(struct store *store, const struct api_kind *kind);

/* What is in the store stays there. NULL is fine. */
void api_objects_free(struct api_objects *o);

/* From now on what is put and removed is saved there, too; NULL: it is not. The caller's. */
void api_objects_save(struct api_objects *o, struct api_saved *saved);

/* An object that was listed, added or modified; takes out of the JSON value what is of no use. api_version: that it was asked for
 * in. text: that it came in, for api_saved_put(); NULL: not to be saved. 0, -EINVAL when it is no object with a name, or -ENOMEM. */
int api_objects_put(
	struct api_objects *o, json_t *value, const char *api_version, const char *text, size_t size);

/* Puts one that was saved, unless it, or an error in it, is known: it is in no list, so the next one that is complete takes it away or confirms it. 0,
 * -EINVAL or -ENOMEM. */
int api_objects_load(struct api_objects *o, json_t *value, const char *api_version);

/* One that was deleted. 0 or -EINVAL. */
int api_objects_remove(struct api_objects *o, const json_t *value);

/* A list begins. */
void api_objects_begin(struct api_objects *o);

/* It is complete: what was not put since it began is gone; or, when less was asked for than before, out of sight. 0 or -ENOMEM, then
 * more may be there than should. */
int api_objects_sweep(struct api_objects *o, bool is_narrower);

/* What is not known is not saved any more. */
void api_objects_sweep_saved(struct api_objects *o);

/* Whether anything changed since this was asked. */
bool api_objects_take_changed(struct api_objects *o);

/* Errors in force: "Service default/web: field: what is wrong"; since is CLOCK_REALTIME seconds. */
size_t api_objects_n_errors(const struct api_objects *o);
void api_objects_each_error(
	const struct api_objects *o, void (*fn)(const char *text, int64_t since_s, void *arg), void *arg);

#endif
