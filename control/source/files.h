/* The cluster's state from a directory of manifests: *.yaml, *.yml and *.json, several documents in each, "kind: List"
 * too. The directory is watched (inotify): files written, moved in, removed, and swapped behind symbolic links, as a
 * mounted ConfigMap does it. A file counts as a whole: when something in it is wrong, that is an error in force until
 * the file is mended, and the objects it gave before stay. With a file that is wrong from the start there are none: then
 * what can be read of it counts, and what may be a policy and cannot be read is an object, too, of OBJECT_UNREAD_POLICY, until
 * the file is mended or gone. An object that two files give is an error of the later one;
 * what the first said stays. Control thread only. */
#ifndef RINGWAY_SOURCE_FILES_H
#define RINGWAY_SOURCE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct source;
struct store;

struct source_config {
	const char *dir;
	struct store *store;
	struct loop *loop;          /* NULL: the directory is read once */
	void (*changed)(void *arg); /* the store or the errors changed; may be NULL */
	void *arg;
	bool are_drafts; /* no API server has seen them: see object_decode_draft() */
};

/* Reads the directory, then watches it. A directory that is missing is an error in force, and is looked for again every
 * two seconds. 0 or -errno. */
int source_new(struct source **out, const struct source_config *config);

/* The objects stay in the store. NULL is fine. */
void source_free(struct source *s);

/* Errors in force: "file:line: field: what is wrong"; since is CLOCK_REALTIME seconds. */
size_t source_n_errors(const struct source *s);
void source_each_error(
	const struct source *s, void (*fn)(const char *text, int64_t since_s, void *arg), void *arg);

/* How many files with manifests there are. */
size_t source_n_files(const struct source *s);

#endif
