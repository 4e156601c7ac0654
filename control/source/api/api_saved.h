/* The cluster's objects as an API server last told them, on disk, for a start at which it does not answer: their texts, in an SQLite
 * file. It is no more than a memory: one that is damaged, or of another server or node, is thrown away and begun anew, and one that
 * cannot be written is said once and stays as it was. Changes are committed some seconds later, together. Control thread only. */
#ifndef RINGWAY_SOURCE_API_SAVED_H
#define RINGWAY_SOURCE_API_SAVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/model/object.h"

#define API_SAVED_FILE "objects.db" /* in state.dir */

struct api_saved;
struct loop;

/* server, node: whose objects they are. NULL, having logged why. */
struct api_saved *api_saved_open(struct loop *loop, const char *path, const char *server, const char *node);

/* Commits. NULL is fine, here and below. */
void api_saved_close(struct api_saved *s);

/* An object, as the server wrote it or as a watch's event, with the version of the API that it was asked for in. */
void api_saved_put(struct api_saved *s, enum object_kind kind, const char *ns, const char *name,
	const char *api_version, const char *text, size_t size);
void api_saved_remove(struct api_saved *s, enum object_kind kind, const char *ns, const char *name);

/* All of a kind has been listed: removes what is not there. */
void api_saved_sweep(struct api_saved *s, enum object_kind kind,
	bool (*is_there)(const char *ns, const char *name, void *arg), void *arg);

/* All kinds have been listed. Before this was said once, of this server and node, there is nothing to begin with. */
void api_saved_note_complete(struct api_saved *s);

/* CLOCK_REALTIME seconds of the last commit of somebody who had noted that it is complete; 0: nobody has. */
int64_t api_saved_time(struct api_saved *s);

/* Calls fn for each object of a kind, as put. fn may not change what is saved. 0, what fn returned below 0, or -EIO when not all can
 * be read: then what there was is not to be relied on, since a policy may be missing. */
int api_saved_each(struct api_saved *s, enum object_kind kind,
	int (*fn)(const char *api_version, const char *text, size_t size, void *arg), void *arg);

#endif
