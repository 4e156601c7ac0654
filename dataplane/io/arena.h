/* Memory that outlives the process: a file, on tmpfs under the run directory, mapped shared, with named
 * regions. What a worker knows about its pods (roles, exceptions) lives here, and a daemon that was killed
 * finds it again by name and size. A region's content is its user's: the arena only promises that a new one
 * is all zero. Control thread only; the regions themselves are for whoever they are given to. */
#ifndef RINGWAY_IO_ARENA_H
#define RINGWAY_IO_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#define ARENA_NAME_MAX 48 /* with the terminating zero */

struct arena;

/* Opens or creates the file, which is sparse: memory is used as regions are. One of another size, layout or
 * kind is emptied. Memory comes from the NUMA node given (-1: any). Returns 0, or -errno with *out untouched:
 * -EBUSY when another process has it open. */
int arena_open(struct arena **out, const char *path, size_t size, int numa_node);

/* Ends the use; the file and what is in it stay. */
void arena_close(struct arena *a);

/* The region of that name and size, cache-line aligned; made, all zero, when there is none. A region of that
 * name and another size is given up. *is_new (may be NULL) tells which. NULL: no room, or the name is too
 * long. */
void *arena_region(struct arena *a, const char *name, size_t size, bool *is_new);

/* Gives a region up; its room serves the next region of the same size. */
void arena_release(struct arena *a, const char *name);

/* Calls fn for each region in use, so that those of pods which are gone can be released from inside it. */
void arena_each(struct arena *a, void (*fn)(void *arg, const char *name), void *arg);

#endif
