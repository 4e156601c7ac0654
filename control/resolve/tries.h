/* Queries to upstream servers that are under way, each with a socket of its own, by when their time is up. All memory is there
 * from the start. The resolver's thread, alone. */
#ifndef RINGWAY_RESOLVE_TRIES_H
#define RINGWAY_RESOLVE_TRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each may have a descriptor. A look-up has one and, when servers are silent, up to four. */
#define TRIES_MAX 1024

struct comparison;
struct lookup;
struct upstream;

struct
try {
	struct lookup *lookup;       /* NULL: it was settled without, and only the server is of interest */
	struct comparison *compared; /* not a look-up's, but this one's (shadow.h) */
	struct try *next;            /* of the look-up's */
	struct upstream *upstream;   /* NULL: it is free */
	void *socket;                /* the transport's */
	uint64_t sent_ns;
	uint64_t due_ns;
	uint32_t place;  /* among those whose time runs, from 1; 0: it is up, but an answer would still do */
	uint32_t number; /* among the look-up's tries, from 1 */
	uint16_t id;
	bool is_tcp, is_probe;
	bool is_plain; /* without EDNS */
	uint8_t n_mismatched;
};

struct tries {
	unsigned n_due, n_free, n_new;
	struct try *due[TRIES_MAX + 1]; /* a heap, the first at 1 */
	struct try *free[TRIES_MAX];
	struct try all[TRIES_MAX];
};

static inline bool
tries_has_room(const struct tries *t)
{
	return t->n_free > 0 || t->n_new < TRIES_MAX;
}

static inline unsigned
tries_count(const struct tries *t)
{
	return t->n_new - t->n_free;
}

/* All zero. NULL: there is no room. */
struct try *tries_add(struct tries *t);

/* Its time need not be up. */
void tries_remove(struct tries *t, struct try *x);

/* Its time begins to run. */
void tries_time(struct tries *t, struct try *x, uint64_t due_ns);

/* The one whose time is up first; NULL: none. */
static inline struct try *
tries_first(const struct tries *t)
{
	return t->n_due == 0 ? NULL : t->due[1];
}

/* Its time is up, or of no interest any more. */
void tries_untime(struct tries *t, struct try *x);

#endif
